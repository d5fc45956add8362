from __future__ import annotations

import re

import pytest

from naftiko.errors import Problem, Problems, Severity
from naftiko.source import Location, Source
from naftiko.workflow.diagnostics import CODES, STAGES, Pointers, diagnostics, render_problem
from naftiko.workflow.source.parser import build_workflow, read_source
from tests.unit.workflow.front.sources import HEAD

SOURCE = (
    HEAD
    + """\
parameters:
  - {name: a, type: text}
steps:
  - id: b
    type: command
    context: {service: s3, action: list, a/b~c: "${params.x}"}
    retry: {max_attempts: 11}
    tiemout: 5s
  - {id: c, type: primitive, action: wait}
"""
)


def pointers_of(source: str) -> list[tuple[str, str]]:
    problems = Problems()
    document = read_source(source, "a.yaml", problems)
    assert document is not None
    build_workflow(document, "", problems)
    return [(item.code, item.pointer) for item in diagnostics(problems, document)]


def test_pointers_name_the_value_or_the_field() -> None:
    assert pointers_of(SOURCE) == [
        ("WF204", "/parameters/0/type"),
        ("WF204", "/steps/0/retry/max_attempts"),
        ("WF201", "/steps/0/tiemout"),
        ("WF202", "/steps/1"),
    ]


def test_a_missing_field_points_at_the_root() -> None:
    assert pointers_of("name: case\n") == [("WF202", ""), ("WF202", ""), ("WF212", "/name")]


def test_a_place_inside_of_a_text_is_that_texts() -> None:
    document = read_source(SOURCE, "a.yaml", Problems())
    assert document is not None
    line = SOURCE.splitlines()[8]
    column = line.index("params.x") + 1

    assert Pointers(document).at(Location("a.yaml", 9, column)) == "/steps/0/context/a~1b~0c"
    assert Pointers(document).at(Location("recipe.yaml", 9, column)) == ""


def test_as_data() -> None:
    problem = Problem(
        code="WF210",
        message="`a` becomes a parameter",
        location=Location("a.yaml", 2, 3),
        severity=Severity.WARNING,
        hint="declare it",
    )

    assert diagnostics([problem], None)[0].to_json() == {
        "code": "WF210",
        "severity": "warning",
        "stage": "schema",
        "message": "`a` becomes a parameter",
        "pointer": "",
        "path": "a.yaml",
        "line": 2,
        "column": 3,
        "hint": "declare it",
    }


def test_for_people() -> None:
    source = Source("a.yaml", "a: b\n")
    place = Location("a.yaml", 1, 4, 5)
    problem = Problem(code="WF204", message="`a` is `b`", location=place, hint="write c")

    assert render_problem(problem, source) == (
        "a.yaml:1:4: error[WF204]: `a` is `b`\n   1 | a: b\n     |    ^\n  hint: write c"
    )


@pytest.mark.parametrize("code", CODES)
def test_codes_say_what_they_mean(code: str) -> None:
    row = CODES[code]

    assert re.fullmatch(r"WF[1-8]\d\d", code)
    assert row.stage in STAGES
    assert row.title[0].islower() or row.title[0] == "`"
    assert row.explanation.endswith(".")
