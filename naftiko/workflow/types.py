"""The types of expressions: eight families, made from parameters and from botocore's shapes.

Spec: section 2. `opaque` is what is passed on but never compared: blobs, documents, unions of
unknown content. A `Type` is small and made on demand, for shapes refer to themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.model import Shape

KINDS = (
    "string",
    "integer",
    "number",
    "boolean",
    "timestamp",
    "duration",
    "list",
    "map",
    "opaque",
    "null",
)
"""What `t` in a plan may say."""

FAMILIES = {"integer": "number", "number": "number"}
"""Kinds that may stand on the two sides of a comparison; others are their own family."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    """The type of a value.

    `item` gives the type of a list's elements, `members` those of a map's known members (None where
    any name may stand), `value` that of a map's values. They are functions, called when asked.
    `enum` are a string's allowed values, where they are known.
    """

    kind: str
    item: Callable[[], Type] | None = field(default=None, compare=False)
    members: Mapping[str, Callable[[], Type]] | None = field(default=None, compare=False)
    value: Callable[[], Type] | None = field(default=None, compare=False)
    enum: tuple[str, ...] = field(default=(), compare=False)
    sensitive: bool = False

    @property
    def family(self) -> str:
        """The kind it is compared as."""
        return FAMILIES.get(self.kind, self.kind)

    @property
    def is_scalar(self) -> bool:
        """Whether it can be part of a text."""
        return self.kind in {"string", "integer", "number", "boolean", "timestamp", "duration"}

    def element(self) -> Type:
        """Return the type of an element, opaque where nothing is known."""
        return self.item() if self.item is not None else OPAQUE

    def member(self, name: str) -> Type | None:
        """Return the type of a member; None where there is none of that name."""
        if self.members is not None:
            found = self.members.get(name)
            return found() if found is not None else None
        return self.value() if self.value is not None else None


STRING = Type(kind="string")
INTEGER = Type(kind="integer")
NUMBER = Type(kind="number")
BOOLEAN = Type(kind="boolean")
TIMESTAMP = Type(kind="timestamp")
DURATION = Type(kind="duration")
OPAQUE = Type(kind="opaque")
NULL = Type(kind="null")

PARAMETER_TYPES = {
    "string": STRING,
    "integer": INTEGER,
    "number": NUMBER,
    "boolean": BOOLEAN,
}

_SCALARS = {
    "string": STRING,
    "character": STRING,
    "integer": INTEGER,
    "long": INTEGER,
    "float": NUMBER,
    "double": NUMBER,
    "bigdecimal": NUMBER,
    "biginteger": INTEGER,
    "boolean": BOOLEAN,
    "timestamp": TIMESTAMP,
}


def list_of(item: Type) -> Type:
    """Return the type of a list."""
    return Type(kind="list", item=lambda: item)


def record(members: Mapping[str, Type]) -> Type:
    """Return the type of a map whose members are known."""
    return Type(kind="map", members={name: _constant(type_) for name, type_ in members.items()})


def of_parameter(type_: str, items: str | None = None, *, sensitive: bool = False) -> Type:
    """Return the type of a workflow parameter: ("array", "string") -> a list of strings."""
    if type_ == "array":
        found = list_of(PARAMETER_TYPES.get(items or "", OPAQUE))
    elif type_ == "object":
        found = Type(kind="map", value=lambda: OPAQUE)
    else:
        found = PARAMETER_TYPES[type_]
    if not sensitive:
        return found
    return Type(kind=found.kind, item=found.item, value=found.value, sensitive=True)


def of_shape(shape: Shape) -> Type:
    """Return the type of a botocore shape."""
    sensitive = bool(shape.metadata.get("sensitive"))
    if shape.metadata.get("document"):
        return OPAQUE
    if shape.type_name == "structure":
        members = {name: _later(member) for name, member in shape.members.items()}
        return Type(kind="map", members=members, sensitive=sensitive)
    if shape.type_name == "list":
        return Type(kind="list", item=_later(shape.member), sensitive=sensitive)
    if shape.type_name == "map":
        return Type(kind="map", value=_later(shape.value), sensitive=sensitive)
    enum = tuple(getattr(shape, "enum", ()) or ())
    simple = _SCALARS.get(shape.type_name)
    if simple is None:
        return OPAQUE
    return Type(kind=simple.kind, enum=enum, sensitive=sensitive)


def _later(shape: Shape) -> Callable[[], Type]:
    return lambda: of_shape(shape)


def _constant(type_: Type) -> Callable[[], Type]:
    return lambda: type_
