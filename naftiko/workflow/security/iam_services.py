"""`definition.json` -> AWS's actions by service, of which each is read when it is first asked for.

The file has a service a line. Reading all of its megabyte would take longer than compiling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from naftiko.errors import StartError

_HEAD = b'{"format":"naftiko.iam/1","services":{'
_FOOT = b"}}"


class Services(Mapping[str, Mapping[str, Any]]):
    """The rows of all services. A file of another shape is read whole."""

    def __init__(self, data: bytes) -> None:
        """Find the lines.

        Raises: StartError.
        """
        head, *lines = data.rstrip().split(b"\n")
        self._read: dict[str, Mapping[str, Any]] = {}
        self._lines: dict[str, bytes] = {}
        if head != _HEAD or lines[-1:] != [_FOOT]:
            self._read = _loaded(data)["services"]
            return
        for line in lines[:-1]:
            name, _, row = line.partition(b":")
            self._lines[name.strip(b'"').decode()] = row.removesuffix(b",")

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        """Return the rows of a service.

        Raises: KeyError; StartError: it cannot be read.
        """
        found = self._read.get(name)
        if found is None:
            found = self._read[name] = _loaded(self._lines[name])
        return found

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such a service, without reading it."""
        return name in self._lines or name in self._read

    def __iter__(self) -> Iterator[str]:
        """Return the names."""
        return iter(self._lines or self._read)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._lines or self._read)


def _loaded(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise StartError(f"the catalog's `iam/definition.json` cannot be read: {error}") from None
