"""Parameters against those of the plan. Spec: sections 1, 6.1."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from naftiko.workflow.vm.failures import InvalidParameters
from naftiko.workflow.vm.parameters import check_parameters
from naftiko.workflow.vm.program import Program
from tests.unit.workflow.vm.plans import aws, parameter, plan
from tests.unit.workflow.vm.worlds import Json, World

PARAMETERS = [
    parameter("name", required=True, pattern="^[a-z]+$", max=5),
    parameter("days", "integer", default=7, min=1, max=35),
    parameter("ratio", "number"),
    parameter("on", "boolean", default=True),
    parameter("names", "array", items="string"),
    parameter("more", "object"),
    parameter("color", enum=["red", "green"]),
    parameter("secret", sensitive=True, pattern="^x$"),
]
DOCUMENT = plan([aws("a", "ListA")], parameters=PARAMETERS)
PROGRAM = Program.load(DOCUMENT)


def test_defaults_and_nulls() -> None:
    found = check_parameters(PROGRAM, {"name": "abc", "ratio": 2, "days": 3.0})
    assert found == {
        "name": "abc",
        "days": 3,
        "ratio": 2,
        "on": True,
        "names": None,
        "more": None,
        "color": None,
        "secret": None,
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "`name` is required and was not given"),
        ({"days": "7"}, "`days` is a string and must be an integer"),
        ({"days": True}, "`days` is a boolean and must be an integer"),
        ({"days": 36}, "`days` must be at most 35"),
        ({"days": 0}, "`days` must be at least 1"),
        ({"name": "abcdef"}, "the length of `name` must be at most 5"),
        ({"name": "ABC"}, "`name` does not match `^[a-z]+$`"),
        ({"name": "abc\n"}, "`name` does not match `^[a-z]+$`"),
        ({"nam": "x"}, "there is no parameter `nam`, did you mean `name`?"),
        ({"names": ["a", 1]}, "`names[1]` is an integer and must be a string"),
        ({"names": ["a"] * 1001}, "`names` has more than 1000 elements"),
        ({"color": "blue"}, '`color` must be one of "red", "green"'),
        ({"secret": "hunter2"}, "`secret` does not match `^x$`"),
        ({"more": "x" * 70_000}, "the parameters are larger than 64 KiB"),
        ({str(n): 1 for n in range(51)}, "51 parameters are more than 50"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_fit(given: Json, message: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        check_parameters(PROGRAM, given)
    assert message in [problem["message"] for problem in caught.value.problems]
    assert "hunter2" not in str(caught.value)


def test_deep_parameters_are_refused() -> None:
    deep: Any = {}
    for _ in range(5_000):
        deep = {"a": deep}
    with pytest.raises(InvalidParameters):
        check_parameters(PROGRAM, {"name": "abc", "more": deep})


def test_all_problems_are_in_the_result_and_nothing_was_begun() -> None:
    world = World()
    ending = asyncio.run(world.run(DOCUMENT, {"days": "7", "nam": 1}))
    assert ending.status == "failed"
    assert ending.error is not None
    assert ending.error["type"] == "InvalidParameters"
    assert len(ending.error["data"]["problems"]) == 3  # type: ignore[arg-type,call-overload,index]
    assert world.journal.records == []


@pytest.mark.parametrize(
    "given",
    [
        {"ratio": float("nan")},
        {"ratio": float("inf")},
        {"days": 10**400},
        {"more": {"in": [float("-inf")]}},
        {"more": {"half \ud800": 1}},
        {"names": ["\udfff"]},
    ],
    ids=["nan", "infinite", "huge", "inside", "name", "surrogate"],
)
def test_what_json_does_not_have_is_refused(given: Json) -> None:
    with pytest.raises(InvalidParameters, match="none in JSON"):
        check_parameters(PROGRAM, {"name": "abc", **given})
