"""JSON values whose strings hold templates, compiled once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.values import MISSING, JsonObject, JsonValue, Missing

if TYPE_CHECKING:
    from naftiko.expressions.template import Reference, Scope, Template


@dataclass(frozen=True, slots=True)
class ConstantValue:
    """A value without templates. It is shared between runs: nobody may change it."""

    value: JsonValue

    @property
    def references(self) -> tuple[Reference, ...]:
        """Return the names it refers to: none."""
        return ()

    def render(self, scope: Scope) -> JsonValue | Missing:
        """Return the value."""
        return self.value


@dataclass(frozen=True, slots=True)
class TextValue:
    """A string that holds placeholders. Exactly one placeholder keeps the native type."""

    template: Template

    @property
    def references(self) -> tuple[Reference, ...]:
        """Return the names it refers to."""
        return self.template.references

    def render(self, scope: Scope) -> JsonValue | Missing:
        """Return the value; MISSING where the one placeholder leads nowhere."""
        return self.template.render(scope)


@dataclass(frozen=True, slots=True)
class ObjectValue:
    """An object; members that are absent are dropped."""

    members: tuple[tuple[str, ValueTemplate], ...]

    @property
    def references(self) -> tuple[Reference, ...]:
        """Return the names it refers to."""
        return tuple(ref for _, member in self.members for ref in member.references)

    def render(self, scope: Scope) -> JsonValue | Missing:
        """Return the object."""
        out: JsonObject = {}
        for name, member in self.members:
            value = member.render(scope)
            if value is not MISSING:
                out[name] = value
        return out


@dataclass(frozen=True, slots=True)
class ArrayValue:
    """A list; items that are absent are dropped."""

    items: tuple[ValueTemplate, ...]

    @property
    def references(self) -> tuple[Reference, ...]:
        """Return the names it refers to."""
        return tuple(ref for item in self.items for ref in item.references)

    def render(self, scope: Scope) -> JsonValue | Missing:
        """Return the list."""
        rendered = (item.render(scope) for item in self.items)
        return [value for value in rendered if value is not MISSING]


ValueTemplate: TypeAlias = ConstantValue | TextValue | ObjectValue | ArrayValue


def compile_value(node: Node, compile_text: Callable[[Scalar], Template]) -> ValueTemplate:
    """Compile a node: `{n: "{{count}}", tags: [a, "{{b}}"]}`."""
    match node:
        case Scalar():
            if not isinstance(node.value, str):
                return ConstantValue(node.value)
            template = compile_text(node)
            return _text_value(template)
        case Sequence():
            items = tuple(compile_value(item, compile_text) for item in node)
            array = ArrayValue(items)
            if all(isinstance(item, ConstantValue) for item in items):
                return _constant(array)
            return array
        case Mapping():
            members = tuple(
                (key.text, compile_value(value, compile_text)) for key, value in node.entries
            )
            whole = ObjectValue(members)
            if all(isinstance(member, ConstantValue) for _, member in members):
                return _constant(whole)
            return whole


def _text_value(template: Template) -> ConstantValue | TextValue:
    text = TextValue(template)
    return _constant(text) if template.is_constant else text


def _constant(value: TextValue | ArrayValue | ObjectValue) -> ConstantValue:
    """Render what no input changes once; comments of templates are gone then."""
    rendered = value.render({})
    return ConstantValue("" if rendered is MISSING else rendered)


def iter_scalars(node: Node) -> Iterator[Scalar]:
    """Yield every scalar value in a node, in order."""
    match node:
        case Scalar():
            yield node
        case Sequence():
            for item in node:
                yield from iter_scalars(item)
        case Mapping():
            for _, value in node.entries:
                yield from iter_scalars(value)
