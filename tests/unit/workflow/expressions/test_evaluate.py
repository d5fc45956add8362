"""What trees compute: null, types, times, texts; and that hostile data only ever mismatches."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime

import pytest

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.expressions.evaluate import compile_condition, compile_tree
from naftiko.workflow.expressions.values import Facts, TypeMismatch, Values
from tests.unit.workflow.expressions.scopes import typed

FACTS = Facts(
    now=datetime(2026, 1, 31, 10, 0, 0, 250_000, tzinfo=UTC),
    execution_id="e-1",
    region="eu-west-1",
    account_id="111122223333",
    partition="aws",
)


def run(text: str, params: JsonObject | None = None) -> JsonValue:
    found, problems = typed(text)
    assert problems == []
    assert found is not None
    return compile_tree(found.tree)(Values(facts=FACTS, params=params or {}, uuid=lambda: "0-0"))


@pytest.mark.parametrize(
    ("text", "params", "expected"),
    [
        ("params.i + 1 - 3", {"i": 5}, 3),
        ("params.i + 0.5", {"i": 5}, 5.5),
        ("params.i", {}, None),
        ("params.i + 1", {}, None),
        ("params.i:-7", {}, 7),
        ("params.i:-7", {"i": 0}, 0),
        ("params.i < 3", {}, False),
        ("params.i == null", {}, True),
        ("params.i != null", {}, False),
        ("params.i != 3", {}, True),
        ("params.s in ['a']", {}, False),
        ("params.s contains 'a'", {}, False),
        ("params.s matches '.*'", {}, False),
        ("lower(params.s)", {}, None),
        ("params.m == null", {"m": None}, True),
        ("!params.b", {}, True),
        ("params.b && params.b", {}, False),
        ("params.b || true", {}, True),
        ("false && params.b", {"b": "no boolean, never looked at"}, False),
        ("params.s == 'a'", {"s": "a"}, True),
        ("params.ii contains 1", {"ii": [True, 1.0]}, True),
        ("params.ii contains 1", {"ii": [True, "1", {"a": 1}, [1]]}, False),
        ("params.i in [1, 2]", {"i": 2}, True),
        ("params.s startswith 'ab' && params.s endswith 'bc'", {"s": "abc"}, True),
        ("params.s matches '[a-z]+'", {"s": "abc1"}, False),
        ("timestamp()", {}, "20260131100000"),
        ("now()", {}, "2026-01-31T10:00:00Z"),
        ("now() - days(7)", {}, "2026-01-24T10:00:00Z"),
        ("uuid() == '0-0'", {}, True),
        ("[execution_id(), region(), account_id(), partition()]", {},
         ["e-1", "eu-west-1", "111122223333", "aws"]),
        ("age(params.t) == hours(1)", {"t": "2026-01-31T10:00:00.250+01:00"}, True),
        ("params.t < now()", {"t": "2026-01-31T11:30:00+02:00"}, True),
        ("params.t", {"t": "2026-01-31T11:30:00.1234+02:00"}, "2026-01-31T11:30:00.1234+02:00"),
        ("string(params.t)", {"t": "2026-01-31T11:30:00+02:00"}, "2026-01-31T09:30:00Z"),
        ("first(params.tt) == params.t", {"tt": ["2026-01-31T11:00:00+01:00"],
                                          "t": "2026-01-31T10:00:00Z"}, True),
        ("params.t in params.tt", {"tt": ["x", 3, "2026-01-31T11:00:00+01:00"],
                                   "t": "2026-01-31T10:00:00Z"}, True),
        ("last(params.ss)", {"ss": ["a", "b"]}, "b"),
        ("first(params.ss)", {"ss": []}, None),
        ("length(params.ss)", {"ss": ["a", "b"]}, 2),
        ("length(params.s)", {"s": "äö"}, 2),
        ("join(params.ss, '-')", {"ss": ["a", None, "b"]}, "a--b"),
        ("int(params.s)", {"s": "-042"}, -42),
        ("int(params.n)", {"n": -1.9}, -1),
        ("number(params.s)", {"s": "80.5"}, 80.5),
        ("number(params.s)", {"s": "-1.25E-7"}, -1.25e-7),
        ("number(params.s) >= 80", {"s": "080"}, True),
        ("number(params.i)", {"i": 7}, 7),
        ("number(params.s)", {}, None),
        ("concat(params.ss, ['c'])", {"ss": ["a", "b"]}, ["a", "b", "c"]),
        ("concat([], params.ss)", {"ss": ["a"]}, ["a"]),
        ("concat(params.ss, ['c'])", {}, None),
        ("pluck(params.maps, 'Id')", {"maps": [{"Id": "a"}, {"b": 2}, None, {"Id": None}]},
         ["a"]),
        ("pluck(params.maps, 'Id')", {}, None),
        ("date(now() - days(31))", {}, "2025-12-31"),
        ("date(params.t)", {"t": "2026-01-01T00:30:00+01:00"}, "2025-12-31"),
        ("date(params.t)", {}, None),
        ("month_start(now())", {}, "2026-01-01T00:00:00Z"),
        ("date(month_start(month_start(now()) - days(1)))", {}, "2025-12-01"),
        ("string(params.n)", {"n": 1e-7}, "0.0000001"),
        ("string(params.n)", {"n": 3.0}, "3"),
        ("string(params.b)", {"b": True}, "true"),
        ("days(params.n)", {"n": 0.5}, 43_200.0),
        ("upper(trim(params.s))", {"s": " a "}, "A"),
    ],
)  # fmt: skip
def test_a_tree_computes(text: str, params: JsonObject, expected: JsonValue) -> None:
    found = run(text, params)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("params.i", {"i": "7"}),
        ("params.i", {"i": True}),
        ("params.i", {"i": 2**64}),
        ("params.i", {"i": 10**5_000}),
        ("params.i", {"i": 1.0}),
        ("params.n", {"n": float("nan")}),
        ("params.n", {"n": float("inf")}),
        ("params.n + params.n", {"n": 1.7e308}),
        ("params.s", {"s": ["x"]}),
        ("params.b", {"b": 1}),
        ("params.t", {"t": "yesterday"}),
        ("params.t", {"t": "2026-13-31T10:00:00Z"}),
        ("params.t", {"t": "2026-01-31T10:00:00"}),
        ("params.t == now()", {"t": "0001-01-01T00:00:00+14:00"}),
        ("params.t - days(9999999)", {"t": "2026-01-31T10:00:00Z"}),
        ("params.t + days(params.n)", {"t": "2026-01-31T10:00:00Z", "n": 1e300}),
        ("lower(params.s)", {"s": "A" * 65_537}),
        ("params.ss", {"ss": {"0": "x"}}),
        ("first(params.ss)", {"ss": [{"a": 1}]}),
        ("join(params.ss, '')", {"ss": [["a"]]}),
        ("join(params.ss, '')", {"ss": ["x" * 40_000, "x" * 40_000]}),
        ("int(params.s)", {"s": "9" * 100}),
        ("int(params.s)", {"s": "٣"}),
        ("params.m", {"m": "x"}),
        ("number(params.s)", {"s": "1e500"}),
        ("number(params.s)", {"s": "٣"}),
        ("number(params.s)", {"s": "nan"}),
        ("concat(params.ss, params.ss)", {"ss": {"0": "x"}}),
        ("concat(params.ss, params.ss)", {"ss": ["x"] * 6_000}),
        ("pluck(params.maps, 'Id')", {"maps": ["xxx"]}),
        ("date(params.t)", {"t": "yesterday"}),
    ],
    ids=range(31),
)
def test_data_of_another_type_mismatches(text: str, params: JsonObject) -> None:
    with pytest.raises(TypeMismatch) as caught:
        run(text, params)
    assert not any(mark in str(caught.value) for mark in ("yesterday", "AAA", "xxx", "99999"))


def test_texts_are_joined() -> None:
    ref: JsonObject = {"ref": ["params", "x"], "t": "string"}
    tree: JsonObject = {
        "cat": [ref, {"lit": "-", "t": "string"}, {"fn": "now", "args": [], "t": "timestamp"}]
    }
    assert compile_tree(tree)(Values(facts=FACTS, params={})) == "-2026-01-31T10:00:00Z"
    with pytest.raises(TypeMismatch):
        compile_tree(tree)(Values(facts=FACTS, params={"x": "a" * 70_000}))


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        (["params", "m", "a", 0], 1),
        (["params", "m", "a", 9], None),
        (["params", "m", "x", "y"], None),
        (["steps", "s", "output.A[0]"], 2),
        (["steps", "s", "list", 0, "b"], 3),
        (["steps", "gone", "id"], None),
        (["item", "c"], 4),
        (["vars", "v"], 5),
    ],
)
def test_references_reach_in(ref: list[JsonValue], expected: JsonValue) -> None:
    values = Values(
        facts=FACTS,
        params={"m": {"a": [1]}},
        steps={"s": {"output.A[0]": 2, "list": [{"b": 3}]}},
        item={"c": 4},
        vars={"v": 5},
    )
    assert compile_tree({"ref": ref, "t": "opaque"})(values) == expected


_TEXT = "2026-01-31T10:00:00Z"
_NOW: JsonObject = {"fn": "now", "args": [], "t": "timestamp"}
_TIMES: JsonObject = {"fn": "concat", "args": [{"list": [_NOW]}, {"list": [_NOW]}], "t": "list"}


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (_TIMES, [_TEXT, _TEXT]),
        ({"list": [_TIMES]}, [[_TEXT, _TEXT]]),
        ({"fn": "concat", "args": [{"list": [{"list": [_NOW]}]}, _TIMES], "t": "list"},
         [[_TEXT], _TEXT, _TEXT]),
        ({"fn": "first", "args": [{"list": [_TIMES]}], "t": "list"}, [_TEXT, _TEXT]),
        ({"fn": "first", "args": [_TIMES], "t": "timestamp"}, _TEXT),
    ],
    ids=range(5),
)  # fmt: skip
def test_times_in_lists_leave_as_text(tree: JsonObject, expected: JsonValue) -> None:
    assert compile_tree(tree)(Values(facts=FACTS)) == expected


def test_a_text_is_measured_before_it_is_joined() -> None:
    params: JsonObject = {"ss": ["a"] * 10_000, "s": "-" * 1_000_000}
    tracemalloc.start()
    try:
        with pytest.raises(TypeMismatch, match="more than 65536"):
            run("join(params.ss, params.s)", params)  # of ten billion characters
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("ref", [["item", "a", "b"], ["item", 0], ["item", "a", 0]])
def test_a_path_through_another_type_mismatches(ref: list[JsonValue]) -> None:
    evaluate = compile_tree({"ref": ref, "t": "opaque"})
    with pytest.raises(TypeMismatch, match="reaches into"):
        evaluate(Values(facts=FACTS, item={"a": "text"}))


def test_a_condition_without_a_value_is_false() -> None:
    condition = compile_condition({"ref": ["params", "b"], "t": "boolean"})
    assert condition(Values(facts=FACTS)) is False
    assert condition(Values(facts=FACTS, params={"b": True})) is True


def test_a_constant_list_is_each_time_its_own() -> None:
    evaluate = compile_tree({"lit": [{"a": []}], "t": "list"})
    first = evaluate(Values(facts=FACTS))
    assert isinstance(first, list)
    first.append(1)
    assert evaluate(Values(facts=FACTS)) == [{"a": []}]
