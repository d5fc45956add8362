"""Conditions: typed, compiled at load, with dashes in names."""

from __future__ import annotations

import pytest

from naftiko.errors import ShapingError
from naftiko.expressions import ExpressionError
from naftiko.expressions.conditions import compile_condition
from naftiko.source import Location, anchored
from naftiko.values import JsonValue

AT = anchored(Location("file.yaml", 3, 5))
SCOPE: dict[str, JsonValue] = {
    "get-user": {"active": True, "age": 20, "name": "Ann", "tags": ["a", 1], "boss": None},
    "count": 3,
    "a": 10,
    "b": 4,
    "list": [1, 2],
    "same": [1, 2],
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("{{ get-user.active and get-user.age >= 18 }}", True),
        ("  get-user.active ", True),
        ("{{get-user.active}}", True),
        ("true", True),
        ("not get-user.active", False),
        ("get-user['name'] == 'Ann'", True),
        ("get-user.name == 'Bo' or count == 3", True),
        ("a - b == 6", True),
        ("1 < count < 3", False),
        ("count <= 3 and count != 4", True),
        ("3 == 3.0", True),
        ("get-user.boss == none", True),
        ("get-user.name != none", True),
        ("nothing is defined", False),
        ("get-user.x is not defined", True),
        ("nothing is defined and nothing > 1", False),
        ("get-user.tags | length == 2", True),
        ("'a' in get-user.tags and '1' not in get-user.tags", True),
        ("'nn' in get-user.name", True),
        ("'age' in get-user", True),
        ("list == same", True),
        ("'{{' == 'x' or '}}' == '}}'", True),
        ("(list | sum) == 3 if get-user.active else false", True),
        ("'b' > 'a'", True),
    ],
)
def test_conditions_hold(text: str, holds: bool) -> None:
    assert compile_condition(text, AT).test(SCOPE) is holds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nothing", "`nothing` has no value"),
        ("nothing == 1", "`nothing` has no value"),
        ("get-user.x.y > 1", "`get-user.x.y` has no value"),
        ("not nothing", "`nothing` has no value"),
        ("count", "it must give true or false, found a number"),
        ("get-user.name", "it must give true or false, found a string"),
        ("get-user.boss", "it must give true or false, found null"),
        ("count + 1", "it must give true or false, found a number"),
        ("count == '3'", "`==` compares a number with a string"),
        ("get-user.age > '3'", "`>` compares a number with a string"),
        ("get-user.active == 1", "`==` compares a boolean with a number"),
        ("count and true", "`and` takes true or false, found a number"),
        ("false or get-user.name", "`or` takes true or false, found a string"),
        ("not list", "`not` takes true or false, found a list"),
        ("list < same", "`<` orders numbers and strings, found a list"),
        ("1 in count", "`in` cannot look for a number in a number"),
        ("true if count else false", "`if` takes true or false, found a number"),
    ],
)
def test_nothing_is_guessed(text: str, reason: str) -> None:
    condition = compile_condition(text, AT)

    with pytest.raises(ShapingError) as caught:
        condition.test(SCOPE)

    assert caught.value.code == "condition-failed"
    assert caught.value.message == f"the condition `{text}` failed: {reason}"


@pytest.mark.parametrize(
    ("text", "code", "column"),
    [
        ("", "bad-condition", 5),
        ("   ", "bad-condition", 5),
        ("{{a}} == 1", "bad-condition", 5),
        ("{% if a %}true{% endif %}", "bad-condition", 5),
        ("a ==", "bad-template", 5),
        ("{{ a == }}", "bad-template", 7),
        ("f(1)", "bad-template", 5),
        ("a | nothing", "bad-template", 5),
        ("a is nothing", "bad-template", 5),
    ],
)
def test_mistakes_are_found_when_it_is_compiled(text: str, code: str, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_condition(text, AT)

    assert caught.value.problem.code == code
    assert caught.value.problem.location.column == column


def test_it_knows_what_it_reads() -> None:
    condition = compile_condition("{{ get-user.age > limit }}", AT)

    assert [(item.name, item.location.column) for item in condition.references] == [
        ("get-user.age", 8),
        ("limit", 23),
    ]
