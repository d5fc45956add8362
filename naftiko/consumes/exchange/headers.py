"""The headers of an answer."""

from __future__ import annotations

from collections.abc import Sequence

_JOINED = frozenset({"link", "www-authenticate", "cache-control", "vary", "allow"})


class AnyCase(dict[str, str]):
    """Headers by lower-case name, found in any case."""

    __slots__ = ()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]  # texts only
        """Return a header."""
        return super().get(name.lower(), default)

    def __getitem__(self, name: str) -> str:
        """Return a header."""
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        """Tell whether it is there."""
        return isinstance(name, str) and super().__contains__(name.lower())


def by_name(pairs: Sequence[tuple[str, str]]) -> AnyCase:
    """Return headers by name; of one that came twice the first, but lists that are read joined."""
    found = AnyCase()
    for name, value in pairs:
        if name not in found:
            dict.__setitem__(found, name, value)
        elif name in _JOINED:
            dict.__setitem__(found, name, f"{found[name]}, {value}")
    return found
