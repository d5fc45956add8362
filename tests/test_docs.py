"""The YAML in the documentation is what the engine reads."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from naftiko.document.reader import parse_document
from naftiko.validate.schema import schema_findings

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
BLOCK = re.compile(r"^( *)```ya?ml\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
WHOLE = re.compile(r"^(naftiko|ikanos):", re.MULTILINE)
SECTION = re.compile(r"^(binds|consumes|exposes|aggregates):", re.MULTILINE)


def blocks() -> list[tuple[str, str]]:
    """Return ("guides/x.md:12", text) for each capability, or section of one, in the docs."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            block = textwrap.dedent(match[2])
            if WHOLE.search(block) or SECTION.match(_without_comments(block)):
                line = text.count("\n", 0, match.start()) + 2
                found.append((f"{page.relative_to(ROOT)}:{line}", block))
    return found


def _without_comments(block: str) -> str:
    return re.sub(r"^( *#.*)?\n", "", block, flags=re.MULTILINE)


def whole(block: str) -> str:
    """Return a capability around a block that shows one section."""
    if WHOLE.search(block):
        return block
    return 'naftiko: "1.0.0-alpha3"\ncapability:\n' + textwrap.indent(
        block if "consumes:" in block or "exposes:" in block else block + "consumes: []\n", "  "
    )


@pytest.mark.parametrize(("place", "block"), blocks(), ids=lambda value: value.partition("\n")[0])
def test_yaml_in_the_docs_has_no_findings(place: str, block: str) -> None:
    findings = schema_findings(parse_document(whole(block), place))
    assert [f"{item.location}: {item.message}" for item in findings] == []


def test_the_guide_has_examples() -> None:
    assert sum("capability-files.md" in place for place, _ in blocks()) >= 12


LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]+)?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as its readers on the web get them."""
    headings = HEADING.findall(FENCED.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", text).strip().lower().replace(" ", "-") for text in headings}


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"], ids=lambda page: page.name
)
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for target, anchor in LINK.findall(FENCED.sub("", page.read_text(encoding="utf-8"))):
        found = (page.parent / target).resolve() if target else page
        if not found.exists() or (anchor and anchor[1:] not in anchors(found)):
            lost.append(target + anchor)
    assert lost == []


def test_the_readme_leads_to_every_guide() -> None:
    linked = {target for target, _ in LINK.findall((ROOT / "README.md").read_text("utf-8"))}
    guides = {f"docs/guides/{page.name}" for page in (ROOT / "docs/guides").glob("*.md")}
    assert guides <= linked


def test_every_example_is_named_by_a_guide_and_a_test() -> None:
    guides = "".join(page.read_text("utf-8") for page in PAGES)
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py"))
    for example in sorted((ROOT / "docs/examples").glob("*.yaml")):
        assert f"examples/{example.name}" in guides, example.name
        assert example.name in tests, example.name


WORKFLOW = re.compile(r"^name: \w+\n(?:.*\n)*?steps:$", re.MULTILINE)
COMMAND = re.compile(r"^(?:\$ )?(?:\w+=\S+ )*(naftiko workflow .*)$", re.MULTILINE)


def workflow_sources() -> list[tuple[str, str]]:
    """Return ("guides/x.md:12", text) for each whole workflow in the docs."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            block = textwrap.dedent(match[2])
            if WORKFLOW.match(block):
                line = text.count("\n", 0, match.start()) + 2
                found.append((f"{page.relative_to(ROOT)}:{line}", block))
    return found


@pytest.mark.parametrize(
    ("place", "source"), workflow_sources(), ids=lambda value: value.partition("\n")[0]
)
def test_workflows_in_the_docs_compile(place: str, source: str) -> None:
    from naftiko.workflow.compiler import compile_source, load_data

    compiled = compile_source(source, place, load_data())
    assert compiled.plan is not None, [one.message for one in compiled.problems]


def test_tests_of_workflows_in_the_docs_have_no_findings() -> None:
    from naftiko.errors import Problems
    from naftiko.workflow.testing import parse_tests

    text = (ROOT / "docs/guides/workflows.md").read_text("utf-8")
    found = [block[2] for block in BLOCK.finditer(text) if block[2].startswith("- name:")]
    assert len(found) == 1
    problems = Problems()
    assert parse_tests(found[0].encode(), "tests.yaml", problems)
    assert [one.message for one in problems.sorted()] == []


def workflow_commands() -> list[str]:
    """Return what the docs type, without comments; `ID`s and `TOKEN`s stand in it."""
    found = []
    for page in PAGES:
        if page.parent.name == "reference":
            continue  # how commands are written
        for block in FENCED.findall(page.read_text(encoding="utf-8")):
            for line in COMMAND.findall(block.replace("\\\n", " ")):
                found += [part.strip() for part in line.partition("#")[0].split("&&")]
    return sorted({part.partition("<")[0].strip() for part in found})


@pytest.mark.parametrize("command", workflow_commands())
def test_workflow_commands_in_the_docs_are_taken(command: str) -> None:
    import shlex

    from naftiko.cli.main import build_parser

    _, *words = shlex.split(command)
    assert build_parser("workflow").parse_args(words) is not None


def test_the_language_guide_names_every_field() -> None:
    from naftiko.workflow.expressions.functions import FUNCTIONS
    from naftiko.workflow.source import schema_parts as parts
    from naftiko.workflow.source import schema_steps as steps

    text = (ROOT / "docs/guides/workflow-language.md").read_text("utf-8")
    named = set(re.findall(r"`([a-z_]+)[`:(]", text)) | set(re.findall(r"[{,] ?([a-z_]+):", text))
    fields = {
        *parts.METADATA_FIELDS,
        *parts.PARAMETER_FIELDS,
        *parts.HANDLER_FIELDS,
        *parts.EMBEDDING_FIELDS,
        *steps.COMMON_FIELDS,
        *steps.COMMAND_FIELDS,
        *steps.WORKFLOW_FIELDS,
        *steps.RETRY_FIELDS,
        *steps.PAGING_FIELDS,
        *(name for names in steps.PRIMITIVE_FIELDS.values() for name in names),
    }
    assert fields - named == set()
    assert {name for name in FUNCTIONS if f"`{name}(" not in text} == set()


def test_the_workflow_guide_names_every_setting() -> None:
    import json

    schema = json.loads((ROOT / "schemas/capability.schema.json").read_text("utf-8"))["$defs"]
    text = (ROOT / "docs/guides/workflows.md").read_text("utf-8")
    names = {
        name
        for definition in ("ConsumesWorkflows", "WorkflowState", "WorkflowPolicy")
        for name in schema[definition]["properties"]
    }
    assert {name for name in names if f"{name}`" not in text} - {
        *("namespace", "type", "description", "state", "policy"),
    } == set()


def test_the_way_of_the_readme(tmp_path: Path) -> None:
    """The first block of the section on workflows, command by command, as a new user types it."""
    import os
    import shlex
    import subprocess
    import sys

    section = (ROOT / "README.md").read_text("utf-8").partition("## Workflows\n")[2]
    block = section.partition("```shell\n")[2].partition("```")[0]
    typed = [
        part.strip() for line in block.splitlines() for part in line.partition("#")[0].split("&&")
    ]
    assert len(typed) == 10
    environment = {
        **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
        "HOME": str(tmp_path),
    }
    said = ""
    for command in typed:
        program, *words = shlex.split(command)
        assert program == "naftiko"
        done = subprocess.run(
            [sys.executable, "-m", "naftiko", *words],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        said += done.stdout + done.stderr
    assert "3 of 3 tests passed" in said
    assert "my_flow@1.0 succeeded" in said
    assert '"QueryLanguage": "JSONata"' in said
