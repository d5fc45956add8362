"""Paths: what they find (cases/expressions/*.yaml), where they are wrong, what bounds them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import Any

import pytest

from naftiko.document.reader import load_document
from naftiko.errors import ShapingError
from naftiko.expressions import ExpressionError
from naftiko.expressions.jsonpath import compile_path
from naftiko.source import Location, anchored
from naftiko.values import MISSING, JsonValue
from tests.case_files import CASES, case_name

HERE = anchored(Location("a.yaml", 7, 5))


def cases(name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    root: Any = load_document(CASES / name).root.plain()
    return root, root["cases"]


GOOD, GOOD_CASES = cases("expressions/paths.yaml")
JAYWAY, JAYWAY_CASES = cases("jsonpath/jayway.yaml")
BAD_CASES = cases("expressions/bad-paths.yaml")[1]


@pytest.mark.parametrize("case", GOOD_CASES, ids=case_name)
def test_finding(case: dict[str, Any]) -> None:
    check(case, GOOD["document"])


@pytest.mark.parametrize("case", JAYWAY_CASES, ids=case_name)
def test_filters_and_functions(case: dict[str, Any]) -> None:
    check(case, JAYWAY["document"])


def check(case: dict[str, Any], document: JsonValue) -> None:
    path = compile_path(case["path"], HERE)

    found = path.find(document)

    if case.get("same"):
        assert found is document
        assert path.is_root
    else:
        assert found == (MISSING if case.get("absent") else case["value"])
        assert not path.is_root
    assert path.definite is case.get("definite", True)
    assert path.text == case["path"]


@pytest.mark.parametrize("case", BAD_CASES, ids=case_name)
def test_refusing(case: dict[str, Any]) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_path(case["path"], HERE)

    problem = caught.value.problem
    assert problem.code == "bad-path"
    assert case["says"] in problem.message
    assert case.get("hint", "") in problem.hint
    assert problem.location.column - 5 == case["offset"]


def test_simple_paths_need_no_library() -> None:
    code = (
        "import sys\n"
        "from naftiko.expressions.jsonpath import compile_path\n"
        "from naftiko.source import Location, anchored\n"
        "for path in ('$.', '$.a.b[0]', '$.a[*].b', '$..a', '$.a[1:].sum()'):\n"
        "    compile_path(path, anchored(Location('a'))).find({'a': []})\n"
        "sys.exit('jsonpath_ng' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "path",
    ["$[*]", "$.*", "$..*", "$[*][*]", "$[:]", "$[?(@ >= 0)]", "$..[?(@)]", "$..*..*..*"],
)
def test_results_are_bounded(path: str) -> None:
    value: JsonValue = list(range(100_001))

    with pytest.raises(ShapingError) as caught:
        compile_path(path, HERE).find([value] if path == "$[*][*]" else value)

    assert caught.value.code == "too-many-values"


def test_visits_are_bounded() -> None:
    value: JsonValue = []
    for _ in range(2000):
        value = [value]

    with pytest.raises(ShapingError):
        compile_path("$..*..x", HERE).find(value)


@pytest.mark.parametrize("path", ["$..x", "$..*", "$.a" + "[0]" * 300, "$..[?(@.x)]"])
def test_depth_does_not_matter(path: str) -> None:
    value: JsonValue = []
    for _ in range(50_000):
        value = [value]

    assert compile_path(path, HERE).find({"a": value}) is not None


@pytest.mark.parametrize(
    "path",
    [
        "$" + ".a" * 600,
        "[" * 900,
        "$[?" + "(" * 290 + ")" * 290,
        "$[?(" + "!" * 290 + "@)]",
        "$[?(@" + ".a" * 140 + ")]",
        "$[?(@" + "[0]" * 90 + ")]",
        "$[?" + "(" * 140 + "@" + ")" * 140 + "]",
        "$[?(" + "@ && " * 55 + "@)]",
        "$[?(@[?(@[?(@[?(@[?(@)])])])])]",
        "$" + "[?(@" * 190 + ")]" * 190,
        "$.a.append($" + ".a.append($" * 80 + ")" * 81,
        "$[?(@ =~ /" + "(a+)+" * 40 + "b/)]",
        "$[?(@ in " + "[" * 400 + "]" * 400 + ")]",
        "$" + "[?(@.a)]" * 120,
        "$" + "..*" * 300,
        "$['" + "\\\\" * 400 + "']",
        "$" + "['a'" * 200,
        "$[" + "9" * 900 + "]",
        "$[" + "9" * 400 + ":" + "9" * 400 + "]",
    ],
)
def test_hostile_paths_are_refused_or_run(path: str) -> None:
    with contextlib.suppress(ExpressionError, ShapingError):
        compile_path(path, HERE).find({"a": [{"a": 1}]})


@pytest.mark.parametrize(
    "path",
    [
        "$[?(@ in $)]",
        "$[?($..x)]",
        "$[?(@ == $)]",
        "$[?($[?($[?($)])])]",
        "$[?($.append(1))]",
        "$[?(@ =~ /(a|b|ab)*c/)]",
        "$[?(@ contains 'zz')]",
    ],
)
def test_filters_are_bounded(path: str) -> None:
    value: JsonValue = [*range(20_000), "ab" * 10_000_000]

    with contextlib.suppress(ShapingError):
        compile_path(path, HERE).find(value)


def test_what_is_found_is_not_copied_and_the_value_not_changed() -> None:
    value: JsonValue = {"a": [{"b": 1}]}

    found = compile_path("$.a[*]", HERE).find(value)

    assert isinstance(found, list)
    found.append(2)
    assert value == {"a": [{"b": 1}]}
