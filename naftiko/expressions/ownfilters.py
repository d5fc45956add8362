"""The filters and tests of templates that are this engine's own, each within bounds.

Importing this module imports Jinja2 (40 ms).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from jinja2 import ChainableUndefined, Undefined

from naftiko.expressions.bounded import (
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_TEXT,
    MAX_VALUES,
    MAX_WRITTEN,
    Budget,
    ValueFaultError,
    bound_text,
    member_json,
    nested_too_deep,
    text_of,
)
from naftiko.expressions.text import exact_json, json_text, value_text
from naftiko.expressions.visible import at_most

MAX_INDENT = 8
_PIECE = 64 * 1024

_DEPTH = re.compile("depth|recursion", re.IGNORECASE)
"""What orjson's versions say of a text that is nested too deep."""


def _replace(value: Any, old: Any, new: Any, count: int = -1) -> str:
    text, before, after = text_of(value), text_of(old), text_of(new)
    bound_text(len(text) + text.count(before) * max(len(after) - len(before), 0))
    return text.replace(before, after, count)


def _split(value: Any, separator: Any = None, maxsplit: Any = -1) -> list[str]:
    """Return the parts of a text: "a, b" by ", " -> ["a", "b"], "a  b" by white space likewise.

    An absent value and null have no parts; an empty text has one by a separator, and none without.
    """
    if value is None or isinstance(value, Undefined):
        return []
    between = None if separator is None else text_of(separator)
    if between == "" or not _is_count(maxsplit):
        message = "`split` takes a text to split at and a whole number"
        raise ValueFaultError(message)
    most = MAX_ITEMS if maxsplit < 0 else min(maxsplit, MAX_ITEMS)
    parts = text_of(value).split(between, most)
    if len(parts) > MAX_ITEMS:
        message = f"a text has more than {MAX_ITEMS:,} parts"
        raise ValueFaultError(message)
    return parts


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _from_json(value: Any) -> Any:
    """Return the value of a JSON text, however large its integers; undefined for no JSON text.

    A text that is too long, too deep or holds too many values is a failure.
    """
    if not isinstance(value, str):
        return ChainableUndefined(name="fromjson")
    bound_text(len(value))
    import orjson

    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        if _DEPTH.search(str(error)):
            raise nested_too_deep() from None
        return ChainableUndefined(name="fromjson")
    found = exact_json(value, found)
    _bound_values(found)
    return found


def _bound_values(value: Any) -> None:
    """Refuse a value with too many values or levels, one level after the other."""
    level, budget, depth = [value], Budget(), 0
    while level:
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        budget.take(len(inner))
        depth += 1
        if depth > MAX_DEPTH + 1:
            raise nested_too_deep()
        level = inner


def _to_json(value: Any, indent: Any = None) -> str:
    """Return a value as JSON of at most 1 MiB.

    Without `indent` it is compact, in Unicode: {"a":["é"]}. With it, up to 8, it is byte for byte
    what Python's `json.dumps(value, indent=indent)` gives, as tools in Python print it: characters
    beyond ASCII escaped, floats as Python writes them (1e-07), no blank at the ends of lines.
    """
    if indent is not None and not (_is_count(indent) and 0 <= indent <= MAX_INDENT):
        message = f"`tojson` takes an indent from 0 to {MAX_INDENT}"
        raise ValueFaultError(message)
    found = member_json(value, Budget(characters=MAX_TEXT))
    if indent is None:
        text = json_text(found)
    else:
        _bound_lines(found, indent)
        text = json.dumps(found, indent=indent, check_circular=False)
    bound_text(len(text))
    return text


def _bound_lines(value: Any, indent: int) -> None:
    """Refuse a value whose line breaks and indents alone take too much."""
    pending, length = [(value, 1)], 0
    while pending:
        item, depth = pending.pop()
        if isinstance(item, dict | list):
            length += len(item) * (depth * indent + 1)
            bound_text(length)
            inner = item.values() if isinstance(item, dict) else item
            pending += [(part, depth + 1) for part in inner if isinstance(part, dict | list)]


def _byte_length(value: Any) -> int:
    """Return how many bytes the text of a value takes in UTF-8: "é" -> 2, {"a": 1} -> 7.

    What a template makes texts of is bounded; this is for finding out that a value is too large, so
    that it takes more.
    """
    if isinstance(value, Undefined):
        return 0
    text = value if isinstance(value, str) else _long_text(value)
    if text.isascii():
        return len(text)
    pieces = (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))
    return sum(len(piece.encode("utf-8", "surrogatepass")) for piece in pieces)


def _long_text(value: Any) -> str:
    budget = Budget(left=8 * MAX_VALUES, characters=MAX_WRITTEN)
    if not isinstance(value, dict | list):
        return text_of(value)
    return value_text(member_json(value, budget))


def _bytes_literal(value: Any) -> str:
    r"""Return the bytes of a text as Python shows them: "é" -> `b'\xc3\xa9'`."""
    text = text_of(value)
    bound_text(len(text))
    shown = repr(text.encode())
    bound_text(len(shown))
    return shown


def _at_most(value: Any, length: Any) -> str:
    """Return at most so many characters of a text, as `at_most` does."""
    if not _is_count(length) or not 0 <= length <= MAX_TEXT:
        message = "`bounded` takes a length of up to 1 MiB"
        raise ValueFaultError(message)
    return at_most(text_of(value), length)


def _merge(value: Any, other: Any) -> dict[str, Any]:
    """Return an object with the members of another over its own; what is none counts as empty."""
    found = {**_members(value), **_members(other)}
    Budget().take(len(found))
    return found


def _omit(value: Any, *names: Any) -> dict[str, Any]:
    """Return an object without the members of these names."""
    unwanted = {text_of(name) for name in names}
    return {key: item for key, item in _members(value).items() if key not in unwanted}


def _members(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if value is None or isinstance(value, Undefined):
        return {}
    message = "`merge` and `omit` take objects"
    raise ValueFaultError(message)


OWN_FILTERS: dict[str, Callable[..., Any]] = {
    "upper": lambda value: text_of(value).upper(),
    "lower": lambda value: text_of(value).lower(),
    "title": lambda value: text_of(value).title(),
    "capitalize": lambda value: text_of(value).capitalize(),
    "trim": lambda value, chars=None: text_of(value).strip(chars),
    "removeprefix": lambda value, prefix: text_of(value).removeprefix(text_of(prefix)),
    "removesuffix": lambda value, suffix: text_of(value).removesuffix(text_of(suffix)),
    "string": text_of,
    "replace": _replace,
    "merge": _merge,
    "omit": _omit,
    "split": _split,
    "bounded": _at_most,
    "bytelength": _byte_length,
    "bytes_literal": _bytes_literal,
    "urlencode": lambda value: quote(text_of(value), safe=""),
    "tojson": _to_json,
    "fromjson": _from_json,
}
OWN_TESTS: dict[str, Callable[..., bool]] = {
    "startswith": lambda value, prefix: text_of(value).startswith(text_of(prefix)),
    "endswith": lambda value, suffix: text_of(value).endswith(text_of(suffix)),
}
