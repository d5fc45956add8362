"""A question -> the words that are searched for, each with its other readings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from naftiko.search.spelling import Speller
from naftiko.search.terms import Terms
from naftiko.search.words import MAX_TEXT, pairs, stem, words_of

MAX_WORDS = 64
"""Words of a query that are read."""

CORRECTED = 0.75
"""What a corrected word counts, beside 1 for one that was written so."""

MEANT = 0.5
"""What a word counts that another one stands for."""


@dataclass(slots=True)
class Asked:
    """A word of the query. `stems` are its readings and what each counts, 1 for itself.

    `read_as` is the word that it is a misspelling of; `light` words say little on their own,
    `named` ones are the name of a product.
    """

    word: str
    stems: dict[str, float]
    light: bool = False
    named: bool = False
    known: bool = False
    read_as: str | None = None
    meant: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is searched for.

    `text` is its words, corrected and without stop words; `hints` are what they stand for.
    """

    asked: tuple[Asked, ...]
    text: str
    hints: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The words that the documents have: as stems, and as written.

    `is_word` tells whether a word that they do not have is one of the language; `near` returns the
    documents' words that are near to it in meaning, and how near.
    """

    has: Callable[[str], bool]
    speller: Speller
    is_word: Callable[[str], bool]
    near: Callable[[str], Mapping[str, float]]


def read_query(text: str, terms: Terms, vocabulary: Vocabulary) -> Query:
    """Read a query. It may be anything that somebody, or something, has typed."""
    written = words_of(text[:MAX_TEXT])[:MAX_WORDS]
    corrected = _corrections(written, terms, vocabulary)
    words = [corrected.get(word, word) for word in written]
    asked: dict[str, Asked] = {}
    for was, word in zip(written, words, strict=True):
        if len(word) > 1 and word not in terms.stop:
            asked.setdefault(word, _asked(was, word, terms, vocabulary))
    for joined in pairs(words, lambda word: vocabulary.has(stem(word)) or word in terms.spelled):
        asked.setdefault(joined, _asked(joined, joined, terms, vocabulary))
    hints = _expand(words, asked, terms, vocabulary)
    for reading in asked.values():
        if not reading.known and not reading.light and reading.read_as is None:
            _approach(reading, vocabulary)
    return Query(
        asked=tuple(asked.values()),
        text=" ".join(reading.read_as or reading.word for reading in asked.values()),
        hints=" ".join(hints),
    )


def _corrections(written: Sequence[str], terms: Terms, vocabulary: Vocabulary) -> Mapping[str, str]:
    found = {}
    for word in dict.fromkeys(written):
        stemmed = stem(word)
        if word in terms.stop or stemmed in terms.light or stemmed in terms.stems:
            continue
        if vocabulary.has(stemmed) or vocabulary.is_word(word):
            continue
        nearest = vocabulary.speller.nearest(word)
        if nearest is not None:
            found[word] = nearest
    return found


def _asked(was: str, word: str, terms: Terms, vocabulary: Vocabulary) -> Asked:
    stemmed = stem(word)
    return Asked(
        word=was,
        stems={stemmed: 1.0 if was == word else CORRECTED},
        light=stemmed in terms.light or word.isdigit(),
        named=stemmed in terms.names,
        known=vocabulary.has(stemmed),
        read_as=None if was == word else word,
    )


def _expand(
    words: Sequence[str], asked: Mapping[str, Asked], terms: Terms, vocabulary: Vocabulary
) -> list[str]:
    """Give the words of each phrase what it stands for; return that, each once."""
    hints: dict[str, None] = {}
    for start, length, meaning in terms.phrases(words):
        for word in words[start : start + length]:
            reading = asked.get(word)
            if reading is None:
                continue
            for other in meaning:
                if not vocabulary.has(stem(other)):
                    continue
                hints.setdefault(other)
                if reading.stems.setdefault(stem(other), MEANT) == MEANT:
                    reading.meant.setdefault(stem(other), other)
    return list(hints)


def _approach(reading: Asked, vocabulary: Vocabulary) -> None:
    """Give a word that no document has the words that are near to it."""
    for other, nearness in vocabulary.near(reading.word).items():
        if reading.stems.setdefault(stem(other), nearness) == nearness:
            reading.meant.setdefault(stem(other), other)
