"""Texts and values of a workflow as JSONata: every delimiter is escaped."""

from __future__ import annotations

import re

from naftiko.values import JsonValue

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
KEYWORDS = frozenset({"and", "or", "in", "true", "false", "null", "function"})
_ESCAPED = frozenset('"\\%{}$`')


class NotMappable(Exception):  # noqa: N818 - a finding, which becomes a WF801
    """JSONata has no such thing. The text says what."""


def wrapped(text: str) -> str:
    """Return an expression as the value of a field."""
    return f"{{% {text} %}}"


def text_literal(value: str) -> str:
    """Return a text as a literal; whatever could end one or begin something else is escaped."""
    return '"' + "".join(_escaped(char) for char in value) + '"'


def literal(value: JsonValue) -> str:
    """Return a JSON value as an expression."""
    if isinstance(value, str):
        return text_literal(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, list):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    if isinstance(value, dict):
        pairs = (f"{text_literal(name)}: {literal(item)}" for name, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    return repr(value)


def path_step(name: str) -> str:
    """Return a member's name as it stands in a path."""
    return name if PLAIN.fullmatch(name) and name not in KEYWORDS else f"`{name}`"


def _escaped(char: str) -> str:
    code = ord(char)
    if char in _ESCAPED or code < 0x20 or 0x7F <= code < 0xA0 or code in {0x2028, 0x2029}:
        return f"\\u{code:04x}"
    return char
