"""Compiles templates of a capability: bound variables and input prefixes are settled at load."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from naftiko.document.nodes import Node, Scalar
from naftiko.errors import Problems, did_you_mean
from naftiko.expressions.conditions import Condition, compile_condition, constant_condition
from naftiko.expressions.template import (
    Getter,
    Reference,
    Template,
    compile_template,
    default_getter,
    reference_to,
)
from naftiko.plan.values import ConstantValue, TextValue, ValueTemplate, compile_value
from naftiko.resolve.binds import BoundVariables, Cell, is_public
from naftiko.source import Anchor, Location
from naftiko.values import MISSING, JsonValue, Missing

if TYPE_CHECKING:
    from naftiko.expressions.template import Scope
    from naftiko.plan.masking import Masker

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")
_SECRET = re.compile(r"[A-Z][A-Z0-9_]*")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")

DISCOVERED = "discovered"
"""What templates call the entries that `discover` has found, by its name."""
INPUT_PREFIXES = ("rest", "tools")
"""What public documents write for the caller's arguments, beside the adapter's own namespace."""


@dataclass(frozen=True, slots=True)
class MissingVariable:
    """A use of a variable that has no value, or, `unread`, of which nobody knows one yet."""

    name: str
    origin: str
    location: Location
    unread: bool = False


@dataclass(slots=True, kw_only=True)
class PlanTemplates:
    """A `TemplateCompiler` over the variables of one capability.

    `missing` collects the uses of variables without value, to be reported together. `steps` are
    names of steps, which mean those even where an adapter is called the same: `{{orders.id}}`.
    `discovered` returns what `{{discovered.machines}}` stands for now, by the name after the dot.
    """

    variables: BoundVariables
    namespaces: Collection[str]
    problems: Problems
    masker: Masker
    missing: list[MissingVariable] = field(default_factory=list)
    steps: Collection[str] = ()
    discovered: dict[str, Callable[[], JsonValue]] = field(default_factory=dict)

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

    def condition(self, scalar: Scalar) -> Condition:
        """Compile a condition: `{{ user.active and user.age >= 18 }}`, `true`.

        Raises: ExpressionError.
        """
        if isinstance(scalar.value, bool):
            return constant_condition(scalar.value, scalar.text)
        return compile_condition(scalar.text, scalar.at, self._resolve)

    def input_name(self, name: str) -> str | None:
        """Return "x" for "rest.x", "tools.x" and "<namespace>.x", else None."""
        return None if name.partition(".")[0] in self.steps else self._prefixed(name)

    def _prefixed(self, name: str) -> str | None:
        prefix, dot, rest = name.partition(".")
        known = prefix in INPUT_PREFIXES or prefix in self.namespaces
        return rest if dot and rest and known else None

    def is_refreshed(self, name: str) -> bool:
        """Tell whether a name is that of a variable whose value may change while serving."""
        variable = self.variables.find(name)
        return variable is not None and variable.cell is not None

    def is_discovered(self, name: str) -> bool:
        """Tell whether a name leads to what a `discover` entry has found."""
        prefix, _, key = name.partition(".")
        return prefix == DISCOVERED and key.partition(".")[0] in self.discovered

    def means_discovered(self, name: str) -> bool:
        """Tell whether a name leads to `discover` entries: never to what a caller gives."""
        prefix = name.partition(".")[0]
        return prefix == DISCOVERED and bool(self.discovered) and DISCOVERED not in self.steps

    def _undiscovered(self, key: str, reference: Reference) -> Getter:
        """`{{discovered.machnes}}` must not become a caller's input: conditions rely on it."""
        self.problems.warn(
            "unknown-discovery",
            f"`{{{{{reference.name}}}}}` names no `discover` entry, so it has no value",
            reference.location,
            did_you_mean(key, self.discovered),
        )
        return _constant(None)

    def _found(self, key: str) -> Getter:
        name, _, rest = key.partition(".")
        read = self.discovered[name]
        inside = default_getter(f"found.{rest}" if rest else "found")

        def get(scope: Scope, /) -> JsonValue | Missing:
            return inside({"found": read()})

        return get

    def warn_settled(self, references: Iterable[Reference]) -> None:
        """Name the variables among them that are refreshed, where what they give is settled."""
        for reference in references:
            if self.is_refreshed(reference.name):
                self.problems.warn(
                    "refresh-without-effect",
                    f"`{reference.name}` is refreshed, but its value is settled here when the file "
                    "is loaded",
                    reference.location,
                    "restart the server where it must follow",
                )

    def _with_scalar(self, scalar: Scalar) -> Template:
        text = scalar.text.strip()
        if "{{" not in text and " " not in text and self.input_name(text) is not None:
            reference = "{{" + text + "}}"
            return compile_template(reference, _unbraced(scalar), self._resolve)
        hidden = self._prefixed(text) if _PLAIN_NAME.fullmatch(text) else None
        if hidden is not None:
            # Without braces it is the caller's input, whatever step is called as the adapter.
            return reference_to(Reference(hidden, scalar.location), default_getter(hidden))
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
            if variable.current is None and not variable.is_optional:
                use = MissingVariable(
                    name, variable.origin, reference.location, unread=variable.unread
                )
                self.missing.append(use)
            if variable.cell is not None:
                return _refreshed(variable.cell)
            return _constant(variable.value)
        prefix, _, key = name.partition(".")
        if self.is_discovered(name):
            return self._found(key)
        if self.means_discovered(name):
            return self._undiscovered(key, reference)
        if prefix == "env" and key:
            return self._undeclared(key, reference)
        if prefix in self.variables.namespaces and _SECRET.fullmatch(key):
            return self._misspelt(prefix, key, reference)
        return None

    def _misspelt(self, namespace: str, key: str, reference: Reference) -> Getter | None:
        """`{{vault.TOKN}}` of a bind without that variable must not become a caller's input."""
        if namespace in self.steps or self._prefixed(reference.name) is not None:
            return None
        known = [name for name in self.variables.names() if name.startswith(f"{namespace}.")]
        self.problems.warn(
            "undeclared-variable",
            f"`{{{{{reference.name}}}}}` is not declared: the bind `{namespace}` has no `{key}`",
            reference.location,
            did_you_mean(reference.name, known),
        )
        origin = f"a variable that the bind `{namespace}` does not declare"
        self.missing.append(MissingVariable(reference.name, origin, reference.location))
        return _constant(None)

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
    return [] if isinstance(value, ConstantValue) else unbound(value.references, templates)


def unbound(
    references: Iterable[Reference], templates: PlanTemplates
) -> list[tuple[str, Reference]]:
    """Return the references to what a run brings, with the name of the input each means."""
    found: list[tuple[str, Reference]] = []
    for reference in references:
        if templates.variables.find(reference.name) is not None:
            continue
        if reference.name.startswith("env.") or templates.means_discovered(reference.name):
            continue
        name = templates.input_name(reference.name) or reference.name
        found.append((name, reference))
    return found


def _constant(value: str | None) -> Getter:
    result: JsonValue | Missing = MISSING if value is None else value

    def get(scope: Scope, /) -> JsonValue | Missing:
        return result

    return get


def _refreshed(cell: Cell) -> Getter:
    """Read a variable whose value may change while the capability serves."""

    def get(scope: Scope, /) -> JsonValue | Missing:
        value = cell.value
        return MISSING if value is None else value

    return get


def _unbraced(scalar: Scalar) -> Anchor:
    """Positions in `{{rest.x}}` shown in `rest.x`, which is what the file says."""

    def at(offset: int, length: int = 0, /) -> Location:
        return scalar.at(max(0, offset - 2), length)

    return at
