"""Text -> expression: the grammar of workflow expressions. Spec: section 2.

```
expr  = and { "||" and } ;       and = not { "&&" not } ;      not = [ "!" ] cmp ;
cmp   = sum [ ( "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "contains" | "startswith"
              | "endswith" | "matches" ) sum ] ;
sum   = prim { ( "+" | "-" ) prim } ;
prim  = lit | fn "(" [ expr { "," expr } ] ")" | ref [ ":-" lit ] | "(" expr ")"
      | "[" [ expr { "," expr } ] "]" ;
ref   = ( "params" | "steps" | "item" | ident ) { "." ident | "[" int "]" | "[" string "]" } ;
lit   = 'text' | "text" | integer | decimal | true | false | null | word ;
```

A text has no escapes (patterns keep their backslashes): it ends at the quote that began it. A
number may have a `-` before it where an operand stands. A bare word is a text, after `:-` only, of
letters, digits and `_ - . / : @`, beginning with a letter or `_`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn

from naftiko.errors import NaftikoError, Problem
from naftiko.source import Anchor
from naftiko.workflow.expressions.nodes import (
    Binary,
    Call,
    Expr,
    ListOf,
    Literal,
    Not,
    Ref,
    Template,
    end_of,
)
from naftiko.workflow.expressions.wording import hint_for, shown, word_at

CODE = "WF310"
MAX_DEPTH = 20
MAX_NODES = 200
MAX_INTEGER = 2**63
"""Whole numbers are those that AWS's longs can hold."""

SYMBOLS = ("==", "!=", "<=", ">=", "<", ">")
WORDS = ("in", "contains", "startswith", "endswith", "matches")
CONSTANTS = {"true": True, "false": False, "null": None}


class SyntaxProblem(NaftikoError):  # noqa: N818 - what is wrong is the problem it holds
    """The text is no expression; `problem` says where and why."""

    def __init__(self, problem: Problem) -> None:
        """Keep the problem."""
        super().__init__(problem.message)
        self.problem = problem


def parse_expression(text: str, at: Anchor) -> Expr:
    """Parse a bare expression, such as a condition.

    "snapshot_status == 'available'" -> Binary("==", Ref, Literal)

    Raises: SyntaxProblem (WF310).
    """
    parser = _Parser(text, at)
    parser.skip()
    if parser.position == len(text):
        parser.fail("an expression is missing", 0, hint="write one, such as `params.name == 'x'`")
    found = parser.expression()
    if parser.position < len(text):
        parser.unexpected()
    return found


def parse_template(text: str, at: Anchor) -> Template:
    """Parse a text with `${...}`; `$${` stands for the characters `${`.

    Raises: SyntaxProblem (WF310).
    """
    parts: list[str | Expr] = []
    kept: list[str] = []
    position = 0
    while (dollar := text.find("$", position)) >= 0:
        kept.append(text[position:dollar])
        if text.startswith("$${", dollar):
            kept.append("${")
            position = dollar + 3
        elif text.startswith("${", dollar):
            if any(kept):
                parts.append("".join(kept))
            kept = []
            expression, position = _hole(text, at, dollar)
            parts.append(expression)
        else:
            kept.append("$")
            position = dollar + 1
    kept.append(text[position:])
    if any(kept):
        parts.append("".join(kept))
    return Template(parts=tuple(parts))


def _hole(text: str, at: Anchor, dollar: int) -> tuple[Expr, int]:
    parser = _Parser(text, at, dollar + 2)
    parser.skip()
    if parser.peek() == "}":
        parser.fail(
            "`${}` holds no expression",
            dollar,
            parser.position + 1 - dollar,
            "write `$${` for the characters themselves",
        )
    if parser.position < len(text):
        found = parser.expression()
        if parser.peek() == "}":
            return found, parser.position + 1
        if parser.position < len(text):
            parser.unexpected()
    return parser.fail(
        "`${` has no `}`", dollar, 2, "close it, or write `$${` for the characters themselves"
    )


_SPACE = re.compile(r"[ \t\r\n]*")
_IDENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?![A-Za-z0-9_])")
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_./:@-]*")
_INDEX = re.compile(r"[0-9]{1,9}")
_SUM = re.compile(r"[+-]")
_DOUBLED = {"=": "==", "&": "&&", "|": "||"}


class _Parser:
    """Recursive descent over the text from a position on; `}` ends what it reads."""

    def __init__(self, text: str, at: Anchor, position: int = 0) -> None:
        self.text = text
        self.at = at
        self.position = position
        self._nodes = 0
        self._depth = 0

    def fail(self, message: str, offset: int, length: int = 0, hint: str = "") -> NoReturn:
        place = self.at(offset, length)
        raise SyntaxProblem(Problem(code=CODE, message=message, location=place, hint=hint))

    def unexpected(self) -> NoReturn:
        """Say what stands where it cannot."""
        if self.position >= len(self.text):
            self.fail("the expression ends where an operand should stand", len(self.text))
        char = self.text[self.position]
        if char == "$":
            self.fail(
                "`$` cannot stand inside an expression",
                self.position,
                1,
                "write the whole as one expression: `params.a == params.b`",
            )
        if char in _DOUBLED and not self.text.startswith(_DOUBLED[char], self.position):
            self.fail(f"`{char}` is no operator", self.position, 1, f"write `{_DOUBLED[char]}`")
        word = shown(word_at(self.text, self.position))
        self.fail(f"`{word}` cannot stand here", self.position, len(word), hint_for(word))

    def skip(self) -> None:
        found = _SPACE.match(self.text, self.position)
        assert found is not None
        self.position = found.end()

    def peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def take(self, symbol: str) -> bool:
        """Step over a symbol and the space after it, if it is next."""
        if not self.text.startswith(symbol, self.position):
            return False
        self.position += len(symbol)
        self.skip()
        return True

    def need(self, symbol: str, opened: int) -> None:
        if self.take(symbol):
            return
        if self.position < len(self.text) and self.peek() != "}":
            self.unexpected()
        self.fail(
            f"`{self.text[opened]}` has no `{symbol}`", opened, 1, f"close it with `{symbol}`"
        )

    def count(self, offset: int) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self.fail(
                f"the expression has more than {MAX_NODES} parts",
                offset,
                hint="compute parts of it in a step of action `set`",
            )

    def expression(self) -> Expr:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.fail(
                f"the expression is nested more than {MAX_DEPTH} deep",
                self.position,
                hint="compute parts of it in a step of action `set`",
            )
        left = self._and()
        while self.text.startswith("||", self.position):
            left = self._joined("||", left, self._and)
        self._depth -= 1
        return left

    def _and(self) -> Expr:
        left = self._not()
        while self.text.startswith("&&", self.position):
            left = self._joined("&&", left, self._not)
        return left

    def _not(self) -> Expr:
        start = self.position
        if self.peek() != "!" or self.text.startswith("!=", start):
            return self._comparison()
        self.take("!")
        if self.peek() == "!":
            self.fail("`!` cannot stand twice", self.position, 1, "leave both out")
        operand = self._comparison()
        self.count(start)
        return Not(operand=operand, offset=start, length=end_of(operand) - start)

    def _comparison(self) -> Expr:
        left = self._sum()
        op = self._comparison_operator()
        if op is None:
            return left
        found = self._joined(op, left, self._sum)
        again = self._comparison_operator()
        if again is not None:
            self.fail(
                f"`{again}` cannot follow a comparison",
                self.position,
                len(again),
                "join two comparisons with `&&`",
            )
        return found

    def _comparison_operator(self) -> str | None:
        for symbol in SYMBOLS:
            if self.text.startswith(symbol, self.position):
                return symbol
        word = _IDENT.match(self.text, self.position)
        return word.group() if word is not None and word.group() in WORDS else None

    def _sum(self) -> Expr:
        left = self._primary()
        while _SUM.match(self.text, self.position):
            left = self._joined(self.peek(), left, self._primary)
        return left

    def _joined(self, op: str, left: Expr, operand: Callable[[], Expr]) -> Binary:
        place = self.position
        self.take(op)
        right = operand()
        start = left.offset
        self.count(start)
        return Binary(
            op=op,
            left=left,
            right=right,
            op_offset=place,
            offset=start,
            length=end_of(right) - start,
        )

    def _primary(self) -> Expr:
        start = self.position
        char = self.peek()
        if char == "(":
            self.take("(")
            inner = self.expression()
            self.need(")", start)
            return inner
        if char == "[":
            items = self._several("[", "]")
            self.count(start)
            return ListOf(items=items, offset=start, length=self._length(start))
        literal = self._literal()
        return literal if literal is not None else self._named()

    def _several(self, opening: str, closing: str) -> tuple[Expr, ...]:
        start = self.position
        self.take(opening)
        items: list[Expr] = []
        if not self.text.startswith(closing, self.position):
            items.append(self.expression())
            while self.take(","):
                items.append(self.expression())
        self.need(closing, start)
        return tuple(items)

    def _length(self, start: int) -> int:
        """Return the length of what was read since, without the space behind it."""
        return len(self.text[start : self.position].rstrip(" \t\r\n"))

    def _literal(self) -> Literal | None:
        """Read a text, a number, `true`, `false` or `null`."""
        start = self.position
        char = self.peek()
        if char in {"'", '"'} and char:
            return self._made(self._text(char), "string", start)
        if char.isascii() and (char.isdigit() or char == "-"):
            return self._number()
        word = _IDENT.match(self.text, start)
        if word is None or word.group() not in CONSTANTS or self._is_call(word.end()):
            return None
        self.position = word.end()
        value = CONSTANTS[word.group()]
        return self._made(value, "null" if value is None else "boolean", start)

    def _is_call(self, end: int) -> bool:
        return self.text[end : end + 1] == "("

    def _made(self, value: str | float | bool | None, kind: str, start: int) -> Literal:
        self.count(start)
        length = self.position - start
        self.skip()
        return Literal(value=value, kind=kind, offset=start, length=length)

    def _text(self, quote: str) -> str:
        start = self.position
        end = self.text.find(quote, start + 1)
        if end < 0:
            self.fail("the text has no end", start, 1, f"close it with `{quote}`")
        self.position = end + 1
        return self.text[start + 1 : end]

    def _number(self) -> Literal:
        start = self.position
        found = _NUMBER.match(self.text, start)
        if found is None:
            word = shown(word_at(self.text, start))
            self.fail(
                f"`{word}` is no number",
                start,
                len(word),
                f"put a text in quotes: `'{word}'`" if len(word) > 1 else "",
            )
        digits = found.group()
        self.position = found.end()
        whole, _, places = digits.partition(".")
        if len(whole) > 20 or abs(int(whole)) >= MAX_INTEGER:
            self.fail("the number is too large", start, len(digits), "whole numbers have 64 bits")
        if not places:
            return self._made(int(whole), "integer", start)
        if len(places) > 2:
            self.fail(
                f"`{digits}` has more than two decimals", start, len(digits), "round it to two"
            )
        value = float(digits)
        return self._made(int(value) if value.is_integer() else value, "number", start)

    def _named(self) -> Expr:
        start = self.position
        word = _IDENT.match(self.text, start)
        if word is None or word.group() in WORDS:
            self.unexpected()
        self.position = word.end()
        self.skip()
        if self.peek() != "(":
            return self._ref(word.group(), start, word.end())
        args = self._several("(", ")")
        self.count(start)
        return Call(name=word.group(), args=args, offset=start, length=self._length(start))

    def _ref(self, root: str, start: int, end: int) -> Ref:
        path: list[str | int] = []
        while self.peek() in {".", "["} and self.peek():
            path.append(self._member() if self.peek() == "." else self._index())
            end = self.position
            self.skip()
            if len(path) > MAX_DEPTH:
                self.fail(f"the reference has more than {MAX_DEPTH} parts", start, end - start)
        self.count(start)
        default = self._default() if self.take(":-") else None
        return Ref(root=root, path=tuple(path), default=default, offset=start, length=end - start)

    def _member(self) -> str:
        self.take(".")
        word = _IDENT.match(self.text, self.position)
        if word is None:
            self.fail(
                "a name is missing after `.`",
                self.position,
                hint='write other names as `["other-name"]` and positions as `[0]`',
            )
        self.position = word.end()
        return word.group()

    def _index(self) -> str | int:
        opened = self.position
        self.take("[")
        part: str | int
        char = self.peek()
        if char in {"'", '"'} and char:
            part = self._text(char)
        else:
            digits = _INDEX.match(self.text, self.position)
            if digits is None:
                self.fail(
                    "between `[` and `]` stands a position or a text in quotes",
                    opened,
                    1,
                    'such as `[0]` or `["aws:name"]`',
                )
            part = int(digits.group())
            self.position = digits.end()
        self.skip()
        if self.peek() != "]":
            self.need("]", opened)
        self.position += 1
        return part

    def _default(self) -> Literal:
        start = self.position
        literal = self._bare() or self._literal()
        if literal is None:
            self.fail(
                "a constant is missing after `:-`",
                start,
                hint="a text, a number, `true`, `false` or `null`",
            )
        return literal

    def _bare(self) -> Literal | None:
        start = self.position
        word = _BARE.match(self.text, start)
        if word is None or word.group() in CONSTANTS:
            return None
        self.position = word.end()
        return self._made(word.group(), "string", start)
