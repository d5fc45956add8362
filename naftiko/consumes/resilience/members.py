"""Reads the members of a block: each within its bounds, every mistake named at its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.errors import Problems, did_you_mean
from naftiko.expressions.durations import parse_duration_s
from naftiko.expressions.sizes import parse_size_bytes
from naftiko.source import Location

HOUR_S = 3600.0
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """The members of one mapping. `code` is the code of its problems, `name` how they call it.

    Problems are errors: a limit that does not hold as it is written protects nobody.
    """

    node: Mapping
    name: str
    code: str
    problems: Problems

    @property
    def location(self) -> Location:
        """Where the mapping stands."""
        return self.node.location

    def check_names(self, known: Iterable[str]) -> None:
        """Note every member that does not exist."""
        names = tuple(known)
        for key, _ in self.node.entries:
            if key.text not in names and not key.text.startswith("x-"):
                self.note(
                    key.location,
                    f"`{self.name}` has no member `{key.text}`",
                    did_you_mean(key.text, names),
                )

    def note(self, location: Location, message: str, hint: str = "") -> None:
        """Note a problem."""
        self.problems.error(self.code, message, location, hint)

    def has(self, name: str) -> bool:
        """Tell whether the member is there, and not null."""
        node = self.node.get(name)
        return node is not None and not (isinstance(node, Scalar) and node.value is None)

    def block(self, name: str) -> Members | None:
        """Return a member's own members."""
        node = self.node.get(name)
        if node is None or not self.has(name):
            return None
        if isinstance(node, Mapping):
            inner = f"{self.name}.{name}"
            return Members(node=node, name=inner, code=self.code, problems=self.problems)
        is_true = isinstance(node, Scalar) and node.value is True
        self._wrong(name, node, "a mapping", "`{}` takes its defaults" if is_true else "")
        return None

    def duration(self, name: str, low: float, high: float = DAY_S) -> float | None:
        """Return seconds; None where the member is absent or wrong."""
        node = self.node.get(name)
        if node is None or not self.has(name):
            return None
        if not isinstance(node, Scalar):
            self._wrong(name, node, "a duration such as `10s`")
            return None
        try:
            seconds = parse_duration_s(node.value)
        except ValueError as error:
            self.note(node.location, f"`{self.name}.{name}`: {error}")
            return None
        if low <= seconds <= high:
            return seconds
        self.note(
            node.location,
            f"`{self.name}.{name}` must be between {_text(low)} and {_text(high)}, "
            f"found {_text(seconds)}",
        )
        return None

    def integer(self, name: str, low: int, high: int) -> int | None:
        """Return a whole number; None where the member is absent or wrong."""
        node = self.node.get(name)
        if node is None or not self.has(name):
            return None
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self._wrong(name, node, f"a whole number from {low} to {high}")
        return None

    def number(self, name: str, low: float, high: float) -> float | None:
        """Return a number; None where the member is absent or wrong."""
        node = self.node.get(name)
        if node is None or not self.has(name):
            return None
        value = node.value if isinstance(node, Scalar) else None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and isinstance(value, int | float) and low <= value <= high:
            return float(value)
        self._wrong(name, node, f"a number from {low:g} to {high:g}")
        return None

    def boolean(self, name: str, default: bool = False) -> bool:
        """Return true or false."""
        node = self.node.get(name)
        if node is None or not self.has(name):
            return default
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        self._wrong(name, node, "true or false")
        return default

    def size(self, name: str, high: int) -> int | None:
        """Return bytes; None where the member is absent or wrong."""
        node = self.node.get(name)
        if node is None or not self.has(name):
            return None
        if not isinstance(node, Scalar):
            self._wrong(name, node, "a size such as `10MiB`")
            return None
        try:
            size = parse_size_bytes(node.value)
        except ValueError as error:
            self.note(node.location, f"`{self.name}.{name}`: {error}")
            return None
        if 1 <= size <= high:
            return size
        self._wrong(name, node, f"a size up to {high // 1024**2}MiB")
        return None

    def scalar(self, name: str) -> Scalar | None:
        """Return a scalar that is not null."""
        node = self.node.get(name)
        if node is None or not self.has(name):
            return None
        if isinstance(node, Scalar):
            return node
        self._wrong(name, node, "text")
        return None

    def choice(self, name: str, known: Iterable[str]) -> str | None:
        """Return one of the known words."""
        scalar = self.scalar(name)
        if scalar is None:
            return None
        if scalar.text in known:
            return scalar.text
        words = tuple(known)
        self.note(
            scalar.location,
            f"`{self.name}.{name}` has no choice `{scalar.text}`",
            did_you_mean(scalar.text, words),
        )
        return None

    def scalars(self, name: str) -> tuple[Scalar, ...] | None:
        """Return the scalars of a list, or the one; None where the member is absent."""
        node = self.node.get(name)
        if node is None or not self.has(name):
            return None
        items = tuple(node) if isinstance(node, Sequence) else (node,)
        found = tuple(item for item in items if isinstance(item, Scalar))
        if len(found) != len(items):
            self._wrong(name, node, "a list of words")
        return found

    def statuses(self, name: str) -> frozenset[int] | None:
        """Return HTTP statuses: [429, "500-599"]."""
        scalars = self.scalars(name)
        if scalars is None:
            return None
        found: set[int] = set()
        for scalar in scalars:
            low, dash, high = scalar.text.partition("-")
            ends = [end.strip() for end in ((low, high) if dash else (low,))]
            numbers = [
                int(end) for end in ends if end.isascii() and end.isdecimal() and len(end) == 3
            ]
            if len(numbers) == len(ends) and 100 <= numbers[0] <= numbers[-1] <= 599:
                found.update(range(numbers[0], numbers[-1] + 1))
            else:
                self.note(
                    scalar.location,
                    f"`{self.name}.{name}` must hold statuses such as 503 or `500-599`, found "
                    f"`{scalar.text}`",
                )
        return frozenset(found)

    def _wrong(self, name: str, node: Node, expected: str, hint: str = "") -> None:
        found = f"`{node.text}`" if isinstance(node, Scalar) else _KINDS[type(node)]
        self.note(node.location, f"`{self.name}.{name}` must be {expected}, found {found}", hint)


_KINDS: dict[type[Node], str] = {Sequence: "a list", Mapping: "a mapping"}


def _text(seconds: float) -> str:
    """60 -> "1m", 0.001 -> "1ms", 90 -> "90s"."""
    for size, unit in ((DAY_S, "d"), (HOUR_S, "h"), (60.0, "m"), (1.0, "s")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds * 1000:g}ms" if seconds < 1 else f"{seconds:g}s"
