"""Where a `{{ … }}` or `{% … %}` ends."""

from __future__ import annotations

import re

MAX_REGION_LENGTH = 4_000

_SIGN = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[{}]|%\}""", re.DOTALL)


def expression_end(text: str, start: int) -> int:
    """Return the end of the `}}` that closes what begins at `start`, or -1.

    Quotes and braces nest: "{{ {'a': {}} }}" ends at its end. Where they do not fit, the first
    `}}` counts.
    """
    depth = 0
    for match in _SIGN.finditer(text, start, start + MAX_REGION_LENGTH):
        sign = match.group()
        if sign == "{":
            depth += 1
        elif sign == "}" and depth:
            depth -= 1
        elif sign == "}" and text.startswith("}}", match.start()):
            return match.end() + 1
    found = text.find("}}", start)
    return found + 2 if found >= 0 else -1


def statement_end(text: str, start: int) -> int:
    """Return the end of the `%}` that closes what begins at `start`, or -1; quotes hide it."""
    for match in _SIGN.finditer(text, start, start + MAX_REGION_LENGTH):
        if match.group() == "%}":
            return match.end()
    found = text.find("%}", start)
    return found + 2 if found >= 0 else -1
