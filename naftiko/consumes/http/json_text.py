"""A body written as JSON text with placeholders -> the same JSON as nodes.

`{"n": {{n}}, "s": "{{s}}"}` is no JSON until its placeholders are filled, and filling text lets a
value break out of its quotes. Read as nodes, each placeholder is a value of its own, so types are
kept, absent members drop out, and nothing can break out.
"""

from __future__ import annotations

import json
import re

from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.expressions.template import expression_end
from naftiko.source import Location
from naftiko.values import JsonValue

_OPEN, _CLOSE = "\ue000", "\ue001"
"""Private-use characters that stand around a placeholder's number."""

_TOKEN = re.compile(r'\{\{|\{%|\\.|"', re.DOTALL)
_MARK = re.compile(f"{_OPEN}(\\d+){_CLOSE}")


def json_text_nodes(text: Scalar) -> Node | None:
    """Return the JSON that the text holds once placeholders count as values.

    None where it is no JSON even so, where a key holds a placeholder, and where conditions or
    loops decide what the JSON is.
    """
    if _OPEN in text.text or "\\ue000" in text.text.lower():
        return None
    placeholders: list[tuple[str, int]] = []
    marked = _mark(text.text, placeholders)
    if marked is None:
        return None
    try:
        value = json.loads(marked, strict=False, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    try:
        return _Builder(text, placeholders).node(value)
    except _PlaceholderInKeyError:
        return None


class _PlaceholderInKeyError(Exception):
    """A key holds a placeholder."""


def _refuse(constant: str) -> JsonValue:
    raise ValueError(constant)


def _mark(text: str, placeholders: list[tuple[str, int]]) -> str | None:
    """Replace each placeholder by a numbered mark, in quotes of its own outside of strings."""
    out: list[str] = []
    inside_string = False
    position = 0
    while (match := _TOKEN.search(text, position)) is not None:
        sign, start = match.group(), match.start()
        out.append(text[position:start])
        position = match.end()
        if sign == "{{":
            position = expression_end(text, match.end())
            if position < 0:
                return None
            mark = f"{_OPEN}{len(placeholders)}{_CLOSE}"
            placeholders.append((text[start:position], start))
            out.append(mark if inside_string else f'"{mark}"')
            continue
        if sign == "{%":
            return None
        if sign == '"':
            inside_string = not inside_string
        out.append(sign)
    out.append(text[position:])
    return "".join(out)


class _Builder:
    """Turns the parsed JSON back into nodes, with the placeholders where their marks stand."""

    def __init__(self, text: Scalar, placeholders: list[tuple[str, int]]) -> None:
        self._text = text
        self._placeholders = placeholders

    def node(self, value: JsonValue) -> Node:
        location = self._text.location
        if isinstance(value, dict):
            entries = [(self._key(key, location), self.node(item)) for key, item in value.items()]
            return Mapping(tuple(entries), location)
        if isinstance(value, list):
            return Sequence(tuple(self.node(item) for item in value), location)
        if isinstance(value, str):
            return self._string(value)
        return Scalar(value, json.dumps(value), location)

    def _key(self, key: str, location: Location) -> Scalar:
        if _OPEN in key:
            raise _PlaceholderInKeyError
        return Scalar(key, key, location)

    def _string(self, value: str) -> Scalar:
        first = _MARK.search(value)
        if first is None:
            return Scalar(value, value, self._text.location)
        placeholder, offset = self._placeholders[int(first.group(1))]
        location = self._text.at(offset, len(placeholder))
        text = _MARK.sub(lambda match: self._placeholders[int(match.group(1))][0], value)
        return Scalar(text, text, location)
