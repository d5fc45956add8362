"""What the functions of expressions compute. What they take and give: functions.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import cast

from naftiko.values import JsonValue
from naftiko.workflow.expressions.values import (
    CHECKS,
    MAX_TEXT,
    Computed,
    Operand,
    TypeMismatch,
    Values,
    as_number,
    bounded,
    part_text,
    read_time,
    short,
    too_long,
    type_text,
)

FACTS: dict[str, Operand] = {
    "now": lambda values: values.facts.now,
    "timestamp": lambda values: values.facts.timestamp,
    "uuid": lambda values: values.uuid(),
    "execution_id": lambda values: values.facts.execution_id,
    "region": lambda values: values.facts.region,
    "account_id": lambda values: values.facts.account_id,
    "partition": lambda values: values.facts.partition,
}


def join(many: Operand, between: Operand) -> Operand:
    """Return what joins a list's elements."""

    def join(values: Values) -> Computed:
        items, separator = many(values), between(values)
        if items is None or separator is None:
            return None
        if not isinstance(items, list) or not isinstance(separator, str):
            raise TypeMismatch(f"expected a list to join, found {type_text(items)}")
        parts = [part_text(item) for item in items]
        # Counted before it is joined: ten thousand long texts would fill the memory first.
        if sum(map(len, parts)) + len(separator) * (len(parts) - 1) > MAX_TEXT:
            raise too_long()
        return separator.join(parts)

    return join


def age_of(time: Operand) -> Operand:
    """Return what tells how long ago a time was, in seconds."""

    def age(values: Values) -> Computed:
        then = time(values)
        if then is None:
            return None
        seconds = (values.facts.now - read_time(then)).total_seconds()
        return int(seconds) if seconds.is_integer() else seconds

    return age


def concat(first: Operand, second: Operand) -> Operand:
    """Return what puts a list behind another; null, where one is missing."""

    def concat(values: Values) -> Computed:
        left, right = first(values), second(values)
        if left is None or right is None:
            return None
        return _bounded_list([*_elements(left), *_elements(right)])

    return concat


def pluck(many: Operand, name: str) -> Operand:
    """Return what takes one member of each element; elements without it are left out."""

    def pluck(values: Values) -> Computed:
        items = many(values)
        if items is None:
            return None
        found = [_member(item, name) for item in _elements(items)]
        return _bounded_list([value for value in found if value is not None])

    return pluck


def _elements(value: Computed) -> list[JsonValue]:
    if not isinstance(value, list):
        raise TypeMismatch(f"expected a list, found {type_text(value)}")
    return value


def _member(item: JsonValue, name: str) -> JsonValue:
    if item is None:
        return None
    if not isinstance(item, dict):
        raise TypeMismatch(f"expected a list of maps, found {type_text(item)} in it")
    return item.get(name)


def _bounded_list(found: list[JsonValue]) -> list[JsonValue]:
    if len(found) > MAX_ELEMENTS:
        raise TypeMismatch(f"a computed list has more than {MAX_ELEMENTS} elements")
    return found


def element_of(many: Operand, index: int, kind: str) -> Operand:
    """Return what picks an element of a list, null where there is none."""
    fits = CHECKS.get(kind)

    def element(values: Values) -> Computed:
        items = many(values)
        if not items or not isinstance(items, list):
            return None
        value = items[index]
        if value is None:
            return None
        if kind == "timestamp":
            return read_time(value)
        if fits is not None and not fits(value):
            raise TypeMismatch(f"an element is {type_text(value)}, not of type {kind}")
        return value

    return element


MAX_ELEMENTS = 10_000
"""As many as pages may bring."""
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


def _int(value: Computed) -> int:
    if isinstance(value, str):
        if _WHOLE.fullmatch(value):
            return int(value)
        raise TypeMismatch("expected a whole number, found a text that is none")
    return cast("int", bounded(int(as_number(value))))


def _number(value: Computed) -> float:
    if isinstance(value, str):
        if _DECIMAL.fullmatch(value):
            return float(value)
        raise TypeMismatch("expected a number, found a text that is none")
    return as_number(value)


def _date(value: Computed) -> str:
    time = read_time(value)
    return f"{time.year:04}-{time.month:02}-{time.day:02}"


def _month_start(value: Computed) -> datetime:
    return read_time(value).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _length(value: Computed) -> int:
    if isinstance(value, str | list | dict):
        return len(value)
    raise TypeMismatch(f"{type_text(value)} has no length")


def _of_text(change: Callable[[str], str]) -> Callable[[Computed], str]:
    def changed(value: Computed) -> str:
        if not isinstance(value, str):
            raise TypeMismatch(f"expected a text, found {type_text(value)}")
        return short(change(short(value)))

    return changed


COMPUTED_BY: dict[str, Callable[[Computed], Computed]] = {
    "lower": _of_text(str.lower),
    "upper": _of_text(str.upper),
    "trim": _of_text(str.strip),
    "string": part_text,
    "int": _int,
    "number": _number,
    "date": _date,
    "month_start": _month_start,
    "length": _length,
    "days": lambda value: bounded(as_number(value) * 86_400),
    "hours": lambda value: bounded(as_number(value) * 3_600),
    "minutes": lambda value: bounded(as_number(value) * 60),
}
