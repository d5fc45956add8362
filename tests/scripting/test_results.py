"""What scripts answer, where they fail, and where they do not parse: cases/scripting."""

from __future__ import annotations

from typing import Any

import pytest

from naftiko.errors import RunError
from naftiko.scripting import ScriptSyntaxError
from naftiko.values import MISSING
from tests.case_files import case_name, load_cases
from tests.scripting.scripts import run, script_of

FILE, CASES = load_cases("scripting/results.yaml")


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_results(case: dict[str, Any]) -> None:
    found = run(case["language"], case["script"], context=FILE["context"])

    assert found == (MISSING if case.get("absent") else case["value"])


@pytest.mark.parametrize("case", FILE["failures"], ids=case_name)
def test_failures_are_errors_of_the_run(case: dict[str, Any]) -> None:
    with pytest.raises(RunError) as caught:
        run(case["language"], case["script"])

    error = caught.value
    assert (error.status, error.code) == (500, "script-failed")
    assert error.message.startswith("script step `calc` failed: ")
    assert case["says"] in error.message
    assert "Traceback" not in error.message


@pytest.mark.parametrize("case", FILE["syntax"], ids=case_name)
def test_what_does_not_parse_is_found_at_load(case: dict[str, Any]) -> None:
    with pytest.raises(ScriptSyntaxError) as caught:
        script_of(case["language"], case["script"])

    problem = caught.value.problem
    assert problem.code == "script-syntax"
    assert (problem.location.line, problem.location.column) == (case["line"], case["column"])


@pytest.mark.parametrize(
    ("language", "library", "script"),
    [
        ("javascript", "function add(a, b) { return a + b }", "result = add(1, 2)"),
        ("python", "def add(a, b):\n    return a + b", "result = add(1, 2)"),
    ],
)
def test_dependencies_run_first(language: str, library: str, script: str) -> None:
    assert run(language, library, script) == 3


@pytest.mark.parametrize(
    ("language", "library"),
    [("javascript", "\nfunction f() { null.x }"), ("python", "\ndef f():\n    return 1 / 0\n")],
)
def test_errors_name_the_dependency_they_happen_in(language: str, library: str) -> None:
    with pytest.raises(RunError, match=r"\(lib0:[23]\)"):
        run(language, library, "f()")


def test_a_context_cannot_write_code() -> None:
    hostile = {"a": "\u2028'\"`${1}</script>\\", "__proto__": {"x": 1}, "context": 1, "result": 2}

    assert run("javascript", "result = context", context=hostile) == hostile
    assert run("python", "result = context", context=hostile) == hostile


def test_a_context_may_hold_what_json_allows() -> None:
    strange = {"half": "\ud800", "long": 2**70}

    assert run("javascript", "result = context.half.length", context=strange) == 1
    assert run("javascript", "result = '\\ud800'") == "\ud800"
