"""Pattern -> its parts: what may stand in one, and where it goes wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from naftiko.errors import NaftikoError

MAX_LENGTH = 200
MAX_COUNT = 1_000

_OTHER = 1 << 128
"""Stands for every character beyond ASCII: two such count as the same."""
_ALL = (1 << 129) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CharSet:
    """One character of `chars`, a mask of code points."""

    chars: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """`^` or `$`."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Alternatives, each a sequence of parts."""

    alternatives: tuple[tuple[Part, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """`high` None: without an end."""

    node: CharSet | Group
    low: int
    high: int | None
    text: str
    offset: int


Part: TypeAlias = CharSet | Edge | Group | Repeat


class PatternFault(NaftikoError):  # noqa: N818 - the pattern is at fault, nothing failed
    """A pattern is refused: where and why."""

    def __init__(self, message: str, offset: int = 0, length: int = 0, hint: str = "") -> None:
        """Keep all of it."""
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.length = length
        self.hint = hint


def parse_parts(pattern: str) -> Group:
    """Return the parts of a pattern, however long it may take.

    Raises: PatternFault.
    """
    if len(pattern) > MAX_LENGTH:
        raise PatternFault(
            f"the pattern has {len(pattern)} characters, more than {MAX_LENGTH}",
            hint="test less with it, or use `startswith`, `endswith` or `contains`",
        )
    parser = _Parser(pattern)
    group = parser.group()
    if parser.position < len(pattern):
        parser.fail("`)` closes nothing", parser.position, hint="write `\\)` for the character")
    return group


_CLASSES = {
    "d": (sum(1 << ord(char) for char in "0123456789"), "0-9"),
    "w": (sum(1 << code for code in range(128) if chr(code).isalnum() or code == 95), "A-Za-z0-9_"),
    "s": (sum(1 << ord(char) for char in " \t\n\r\f\v"), " \\t\\n\\r\\f\\v"),
}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r"}
_QUANTIFIERS = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_BRACES = re.compile(r"\{([0-9]{1,4})(?:(,)([0-9]{1,4})?)?\}")


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def fail(self, message: str, offset: int, length: int = 1, hint: str = "") -> NoReturn:
        raise PatternFault(message, offset, length, hint)

    def peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def group(self) -> Group:
        alternatives = [self._sequence()]
        while self.peek() == "|":
            self.position += 1
            alternatives.append(self._sequence())
        return Group(alternatives=tuple(alternatives))

    def _sequence(self) -> tuple[Part, ...]:
        nodes: list[Part] = []
        while (char := self.peek()) and char not in "|)":
            node = self._atom(char)
            nodes.append(self._quantified(node))
        return tuple(nodes)

    def _quantified(self, node: CharSet | Edge | Group) -> Part:
        start = self.position
        found = self._quantifier()
        if found is None:
            return node
        low, high = found
        text = self.text[start : self.position]
        if isinstance(node, Edge):
            self.fail(f"`{text}` repeats nothing", start, len(text))
        again = self.position
        if self._quantifier() is not None:
            self.fail(
                f"`{self.text[again : self.position]}` follows another quantifier",
                again,
                self.position - again,
                "leave one of them out: the whole text is matched in any case",
            )
        return Repeat(node=node, low=low, high=high, text=text, offset=start)

    def _quantifier(self) -> tuple[int, int | None] | None:
        char = self.peek()
        if char in _QUANTIFIERS:
            self.position += 1
            return _QUANTIFIERS[char]
        if char != "{":
            return None
        found = _BRACES.match(self.text, self.position)
        if found is None:
            self.fail(
                "`{` begins no quantifier", self.position, hint="write `\\{` for the character"
            )
        low = int(found[1])
        high = low if not found[2] else None if found[3] is None else int(found[3])
        if max(low, high or 0) > MAX_COUNT or (high is not None and high < low):
            self.fail(
                f"`{found[0]}` is no range of at most {MAX_COUNT}",
                self.position,
                len(found[0]),
            )
        self.position = found.end()
        return low, high

    def _atom(self, char: str) -> CharSet | Edge | Group:
        start = self.position
        self.position += 1
        if char == "(":
            return self._inner(start)
        if char == "[":
            return self._class(start)
        if char in "^$":
            return Edge(text=char)
        if char == ".":
            return CharSet(chars=_ALL & ~(1 << 10), text=".")
        if char == "\\":
            return self._escape(start)
        if char in _QUANTIFIERS or char == "{":
            self.fail(
                f"`{char}` repeats nothing", start, hint=f"write `\\{char}` for the character"
            )
        return _literal(char)

    def _inner(self, start: int) -> Group:
        if self.text.startswith("?:", self.position):
            self.position += 2
        elif self.peek() == "?":
            self.fail(
                f"`{self.text[start : start + 3]}` is not allowed in a pattern",
                start,
                3,
                "no look-around, names or flags; groups are `(...)`",
            )
        group = self.group()
        if self.peek() != ")":
            self.fail("`(` has no `)`", start, hint="write `\\(` for the character")
        self.position += 1
        return group

    def _escape(self, start: int) -> CharSet:
        char = self.peek()
        self.position += 1
        if char.lower() in _CLASSES and char:
            chars, text = _CLASSES[char.lower()]
            negated = char.isupper()
            return CharSet(
                chars=_ALL & ~chars if negated else chars, text=f"[{'^' * negated}{text}]"
            )
        return _literal(self._escaped(char, start))

    def _escaped(self, char: str, start: int) -> str:
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char.isdigit():
            self.fail(
                "a pattern cannot refer back to a group", start, 2, "write the part out again"
            )
        if not char or not char.isascii() or char.isalnum():
            self.fail(
                f"`\\{char}` is not allowed in a pattern",
                start,
                2,
                "escapes are \\d \\w \\s \\D \\W \\S \\t \\n \\r and `\\` before punctuation",
            )
        return char

    def _class(self, start: int) -> CharSet:
        negated = self.peek() == "^"
        self.position += negated
        chars, text = 0, ""
        if self.peek() == "]":
            self.fail("the class is empty", start, hint="write `\\]` for the character")
        while self.peek() != "]":
            if not self.peek():
                self.fail("`[` has no `]`", start, hint="write `\\[` for the character")
            more, part = self._class_part()
            chars |= more
            text += part
        self.position += 1
        # What is beyond ASCII counts as one: a negated class may hold some of it.
        return CharSet(
            chars=(_ALL & ~chars) | _OTHER if negated else chars, text=f"[{'^' * negated}{text}]"
        )

    def _class_part(self) -> tuple[int, str]:
        start = self.position
        if self.text[start] == "\\" and self.text[start + 1 : start + 2].lower() in tuple(_CLASSES):
            self.position += 2
            name = self.text[start + 1]
            if name.isupper():
                self.fail(
                    f"`\\{name}` cannot stand in a class", start, 2, f"write `\\{name}` outside"
                )
            return _CLASSES[name]
        low = self._class_char()
        after = self.text[self.position : self.position + 2]
        if not after.startswith("-") or after in {"-", "-]"}:
            return _mask(low), _quoted(low)
        self.position += 1
        high = self._class_char()
        if high < low:
            length = self.position - start
            self.fail("the range runs backwards", start, length)
        chars = sum(1 << code for code in range(ord(low), min(ord(high), 127) + 1))
        return chars | (_OTHER if ord(high) > 127 else 0), f"{_quoted(low)}-{_quoted(high)}"

    def _class_char(self) -> str:
        start = self.position
        char = self.peek()
        self.position += 1
        if char != "\\":
            return char
        char = self.peek()
        self.position += 1
        return self._escaped(char, start)


def _mask(char: str) -> int:
    return 1 << ord(char) if ord(char) < 128 else _OTHER


def _quoted(char: str) -> str:
    """Write a character so that it stands for itself, in a class as well."""
    return f"\\{char}" if char.isascii() and not char.isalnum() and char not in "\t\n\r" else char


def _literal(char: str) -> CharSet:
    return CharSet(chars=_mask(char), text=_quoted(char))


def regex_text(node: Part) -> str:
    """Return a part as a regular expression of Python's."""
    if isinstance(node, CharSet | Edge):
        return node.text
    if isinstance(node, Repeat):
        return regex_text(node.node) + node.text
    alternatives = ("".join(map(regex_text, sequence)) for sequence in node.alternatives)
    return f"(?:{'|'.join(alternatives)})"
