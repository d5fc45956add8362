"""Reads the members of a node by name, in both generations' spellings.

A member of the wrong kind reads as absent here: the schema findings say so, at its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.source import Location
from naftiko.values import JsonValue


def is_null(node: Node) -> bool:
    """Tell whether a member was named and given no value."""
    return isinstance(node, Scalar) and node.value is None


@dataclass(frozen=True, slots=True)
class Named:
    """An entry of a list (`- name: x`) or of a map keyed by name (`x: {...}`)."""

    name: str
    fields: Fields
    location: Location


@dataclass(frozen=True, slots=True)
class Fields:
    """The members of one mapping."""

    node: Mapping

    @property
    def location(self) -> Location:
        """Where the mapping stands."""
        return self.node.location

    def node_of(self, *names: str) -> Node | None:
        """Return the first member there is under these names."""
        for name in names:
            found = self.node.get(name)
            if found is not None:
                return found
        return None

    def scalar(self, *names: str) -> Scalar | None:
        """Return a scalar member that is not null."""
        found = self.node_of(*names)
        return found if isinstance(found, Scalar) and found.value is not None else None

    def text(self, *names: str) -> str:
        """Return a scalar member's text, "" if there is none."""
        found = self.scalar(*names)
        return found.text if found else ""

    def boolean(self, *names: str) -> bool | None:
        """Return a boolean member."""
        found = self.scalar(*names)
        return found.value if found and isinstance(found.value, bool) else None

    def integer(self, *names: str) -> int | None:
        """Return an integer member."""
        found = self.scalar(*names)
        value = found.value if found else None
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def mapping(self, *names: str) -> Mapping | None:
        """Return a mapping member."""
        found = self.node_of(*names)
        return found if isinstance(found, Mapping) else None

    def fields(self, *names: str) -> Fields | None:
        """Return a mapping member's own members."""
        found = self.mapping(*names)
        return Fields(found) if found else None

    def items(self, *names: str) -> Iterator[Fields]:
        """Yield the mappings of a list member."""
        found = self.node_of(*names)
        if isinstance(found, Sequence):
            for item in found:
                if isinstance(item, Mapping):
                    yield Fields(item)

    def texts(self, *names: str) -> tuple[str, ...]:
        """Return the scalars of a list member, or the one scalar, as text."""
        found = self.node_of(*names)
        if isinstance(found, Scalar):
            return (found.text,) if found.value is not None else ()
        if isinstance(found, Sequence):
            return tuple(item.text for item in found if isinstance(item, Scalar))
        return ()

    def named(self, *names: str, key: str = "name") -> Iterator[Named]:
        """Yield the entries of a list with names or of a map keyed by name."""
        found = self.node_of(*names)
        if isinstance(found, Sequence):
            for item in found:
                if isinstance(item, Mapping):
                    name = Fields(item).scalar(key)
                    yield Named(name.text if name else "", Fields(item), item.location)
        elif isinstance(found, Mapping):
            for name_node, item in found.entries:
                if isinstance(item, Mapping):
                    yield Named(name_node.text, Fields(item), name_node.location)

    def plain(self, name: str) -> JsonValue:
        """Return a member as a JSON value, null if it is absent."""
        found = self.node.get(name)
        return found.plain() if found else None
