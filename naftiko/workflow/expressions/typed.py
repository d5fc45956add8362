"""Trees with their types, and constants as such."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from naftiko.errors import did_you_mean
from naftiko.values import JsonObject
from naftiko.workflow.expressions.nodes import (
    Literal,
)
from naftiko.workflow.expressions.syntax import (
    MAX_INTEGER,
)
from naftiko.workflow.expressions.wording import shown
from naftiko.workflow.types import (
    BOOLEAN,
    INTEGER,
    NULL,
    NUMBER,
    OPAQUE,
    STRING,
    Type,
    list_of,
    record,
)

MAX_DECIMAL = Decimal(10) ** 13
"""Beyond it a floating number has no two exact decimals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A tree of the plan, such as {"ref": ["params", "id"], "t": "string"}, and its type."""

    tree: JsonObject
    type: Type


def constant_of(value: str | float | bool | None, kind: str | None = None) -> Typed:
    """Return a constant; a whole decimal is written as an integer, as canonical JSON does."""
    type_ = Type(kind=kind) if kind is not None else _type_of(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return Typed(tree={"lit": value, "t": type_.kind}, type=type_)


def _type_of(value: str | float | bool | None) -> Type:
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, str):
        return STRING
    return INTEGER if isinstance(value, int) else NUMBER


def number_fault(value: float) -> str:
    """Return why a plan cannot hold a number, "" where it can."""
    if isinstance(value, int):
        return "is beyond 64 bits" if abs(value) >= MAX_INTEGER else ""
    number = Decimal(repr(value))
    if not number.is_finite() or abs(number) >= MAX_DECIMAL:
        return "is no number that a plan can hold"
    exponent = number.normalize().as_tuple().exponent
    return "has more than two decimals" if isinstance(exponent, int) and exponent < -2 else ""


def list_of_typed(items: list[Typed]) -> Typed:
    """Return a list that is written out."""
    tree: JsonObject = {"list": [item.tree for item in items]}
    element = _common([item.type for item in items])
    return Typed(tree=tree, type=tainted(list_of(tainted(element, items)), items))


def concatenated(first: Typed, second: Typed) -> Type:
    """Return the type of two lists as one."""
    written = [one for one in (first, second) if one.tree.get("list") != []]
    return list_of(_common([one.type.element() for one in written]) if written else OPAQUE)


def plucked_of(many: Typed, name: Typed) -> Type | tuple[str, str]:
    """Return the type of the list of one member of a list's elements; else what is wrong."""
    wanted, element = name.tree.get("lit"), many.type.element()
    if not isinstance(wanted, str):
        return "`pluck` takes the name of a member, written out", "such as 'GroupId'"
    member = element.member(wanted)
    if element.kind != "map" or member is None:
        hint = did_you_mean(wanted, sorted(element.members or ()))
        return f"the elements of the list have no member `{shown(wanted)}`", hint
    if not member.is_scalar:
        return f"`pluck` takes texts, numbers and the like, but this is {kind_text(member)}", ""
    return replace(list_of(member), sensitive=member.sensitive)


def _common(types: list[Type]) -> Type:
    """Return what all elements of a written list are; opaque where they differ."""
    kinds = {type_.kind for type_ in types}
    if len(kinds) == 1 and types[0].kind == "map":
        return _common_members(types)
    if len(kinds) == 1:
        return types[0] if len(types) == 1 else replace(types[0], enum=())
    return NUMBER if kinds == {"integer", "number"} else OPAQUE


def _common_members(types: list[Type]) -> Type:
    if any(type_.members is None for type_ in types):
        return types[0] if len(types) == 1 else Type(kind="map", value=lambda: OPAQUE)
    shared = {
        name: _common([found for type_ in types if (found := type_.member(name)) is not None])
        for name in types[0].members or ()
        if all(type_.member(name) is not None for type_ in types)
    }
    return record(shared)


def tainted(type_: Type, sources: Iterable[Typed]) -> Type:
    """Return the type as sensitive, if anything that the value is made from is."""
    if type_.sensitive or not any(source.type.sensitive for source in sources):
        return type_
    return replace(type_, sensitive=True)


def with_default(tree: JsonObject, default: Literal) -> JsonObject:
    """Add a default to what may be null: a reference, or a constant null that took its place."""
    if "ref" in tree:
        return {**tree, "default": constant_of(default.value, default.kind).tree["lit"]}
    if tree.get("t") == "null":
        return constant_of(default.value, default.kind).tree
    return tree


def kind_text(type_: Type) -> str:
    """Return a type as a message names it: "a list"."""
    kind = type_.kind
    if kind == "opaque":
        return "a value of no known type"
    if kind == "null":
        return "null"
    return ("an " if kind == "integer" else "a ") + kind


def some_of(values: tuple[str, ...]) -> str:
    """Return the first of values, as a hint."""
    return "such as " + ", ".join(f"`{value}`" for value in values[:5])
