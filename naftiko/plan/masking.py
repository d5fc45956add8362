"""Keeps secrets out of every text that leaves the engine."""

from __future__ import annotations

import re
from collections.abc import Iterable

from naftiko.values import JsonValue

MASK = "***"
MIN_LENGTH = 4
"""Shorter values are not masked: they would blot out half of every text, and hide nothing."""


class Masker:
    """Replaces every known secret in a text by `***`.

    Thread-safe for reading: values and pattern are each swapped in one assignment. The pattern is
    compiled when a text comes, once for all values added until then: compiling it for each of
    thousands of values takes minutes.
    """

    def __init__(self) -> None:
        """Start without secrets."""
        self._values: frozenset[str] = frozenset()
        self._public: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    def add(self, value: str) -> None:
        """Mask this value from now on, also where JSON or a URL escapes it."""
        if len(value.strip()) < MIN_LENGTH or value in self._values:
            return
        if value in self._public:
            return
        self._values |= _spellings(value)
        self._pattern = None

    def forget(self, value: str) -> None:
        """Stop masking a value that opens nothing any more, such as a token of last week.

        What is masked makes every text that is written cost more.
        """
        if value in self._values:
            self._values -= _spellings(value)
            self._pattern = None

    def publish(self, names: Iterable[str]) -> None:
        """Never mask one of these names: the file tells them to everybody anyway.

        A table called `orders` would turn the route `/orders` into `/***`; a path counts by its
        segments. A secret that is only part of a name is masked there too. To be called before
        the values are added.
        """
        self._public |= {part for name in names for part in name.split("/")}

    def __call__(self, text: str) -> str:
        """Return the text with every secret masked."""
        if not self._values:
            return text
        return (self._pattern or self._compiled()).sub(MASK, text)

    def _compiled(self) -> re.Pattern[str]:
        values = self._values
        longest_first = sorted(values, key=len, reverse=True)
        pattern = re.compile("|".join(map(re.escape, longest_first)))
        if values is self._values:  # else one was added meanwhile, and the next text compiles again
            self._pattern = pattern
        return pattern


def _spellings(value: str) -> frozenset[str]:
    from json import dumps
    from urllib.parse import quote, quote_plus

    return frozenset((value, dumps(value)[1:-1], quote(value, safe=""), quote_plus(value)))


class JoinedMasker(Masker):
    """Masks the secrets of several maskers, those that they learn later too."""

    def __init__(self, maskers: Iterable[Masker]) -> None:
        """Join maskers."""
        super().__init__()
        self._maskers = tuple(maskers)

    def __call__(self, text: str) -> str:
        """Return the text with every secret of every masker masked."""
        for masker in self._maskers:
            text = masker(text)
        return super().__call__(text)


def mask_json(value: JsonValue, masker: Masker) -> JsonValue:
    """Return a value with every secret in its texts and names masked."""
    if isinstance(value, str):
        return masker(value)
    if isinstance(value, dict):
        return {masker(name): mask_json(item, masker) for name, item in value.items()}
    if isinstance(value, list):
        return [mask_json(item, masker) for item in value]
    return value
