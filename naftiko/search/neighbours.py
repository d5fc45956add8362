"""Which of the documents' words are near in meaning to one that none of them has."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from naftiko.search.ports import Embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEAR = 0.4
"""The cosine from which on a word may stand for another; unlike ones lie below 0.3."""

MOST = 3
MAX_WORDS = 20_000
"""Words of the documents that are looked at."""

_DIGITS = 3


class Neighbours:
    """The words of the documents as vectors, made when the first word is looked for."""

    def __init__(self, embedder: Embedder | None, words: Sequence[str]) -> None:
        """Take the words; without an embedder none is near."""
        self._embedder = embedder
        self._given = words
        self._lock = threading.Lock()
        self._words: list[str] = []
        self._rows: NDArray[np.float32] | None = None

    def near(self, word: str) -> Mapping[str, float]:
        """Return the nearest words, at most three, and their cosines: expensive -> cost: 0.69."""
        embedder = self._embedder
        if embedder is None or not embedder.knows(word):
            return {}
        rows = self._read(embedder)
        cosines = rows @ embedder.embed([word])[0]
        found = {
            self._words[number]: round(float(cosines[number]), _DIGITS)
            for number in (cosines >= NEAR).nonzero()[0].tolist()
        }
        nearest = sorted(found.items(), key=lambda item: (-item[1], item[0]))
        return dict(nearest[:MOST])

    def _read(self, embedder: Embedder) -> NDArray[np.float32]:
        with self._lock:
            if self._rows is None:
                self._words = [
                    word
                    for word in self._given
                    if len(word) > 2 and word.isalpha() and embedder.knows(word)
                ][:MAX_WORDS]
                self._rows = embedder.embed(self._words)
            return self._rows
