"""Settles at load what is known at load, and tells which arguments the rest needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from naftiko.consumes.http.encoding import plain_text
from naftiko.consumes.http.paths import Scope
from naftiko.document.nodes import Node, Scalar
from naftiko.plan.ports import ClientContext
from naftiko.plan.values import ConstantValue, ValueTemplate
from naftiko.source import Anchor
from naftiko.values import MISSING, JsonValue, Missing

if TYPE_CHECKING:
    from naftiko.expressions.template import Reference, Template


@dataclass(frozen=True, slots=True)
class Given:
    """A value known at load; it may be a secret, so it is never printed."""

    value: JsonValue = field(repr=False)

    def get(self, scope: Scope) -> JsonValue | Missing:
        """Return the value."""
        return self.value


@dataclass(frozen=True, slots=True)
class FromArgument:
    """A caller's argument, passed on under its own name."""

    name: str
    default: JsonValue | Missing = MISSING

    def get(self, scope: Scope) -> JsonValue | Missing:
        """Return the argument, the default where it is absent."""
        return scope.get(self.name, self.default)


@dataclass(frozen=True, slots=True)
class FromTemplate:
    """A `value` with placeholders."""

    template: ValueTemplate

    def get(self, scope: Scope) -> JsonValue | Missing:
        """Return the rendered value."""
        return self.template.render(scope)


ValueSource = Given | FromArgument | FromTemplate


@dataclass(slots=True, kw_only=True)
class Binder:
    """Compiles templates, and notes what they need.

    `constants` are the parameters whose values the file or the environment fixes. `needed` collects
    the arguments that compiled templates refer to, in order.
    """

    context: ClientContext
    constants: Mapping[str, JsonValue]
    needed: dict[str, None] = field(default_factory=dict)

    def slot(self, text: str, at: Anchor) -> Template | str:
        """Compile `{{x}}` of a URL; a string where its value is known at load.

        Raises: ExpressionError.
        """
        template = self.context.templates.text(text, at)
        if not self._is_known(template.references):
            return template
        value = template.render(self.constants)
        return template if value is MISSING or value is None else plain_text(value)

    def text(self, scalar: Scalar) -> Template:
        """Compile a text.

        Raises: ExpressionError.
        """
        template = self.context.templates.scalar(scalar)
        self._is_known(template.references)
        return template

    def value(self, node: Node) -> ValueTemplate:
        """Compile a JSON value; a constant where every value in it is known at load.

        Raises: ExpressionError.
        """
        template = self.context.templates.value(node)
        if isinstance(template, ConstantValue) or not self._is_known(template.references):
            return template
        rendered = template.render(self.constants)
        return template if rendered is MISSING else ConstantValue(rendered)

    def source(self, node: Node) -> ValueSource:
        """Compile a parameter's `value`.

        Raises: ExpressionError.
        """
        template = self.value(node)
        if isinstance(template, ConstantValue):
            return Given(template.value)
        return FromTemplate(template)

    def arguments_of(self, references: Iterable[Reference]) -> list[str]:
        """Return the arguments that references stand for, bound variables left out."""
        return [name for name in map(self._argument, references) if name is not None]

    def _argument(self, reference: Reference) -> str | None:
        name = reference.name
        if name.startswith("env.") or self.context.bound(name) is not None:
            return None
        name = self.context.templates.input_name(name) or name
        return name.partition(".")[0]

    def _is_known(self, references: Iterable[Reference]) -> bool:
        open_ = [name for name in self.arguments_of(references) if name not in self.constants]
        self.needed.update(dict.fromkeys(open_))
        return not open_
