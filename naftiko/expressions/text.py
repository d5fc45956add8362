"""JSON values -> the text that stands for them inside a longer text."""

from __future__ import annotations

import re
from json import JSONEncoder

from naftiko.errors import ShapingError
from naftiko.values import MISSING, JsonValue, Missing

_encode = JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


_LONG_INTEGER = re.compile("[0-9]{19}")
_LONG_INTEGER_BYTES = re.compile(b"[0-9]{19}")


def exact_json(raw: str | bytes, value: JsonValue) -> JsonValue:
    """Return what a JSON text holds, `value` being what orjson made of it.

    orjson makes floats of integers past 64 bits, silently; Python reads up to 4,300 digits of one.
    """
    pattern = _LONG_INTEGER if isinstance(raw, str) else _LONG_INTEGER_BYTES
    if pattern.search(raw) is None:  # type: ignore[arg-type]  # each text has its own
        return value
    from json import loads

    try:
        exact: JsonValue = loads(raw)
    except (ValueError, RecursionError):
        return value
    return exact


def value_text(value: JsonValue | Missing) -> str:
    """Return the text of a value.

    "a" -> `a`, 1 -> `1`, 1.0 -> `1.0`, True -> `true`, None and MISSING -> ``, [1, {}] -> `[1,{}]`

    Raises: ShapingError for a value nested too deep to be written.
    """
    if isinstance(value, str):
        return value
    if value is None or value is MISSING:
        return ""
    if value is True:
        return "true"
    if value is False:
        return "false"
    return json_text(value)


def json_text(value: JsonValue) -> str:
    """Return compact JSON: {"a": ["é"]} -> `{"a":["é"]}`.

    Raises: ShapingError for a value nested too deep, or a number too long, to be written.
    """
    try:
        return _encode(value)
    except RecursionError:
        raise ShapingError(code="too-deep", message="a value is nested too deep") from None
    except ValueError:
        raise ShapingError(code="too-large", message="a number has too many digits") from None


def type_name(value: object) -> str:
    """Return what a JSON value is, with its article: "a number", "null", "an object"."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an object" if isinstance(value, dict) else "a list"
