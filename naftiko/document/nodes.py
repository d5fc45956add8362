"""The nodes of a document: what YAML says, each with the place where it says it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from naftiko.source import Location
from naftiko.values import JsonValue


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value: `value` is its JSON value (str, int, float, bool or None), `text` its characters.

    `offsets` maps each line of a multi-line text to (offset in `text`, line, column);
    empty where the text stands on one line right after `location`.
    """

    value: str | int | float | bool | None
    text: str
    location: Location
    quoted: bool = False
    offsets: tuple[tuple[int, int, int], ...] = ()

    def at(self, offset: int, length: int = 0, /) -> Location:
        """Return where the character at `offset` of `text` stands (an `Anchor`)."""
        line, column = self.location.line, self.location.column + (1 if self.quoted else 0)
        start = 0
        for line_offset, line_number, line_column in self.offsets:
            if line_offset > offset:
                break
            start, line, column = line_offset, line_number, line_column
        column += offset - start
        return Location(self.location.path, line, column, column + length if length else 0)

    def plain(self) -> JsonValue:
        """Return the JSON value."""
        return self.value


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list of nodes."""

    items: tuple[Node, ...]
    location: Location

    def __iter__(self) -> Iterator[Node]:
        """Yield the items."""
        return iter(self.items)

    def __len__(self) -> int:
        """Count the items."""
        return len(self.items)

    def plain(self) -> JsonValue:
        """Return the JSON array."""
        return [item.plain() for item in self.items]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Named nodes in document order; names are unique."""

    entries: tuple[tuple[Scalar, Node], ...]
    location: Location
    _index: dict[str, tuple[Scalar, Node]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        """Index the entries by name."""
        self._index.update({key.text: (key, value) for key, value in self.entries})

    def __contains__(self, name: object) -> bool:
        """Tell whether the name is there."""
        return name in self._index

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self._index)

    def __len__(self) -> int:
        """Count the entries."""
        return len(self.entries)

    def get(self, name: str) -> Node | None:
        """Return the node under that name, or None."""
        entry = self._index.get(name)
        return entry[1] if entry else None

    def key(self, name: str) -> Scalar | None:
        """Return the key itself, for its location."""
        entry = self._index.get(name)
        return entry[0] if entry else None

    def plain(self) -> JsonValue:
        """Return the JSON object."""
        return {key.text: value.plain() for key, value in self.entries}


Node: TypeAlias = Scalar | Sequence | Mapping


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read: its root node and the text it came from."""

    path: str
    root: Mapping
    text: str = field(repr=False)
