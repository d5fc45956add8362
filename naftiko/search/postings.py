"""BM25 over documents' terms, as arrays that a file can hold.

Sums are taken in the same order, over the same doubles, with numpy and without: the results are
the same bits.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

LARGE = 20_000
"""Entries from which on numpy is used."""

K1 = 1.2
B = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Postings:
    """What each term adds to the score of each document that has it.

    The entries of the term with number `terms[term]` are `offsets[number]` up to the next one.
    """

    terms: Mapping[str, int]
    offsets: array[int]
    documents: array[int]
    weights: array[float]
    size: int

    def frequency(self, term: str) -> int:
        """Return how many documents have a term."""
        number = self.terms.get(term)
        return 0 if number is None else self.offsets[number + 1] - self.offsets[number]

    def rarity(self, term: str) -> float:
        """Return the inverse document frequency of a term, which may be unknown."""
        return rarity(self.frequency(term), self.size)

    def entries(self, term: str) -> slice | None:
        """Return where the entries of a term are."""
        number = self.terms.get(term)
        return None if number is None else slice(self.offsets[number], self.offsets[number + 1])


def rarity(frequency: int, size: int) -> float:
    """Return BM25's inverse document frequency, which is above 0."""
    return math.log1p((size - frequency + 0.5) / (frequency + 0.5))


def build_postings(counts: Sequence[Mapping[str, int]]) -> Postings:
    """Return the postings of documents, given how often each has each term."""
    size = len(counts)
    lengths = [sum(count.values()) for count in counts]
    average = sum(lengths) / size if size else 0.0
    norms = [K1 * (1 - B + B * length / average) if average else K1 for length in lengths]
    having: dict[str, list[int]] = {}
    for number, count in enumerate(counts):
        for term in count:
            having.setdefault(term, []).append(number)
    terms = sorted(having)
    offsets, documents, weights = array("Q", [0]), array("I"), array("f")
    for term in terms:
        numbers = having.pop(term)
        factor = rarity(len(numbers), size) * (K1 + 1)
        documents.extend(numbers)
        weights.extend([factor * counts[n][term] / (counts[n][term] + norms[n]) for n in numbers])
        offsets.append(len(documents))
    return Postings(
        terms={term: number for number, term in enumerate(terms)},
        offsets=offsets,
        documents=documents,
        weights=weights,
        size=size,
    )


def sum_weights(postings: Postings, boosts: Mapping[str, float]) -> Sequence[float]:
    """Return each document's score for terms, each with what it counts."""
    if is_large(postings):
        return _sum_arrays(postings, boosts)
    totals = [0.0] * postings.size
    for term, boost in _ordered(boosts):
        entries = postings.entries(term)
        if entries is None:
            continue
        pairs = zip(postings.documents[entries], postings.weights[entries], strict=True)
        for number, weight in pairs:
            totals[number] += boost * weight
    return totals


def _sum_arrays(postings: Postings, boosts: Mapping[str, float]) -> Sequence[float]:
    import numpy as np

    totals = np.zeros(postings.size)
    documents = np.frombuffer(postings.documents, dtype=np.uint32)
    weights = np.frombuffer(postings.weights, dtype=np.float32)
    for term, boost in _ordered(boosts):
        entries = postings.entries(term)
        if entries is not None:  # a term has a document once, so that none is added to twice
            totals[documents[entries]] += boost * weights[entries].astype(np.float64)
    made: list[float] = totals.tolist()
    return made


def cover(postings: Postings, alternatives: Iterable[Mapping[str, float]]) -> Sequence[float]:
    """Return how much each document has of each group of terms: its best one, summed."""
    if is_large(postings):
        return _cover_arrays(postings, alternatives)
    totals = [0.0] * postings.size
    for group in alternatives:
        best: dict[int, float] = {}
        for term, value in _rising(group):
            entries = postings.entries(term)
            if entries is not None:
                best.update(dict.fromkeys(postings.documents[entries], value))
        for number, value in best.items():
            totals[number] += value
    return totals


def _cover_arrays(
    postings: Postings, alternatives: Iterable[Mapping[str, float]]
) -> Sequence[float]:
    import numpy as np

    totals = np.zeros(postings.size)
    documents = np.frombuffer(postings.documents, dtype=np.uint32)
    for group in alternatives:
        best = np.zeros(postings.size)
        for term, value in _rising(group):
            entries = postings.entries(term)
            if entries is not None:
                best[documents[entries]] = value
        totals += best
    made: list[float] = totals.tolist()
    return made


def is_large(postings: Postings) -> bool:
    """Tell whether numpy is worth its import, if it is there: it adds the same numbers faster."""
    return len(postings.documents) >= LARGE and find_spec("numpy") is not None


def _ordered(boosts: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(boosts.items())


def _rising(group: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(group.items(), key=lambda item: (item[1], item[0]))
