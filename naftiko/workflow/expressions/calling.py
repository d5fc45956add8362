"""What the functions of expressions compute. What they take and give: functions.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast

from naftiko.workflow.expressions.values import (
    CHECKS,
    Computed,
    Operand,
    TypeMismatch,
    Values,
    as_number,
    bounded,
    part_text,
    read_time,
    short,
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
        return short(separator.join([part_text(item) for item in items]))

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


_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


def _int(value: Computed) -> int:
    if isinstance(value, str):
        if _WHOLE.fullmatch(value):
            return int(value)
        raise TypeMismatch("expected a whole number, found a text that is none")
    return cast("int", bounded(int(as_number(value))))


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
    "length": _length,
    "days": lambda value: bounded(as_number(value) * 86_400),
    "hours": lambda value: bounded(as_number(value) * 3_600),
    "minutes": lambda value: bounded(as_number(value) * 60),
}
