"""JSONPath filters -> tests: `[?(@.price < 10 && @.status in ['NEW', 'PAID'])]`.

Source: the operators of Jayway JsonPath; RFC 9535 for what is compared with what is not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn, TypeAlias

from naftiko.errors import did_you_mean
from naftiko.expressions.filtertests import (
    OPERATORS,
    Comparison,
    Several,
    linear_regex,
    matching,
)
from naftiko.expressions.meter import COMPARISON, Meter
from naftiko.expressions.pathsyntax import (
    STRING,
    Filter,
    ParsedPath,
    bad_path,
    parse_path,
    unescape,
)
from naftiko.source import Anchor, Location
from naftiko.values import MISSING, JsonValue, Missing

MAX_NESTING = 20

Look: TypeAlias = Callable[[JsonValue, JsonValue, Meter], "JsonValue | Missing"]
"""(member, root, meter) -> the value of an operand."""
Test: TypeAlias = Callable[[JsonValue, JsonValue, Meter], bool]
Select: TypeAlias = Callable[[JsonValue, JsonValue, Meter], "Sequence[JsonValue]"]
CompileOperand: TypeAlias = Callable[[ParsedPath, Anchor], Look]

_TOKEN = re.compile(r"\s*(&&|\|\||===?|!==?|=~|<=|>=|<|>|!|\(|\)|\[|\]|,|/)?")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_DOT_PART = re.compile(r"\.\.?(?:\*|[^\s.\[\]()'\"=<>!&|,~/*]+)")
_REGEX = re.compile(r"/((?:[^/\\]|\\.)+)/([a-z]*)")
_CONSTANTS: Mapping[str, JsonValue] = {"true": True, "false": False, "null": None}
_SIGNS = {"and": "write `&&`", "or": "write `||`", "not": "write `!`", "is": "write `==`"}


def compile_filter(filter_: Filter, at: Anchor, compile_operand: CompileOperand) -> Select:
    """Compile a filter.

    Filter("?(@.a > 1)") -> a function that picks {"a": 2} from [{"a": 1}, {"a": 2}]

    Raises: ExpressionError[bad-path].
    """
    test = _FilterParser(filter_, at, compile_operand).parse()

    def select(value: JsonValue, root: JsonValue, meter: Meter) -> Sequence[JsonValue]:
        if isinstance(value, list):
            return [member for member in value if test(member, root, meter)]
        if isinstance(value, dict):
            return [member for member in value.values() if test(member, root, meter)]
        return ()

    return select


class _FilterParser:
    """Recursive descent over `?(...)`, as deep as MAX_NESTING brackets."""

    def __init__(self, filter_: Filter, at: Anchor, compile_operand: CompileOperand) -> None:
        self._text = filter_.text
        self._base = filter_.offset
        self._at = at
        self._compile = compile_operand
        self._offset = 1
        self._depth = 0

    def parse(self) -> Test:
        test = self._any()
        if self._rest():
            self._fail_here()
        return test

    def _any(self) -> Test:
        tests = [self._all()]
        while self._takes("||"):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else _any_of(tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._takes("&&"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else _all_of(tests)

    def _one(self) -> Test:
        negations = 0
        while self._peek() == "!":
            self._takes("!")
            negations += 1
        if self._takes("("):
            self._depth += 1
            if self._depth > MAX_NESTING:
                self._fail("the filter nests too deep", self._offset - 1)
            test = self._any()
            if not self._takes(")"):
                self._fail_here()
            self._depth -= 1
        else:
            test = self._comparison(is_negated=negations > 0)
        return _negated(test) if negations % 2 else test

    def _comparison(self, *, is_negated: bool) -> Test:
        start = self._offset
        left = self._operand()
        operator = self._operator()
        if operator is None or is_negated:
            if isinstance(left, _Constant):
                self._fail("a filter starts with a path such as `@.status`", self._skip(start))
            return _exists(left)
        if operator == "=~":
            return _compared(_as_look(left), matching(self._pattern()), None)
        right = self._operand()
        return _compared(_as_look(left), OPERATORS[operator], _as_look(right))

    def _operator(self) -> str | None:
        token = self._peek()
        if token in OPERATORS or token == "=~":  # noqa: S105  # an operator, not a password
            self._takes(token)
            return token
        start = self._skip(self._offset)
        word = _WORD.match(self._text, start)
        if word is None:
            return None
        name = word.group().lower()
        if name not in OPERATORS:
            known = (key for key in OPERATORS if key.isalpha())
            hint = _SIGNS.get(name) or did_you_mean(name, known)
            self._fail(f"`{word.group()}` is no operator of filters", start, len(name), hint)
        self._offset = word.end()
        return name

    def _operand(self) -> _Operand:
        start = self._offset = self._skip(self._offset)
        text = self._text
        first = text[start : start + 1]
        if first in ("@", "$"):
            return self._path(start)
        if first == "[":
            return self._list(start)
        string = STRING.match(text, start)
        if string is not None:
            self._offset = string.end()
            return _Constant(unescape(string.group()[1:-1]))
        number = _NUMBER.match(text, start)
        if number is not None:
            self._offset = number.end()
            whole = number.group(1) is None and number.group(2) is None
            if len(number.group()) > 300:
                self._fail("the number is too long", start, len(number.group()))
            return _Constant(int(number.group()) if whole else float(number.group()))
        word = _WORD.match(text, start)
        if word is None:
            self._fail_here()
        if word.group() not in _CONSTANTS:
            hint = "put texts into quotes, and write `&&` for and"
            message = "the filter compares with a word that has no quotes"
            self._fail(message, start, len(word.group()), hint)
        self._offset = word.end()
        return _Constant(_CONSTANTS[word.group()])

    def _list(self, start: int) -> _Constant:
        self._offset = start + 1
        items: list[JsonValue] = []
        while not self._takes("]"):
            if items and not self._takes(","):
                self._fail_here()
            item = self._operand()
            if not isinstance(item, _Constant):
                self._fail("a list in a filter holds values only", start)
            items.append(item.value)
        return _Constant(items)

    def _pattern(self) -> Callable[[str], bool]:
        start = self._skip(self._offset)
        regex = _REGEX.match(self._text, start)
        string = STRING.match(self._text, start)
        if regex is not None:
            self._offset = regex.end()
            source, flags = regex.groups()
        elif string is not None:
            self._offset = string.end()
            source, flags = unescape(string.group()[1:-1]), ""
        else:
            self._fail("`=~` needs a regular expression such as `/a.*/i`", start)
        try:
            return linear_regex(source, flags)
        except ValueError as error:
            self._fail(str(error), start, self._offset - start)

    def _path(self, start: int) -> Look:
        """Take `@.a[0]..b.length()` and compile it as a path of its own."""
        end = start + 1
        while (after := self._path_part(end)) > end:
            end = after
        self._offset = end
        text = "$" + self._text[start + 1 : end]
        base = self._base + start

        def at(offset: int, length: int = 0, /) -> Location:
            return self._at(base + offset, length)

        look = self._compile(parse_path(text, at), at)
        if self._text[start] == "$":
            return lambda _member, root, meter: look(root, root, meter)
        return look

    def _path_part(self, offset: int) -> int:
        """Return where the part of a path that starts here ends; `offset` if there is none."""
        text = self._text
        if text.startswith("..[", offset):
            offset += 2
        if text.startswith("[", offset):
            return self._closing(offset)
        part = _DOT_PART.match(text, offset)
        if part is None:
            return offset
        return self._closing(part.end()) if text.startswith("(", part.end()) else part.end()

    def _closing(self, start: int) -> int:
        depth, offset = 0, start
        while offset < len(self._text):
            string = STRING.match(self._text, offset)
            if string is not None:
                offset = string.end()
                continue
            depth += (self._text[offset] in "[(") - (self._text[offset] in "])")
            offset += 1
            if depth == 0:
                return offset
        return self._fail("the bracket that opens here is never closed", start)

    # Tokens

    def _peek(self) -> str:
        found = _TOKEN.match(self._text, self._offset)
        return (found.group(1) or "") if found else ""

    def _takes(self, token: str) -> bool:
        found = _TOKEN.match(self._text, self._offset)
        if found is None or found.group(1) != token:
            return False
        self._offset = found.end()
        return True

    def _skip(self, offset: int) -> int:
        while offset < len(self._text) and self._text[offset].isspace():
            offset += 1
        return offset

    def _rest(self) -> str:
        return self._text[self._offset :].strip()

    def _fail_here(self) -> NoReturn:
        place = self._skip(self._offset)
        hint = "for example `[?(@.status == 'ACTIVE')]`"
        if place >= len(self._text):
            self._fail("the filter is not understood", 0, len(self._text), hint)
        self._fail(f"the filter is not understood from `{self._text[place]}` on", place, 1, hint)

    def _fail(self, message: str, offset: int, length: int = 1, hint: str = "") -> NoReturn:
        bad_path(self._at, message, self._base + offset, length, hint)


class _Constant:
    """A value written in the filter."""

    __slots__ = ("value",)

    def __init__(self, value: JsonValue) -> None:
        self.value = value


_Operand: TypeAlias = "_Constant | Look"


def _as_look(operand: _Operand) -> Look:
    if not isinstance(operand, _Constant):
        return operand
    value = operand.value
    return lambda _member, _root, _meter: value


def _compared(left: Look, compare: Comparison, right: Look | None) -> Test:
    def test(member: JsonValue, root: JsonValue, meter: Meter) -> bool:
        meter.spend(COMPARISON)
        other = right(member, root, meter) if right is not None else None
        return compare(left(member, root, meter), other, meter)

    return test


def _exists(look: Look) -> Test:
    """Several values exist where there is one."""

    def test(member: JsonValue, root: JsonValue, meter: Meter) -> bool:
        meter.spend(COMPARISON)
        found = look(member, root, meter)
        return bool(found) if isinstance(found, Several) else found is not MISSING

    return test


def _negated(test: Test) -> Test:
    return lambda member, root, meter: not test(member, root, meter)


def _any_of(tests: Sequence[Test]) -> Test:
    return lambda member, root, meter: any(test(member, root, meter) for test in tests)


def _all_of(tests: Sequence[Test]) -> Test:
    return lambda member, root, meter: all(test(member, root, meter) for test in tests)
