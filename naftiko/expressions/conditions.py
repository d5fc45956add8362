"""Conditions: one expression that is true or false, compiled at load.

"{{ user.active and user.age >= 18 }}", "get-job.status == 'DONE'", "tags is defined"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from naftiko.errors import Problem, ShapingError
from naftiko.expressions import ExpressionError
from naftiko.expressions.lookup import Getter, Scope, default_getter
from naftiko.expressions.regions import expression_end
from naftiko.expressions.template import Reference, Resolve
from naftiko.expressions.text import type_name
from naftiko.source import Anchor, Location
from naftiko.values import MISSING, JsonValue

MAX_SHOWN = 80

_PLAIN = re.compile(r"\s*([A-Za-z0-9_$*][A-Za-z0-9_$*-]*(?:\.[A-Za-z0-9_$*-]+)*)\s*", re.ASCII)
_QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""", re.DOTALL)
_WORDS = {"true": True, "false": False, "True": True, "False": False}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Condition:
    """A compiled condition. `references` are the names it reads."""

    text: str
    references: tuple[Reference, ...]
    get: Getter

    def test(self, scope: Scope) -> bool:
        """Return whether it holds.

        Raises: ShapingError[condition-failed] where its values do not fit it, or give neither true
            nor false.
        """
        try:
            value = self.get(scope)
        except ShapingError as error:
            reason = error.message.partition(" failed: ")[2] or error.message
            raise self._failure(reason) from None
        if isinstance(value, bool):
            return value
        if value is MISSING:
            names = ", ".join(f"`{item.name}`" for item in self.references) or "it"
            hint = "test it first: `x is defined and x`"
            raise self._failure(f"{names} has no value", hint)
        hint = "compare it with something, as in `x == 'DONE'` or `x | length > 0`"
        raise self._failure(f"it must give true or false, found {type_name(value)}", hint)

    def _failure(self, reason: str, hint: str = "") -> ShapingError:
        shown = " ".join(self.text.split())
        shown = shown if len(shown) <= MAX_SHOWN else shown[: MAX_SHOWN - 1] + "…"
        message = f"the condition `{shown}` failed: {reason}"
        return ShapingError(code="condition-failed", message=message, hint=hint)


def compile_condition(text: str, at: Anchor, resolve: Resolve | None = None) -> Condition:
    """Compile a condition, with or without braces around it.

    `resolve` may give the getter of a name that has its value already, as for templates.

    Raises: ExpressionError[bad-condition, bad-template].
    """
    code, offset = _code(text, at)
    references: list[Reference] = []

    def bind(name: str, place: int) -> Getter:
        reference = Reference(name, at(place + offset, len(name)))
        references.append(reference)
        found = resolve(reference) if resolve is not None else None
        return found if found is not None else default_getter(name)

    get = _compile(code, lambda place, length=0: at(place + offset, length), bind)
    return Condition(text=" ".join(code.split()), references=tuple(references), get=get)


def _compile(code: str, at: Anchor, bind: Callable[[str, int], Getter]) -> Getter:
    plain = _PLAIN.fullmatch(code)
    if plain is None:
        from naftiko.expressions.sandbox import compile_expression

        return compile_expression(code, at, bind, checked=True)
    name = plain.group(1)
    if name in _WORDS:
        return _constant(_WORDS[name])
    return bind(name, plain.start(1))


def constant_condition(value: bool, text: str) -> Condition:
    """Return the condition that `when: true` is."""
    return Condition(text=text, references=(), get=_constant(value))


def _constant(value: bool) -> Getter:
    def get(scope: Mapping[str, JsonValue], /) -> JsonValue:
        return value

    return get


def _code(text: str, at: Anchor) -> tuple[str, int]:
    """Return the expression without braces around it, and where it begins."""
    start = len(text) - len(text.lstrip())
    end = len(text.rstrip())
    if start >= end:
        raise _refusal(
            "the condition is empty", at(0), "write an expression: `job.status == 'DONE'`"
        )
    unquoted = _QUOTED.sub("", text)
    if "{%" in unquoted:
        place = at(text.index("{%"), 2)
        raise _refusal("a condition holds no statements", place, "write one expression")
    if "{{" not in unquoted:
        return text[start:end], start
    if text.startswith("{{", start) and expression_end(text, start + 2) == end:
        return text[start + 2 : end - 2], start + 2
    raise _refusal(
        "a condition is one expression, with braces around all of it or none",
        at(start, end - start),
        "write `{{ a == 'x' and b }}`",
    )


def _refusal(message: str, place: Location, hint: str) -> ExpressionError:
    return ExpressionError(
        Problem(code="bad-condition", message=message, location=place, hint=hint)
    )
