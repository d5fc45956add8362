"""What a JSONPath may end in: `$.items.length()`, `$..price.sum()`.

Each takes the value found (the list of values, for an indefinite path) and returns MISSING for a
value it has no meaning for. Source: the function list of Jayway JsonPath.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from naftiko.values import MISSING, JsonValue, Missing

Function: TypeAlias = Callable[[JsonValue], "JsonValue | Missing"]


def _length(value: JsonValue) -> JsonValue | Missing:
    return len(value) if isinstance(value, list | dict | str) else MISSING


def _keys(value: JsonValue) -> JsonValue | Missing:
    return list(value) if isinstance(value, dict) else MISSING


def _first(value: JsonValue) -> JsonValue | Missing:
    return value[0] if isinstance(value, list) and value else MISSING


def _last(value: JsonValue) -> JsonValue | Missing:
    return value[-1] if isinstance(value, list) and value else MISSING


def _numbers(value: JsonValue) -> list[int | float]:
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, int | float) and not isinstance(item, bool)]


def _sum(value: JsonValue) -> JsonValue | Missing:
    numbers = _numbers(value)
    try:
        return sum(numbers) if numbers else MISSING
    except OverflowError:
        return MISSING


def _min(value: JsonValue) -> JsonValue | Missing:
    return min(numbers) if (numbers := _numbers(value)) else MISSING


def _max(value: JsonValue) -> JsonValue | Missing:
    return max(numbers) if (numbers := _numbers(value)) else MISSING


def _avg(value: JsonValue) -> JsonValue | Missing:
    numbers = _numbers(value)
    try:
        return sum(numbers) / len(numbers) if numbers else MISSING
    except OverflowError:
        return MISSING


FUNCTIONS: Mapping[str, Function] = {
    "length": _length,
    "size": _length,
    "keys": _keys,
    "first": _first,
    "last": _last,
    "sum": _sum,
    "min": _min,
    "max": _max,
    "avg": _avg,
}
