"""Misspelt words -> the words that were meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from naftiko.search.words import trigrams

MIN_LETTERS = 3
"""Shorter words are as near to others as to themselves."""

_ONE_MISTAKE = 4
"""From so many letters on, any mistake is forgiven: shorter words may only have two swapped."""

MAX_LETTERS = 24

_TWO_MISTAKES = 8
"""From so many letters on, two mistakes are one word's."""

_LOOKED_AT = 24
"""Words that share the most trigrams, whose distance is taken."""


class Speller:
    """Finds the nearest of known words. Frozen once it is made."""

    def __init__(self, known: Iterable[str]) -> None:
        """Read the words: those that are letters only, for numbers and ids are not guessed."""
        self._words = sorted(
            {word for word in known if MIN_LETTERS <= len(word) <= MAX_LETTERS and word.isalpha()}
        )
        self._having: dict[str, list[int]] = {}
        self._of_letters: dict[str, list[int]] = {}
        for number, word in enumerate(self._words):
            self._of_letters.setdefault("".join(sorted(word)), []).append(number)
            for part in set(trigrams(word)):
                self._having.setdefault(part, []).append(number)

    def nearest(self, word: str) -> str | None:
        """Return the known word that a word is a misspelling of: databse -> database.

        One mistake (a letter too many, too few, another one, or two swapped) is forgiven, from 8
        letters on two; the first letter is right, unless it changed places with the second. In
        words of 3 letters, vcp for vpc, two are swapped.
        """
        if not MIN_LETTERS <= len(word) <= MAX_LETTERS or not word.isalpha():
            return None
        allowed = 2 if len(word) >= _TWO_MISTAKES else 1
        shared: Counter[int] = Counter()
        for part in sorted(set(trigrams(word))):
            shared.update(self._having.get(part, ()))
        # Short words with two letters swapped have no trigram in common: vcp, vpc.
        shared.update(self._of_letters.get("".join(sorted(word)), ()))
        near = sorted(shared.items(), key=lambda item: (-item[1], item[0]))[:_LOOKED_AT]
        best: tuple[int, int, str] | None = None
        for number, count in near:
            other = self._words[number]
            if other[0] != word[0] and other[:2] != word[1::-1]:
                continue
            if len(word) < _ONE_MISTAKE and sorted(word) != sorted(other):
                continue
            mistakes = distance(word, other, allowed)
            found = (mistakes, -count, other)
            if mistakes <= allowed and (best is None or found < best):
                best = found
        return None if best is None else best[2]


def distance(one: str, other: str, most: int) -> int:
    """Return how many mistakes lie between two words, where more than `most` are all the same.

    A mistake is a letter added, left out or exchanged, or two neighbours swapped (optimal string
    alignment).
    """
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, 1):
        now = [place]
        for column, against in enumerate(other, 1):
            cost = min(row[column] + 1, now[-1] + 1, row[column - 1] + (letter != against))
            if _swapped(one, other, place, column):
                cost = min(cost, before[column - 2] + 1)
            now.append(cost)
        if min(now) > most:
            return most + 1
        before, row = row, now
    return row[-1]


def _swapped(one: str, other: str, place: int, column: int) -> bool:
    return (
        place > 1
        and column > 1
        and one[place - 1] == other[column - 2]
        and one[place - 2] == other[column - 1]
    )
