"""Patterns as JSONata's regular expressions."""

from __future__ import annotations

import re

from naftiko.workflow.asl.literals import NotMappable

_ASCII_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": " \\t\\n\\r\\f\\v"}
_COUNT = re.compile(r"\{[0-9]+(?:,[0-9]*)?\}")
_FOREIGN_PATTERN = re.compile(r"\\[AZzhHRXKQEpPGN]|\(\?(?!:)|[*+?}]\+|\[\[:|\[\^?\]")


def regex_of(pattern: str) -> str:
    """Return a pattern of section 2 as one that matches the whole text, the same in any dialect."""
    foreign = _FOREIGN_PATTERN.search(pattern)
    if foreign is not None or not pattern:
        what = foreign.group() if foreign else ""
        raise NotMappable(f"`{what}` in the pattern `{pattern}`")
    parts: list[str] = []
    is_class = is_escape = False
    counts = {n for found in _COUNT.finditer(pattern) for n in range(*found.span())}
    for place, char in enumerate(pattern):
        if is_escape:
            parts.append(_regex_escape(char, is_class=is_class))
            is_escape = False
        elif char == "\\":
            is_escape = True
        else:
            is_plain = char in ("()[{}" if is_class else "{}]") and place not in counts
            parts.append("[^\\n]" if char == "." and not is_class else _regex_char(char, is_plain))
            is_class = char == "[" or (is_class and char != "]")
    return f"/^(?:{''.join(parts)})(?![\\s\\S])/"


def _regex_escape(char: str, *, is_class: bool) -> str:
    if char in _ASCII_CLASSES:
        return _ASCII_CLASSES[char] if is_class else f"[{_ASCII_CLASSES[char]}]"
    if char.lower() in _ASCII_CLASSES:
        if is_class:
            raise NotMappable(f"`\\{char}` within brackets of a pattern")
        return f"[^{_ASCII_CLASSES[char.lower()]}]"
    return _regex_char(char, char in "()[]{}") if char in "%\n\r/()[]{}" else f"\\{char}"


def _regex_char(char: str, is_plain: bool = False) -> str:
    # JSONata finds the end of a pattern by counting brackets, those that stand for themselves too.
    if char == "/":
        return "\\/"
    return f"\\u{ord(char):04x}" if is_plain or char in "%\n\r" else char
