from __future__ import annotations

import pytest
import yaml

from naftiko.errors import StartError
from naftiko.workflow.compiler import compile_source, load_data
from naftiko.workflow.source.formatter import format_source
from naftiko.workflow.source.scaffold import KINDS, SERVICES, new_workflow
from tests.unit.workflow.front.sources import parsed

EXAMPLES = [("read", service) for service in SERVICES] + [("change", "sqs"), ("change", "sns")]


@pytest.mark.parametrize(("kind", "service"), EXAMPLES)
def test_examples_are_fine_and_tidy(kind: str, service: str) -> None:
    files = new_workflow("my_first", service=service, kind=kind)
    folder = f"workflows/{'community' if kind == 'read' else 'verified'}/my_first/1.0"

    assert list(files) == [
        f"{folder}/{name}" for name in ("source.yaml", "tests.yaml", "README.md")
    ]
    source = files[f"{folder}/source.yaml"]
    workflow = parsed(source)
    assert (workflow.name, workflow.version) == ("my_first", "1.0")
    assert bool(workflow.rollback) == (kind == "change")
    assert format_source(source) == source
    tests = yaml.safe_load(files[f"{folder}/tests.yaml"])
    assert {test["expect"]["status"] for test in tests} >= {"succeeded"}
    assert "$" not in files[f"{folder}/README.md"]


@pytest.mark.parametrize(("kind", "service"), EXAMPLES)
def test_examples_compile_without_a_word(kind: str, service: str) -> None:
    files = new_workflow("my_first", service=service, kind=kind)
    source = next(text for path, text in files.items() if path.endswith("source.yaml"))

    compiled = compile_source(source, "source.yaml", load_data())

    assert compiled.problems == ()
    assert compiled.plan is not None


def test_it_reads_unless_told_otherwise() -> None:
    assert not any("rollback" in text for text in new_workflow("abc").values())
    assert set(KINDS) == {"read", "change"}


@pytest.mark.parametrize(
    ("name", "service", "kind", "message"),
    [
        ("Ab", None, "read", "`Ab` is no name for a workflow"),
        ("../abc", None, "read", "`../abc` is no name for a workflow"),
        ("abc", "s4", "read", "there is no example that would read with `s4`"),
        ("abc", "s3", "change", "there is no example that would change with `s3`"),
        ("abc", None, "write", "`write` is no kind of example"),
    ],
)
def test_refused(name: str, service: str | None, kind: str, message: str) -> None:
    with pytest.raises(StartError) as caught:
        new_workflow(name, service=service, kind=kind)

    assert caught.value.message == message
