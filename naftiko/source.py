"""Where a piece of a capability file stands, and how to show it to a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file: `capabilities/orders.yaml:41:15`, lines and columns counted from 1.

    `end_column` is exclusive and stands on the same line; 0 where the extent is unknown.
    """

    path: str
    line: int = 1
    column: int = 1
    end_column: int = 0

    def __str__(self) -> str:
        """Return `path:line:column`, which terminals and editors turn into a link."""
        return f"{self.path}:{self.line}:{self.column}"


class Anchor(Protocol):
    """Says where the character at an offset of a text stands in its file."""

    def __call__(self, offset: int, length: int = 0, /) -> Location:
        """Return the location of `length` characters from `offset` (0-based) on."""
        ...


def anchored(location: Location) -> Anchor:
    """Return an anchor for a text that stands on one line from `location` on."""

    def at(offset: int, length: int = 0, /) -> Location:
        column = location.column + offset
        return Location(location.path, location.line, column, column + length if length else 0)

    return at


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one file and the name it is shown under."""

    path: str
    text: str

    def line(self, number: int) -> str | None:
        """Return the line with that number (from 1), or None past the end."""
        lines = self.text.splitlines()
        return lines[number - 1] if 0 < number <= len(lines) else None


def render_excerpt(source: Source, location: Location, *, width: int = 160) -> str:
    """Return the line a location points at with carets under the extent, or "" if there is none.

    A tab before the carets is kept as a tab, so that both lines indent alike.
    """
    text = source.line(location.line)
    if text is None:
        return ""
    shown = text[:width]
    number = str(location.line).rjust(4)
    start = min(max(location.column - 1, 0), len(shown))
    end = min(max(location.end_column - 1, start + 1), max(len(shown), start + 1))
    padding = "".join("\t" if char == "\t" else " " for char in shown[:start])
    return f"{number} | {shown}\n{' ' * 4} | {padding}{'^' * (end - start)}"
