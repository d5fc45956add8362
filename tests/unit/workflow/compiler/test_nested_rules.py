"""What the parameters of a nested workflow demand: known before, or an assertion of the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from naftiko.workflow.catalog import Catalog
from naftiko.workflow.compiler import compile_source, load_data
from naftiko.workflow.library import CatalogLibrary

INNER = """\
name: empty_queue
version: "1.0"
description: "Read the attributes of a queue"
parameters:
  - {name: url, type: string, required: true, pattern: "^https://.*$"}
  - {name: few, type: integer, max: 10}
steps:
  - id: look
    type: command
    context: {service: sqs, action: get_queue_attributes, queue: "${params.url}"}
"""
OUTER = """\
name: look_twice
version: "1.0"
description: "Read the attributes of a queue by way of another workflow"
type: pattern
parameters:
  - {name: url, type: string, REST}
  - {name: few, type: integer}
steps:
  - id: inner
    type: workflow
    workflow: empty_queue@1.0
    parameters: {url: "${params.url}"MORE}
"""
SAME = 'required: true, pattern: "^https://.*$"'


def operations(folder: Path, rest: str, more: str = "") -> list[tuple[object, object]]:
    (folder / "empty_queue.yaml").write_text(INNER)
    data = load_data(library=CatalogLibrary(Catalog.open([folder])))
    found = compile_source(OUTER.replace("REST", rest).replace("MORE", more), "outer", data)
    assert found.plan is not None, found.problems
    listed = found.plan["execution_plan"]
    assert isinstance(listed, list)
    return [(one["op"], one.get("that")) for one in listed if isinstance(one, dict)]


def test_the_same_rules_are_not_asserted_again(tmp_path: Path) -> None:
    assert operations(tmp_path, SAME) == [("AWS_CALL", None)]


@pytest.mark.parametrize(
    "rest",
    [
        "required: true",
        'required: true, pattern: "^http.*$"',
        'pattern: "^https://.*$"',  # may be null, which the inner one does not take
        'required: true, pattern: "^https://.*$", max: 99',
    ],
)
def test_other_rules_are_asserted(tmp_path: Path, rest: str) -> None:
    assert [op for op, _ in operations(tmp_path, rest)] == ["ASSERT", "AWS_CALL"]


def test_what_may_be_left_out_may_be_null(tmp_path: Path) -> None:
    few = {"ref": ["params", "few"], "t": "integer"}

    (asserted, that), _ = operations(tmp_path, SAME, ', few: "${params.few}"')

    assert asserted == "ASSERT"
    assert that == {
        "op": "||",
        "a": {"op": "==", "a": few, "b": {"lit": None, "t": "null"}},
        "b": {"op": "<=", "a": few, "b": {"lit": 10, "t": "integer"}},
    }
