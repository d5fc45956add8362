"""What holds for every source of a workflow: problems or an AST, and formatting keeps it."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from naftiko.document.reader import parse_document
from naftiko.errors import DocumentError, Problem, Problems
from naftiko.workflow.ast import Workflow
from naftiko.workflow.diagnostics import CODES, diagnostics
from naftiko.workflow.source.formatter import format_source
from naftiko.workflow.source.formatter_tree import read_tree
from naftiko.workflow.source.parser import parse_workflow, read_source
from tests.unit.workflow.front.sources import VALID, bare

SOURCES = [path.read_text(encoding="utf-8") for path in VALID]
WORDS = st.sampled_from(
    [
        *("id", "type", "action", "poll", "for_each", "do", "context", "service", "input", "steps"),
        *("name", "version", "description", "parameters", "default", "pattern", "min", "retry"),
        *("5", "-1", "1.0", "true", "null", "30s", '"${params.a}"', "'a'", "[]", "{}", "x" * 300),
        *(
            "condition",
            "outputs",
            "path",
            "metadata",
            "tier",
            "rollback",
            "on_failure",
            "depends_on",
        ),
    ]
)
VALUES = st.recursive(
    WORDS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]"),
        st.lists(st.tuples(WORDS, inner), max_size=4).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        ),
    ),
    max_leaves=12,
)
FIELDS = st.lists(st.tuples(WORDS, VALUES), max_size=8)
PIECES = st.sampled_from(
    [
        *("a", "b:", " ", "\n", "  ", "- ", "a: ", "\n  ", "{", "}", "[", "]", ", ", '"', "'"),
        *(
            "|\n",
            ">-\n",
            "# c\n",
            "  # d",
            "|2\n",
            "|+\n",
            "é",
            "\\",
            "? ",
            "---\n",
            "1",
            "~",
            "\t",
        ),
        *("steps:\n", "- id: a\n", "name: x\n", "    ", "\r\n", "...\n"),
    ]
)


def parse(source: str | bytes) -> tuple[Workflow | None, tuple[Problem, ...]]:
    problems = Problems()
    workflow = parse_workflow(source, "a.yaml", problems)
    document = read_source(source, "a.yaml", Problems())
    for item in diagnostics(problems, document):
        assert item.code in CODES
        assert item.line >= 1
    assert (workflow is None) == bool(problems.errors)
    return workflow, problems.sorted()


@given(st.binary() | st.text())
def test_anything_is_parsed_or_refused(source: str | bytes) -> None:
    assert parse(source) == parse(source)


@given(st.lists(PIECES, max_size=40).map("".join))
def test_anything_like_yaml_is_parsed_or_refused(source: str) -> None:
    assert parse(source) == parse(source)


@given(FIELDS)
def test_anything_like_a_workflow_is_parsed_or_refused(fields: list[tuple[str, str]]) -> None:
    source = "".join(f"{key}: {value}\n" for key, value in dict(fields).items())

    assert parse(source) == parse(source)


@given(st.sampled_from(SOURCES), st.data())
def test_a_broken_source_is_parsed_or_refused(source: str, data: st.DataObject) -> None:
    lines = source.split("\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at] = data.draw(st.sampled_from([*lines, "", "  ", "- x", "a: b", "'", lines[at][1:]]))

    parse("\n".join(lines))


def comments(text: str) -> list[str]:
    return sorted(comment.text for comment in read_tree(text)[1])


def check_formatted(text: str) -> None:
    try:
        before = parse_document(text, "a.yaml", strict=True, max_depth=40)
    except DocumentError:
        return
    written = format_source(text)

    assert parse_document(written, "a.yaml", strict=True).root.plain() == before.root.plain()
    assert comments(written) == comments(text)
    assert format_source(written) == written


@given(st.lists(PIECES, max_size=40).map("".join))
def test_formatting_keeps_anything_like_yaml(text: str) -> None:
    check_formatted(text)


@given(FIELDS)
def test_formatting_keeps_anything_like_a_workflow(fields: list[tuple[str, str]]) -> None:
    check_formatted("".join(f"{key}: {value}\n" for key, value in dict(fields).items()))


@given(st.sampled_from(SOURCES), st.data())
def test_formatting_keeps_comments_blanks_and_the_ast(source: str, data: st.DataObject) -> None:
    lines = source.rstrip("\n").split("\n")
    for number in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(lines) - 1))
        kind = data.draw(st.sampled_from(["alone", "behind", "blank"]))
        if kind == "behind":
            lines[at] += f"  # note {number}"
        else:
            indent = " " * data.draw(st.integers(0, 8))
            lines.insert(at, f"{indent}# note {number}" if kind == "alone" else "")
    text = "\n".join(lines) + "\n"
    workflow, _ = parse(text)

    check_formatted(text)
    if workflow is not None:
        again, _ = parse(format_source(text))
        assert bare(again) == bare(workflow)


def test_the_sources_are_there() -> None:
    assert all(isinstance(path, Path) for path in VALID)
    assert len(VALID) >= 5
