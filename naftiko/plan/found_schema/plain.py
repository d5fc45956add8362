"""Keywords of schemas that hold no schema: what each becomes in JSON Schema 2020-12."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from naftiko.expressions.visible import at_most
from naftiko.values import MISSING, JsonObject, JsonValue, Missing

MAX_TEXT: Final = 1_000
"""Characters of a title or description."""
MAX_ENUM: Final = 1_000
MAX_EXAMPLE_BYTES: Final = 1024
_MAX_FORMAT: Final = 100
_MAX_COUNT: Final = 2**53
TYPES: Final = ("array", "boolean", "integer", "null", "number", "object", "string")

_Read = Callable[[JsonValue], "JsonValue | Missing"]


def is_number(value: JsonValue) -> bool:
    """Tell whether a value is a number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def types(value: JsonValue) -> JsonValue | Missing:
    """Return a `type`; MISSING for one that no version of JSON Schema has."""
    names = value if isinstance(value, list) else [value]
    if not names or any(name not in TYPES for name in names):
        return MISSING
    return list(dict.fromkeys(names)) if isinstance(value, list) else value


def _text(value: JsonValue) -> JsonValue | Missing:
    return at_most(value, MAX_TEXT) if isinstance(value, str) else MISSING


def _short(value: JsonValue) -> JsonValue | Missing:
    return at_most(value, _MAX_FORMAT) if isinstance(value, str) else MISSING


def _flag(value: JsonValue) -> JsonValue | Missing:
    return value if isinstance(value, bool) else MISSING


def _number(value: JsonValue) -> JsonValue | Missing:
    return value if is_number(value) else MISSING


def _positive(value: JsonValue) -> JsonValue | Missing:
    return value if isinstance(value, int | float) and is_number(value) and value > 0 else MISSING


def _count(value: JsonValue) -> JsonValue | Missing:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return MISSING
    if not 0 <= value <= _MAX_COUNT or value != int(value):
        return MISSING
    return int(value)


def _names(value: JsonValue) -> JsonValue | Missing:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return MISSING
    return list(dict.fromkeys(value)) or MISSING


def _enum(value: JsonValue) -> JsonValue | Missing:
    return value if isinstance(value, list) and 0 < len(value) <= MAX_ENUM else MISSING


def _any(value: JsonValue) -> JsonValue | Missing:
    return value


def _example(value: JsonValue) -> JsonValue | Missing:
    import orjson

    try:
        return value if len(orjson.dumps(value)) <= MAX_EXAMPLE_BYTES else MISSING
    except TypeError:  # nested too deep
        return MISSING


def _examples(value: JsonValue) -> JsonValue | Missing:
    return _example(value) if isinstance(value, list) and value else MISSING


def name_lists(value: JsonValue) -> JsonValue | Missing:
    """Return a `dependentRequired`: {"card": ["address"]}."""
    if not isinstance(value, dict):
        return MISSING
    found: JsonObject = {}
    for name, needed in value.items():
        names = _names(needed)
        if names is not MISSING:
            found[name] = names
    return found or MISSING


PLAIN: Mapping[str, _Read] = {
    "const": _any,
    "contentEncoding": _short,
    "contentMediaType": _short,
    "default": _example,
    "dependentRequired": name_lists,
    "deprecated": _flag,
    "description": _text,
    "enum": _enum,
    "examples": _examples,
    "exclusiveMaximum": _number,
    "exclusiveMinimum": _number,
    "format": _short,
    "maxContains": _count,
    "maxItems": _count,
    "maxLength": _count,
    "maxProperties": _count,
    "maximum": _number,
    "minContains": _count,
    "minItems": _count,
    "minLength": _count,
    "minProperties": _count,
    "minimum": _number,
    "multipleOf": _positive,
    "readOnly": _flag,
    "required": _names,
    "title": _text,
    "type": types,
    "uniqueItems": _flag,
    "writeOnly": _flag,
}
"""Reads the value of a keyword; MISSING where it means nothing, and where it is too large."""

NOTES: Final = frozenset(
    {"contentEncoding", "contentMediaType", "default", "deprecated", "description", "examples",
     "format", "readOnly", "title", "writeOnly"}
)  # fmt: skip
"""Keywords that no value has to obey."""
EMPTY: Mapping[str, tuple[JsonValue, ...]] = {
    "required": ([], True, False),
    "dependentRequired": ({},),
}
"""Values that ask for nothing: those of `required` are draft-03's, which stand in a property."""
