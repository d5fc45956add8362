"""The vectors of all fields, and how near a query is to each document."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from naftiko.search.ports import Embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIGITS = 6
"""Cosines are compared to so many digits: further ones depend on the processor."""


class Vectors:
    """A row a field: `rows` of document `d` are `fields[d]` to `fields[d + 1]`."""

    def __init__(self, rows: NDArray[np.float32], fields: array[int]) -> None:
        """Take the rows; they are not changed."""
        import numpy as np

        self.rows = np.ascontiguousarray(rows, dtype=np.float32)
        bounds = np.asarray(fields, dtype=np.intp)
        self._counts = np.diff(bounds)
        self._having = np.flatnonzero(self._counts)
        self._starts = bounds[:-1][self._having]
        self._size = len(fields) - 1

    def nearness(
        self, query: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return each document's (max + mean) / 2 of cosines, not below 0, and its maximum."""
        import numpy as np

        cosines = np.round((self.rows @ query).astype(np.float64), DIGITS)
        best = np.full(self._size, -1.0)
        mean = np.zeros(self._size)
        if len(self._having):
            best[self._having] = np.maximum.reduceat(cosines, self._starts)
            sums = np.add.reduceat(cosines, self._starts)
            mean[self._having] = sums / self._counts[self._having]
        return np.maximum((best + mean) / 2, 0.0), best

    def best_field(self, query: NDArray[np.float32], start: int, end: int) -> int:
        """Return the nearest of some rows."""
        return start + int((self.rows[start:end] @ query).argmax())


def embed_fields(
    texts: Sequence[str], embedder: Embedder, known: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Return a row a text; equal texts are embedded once, those that are known not at all."""
    import numpy as np

    missing = [text for text in dict.fromkeys(texts) if text not in known]
    made = embedder.embed(missing)
    places = {text: number for number, text in enumerate(missing)}
    rows = np.zeros((len(texts), embedder.dimensions), dtype=np.float32)
    for number, text in enumerate(texts):
        place = places.get(text)
        rows[number] = known[text] if place is None else made[place]
    return rows
