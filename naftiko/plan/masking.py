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

    Thread-safe for reading; `add` swaps the compiled pattern in one assignment.
    """

    def __init__(self) -> None:
        """Start without secrets."""
        self._values: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    def add(self, value: str) -> None:
        """Mask this value from now on, also where JSON or a URL escapes it."""
        from json import dumps
        from urllib.parse import quote, quote_plus

        if len(value.strip()) < MIN_LENGTH or value in self._values:
            return
        self._values |= {value, dumps(value)[1:-1], quote(value, safe=""), quote_plus(value)}
        longest_first = sorted(self._values, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def __call__(self, text: str) -> str:
        """Return the text with every secret masked."""
        return self._pattern.sub(MASK, text) if self._pattern else text


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
