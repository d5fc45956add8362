"""Tree -> closure: what a plan computes, compiled once at load. docs/workflow-plan.md, "Trees".

Whatever the data is, evaluation gives a JSON value or raises TypeMismatch. Beyond the rules of that
page: a boolean that is null counts as false for `&&`, `||`, `!` and conditions; texts that are
computed have at most 65,536 characters; whole numbers at most 64 bits; `int` reads up to 18 ASCII
digits with a sign and cuts decimals off; `in` and `contains` find no element of another type.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timedelta
from typing import cast

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.expressions.calling import (
    COMPUTED_BY,
    FACTS,
    age_of,
    concat,
    element_of,
    join,
    pluck,
)
from naftiko.workflow.expressions.comparing import COMPARISONS
from naftiko.workflow.expressions.patterns import compile_matcher
from naftiko.workflow.expressions.references import fetch_of
from naftiko.workflow.expressions.values import (
    Computed,
    Evaluate,
    Operand,
    TypeMismatch,
    Values,
    as_number,
    bounded,
    part_text,
    read_time,
    short,
)
from naftiko.workflow.times import time_text


def compile_tree(tree: JsonObject) -> Evaluate:
    """Compile a tree of a checked plan.

    What it returns gives a JSON value, or raises TypeMismatch.
    """
    if "obj" in tree:
        return _object(cast("dict[str, JsonObject]", tree["obj"]))
    if "list" in tree:
        return _items([compile_tree(item) for item in cast("list[JsonObject]", tree["list"])])
    if "ref" in tree and tree["t"] == "timestamp":
        return _time_as_it_is(tree)
    if tree.get("fn") in _OF_LISTS and tree["t"] != "timestamp":
        return cast("Evaluate", _function(tree, compile_tree))  # times in them leave as text
    operand = _operand(tree)
    if _kind(tree) != "timestamp":
        return cast("Evaluate", operand)

    def text(values: Values) -> JsonValue:
        time = operand(values)
        return time_text(time) if isinstance(time, datetime) else None

    return text


def compile_condition(tree: JsonObject) -> Callable[[Values], bool]:
    """Compile a boolean tree; null is false."""
    operand = _operand(tree)
    return lambda values: operand(values) is True


def _object(members: dict[str, JsonObject]) -> Evaluate:
    compiled = tuple((name, compile_tree(tree)) for name, tree in members.items())
    return lambda values: {name: evaluate(values) for name, evaluate in compiled}


def _items(compiled: list[Evaluate]) -> Evaluate:
    return lambda values: [evaluate(values) for evaluate in compiled]


def _time_as_it_is(tree: JsonObject) -> Evaluate:
    """Pass a time on byte for byte, once it has been seen to be one."""
    fetch = fetch_of(tree)

    def value(values: Values) -> JsonValue:
        found = fetch(values)
        if found is not None:
            read_time(found)
        return found

    return value


def _operand(tree: JsonObject) -> Operand:
    for name, make in _MAKERS.items():
        if name in tree:
            return make(tree)
    raise ValueError("a node that is no tree")


def _kind(tree: JsonObject) -> str:
    if "t" in tree:
        return str(tree["t"])
    for name, kind in (("cat", "string"), ("list", "list"), ("obj", "map")):
        if name in tree:
            return kind
    if tree["op"] not in {"+", "-"}:
        return "boolean"
    return _kind(cast("JsonObject", tree["a"]))


# Constants and references


def _literal(tree: JsonObject) -> Operand:
    value = tree["lit"]
    if tree["t"] == "timestamp" and value is not None:
        time = read_time(value)
        return lambda _: time
    if isinstance(value, dict | list):
        return lambda _: deepcopy(value)
    return lambda _: value


def _reference(tree: JsonObject) -> Operand:
    fetch = fetch_of(tree)
    if tree["t"] != "timestamp":
        return fetch

    def time(values: Values) -> Computed:
        found = fetch(values)
        return None if found is None else read_time(found)

    return time


# Texts


def _joined(tree: JsonObject) -> Operand:
    parts = [_operand(part) for part in cast("list[JsonObject]", tree["cat"])]

    def text(values: Values) -> Computed:
        return short("".join([part_text(part(values)) for part in parts]))

    return text


# Operators


def _operator(tree: JsonObject) -> Operand:
    op = str(tree["op"])
    left_tree = cast("JsonObject", tree["a"])
    left = _operand(left_tree)
    if op == "!":
        return lambda values: left(values) is not True
    right_tree = cast("JsonObject", tree["b"])
    if op == "matches":
        return _matches(left, str(right_tree["lit"]))
    right = _operand(right_tree)
    if op == "&&":
        return lambda values: left(values) is True and right(values) is True
    if op == "||":
        return lambda values: left(values) is True or right(values) is True
    if op in {"+", "-"}:
        return _sum(left, right, 1 if op == "+" else -1)
    return _comparison(left, right, COMPARISONS[op])


def _matches(left: Operand, pattern: str) -> Operand:
    test = compile_matcher(pattern)

    def matches(values: Values) -> Computed:
        text = left(values)
        return test(text) if isinstance(text, str) else False

    return matches


def _comparison(
    left: Operand, right: Operand, compare: Callable[[Computed, Computed], bool]
) -> Operand:
    return lambda values: compare(left(values), right(values))


def _sum(left: Operand, right: Operand, sign: int) -> Operand:
    def add(values: Values) -> Computed:
        a, b = left(values), right(values)
        if a is None or b is None:
            return None
        if isinstance(a, datetime):
            return _later(a, sign * as_number(b))
        return bounded(as_number(a) + sign * as_number(b))

    return add


def _later(time: datetime, seconds: float) -> datetime:
    try:
        return time + timedelta(seconds=seconds)
    except OverflowError as error:
        raise TypeMismatch("the time is beyond the years 1 to 9999") from error


# Functions


_OF_LISTS = frozenset(("concat", "first", "last"))
"""What hands on elements as they are."""


def _function(tree: JsonObject, make: Callable[[JsonObject], Operand] | None = None) -> Operand:
    name = str(tree["fn"])
    if name in FACTS:
        return FACTS[name]
    args = [(make or _operand)(arg) for arg in cast("list[JsonObject]", tree["args"])]
    if name == "join":
        return join(*args)
    if name == "concat":
        return concat(*args)
    if name == "pluck":
        return pluck(args[0], _constant_text(tree))
    if name == "age":
        return age_of(args[0])
    if name in {"first", "last"}:
        return element_of(args[0], 0 if name == "first" else -1, str(tree["t"]))
    function = COMPUTED_BY[name]
    arg = args[0]

    def call(values: Values) -> Computed:
        value = arg(values)
        return None if value is None else function(value)

    return call


def _constant_text(tree: JsonObject) -> str:
    return str(cast("list[JsonObject]", tree["args"])[1]["lit"])


_MAKERS: dict[str, Callable[[JsonObject], Operand]] = {
    "lit": _literal,
    "ref": _reference,
    "op": _operator,
    "fn": _function,
    "cat": _joined,
    "list": lambda tree: _list(tree),
    "obj": lambda tree: compile_tree(tree),
}


def _list(tree: JsonObject) -> Operand:
    items = [_operand(item) for item in cast("list[JsonObject]", tree["list"])]
    # Times stay times here; nothing gives the list away as it is, for `compile_tree` writes it.
    return lambda values: cast("list[JsonValue]", [item(values) for item in items])
