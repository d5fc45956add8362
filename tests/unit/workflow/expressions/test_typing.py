"""Types of expressions: what fits, what clashes, and the trees that come of it."""

from __future__ import annotations

import pytest

from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.errors import Problems
from naftiko.source import Location
from naftiko.workflow.expressions.typing import Typer
from tests.unit.workflow.expressions.scopes import Names, scalar, told, typed


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("params.i + 1", "integer"),
        ("params.i + 1.5", "number"),
        ("now() - days(params.n)", "timestamp"),
        ("params.t + minutes(5)", "timestamp"),
        ("age(params.t) > hours(1)", "boolean"),
        ("params.i <= params.n", "boolean"),
        ("params.s == params.e", "boolean"),
        ("params.e in ['available', 'failed']", "boolean"),
        ("params.ss contains 'x'", "boolean"),
        ("params.s contains 'x'", "boolean"),
        ("params.o == null", "boolean"),
        ("params.m != null && !params.b", "boolean"),
        ("params.i in [1, 2.5]", "boolean"),
        ("params.s in []", "boolean"),
        ("params.s matches '[a-z]+'", "boolean"),
        ("first(params.tt)", "timestamp"),
        ("first(params.maps)", "map"),
        ("join(params.ii, '-')", "string"),
        ("first(concat(params.ss, ['c']))", "string"),
        ("first(concat(params.ii, [1.5]))", "number"),
        ("first(concat([], params.ss))", "string"),
        ("first(pluck(params.maps, 'Id'))", "string"),
        ("number(params.s)", "number"),
        ("date(params.t)", "string"),
        ("month_start(params.t)", "timestamp"),
        ("length(params.m) + length(params.s)", "integer"),
        ("int(params.s)", "integer"),
        ("string(params.t)", "string"),
        ("params.n:-3", "number"),
        ("params.o", "opaque"),
        ("[1, 'a']", "list"),
        ("params.t < now()", "boolean"),
    ],
)
def test_what_fits_has_a_type(text: str, kind: str) -> None:
    found, problems = typed(text)
    assert problems == []
    assert found is not None
    assert found.type.kind == kind


CLASHES = [
    ("params.i == 'x'", "22 WF322 `==` cannot stand between an integer and a string"),
    ("params.s + 'x'", "22 WF322 `+` cannot stand between a string and a string"),
    ("params.t - params.t", "22 WF322 `-` cannot stand between a timestamp and a timestamp"),
    ("params.d + params.t", "22 WF322 `+` cannot stand between a duration and a timestamp"),
    ("params.t < 5", "22 WF322 `<` cannot stand between a timestamp and an integer"),
    ("params.b < true", "22 WF322 `<` cannot stand between a boolean and a boolean"),
    ("params.ss == params.ss", "23 WF322 `==` cannot stand between a list and a list"),
    ("params.o == 'x'", "22 WF322 `==` cannot stand between a value of no known type and a string"),
    ("params.i < null", "22 WF322 `<` cannot stand between an integer and null"),
    ("params.s && params.b", "22 WF322 `&&` cannot stand between a string and a boolean"),
    ("!params.s", "14 WF322 `!` wants a boolean, but this is a string"),
    ("params.i in params.ss", "22 WF322 `in` cannot stand between an integer and a list"),
    ("params.m in params.maps", "22 WF322 `in` cannot stand between a map and a list"),
    ("params.i contains 1", "22 WF322 `contains` cannot stand between an integer and an integer"),
    (
        "params.i startswith 'x'",
        "22 WF322 `startswith` cannot stand between an integer and a string",
    ),
    ("params.e == 'avalable'", "25 WF322 `avalable` is none of the values that can stand here"),
    ("'nope' != params.e", "13 WF322 `nope` is none of the values that can stand here"),
    ("params.e in ['failed', 'x']", "36 WF322 `x` is none of the values that can stand here"),
    ("params.es contains 'c'", "32 WF322 `c` is none of the values that can stand here"),
    ("params.e:-gone", "23 WF322 `gone` is none of the values that can stand here"),
    ("params.i:-x", "23 WF322 the default is a string, but what it stands for is an integer"),
    ("days(params.s)", "18 WF322 `days` takes an integer or a number, but this is a string"),
    (
        "join(params.maps, ',')",
        "18 WF322 `join` takes a list of texts or numbers, but its elements are a map",
    ),
    (
        "length(params.i)",
        "20 WF322 `length` takes a string, a list or a map, but this is an integer",
    ),
    ("lenght(params.s)", "13 WF310 there is no function `lenght`"),
    ("now(1)", "13 WF310 `now` takes no argument, not 1"),
    ("join(params.ss)", "13 WF310 `join` takes 2 arguments, not 1"),
    (
        "pluck(params.maps, 'b')",
        "32 WF322 the elements of the list have no member `b`",
    ),
    (
        "pluck(params.ss, 'a')",
        "30 WF322 the elements of the list have no member `a`",
    ),
    (
        "pluck(params.maps, params.s)",
        "32 WF322 `pluck` takes the name of a member, written out",
    ),
    ("concat(params.ss, 'a')", "31 WF322 `concat` takes a list, but this is a string"),
    ("date('2026-01-31')", "18 WF322 `date` takes a timestamp, but this is a string"),
    ("params == 1", "13 WF310 `params` alone is no value"),
    ("params.s matches params.s", "30 WF323 the pattern of `matches` is not a constant"),
    ("params.s matches '(a+)+'", "33 WF323 a quantifier stands in a repeated group"),
]


@pytest.mark.parametrize(("text", "problem"), CLASHES, ids=[text for text, _ in CLASHES])
def test_what_clashes_is_said_at_its_place(text: str, problem: str) -> None:
    found, problems = typed(text)
    assert found is None
    assert problems == [problem]


def test_the_nearest_of_an_enum_is_the_hint() -> None:
    problems = Problems()
    Typer(Names(), problems).value(scalar("${params.e == 'avalable'}"))
    assert [item.hint for item in problems] == ["did you mean `available`?"]


def node(value: object) -> Node:
    place = Location("w.yaml", 3, 11)
    if isinstance(value, dict):
        entries = tuple((scalar(name), node(item)) for name, item in value.items())
        return Mapping(entries, place)
    if isinstance(value, list):
        return Sequence(tuple(node(item) for item in value), place)
    if isinstance(value, str):
        return scalar(value)
    assert value is None or isinstance(value, bool | int | float)
    return Scalar(value, str(value), place)


TREES = [
    (7, {"lit": 7, "t": "integer"}),
    (4.0, {"lit": 4, "t": "number"}),
    (None, {"lit": None, "t": "null"}),
    (True, {"lit": True, "t": "boolean"}),
    ("$${x}", {"lit": "${x}", "t": "string"}),
    ("${params.i}", {"ref": ["params", "i"], "t": "integer"}),
    ("${params.i:-3}", {"ref": ["params", "i"], "t": "integer", "default": 3}),
    ("${params.s:-null}", {"ref": ["params", "s"], "t": "string", "default": None}),
    (
        "a-${timestamp()}",
        {"cat": [{"lit": "a-", "t": "string"}, {"fn": "timestamp", "args": [], "t": "string"}]},
    ),
    (
        {"A": ["${params.s}", 1]},
        {
            "obj": {
                "A": {"list": [{"ref": ["params", "s"], "t": "string"}, {"lit": 1, "t": "integer"}]}
            }
        },
    ),
    (
        "${!params.b}",
        {"op": "!", "a": {"ref": ["params", "b"], "t": "boolean"}},
    ),
]


@pytest.mark.parametrize(("value", "tree"), TREES, ids=[str(value) for value, _ in TREES])
def test_a_value_becomes_a_tree(value: object, tree: object) -> None:
    problems = Problems()
    found = Typer(Names(), problems).value(node(value))
    assert told(problems) == []
    assert found is not None
    assert found.tree == tree


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1.234, "`1.234` has more than two decimals"),
        (1e300, "`1e+300` is no number that a plan can hold"),
        (2**63, "`9223372036854775808` is beyond 64 bits"),
        ({"é": 1}, "the name `é` has letters beyond ASCII"),
        ("a ${b", "`${` has no `}`"),
        ([1] * 10_001, "more than 200 parts"),
        ("${params.b" + " && params.b" * 25 + "}", "more than 20 in one another"),
    ],
    ids=range(7),
)
def test_a_value_that_no_plan_can_hold_is_refused(value: object, message: str) -> None:
    problems = Problems()
    assert Typer(Names(), problems).value(node(value)) is None
    assert [item.code for item in problems] == ["WF310"]
    assert message in told(problems)[0]


def test_only_scalars_are_parts_of_texts() -> None:
    problems = Problems()
    assert Typer(Names(), problems).value(scalar("a ${params.ss}")) is None
    assert told(problems) == ["15 WF322 a list cannot be a part of a text"]


@pytest.mark.parametrize(
    "text", ["params.b", "${params.b}", " ${ params.b } ", "true", "params.s == '${'"]
)
def test_a_condition_is_bare_or_one_hole(text: str) -> None:
    problems = Problems()
    assert Typer(Names(), problems).condition(scalar(text)) is not None
    assert told(problems) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("params.s", "11 WF322 a condition is true or false, but this is a string"),
        ("${params.s}", "13 WF322 a condition is true or false, but this is a string"),
        ("${params.s} == 'x'", "11 WF310 `$` cannot stand inside an expression"),
        ("", "11 WF310 an expression is missing"),
    ],
)
def test_a_condition_is_boolean(text: str, problem: str) -> None:
    problems = Problems()
    assert Typer(Names(), problems).condition(scalar(text)) is None
    assert told(problems) == [problem]


@pytest.mark.parametrize(
    "text",
    ["params.secret", "lower(params.secret)", "params.secret == 'x'", "first([params.secret])"],
)
def test_what_is_made_of_a_secret_is_secret(text: str) -> None:
    found, _ = typed(text)
    assert found is not None
    assert found.type.sensitive


def test_texts_and_maps_with_a_secret_are_secret() -> None:
    for value in ("x-${params.secret}", {"a": ["${params.secret}"]}):
        found = Typer(Names(), Problems()).value(node(value))
        assert found is not None
        assert found.type.sensitive


def test_the_scope_hears_what_a_place_wants() -> None:
    names = Names()
    typer = Typer(names, Problems())
    for text in (
        "params.x > 5",
        "params.x in ['a']",
        "!params.x",
        "days(params.x)",
        "'a' == params.x",
    ):
        typer.condition(scalar(text))
    typer.value(scalar("a-${params.x}"))
    assert [kind for _, kind in names.asked] == [
        "integer",
        "string",
        "boolean",
        "integer",
        "string",
        "string",
    ]
