"""What a JSONPath may end in: `$.items.length()`, `$..price.sum()`.

Each takes the value found (the list of values, for an indefinite path) and returns MISSING for a
value it has no meaning for. Source: the function list of Jayway JsonPath.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeGuard

from naftiko.expressions.text import value_text
from naftiko.values import MISSING, JsonValue, Missing


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


def _stddev(value: JsonValue) -> JsonValue | Missing:
    numbers = _numbers(value)
    if not numbers:
        return MISSING
    try:
        mean = sum(numbers) / len(numbers)
        return math.sqrt(sum((number - mean) ** 2 for number in numbers) / len(numbers))
    except OverflowError:
        return MISSING


def _index(value: JsonValue, index: JsonValue | Missing) -> JsonValue | Missing:
    if not isinstance(index, int) or isinstance(index, bool) or not isinstance(value, list):
        return MISSING
    return value[index] if -len(value) <= index < len(value) else MISSING


def _concat(value: JsonValue, *others: JsonValue | Missing) -> JsonValue | Missing:
    """Join texts: those of a list, and those of the arguments."""
    texts = [item for item in (value if isinstance(value, list) else [value]) if _is_plain(item)]
    for other in others:
        texts += [
            item for item in (other if isinstance(other, list) else [other]) if _is_plain(item)
        ]
    joined = "".join(value_text(text) for text in texts)
    return joined if len(joined) <= MAX_JOINED else MISSING


def _is_plain(item: JsonValue | Missing) -> TypeGuard[str | int | float]:
    return isinstance(item, str | int | float) and not isinstance(item, bool)


def _append(value: JsonValue, *items: JsonValue | Missing) -> JsonValue | Missing:
    if not isinstance(value, list):
        return MISSING
    return [*value, *(item for item in items if item is not MISSING)]


@dataclass(frozen=True, slots=True)
class PathFunction:
    """A function and how many arguments it takes, at least and at most."""

    run: Callable[..., JsonValue | Missing]
    arguments: tuple[int, int] = (0, 0)


MAX_ARGUMENTS = 20
MAX_JOINED = 10_000_000

FUNCTIONS: Mapping[str, PathFunction] = {
    "length": PathFunction(_length),
    "size": PathFunction(_length),
    "keys": PathFunction(_keys),
    "first": PathFunction(_first),
    "last": PathFunction(_last),
    "index": PathFunction(_index, (1, 1)),
    "sum": PathFunction(_sum),
    "min": PathFunction(_min),
    "max": PathFunction(_max),
    "avg": PathFunction(_avg),
    "stddev": PathFunction(_stddev),
    "concat": PathFunction(_concat, (0, MAX_ARGUMENTS)),
    "append": PathFunction(_append, (1, MAX_ARGUMENTS)),
}
