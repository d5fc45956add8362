"""Values turned into their declared type: what a file gives always, what an API sends if asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from naftiko.expressions.text import value_text
from naftiko.values import JsonValue

Coerce = Callable[[JsonValue], JsonValue]
"""Raises: ValueError where the value has no form of the type."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,2})?")
_BOOLEANS = {"true": True, "false": False}
MAX_SHOWN = 80


def to_string(value: JsonValue) -> JsonValue:
    """Return text: 5 -> "5", true -> "true"."""
    if isinstance(value, (dict, list)):
        raise ValueError
    return value_text(value)


def to_number(value: JsonValue) -> JsonValue:
    """Return a number: "5" -> 5, "1.50" -> 1.5."""
    if isinstance(value, bool):
        raise ValueError
    if isinstance(value, str):
        text = value.strip()
        if _INTEGER.fullmatch(text):
            return int(text)
        if not _NUMBER.fullmatch(text):
            raise ValueError
        return float(text)
    if isinstance(value, (int, float)):
        return value
    raise ValueError


def to_integer(value: JsonValue) -> JsonValue:
    """Return a whole number: "5" -> 5, 5.0 -> 5."""
    number = to_number(value)
    if isinstance(number, float) and number.is_integer():
        return int(number)
    if isinstance(number, int):
        return number
    raise ValueError


def to_boolean(value: JsonValue) -> JsonValue:
    """Return a truth value: "true" -> true."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _BOOLEANS:
        return _BOOLEANS[value.strip().lower()]
    raise ValueError


def to_array(value: JsonValue) -> JsonValue:
    """Return a list as it is."""
    if isinstance(value, list):
        return value
    raise ValueError


def to_object(value: JsonValue) -> JsonValue:
    """Return an object as it is."""
    if isinstance(value, dict):
        return value
    raise ValueError


COERCE: Mapping[str, Coerce] = {
    "string": to_string,
    "number": to_number,
    "integer": to_integer,
    "boolean": to_boolean,
    "array": to_array,
    "object": to_object,
}


def as_declared(value: JsonValue, type_: str | None) -> JsonValue:
    """Return a value that the file gives in its declared type, as it is where it has no such form.

    ("5", "number") -> 5, (5, "string") -> "5", ("n/a", "number") -> "n/a"
    """
    coerce = COERCE.get(type_ or "")
    if coerce is None or value is None:
        return value
    try:
        return coerce(value)
    except ValueError:
        return value


def shown(value: JsonValue) -> str:
    """Return a value as an error shows it."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = f'"{value}"' if isinstance(value, str) else value_text(value)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."
