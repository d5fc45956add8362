"""What the field calls things: words that say nothing, and words that mean others.

`terms.json` is to hold general knowledge of operating AWS. Parts of it were written with the
development questions in sight, so that only held-out ones tell what it is worth (ADR 18).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from naftiko.search.words import stem, words_of

_LONGEST = 3
"""Words of a phrase, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """`stop` words are not searched for. `light` ones are, but do not make a query of the field.

    `means` leads from the stems of a word or phrase to the words it stands for; `spelled` holds
    its single words as they are written, `stems` their stems. `names` are stems of names of
    products, which say more of what is asked than other words do.
    """

    stop: frozenset[str]
    light: frozenset[str]
    means: Mapping[tuple[str, ...], tuple[str, ...]]
    spelled: frozenset[str]
    stems: frozenset[str]
    names: frozenset[str]

    def phrases(self, words: Sequence[str]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
        """Return the phrases among words, the longest at each place: start, length, meaning."""
        stems = tuple(stem(word) for word in words)
        for start in range(len(stems)):
            for length in range(min(_LONGEST, len(stems) - start), 0, -1):
                meaning = self.means.get(stems[start : start + length])
                if meaning is not None:
                    yield start, length, meaning
                    break


@cache
def load_terms() -> Terms:
    """Return the terms, which are read once."""
    given = json.loads(Path(__file__).with_name("terms.json").read_text(encoding="utf-8"))
    means: dict[tuple[str, ...], tuple[str, ...]] = {}
    spelled: set[str] = set()
    for phrase, meaning in given["means"].items():
        words = words_of(phrase)
        means[tuple(stem(word) for word in words)] = tuple(meaning.split())
        spelled.update(words, meaning.split())
    return Terms(
        stop=frozenset(given["stop"].split()),
        light=frozenset(stem(word) for word in given["light"].split()),
        means=means,
        spelled=frozenset(spelled),
        stems=frozenset(stem(word) for word in spelled),
        names=frozenset(stem(word) for word in given["names"].split()),
    )
