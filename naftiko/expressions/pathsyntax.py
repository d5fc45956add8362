"""JSONPath text -> segments, with the exact place of what is wrong.

Source: RFC 9535 for the grammar; as in Jayway JsonPath the leading `$` may be left out, `$.` is
the root, a name after a dot may hold blanks, and a path may end in a function call.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NoReturn, TypeAlias

from naftiko.errors import Problem, did_you_mean
from naftiko.expressions import ExpressionError
from naftiko.expressions.pathfunctions import FUNCTIONS
from naftiko.source import Anchor
from naftiko.values import JsonValue

MAX_LENGTH = 1000

_DOT_NAME = re.compile(r"""[^.\[\]()"']+""")
_CALL = re.compile(r"([A-Za-z_-]+)\(")
STRING = re.compile(r""""((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'""", re.DOTALL)
_INTEGER = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"-?[0-9]{1,300}(\.[0-9]{1,300})?")
_CONSTANTS: Mapping[str, JsonValue] = {"true": True, "false": False, "null": None}
_SLICE = re.compile(r"(-?[0-9]+)?\s*:\s*(-?[0-9]+)?\s*(?::\s*(-?[0-9]+)?)?")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_BLANKS = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class Name:
    """`.name`, `['name']`."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """`[0]`, `[-1]`."""

    index: int


@dataclass(frozen=True, slots=True)
class Names:
    """`['a','b']`. At the end of a path it gives an object of these, elsewhere each in turn."""

    names: tuple[str, ...]
    merged: bool = False


@dataclass(frozen=True, slots=True)
class Indexes:
    """`[0,2]`."""

    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """`[1:3]`, `[::2]`."""

    bounds: slice


@dataclass(frozen=True, slots=True)
class Wildcard:
    """`.*`, `[*]`."""


@dataclass(frozen=True, slots=True)
class Filter:
    """`[?(@.x > 1)]`. `text` is what stands between the brackets, `offset` where that begins."""

    text: str
    offset: int


Selector: TypeAlias = Name | Index | Names | Indexes | Slice | Wildcard | Filter


@dataclass(frozen=True, slots=True)
class Segment:
    """A selector; `deep` where it stands after `..`."""

    selector: Selector
    deep: bool = False

    @property
    def is_single(self) -> bool:
        """Whether it leads from one value to at most one."""
        if self.deep:
            return False
        if isinstance(self.selector, Names):
            return self.selector.merged
        return isinstance(self.selector, Name | Index)


@dataclass(frozen=True, slots=True)
class Call:
    """`.sum()`, `.concat('a', $.b)`: a function and its arguments, values or paths."""

    function: str
    arguments: tuple[JsonValue | ParsedPath, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedPath:
    """The segments of a path and the function it ends in."""

    segments: tuple[Segment, ...]
    call: Call | None = None


def parse_path(text: str, at: Anchor) -> ParsedPath:
    """Parse a path.

    "$.a[0]" -> ParsedPath((Segment(Name("a")), Segment(Index(0))))

    Raises: ExpressionError[bad-path].
    """
    parser = _Parser(text, at)
    segments = list(parser.segments())
    if segments and isinstance(segments[-1].selector, Names) and not segments[-1].deep:
        segments[-1] = Segment(replace(segments[-1].selector, merged=True))
    return ParsedPath(tuple(segments), parser.call)


def bad_path(at: Anchor, message: str, offset: int, length: int = 1, hint: str = "") -> NoReturn:
    """Raise ExpressionError[bad-path] at an offset of the path."""
    place = at(offset, length)
    raise ExpressionError(Problem(code="bad-path", message=message, location=place, hint=hint))


class _Parser:
    """Walks over the text once."""

    def __init__(self, text: str, at: Anchor) -> None:
        self._text = text
        self._at = at
        self._offset = 0
        self._end = len(text.rstrip())
        self.call: Call | None = None

    def segments(self) -> Iterator[Segment]:
        self._skip_root()
        while self._offset < self._end and self.call is None:
            yield from self._segment()

    def _skip_root(self) -> None:
        text = self._text
        if len(text) > MAX_LENGTH:
            self._fail(f"the path has more than {MAX_LENGTH} characters", 0, length=0)
        self._offset = _BLANKS.match(text).end()  # type: ignore[union-attr]  # matches ""
        start = text[self._offset : self._end]
        if not start:
            self._fail("the path is empty", 0, length=0, hint="`$.` is the whole value")
        if not start.startswith("$"):
            return
        self._offset += 1
        if start == "$.":
            self._offset += 1
        elif len(start) > 1 and start[1] not in ".[":
            hint = f"`$.{start[1:].lstrip()}`?"
            self._fail("`$` is followed by neither `.` nor `[`", self._offset, hint=hint)

    def _segment(self) -> Iterator[Segment]:
        text, start = self._text, self._offset
        deep = text.startswith("..", start)
        self._offset += 2 if deep else text.startswith(".", start)
        if self._offset < self._end and text[self._offset] == "[":
            if self._offset == start + 1:
                self._fail("a `.` stands before `[`", start, hint="remove the `.`")
            yield Segment(self._bracket(), deep)
            return
        call = _CALL.match(text, self._offset)
        if call is not None:
            self._call(call, deep=deep)
            return
        yield Segment(self._dot_name(), deep)

    def _dot_name(self) -> Selector:
        found = _DOT_NAME.match(self._text, self._offset, self._end)
        name = found.group().strip() if found else ""
        if found is None or not name:
            self._no_name()
        self._offset = found.end()
        if self._text.startswith("(", self._offset):
            self._fail(f"`{name}(` calls a function in a way that is not known", found.start())
        return Wildcard() if name == "*" else Name(name)

    def _no_name(self) -> NoReturn:
        if self._offset >= self._end:
            self._fail("a name is expected after the last `.`", self._end - 1)
        found = self._text[self._offset]
        hint = "write a name that holds it in brackets: `['…']`" if found in "()'\"" else ""
        self._fail(f"a name is expected, not `{found}`", self._offset, hint=hint)

    def _call(self, call: re.Match[str], *, deep: bool) -> None:
        name = call.group(1)
        if name not in FUNCTIONS or deep:
            hint = did_you_mean(name, FUNCTIONS)
            self._fail(f"`{name}()` is no function", call.start(), length=len(name), hint=hint)
        arguments, end = self._arguments(call.end())
        if end < self._end:
            self._fail("a path ends after a function", end)
        least, most = FUNCTIONS[name].arguments
        if not least <= len(arguments) <= most:
            count = str(least) if least == most else f"{least} or more"
            message = f"`{name}()` takes {count} arguments, not {len(arguments)}"
            self._fail(message, call.start(), length=len(name))
        self.call = Call(name, tuple(arguments))
        self._offset = self._end

    def _arguments(self, start: int) -> tuple[list[JsonValue | ParsedPath], int]:
        """Parse what stands between the brackets of a call: `'a', 1, $.b`."""
        found: list[JsonValue | ParsedPath] = []
        offset = _blanks_end(self._text, start)
        while offset < self._end and self._text[offset] != ")":
            end = self._argument_end(offset)
            found.append(self._argument(offset, self._text[offset:end].rstrip()))
            offset = end
            if self._text.startswith(",", offset):
                offset = _blanks_end(self._text, offset + 1)
        if offset >= self._end:
            self._fail("the bracket that opens here is never closed", start - 1)
        return found, _blanks_end(self._text, offset + 1)

    def _argument_end(self, offset: int) -> int:
        depth = 0
        while offset < self._end:
            string = STRING.match(self._text, offset, self._end)
            if string is not None:
                offset = string.end()
                continue
            character = self._text[offset]
            if depth == 0 and character in ",)":
                return offset
            depth += (character in "([") - (character in ")]")
            offset += 1
        return offset

    def _argument(self, offset: int, text: str) -> JsonValue | ParsedPath:
        if text.startswith("$"):
            base = self._at
            return parse_path(text, lambda inner, length=0, /: base(offset + inner, length))
        if STRING.fullmatch(text):
            return unescape(text[1:-1])
        if _NUMBER.fullmatch(text):
            return float(text) if not _INTEGER.fullmatch(text) else int(text)
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        hint = "a quoted text, a number, or a path that starts with `$`"
        return self._fail("this is no argument", offset, length=max(1, len(text)), hint=hint)

    def _bracket(self) -> Selector:
        start = self._offset
        close = self._closing(start)
        self._offset = close + 1
        inside = self._text[start + 1 : close]
        blanks = len(inside) - len(inside.lstrip())
        content, offset = inside.strip(), start + 1 + blanks
        if content == "*":
            return Wildcard()
        if content.startswith("?"):
            return Filter(content, offset)
        if ":" in content and not content.startswith(("'", '"')):
            return self._slice(content, offset)
        return self._union(content, offset)

    def _closing(self, start: int) -> int:
        """Return where the bracket that opens at `start` closes; quotes hide brackets."""
        depth, offset = 0, start
        while offset < self._end:
            character = self._text[offset]
            if character in "'\"":
                string = STRING.match(self._text, offset, self._end)
                if string is None:
                    self._fail("the quote that opens here is never closed", offset)
                offset = string.end()
                continue
            depth += (character == "[") - (character == "]")
            if depth == 0:
                return offset
            offset += 1
        return self._fail("the bracket that opens here is never closed", start)

    def _slice(self, content: str, offset: int) -> Selector:
        match = _SLICE.fullmatch(content)
        if match is None:
            self._fail(f"`{content}` is no slice such as `1:3`", offset, length=len(content))
        start, stop, step = (int(part) if part else None for part in match.groups())
        if step == 0:
            self._fail("the step of a slice cannot be 0", offset, length=len(content))
        return Slice(slice(start, stop, step))

    def _union(self, content: str, offset: int) -> Selector:
        """Parse `'a'`, `0`, `'a', 'b'`, `0, 2`."""
        names: list[str] = []
        indexes: list[int] = []
        position = 0
        while True:
            string = STRING.match(content, position)
            integer = _INTEGER.match(content, position)
            if string is not None and not indexes:
                names.append(unescape(string.group()[1:-1]))
            elif integer is not None and not names:
                indexes.append(int(integer.group()))
            else:
                self._not_a_selector(content, offset, position)
            token = string or integer
            position = _blanks_end(content, token.end() if token else position)
            if position == len(content):
                return _union_of(names, indexes)
            if content[position] != ",":
                self._fail(f"`,` or `]` is expected, not `{content[position]}`", offset + position)
            position = _blanks_end(content, position + 1)

    def _not_a_selector(self, content: str, offset: int, position: int) -> NoReturn:
        if not content:
            self._fail("the brackets are empty", offset - 1, length=2, hint="`[*]` takes all")
        rest = content[position:]
        hint = f"quote a name: `['{rest}']`" if rest and rest[0] not in "'\"" else ""
        message = "a quoted name, an index, `*`, a slice or a filter is expected in brackets"
        self._fail(message, offset + position, length=max(len(rest), 1), hint=hint)

    def _fail(self, message: str, offset: int, *, length: int = 1, hint: str = "") -> NoReturn:
        bad_path(self._at, message, offset, length, hint)


def _blanks_end(text: str, offset: int) -> int:
    match = _BLANKS.match(text, offset)
    return match.end() if match else offset


def _union_of(names: list[str], indexes: list[int]) -> Selector:
    if names:
        return Name(names[0]) if len(names) == 1 else Names(tuple(names))
    return Index(indexes[0]) if len(indexes) == 1 else Indexes(tuple(indexes))


def unescape(text: str) -> str:
    """Return what stands between quotes without its backslashes."""

    def character(match: re.Match[str]) -> str:
        escape = match.group(1)
        if len(escape) == 5:
            return chr(int(escape[1:], 16))
        return _ESCAPED.get(escape, escape)

    return _ESCAPE.sub(character, text) if "\\" in text else text
