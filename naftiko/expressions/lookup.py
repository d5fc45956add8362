"""Dotted names -> values: `get-user.items.0`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from naftiko.values import MISSING, JsonValue, Missing

Scope: TypeAlias = Mapping[str, JsonValue]
Getter: TypeAlias = Callable[[Scope], "JsonValue | Missing"]

MAX_INDEX_DIGITS = 9


def lookup(scope: Scope, name: str) -> JsonValue | Missing:
    """Return what a name stands for: an exact key first, then a path into objects and lists.

    {"a.b": 1, "a": {"b": 2, "c": [3]}}: "a.b" -> 1, "a.c.0" -> 3, "a.x" -> MISSING
    """
    return default_getter(name)(scope)


def default_getter(name: str) -> Getter:
    """Return the function that looks the name up, cut into its segments once."""
    parts = name.split(".")
    if len(parts) == 1:
        return lambda scope: scope.get(name, MISSING)
    return _path_getter(name, parts[0], tuple((part, _index(part)) for part in parts[1:]))


def _index(part: str) -> int:
    return int(part) if part.isascii() and part.isdigit() and len(part) <= MAX_INDEX_DIGITS else -1


def _path_getter(name: str, first: str, rest: tuple[tuple[str, int], ...]) -> Getter:
    def get(scope: Scope) -> JsonValue | Missing:
        value: JsonValue | Missing = scope.get(name, MISSING)
        if value is not MISSING:
            return value
        value = scope.get(first, MISSING)
        for key, index in rest:
            if isinstance(value, dict):
                value = value.get(key, MISSING)
            elif isinstance(value, list) and 0 <= index < len(value):
                value = value[index]
            else:
                return MISSING
        return value

    return get
