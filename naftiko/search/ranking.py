"""The order of documents, and which of them answer at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from naftiko.search.gate import Gate
from naftiko.search.postings import Postings, cover, sum_weights
from naftiko.search.query import MEANT, Query
from naftiko.search.vectors import DIGITS, Vectors
from naftiko.search.words import trigrams

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A document, by its number. `coverage` is the share of the query that its words cover."""

    number: int
    score: float
    lexical: float
    trigram: float
    embedding: float
    cosine: float | None
    coverage: float


_MEANT = 0.7
"""How far a word covers another one that stands for it: it is evidence, if no exact reading."""

_NAMED = 2.0
"""What the name of a product counts among the words that have to be covered."""


def rank(
    query: Query,
    words: Postings,
    parts: Postings,
    vectors: Vectors | None,
    vector: NDArray[np.float32] | None,
    limit: int,
    gate: Gate,
) -> list[Found]:
    """Return the documents that answer, the best first; equals in the documents' own order."""
    lexical = sum_weights(words, word_boosts(query))
    trigram = sum_weights(parts, part_boosts(query))
    coverage = cover(words, cover_groups(query))
    if vectors is None or vector is None:
        return _ranked(lexical, trigram, coverage, limit, gate)
    return _ranked_near(lexical, trigram, coverage, vectors.nearness(vector), limit, gate)


def word_boosts(query: Query) -> dict[str, float]:
    """Return what each stem counts: the most that a word of the query gives it."""
    boosts: dict[str, float] = {}
    for asked in query.asked:
        for name, value in asked.stems.items():
            boosts[name] = max(boosts.get(name, 0.0), value)
    return boosts


def part_boosts(query: Query) -> dict[str, float]:
    """Return what each trigram of the query's words counts."""
    words = [asked.read_as or asked.word for asked in query.asked]
    return dict.fromkeys((part for word in words for part in trigrams(word)), 1.0)


def cover_groups(query: Query) -> list[dict[str, float]]:
    """Return the readings of each word that makes a query one of the field, out of 1 in all."""
    # A query of light words only, such as "left the company", has nothing better to go by.
    told = [asked for asked in query.asked if not asked.light] or query.asked
    heavy = [(asked, _NAMED if asked.named else 1.0) for asked in told]
    whole = sum(weight for _, weight in heavy)
    return [
        {
            name: weight * (_MEANT if value == MEANT else value) / whole
            for name, value in asked.stems.items()
        }
        for asked, weight in heavy
    ]


def _ranked(
    lexical: Sequence[float],
    trigram: Sequence[float],
    coverage: Sequence[float],
    limit: int,
    gate: Gate,
) -> list[Found]:
    kept = [
        number
        for number, value in enumerate(coverage)
        if value >= gate.covered and lexical[number] > 0
    ]
    most_words = max((lexical[number] for number in kept), default=0.0) or 1.0
    most_parts = max((trigram[number] for number in kept), default=0.0) or 1.0
    found = [
        Found(
            number=number,
            score=round((lexical[number] / most_words + trigram[number] / most_parts) / 2, DIGITS),
            lexical=round(lexical[number] / most_words, DIGITS),
            trigram=round(trigram[number] / most_parts, DIGITS),
            embedding=0.0,
            cosine=None,
            coverage=round(coverage[number], DIGITS),
        )
        for number in kept
    ]
    return sorted(found, key=lambda one: (-one.score, one.number))[:limit]


def _ranked_near(
    lexical: Sequence[float],
    trigram: Sequence[float],
    coverage: Sequence[float],
    near: tuple[NDArray[np.float64], NDArray[np.float64]],
    limit: int,
    gate: Gate,
) -> list[Found]:
    import numpy as np

    covered = np.asarray(coverage)
    nearness, cosine = near
    kept = np.flatnonzero(gate.passes(covered, cosine))
    if not len(kept):
        return []
    shares = [_shares(np.asarray(part)[kept]) for part in (lexical, trigram, nearness)]
    score = np.round((shares[0] + shares[1] + shares[2]) / 3, DIGITS)
    order = np.argsort(-score, kind="stable")[:limit]
    rounded = [np.round(share[order], DIGITS).tolist() for share in shares]
    columns = zip(
        kept[order].tolist(),
        score[order].tolist(),
        *rounded,
        cosine[kept[order]].tolist(),
        np.round(covered[kept[order]], DIGITS).tolist(),
        strict=True,
    )
    return [
        Found(
            number=number,
            score=total,
            lexical=word,
            trigram=part,
            embedding=meaning,
            cosine=best,
            coverage=share,
        )
        for number, total, word, part, meaning, best, share in columns
    ]


def _shares(values: NDArray[np.float64]) -> NDArray[np.float64]:
    most = values.max()
    return values / most if most > 0 else values
