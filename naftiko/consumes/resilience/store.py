"""Answers that are kept, within a number and an amount of memory; the least used go first."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson
from cachetools import LRUCache

from naftiko.plan.ports import Decode, Result
from naftiko.values import MISSING, JsonValue

if TYPE_CHECKING:
    from hishel import Entry

OVERHEAD_BYTES = 1024
"""About what an entry takes beside its content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An answer as it came. Everyone gets a result of their own, which they may change.

    `since` is when it came, on the clock that never goes back. `entry` is what the rules of HTTP
    know of it. `url` is "" for a call that is no HTTP request.
    """

    status: int
    raw: bytes | None = field(repr=False)
    text: bytes | None = field(repr=False)
    media_type: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    decode: Decode | None = field(repr=False)
    since: float
    url: str = field(default="", repr=False)
    entry: Entry | None = field(default=None, repr=False)

    def result(self) -> Result:
        """Return the answer."""
        return Result(
            value=MISSING if self.text is None else _load(self.text),
            raw=self.raw,
            media_type=self.media_type,
            status=self.status,
            headers=self.headers,
            decode=self.decode,
            received=None if self.entry is None else dict(self.entry.response.headers),
        )

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return OVERHEAD_BYTES + len(self.raw or b"") + len(self.text or b"") + len(self.url)


def store_of(result: Result, *, since: float, url: str, entry: Entry | None) -> Stored | None:
    """Return what is to be kept of an answer; None where it is no plain JSON."""
    text = None if result.value is MISSING else _dump(result.value)
    if text is None and result.value is not MISSING:
        return None
    return Stored(
        status=result.status,
        raw=result.raw,
        text=text,
        media_type=result.media_type,
        headers=result.headers,
        decode=result.decode,
        since=since,
        url=url,
        entry=entry,
    )


class Store:
    """What is kept, by everything that was sent."""

    def __init__(self, *, max_entries: int, max_bytes: int) -> None:
        """Start empty."""
        self._max_entries = max_entries
        self._urls: dict[str, set[Hashable]] = {}
        self._kept = _Kept(max_bytes, self._urls)

    def get(self, key: Hashable) -> Stored | None:
        """Return what is kept under the key."""
        found: Stored | None = self._kept.get(key)
        return found

    def put(self, key: Hashable, stored: Stored) -> None:
        """Keep an answer, unless it alone is more than there is room for."""
        self.drop(key)
        try:
            self._kept[key] = stored
        except ValueError:
            return
        self._urls.setdefault(stored.url, set()).add(key)
        while len(self._kept) > self._max_entries:
            self._kept.popitem()

    def drop(self, key: Hashable) -> None:
        """Forget one answer."""
        self._kept.pop(key, None)

    def drop_url(self, url: str) -> None:
        """Forget every answer of a URL."""
        for key in list(self._urls.get(url, ())):
            self.drop(key)

    def clear(self) -> None:
        """Forget all."""
        for key in list(self._kept):
            self.drop(key)

    def __len__(self) -> int:
        """Count the answers."""
        return len(self._kept)


class _Kept(LRUCache[Hashable, Stored]):
    """Keeps the index by URL right when an entry goes."""

    def __init__(self, max_bytes: int, urls: dict[str, set[Hashable]]) -> None:
        super().__init__(max_bytes, getsizeof=lambda stored: stored.size)
        self._by_url = urls

    def __delitem__(self, key: Hashable) -> None:
        url = self[key].url
        super().__delitem__(key)
        keys = self._by_url.get(url)
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._by_url[url]


def header_texts(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers by their names in lower case; those that came twice are joined by commas."""
    texts: dict[str, str] = {}
    for name, text in headers.items():
        lowered = name.lower()
        texts[lowered] = f"{texts[lowered]}, {text}" if lowered in texts else text
    return texts


def _dump(value: JsonValue) -> bytes | None:
    try:
        return orjson.dumps(value)
    except TypeError:
        from json import dumps

        try:
            return dumps(value).encode("ascii")
        except RecursionError:
            return None


def _load(text: bytes) -> JsonValue:
    try:
        value: JsonValue = orjson.loads(text)
    except orjson.JSONDecodeError:
        from json import loads

        value = loads(text)
    return value
