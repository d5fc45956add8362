"""What a template or a path of a stranger's file may cost."""

from __future__ import annotations

import pytest

from naftiko.errors import ShapingError
from naftiko.expressions import ExpressionError
from naftiko.expressions.jsonpath import compile_path
from naftiko.expressions.template import compile_template
from naftiko.source import Location
from naftiko.values import JsonValue


def at(_offset: int, _length: int = 0, /) -> Location:
    return Location("file", 1, 1)


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in l %}{% set z = big | upper | lower %}{% endfor %}",
        "{% for a in l %}{% if a in l %}{% endif %}{% endfor %}",
        "{{ l | select('in', other) | list | length }}",
    ],
)
def test_a_template_has_a_second(text: str) -> None:
    other: list[JsonValue] = list(range(100_000, 190_000))
    scope: dict[str, JsonValue] = {"l": list(range(90_000)), "other": other, "big": "a" * 1_000_000}
    with pytest.raises(ShapingError, match="more than 1 s"):
        compile_template(text, at).render(scope)


def test_the_number_of_expressions_is_bounded() -> None:
    with pytest.raises(ExpressionError, match="500 expressions"):
        compile_template("{{ a | upper }}" * 501, at)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$[?(@.a == 1)]", [1] * 200_000),
        ("$..[?(@.a == 1)]", [[1] * 1_000] * 200),
        ("$[?(@.a[*] == 1)]", [{"a": [2] * 10_000}] * 60),
    ],
)
def test_a_filter_tests_so_many_members(path: str, value: JsonValue) -> None:
    with pytest.raises(ShapingError, match="too many values"):
        compile_path(path, at).find(value)
