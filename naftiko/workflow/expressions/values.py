"""What expressions compute with: the values they see, and the checks of what comes out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import TypeAlias, cast

from naftiko.errors import NaftikoError
from naftiko.values import JsonValue
from naftiko.workflow.times import time_text

MAX_TEXT = 65_536
MAX_WHOLE = 2**64


class TypeMismatch(NaftikoError):  # noqa: N818 - the specification's name for it
    """A value is of another type than the plan says; the message holds no data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is fixed when an execution starts. `now` is aware, UTC."""

    now: datetime
    execution_id: str = ""
    region: str = "us-east-1"
    account_id: str = "123456789012"
    partition: str = "aws"

    @property
    def timestamp(self) -> str:
        """`20260131100000`."""
        now = self.now.astimezone(UTC)
        return f"{now.year:04}{now.month:02}{now.day:02}{now.hour:02}{now.minute:02}{now.second:02}"


@dataclass(slots=True, kw_only=True)
class Values:
    """What a tree sees: `steps` is {step id: {output: value}}, with `status` and `error_code`.

    `uuid` gives what `uuid()` is in the operation that is about to run.
    """

    facts: Facts
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    steps: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)
    item: JsonValue = None
    vars: Mapping[str, JsonValue] = field(default_factory=dict)
    uuid: Callable[[], str] = str


Computed: TypeAlias = JsonValue | datetime
"""What an operand is: times are times until they leave as text."""
Operand: TypeAlias = Callable[[Values], Computed]
Evaluate: TypeAlias = Callable[[Values], JsonValue]


def type_text(value: object) -> str:
    """Name a type for a message; never the value."""
    if value is None:
        return "null"
    names = {str: "a text", bool: "a boolean", dict: "a map", list: "a list"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else "a value")


def _is_whole(value: object) -> bool:
    return type(value) is int and -MAX_WHOLE < value < MAX_WHOLE


def is_number(value: object) -> bool:
    """Tell whether a value is a number of at most 64 bits, and finite."""
    return _is_whole(value) or (type(value) is float and isfinite(value))


CHECKS: dict[str, Callable[[object], bool]] = {
    "string": lambda value: type(value) is str,
    "integer": _is_whole,
    "number": is_number,
    "duration": is_number,
    "boolean": lambda value: type(value) is bool,
    "list": lambda value: isinstance(value, list),
    "map": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
    "timestamp": lambda value: type(value) is str,
}

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


def read_time(value: object) -> datetime:
    """Return the time that a text says: "2026-01-31T10:00:00Z", with a zone always.

    Raises: TypeMismatch.
    """
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise TypeMismatch(
            f"expected a time such as 2026-01-31T10:00:00Z, found {type_text(value)}"
        )
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise TypeMismatch("expected a time, found a text that names none") from error


def short(text: str) -> str:
    """Return a computed text, unless it is too long.

    Raises: TypeMismatch.
    """
    if len(text) > MAX_TEXT:
        raise too_long()
    return text


def too_long() -> TypeMismatch:
    """Return what is wrong with a computed text that has too many characters."""
    return TypeMismatch(f"a computed text has more than {MAX_TEXT} characters")


def part_text(value: object) -> str:
    """Return a value as part of a text; null is nothing."""
    if isinstance(value, str):
        return short(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return time_text(value)
    if not is_number(value):
        raise TypeMismatch(f"{type_text(value)} cannot be a part of a text")
    return _digits(cast("float", value))


def _digits(number: float) -> str:
    """Write a number without an exponent: 1e-7 -> "0.0000001", 3.0 -> "3"."""
    if isinstance(number, int) or number.is_integer():
        return str(int(number))
    return format(Decimal(repr(number)), "f")


def as_number(value: Computed) -> float:
    """Return an operand as the number it has to be.

    Raises: TypeMismatch.
    """
    if not is_number(value):
        raise TypeMismatch(f"expected a number, found {type_text(value)}")
    return cast("float", value)


def bounded(number: float) -> float:
    """Return a computed number, unless it is beyond those that there are.

    Raises: TypeMismatch.
    """
    if not is_number(number):
        raise TypeMismatch("the result is beyond the numbers that there are")
    return number
