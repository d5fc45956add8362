"""Mustache-like text -> Template.

`{{name}}`, `{{ns.name}}`, `{{step-name.field}}`, `{{list.0}}` are plain placeholders, looked up
without any library: names may hold dashes and dots, so they are never read as a subtraction.
`{{ anything richer }}` is a Jinja2 expression, and a text with `{% if %}` or `{% for %}` a Jinja2
template, both in a sandbox (sandbox.py). What a template inserts is never parsed again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from naftiko.errors import Problem, ShapingError
from naftiko.expressions import ExpressionError
from naftiko.expressions.lookup import Getter, Scope, default_getter, lookup
from naftiko.expressions.regions import expression_end
from naftiko.expressions.text import value_text
from naftiko.source import Anchor, Location
from naftiko.values import MISSING, JsonValue, Missing

__all__ = [
    "Getter",
    "Reference",
    "Resolve",
    "Scope",
    "Template",
    "compile_template",
    "default_getter",
    "expression_end",
    "lookup",
    "reference_to",
]

MAX_TEMPLATE_LENGTH = 1024 * 1024
MAX_RENDERED = 32 * 1024 * 1024
"""Characters of a rendered text: a caller's 4 MiB may stand in it many times."""
MAX_EXPRESSIONS = 500
"""Placeholders of one text that are more than a name. Each takes a millisecond to compile."""

_NAME = r"[A-Za-z0-9_$*][A-Za-z0-9_$*-]*(?:\.[A-Za-z0-9_$*-]+)*"
_PLAIN = re.compile(rf"\{{\{{\{{\s*({_NAME})\s*\}}\}}\}}|\{{\{{&?\s*({_NAME})\s*\}}\}}")
_EMPTY = re.compile(r"\{\{\{?&?\s*\}\}\}?")
_COMMENT = re.compile(r"\{\{!.*?\}\}", re.DOTALL)
_STATEMENT = re.compile(r"\{%[-+]?\s*(?:if|for|set)\b(?!\s*\()")


@dataclass(frozen=True, slots=True)
class Reference:
    """A name that a template reads: `tools.name`, as written without the blanks around it."""

    name: str
    location: Location


Resolve: TypeAlias = Callable[[Reference], "Getter | None"]
Escape: TypeAlias = Callable[[str], str]


@dataclass(frozen=True, slots=True, eq=False)
class _Placeholder:
    """Where a value goes; `name` is "" for an expression."""

    get: Getter
    name: str


_Part: TypeAlias = "str | _Placeholder"


class Template:
    """A compiled text with placeholders.

    `references` are the names it reads, in order. `is_constant` where there is no placeholder;
    `is_whole` where it is exactly one placeholder and nothing else.
    """

    __slots__ = ("_parts", "_single", "is_constant", "is_whole", "references", "text")

    def __init__(
        self, text: str, parts: tuple[_Part, ...], references: tuple[Reference, ...]
    ) -> None:
        """Keep the parts; use `compile_template`."""
        self.text = text
        self.references = references
        self._parts = parts
        self.is_constant = all(isinstance(part, str) for part in parts)
        single = parts[0] if len(parts) == 1 else None
        self.is_whole = isinstance(single, _Placeholder)
        self._single: Getter | None = single.get if isinstance(single, _Placeholder) else None

    def __repr__(self) -> str:
        """Show the text."""
        return f"Template({self.text!r})"

    def render(self, scope: Scope) -> JsonValue | Missing:
        """Return the value: native for a whole placeholder (MISSING if absent), else text.

        Raises: ShapingError where an expression fails on the values that it gets.
        """
        if self._single is not None:
            return self._single(scope)
        return self.render_text(scope)

    def render_text(self, scope: Scope, *, escape: Escape | None = None) -> str:
        """Return the text. `escape` is applied to each value that is inserted.

        Absent and null are "", `1`, `1.0`, `true`, objects and lists compact JSON.

        Raises: ShapingError where an expression fails on the values that it gets.
        """
        out: list[str] = []
        for part in self._parts:
            if isinstance(part, str):
                out.append(part)
                continue
            value = part.get(scope)
            text = value if isinstance(value, str) else value_text(value)
            out.append(text if escape is None else escape(text))
        if len(out) > 1 and sum(map(len, out)) > MAX_RENDERED:
            raise ShapingError(message="a template's text grows to more than 32 MiB")
        return "".join(out)

    def missing(self, scope: Scope) -> list[str]:
        """Return the names of plain placeholders that the scope has no value for."""
        return [
            part.name
            for part in self._parts
            if isinstance(part, _Placeholder) and part.name and part.get(scope) is MISSING
        ]


class _Statements(Template):
    """A text with `{% … %}`: rendered by Jinja2 as a whole."""

    __slots__ = ("_run",)

    def __init__(
        self,
        text: str,
        run: Callable[[Scope, Escape | None], str],
        references: tuple[Reference, ...],
    ) -> None:
        super().__init__(text, (text,), references)
        self._run = run
        self.is_constant = False

    def render_text(self, scope: Scope, *, escape: Escape | None = None) -> str:
        return self._run(scope, escape)


def compile_template(text: str, at: Anchor, resolve: Resolve | None = None) -> Template:
    """Compile a text so that rendering parses nothing.

    "Hello {{user.name}}" -> Template; `resolve` may give the getter of a name that has its value
    already (a secret), or None to read it from the scope.

    Raises: ExpressionError[empty-placeholder, unsupported-template, bad-template].
    """
    if "{{" not in text and "{%" not in text:
        return Template(text, (text,), ())
    if len(text) > MAX_TEMPLATE_LENGTH:
        _fail("bad-template", "the template has more than 1 MiB of text", at(0))
    return _Compiler(text, at, resolve).compile()


def reference_to(reference: Reference, getter: Getter | None = None) -> Template:
    """Return the template that is one placeholder, whatever characters its name holds."""
    get = getter if getter is not None else default_getter(reference.name)
    return Template(reference.name, (_Placeholder(get, reference.name),), (reference,))


class _Compiler:
    """Cuts one text into its parts."""

    def __init__(self, text: str, at: Anchor, resolve: Resolve | None) -> None:
        self._text = text
        self._at = at
        self._resolve = resolve
        self._references: list[Reference] = []
        self._expressions = 0

    def compile(self) -> Template:
        if _STATEMENT.search(self._text):
            from naftiko.expressions.sandbox import compile_statements

            run = compile_statements(self._text, self._at, self.getter)
            return _Statements(self._text, run, tuple(self._references))
        parts = tuple(_joined(self._parts())) or ("",)
        return Template(self._text, parts, tuple(self._references))

    def getter(self, name: str, offset: int) -> Getter:
        """Note that the name is read, and return what reads it."""
        reference = Reference(name, self._at(offset, len(name)))
        self._references.append(reference)
        resolved = self._resolve(reference) if self._resolve is not None else None
        return resolved if resolved is not None else default_getter(name)

    def _parts(self) -> Iterator[_Part]:
        text, done = self._text, 0
        strip_next = False
        while (start := text.find("{{", done)) >= 0:
            part, end = self._placeholder(start)
            if part is None:
                break
            before = text[done:start].lstrip() if strip_next else text[done:start]
            yield before.rstrip() if text.startswith("{{-", start) else before
            yield part
            done = end
            strip_next = text.endswith("-}}", start, end)
        yield text[done:].lstrip() if strip_next else text[done:]

    def _placeholder(self, start: int) -> tuple[_Part | None, int]:
        """Return what stands at `start` and where it ends; None where it is never closed."""
        text = self._text
        plain = _PLAIN.match(text, start)
        if plain is not None:
            group = 1 if plain.group(1) is not None else 2
            name = plain.group(group)
            return _Placeholder(self.getter(name, plain.start(group)), name), plain.end()
        comment = _COMMENT.match(text, start)
        if comment is not None:
            return "", comment.end()
        end = expression_end(text, start + 2)
        if end < 0:
            return None, start
        self._refuse(start, end)
        return self._expression(start, end), end

    def _refuse(self, start: int, end: int) -> None:
        text, length = self._text, end - start
        if _EMPTY.match(text, start):
            hint = "write the name of a value between the braces"
            place = self._at(start, length)
            _fail("empty-placeholder", "a placeholder names no value", place, hint)
        if text[start + 2] in "#^/>=":
            message = f"the Mustache tag `{text[start:end]}` is not supported"
            hint = _SECTION_HINTS.get(text[start + 2], "write the text out")
            _fail("unsupported-template", message, self._at(start, length), hint)

    def _expression(self, start: int, end: int) -> _Placeholder:
        from naftiko.expressions.sandbox import compile_expression

        self._expressions += 1
        if self._expressions > MAX_EXPRESSIONS:
            message = f"the template holds more than {MAX_EXPRESSIONS} expressions"
            _fail("bad-template", message, self._at(start, end - start))
        inner = start + 2
        at, getter = self._at, self.getter
        get = compile_expression(
            self._text[inner : end - 2],
            lambda offset, length=0: at(offset + inner, length),
            lambda name, offset: getter(name, offset + inner),
        )
        return _Placeholder(get, "")


_SECTION_HINTS = {
    "#": "use `{% if x %}…{% endif %}` or `{% for item in list %}…{% endfor %}`",
    "^": "use `{% if not x %}…{% endif %}`",
    "/": "use `{% if x %}…{% endif %}`",
}


def _joined(parts: Iterator[_Part]) -> Iterator[_Part]:
    """Yield the parts without empty texts, neighbouring texts as one."""
    held = ""
    for part in parts:
        if isinstance(part, str):
            held += part
            continue
        if held:
            yield held
        held = ""
        yield part
    if held:
        yield held


def _fail(code: str, message: str, place: Location, hint: str = "") -> NoReturn:
    raise ExpressionError(Problem(code=code, message=message, location=place, hint=hint))
