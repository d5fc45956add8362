"""Compiles templates of a capability: bound variables and input prefixes are settled at load."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from naftiko.document.nodes import Node, Scalar
from naftiko.errors import Problems, did_you_mean
from naftiko.expressions.template import (
    Getter,
    Reference,
    Template,
    compile_template,
    default_getter,
    reference_to,
)
from naftiko.plan.values import ConstantValue, TextValue, ValueTemplate, compile_value
from naftiko.resolve.binds import BoundVariables, is_public
from naftiko.source import Anchor, Location
from naftiko.values import MISSING, JsonValue, Missing

if TYPE_CHECKING:
    from naftiko.expressions.template import Scope
    from naftiko.plan.masking import Masker

_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")

INPUT_PREFIXES = ("rest", "tools")
"""What public documents write for the caller's arguments, beside the adapter's own namespace."""


@dataclass(frozen=True, slots=True)
class MissingVariable:
    """A use of a variable that has no value."""

    name: str
    origin: str
    location: Location


@dataclass(slots=True, kw_only=True)
class PlanTemplates:
    """A `TemplateCompiler` over the variables of one capability.

    `missing` collects the uses of variables without value, to be reported together.
    """

    variables: BoundVariables
    namespaces: Collection[str]
    problems: Problems
    masker: Masker
    missing: list[MissingVariable] = field(default_factory=list)

    def text(self, text: str, at: Anchor) -> Template:
        """Compile one string.

        Raises: ExpressionError.
        """
        return compile_template(text, at, self._resolve)

    def scalar(self, scalar: Scalar) -> Template:
        """Compile the text of a scalar.

        Raises: ExpressionError.
        """
        if _VARIABLE.fullmatch(scalar.text) and self.variables.find(scalar.text) is not None:
            self.problems.warn(
                "unbraced-variable",
                f"the text `{scalar.text}` is the name of a bound variable, but no placeholder; it "
                "is used as it stands",
                scalar.location,
                f"for its value, write `{{{{{scalar.text}}}}}`",
            )
        return compile_template(scalar.text, scalar.at, self._resolve)

    def value(self, node: Node) -> ValueTemplate:
        """Compile a JSON value whose strings may hold templates.

        Raises: ExpressionError.
        """
        return compile_value(node, self.scalar)

    def with_value(self, node: Node, name: str = "") -> ValueTemplate:
        """Compile a value of `with`, where `rest.x` alone means the caller's `x`.

        `name` is the parameter it fills: `{"filter[kind]": "rest.filter[kind]"}` passes on an input
        of that very name, whatever characters it has.

        Raises: ExpressionError.
        """
        if name and isinstance(node, Scalar) and self.input_name(node.text.strip()) == name:
            reference = Reference(node.text.strip(), node.location)
            return TextValue(reference_to(reference, self._resolve(reference)))
        return compile_value(node, self._with_scalar)

    def input_name(self, name: str) -> str | None:
        """Return "x" for "rest.x", "tools.x" and "<namespace>.x", else None."""
        prefix, dot, rest = name.partition(".")
        known = prefix in INPUT_PREFIXES or prefix in self.namespaces
        return rest if dot and rest and known else None

    def _with_scalar(self, scalar: Scalar) -> Template:
        text = scalar.text.strip()
        if "{{" not in text and " " not in text and self.input_name(text) is not None:
            reference = "{{" + text + "}}"
            return compile_template(reference, _unbraced(scalar), self._resolve)
        return self.scalar(scalar)

    def _resolve(self, reference: Reference) -> Getter | None:
        bound = self._bound(reference)
        if bound is not None:
            return bound
        name = self.input_name(reference.name)
        return default_getter(name) if name is not None else None

    def _bound(self, reference: Reference) -> Getter | None:
        name = reference.name
        variable = self.variables.find(name)
        if variable is not None:
            if variable.value is None:
                self.missing.append(MissingVariable(name, variable.origin, reference.location))
            return _constant(variable.value)
        prefix, _, key = name.partition(".")
        if prefix != "env" or not key:
            return None
        return self._undeclared(key, reference)

    def _undeclared(self, key: str, reference: Reference) -> Getter:
        """`{{env.X}}` without a bind: clear enough to serve, worth a warning."""
        value = self.variables.environment.get(key) or None
        self.problems.warn(
            "undeclared-variable",
            f"`{{{{{reference.name}}}}}` is not declared under `binds`",
            reference.location,
            did_you_mean(key, self.variables.names()) or f"declare it: `keys: {{{key}: {key}}}`",
        )
        if value is None:
            origin = f"the environment variable {key}"
            self.missing.append(MissingVariable(reference.name, origin, reference.location))
        elif not is_public(value):
            self.masker.add(value)
        return _constant(value)


def input_references(value: ValueTemplate, templates: PlanTemplates) -> list[tuple[str, Reference]]:
    """Return the inputs a value refers to: [("name", reference of `{{tools.name}}`)]."""
    if isinstance(value, ConstantValue):
        return []
    found: list[tuple[str, Reference]] = []
    for reference in value.references:
        if templates.variables.find(reference.name) is not None:
            continue
        if reference.name.startswith("env."):
            continue
        name = templates.input_name(reference.name) or reference.name
        found.append((name, reference))
    return found


def _constant(value: str | None) -> Getter:
    result: JsonValue | Missing = MISSING if value is None else value

    def get(scope: Scope, /) -> JsonValue | Missing:
        return result

    return get


def _unbraced(scalar: Scalar) -> Anchor:
    """Positions in `{{rest.x}}` shown in `rest.x`, which is what the file says."""

    def at(offset: int, length: int = 0, /) -> Location:
        return scalar.at(max(0, offset - 2), length)

    return at
