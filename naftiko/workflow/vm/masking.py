"""The secret values of one execution, taken out of what AWS said about an error.

AWS likes to repeat what was wrong: "Value 'hunter2' at 'masterUserPassword' ...". Spec: section 8.
"""

from __future__ import annotations

import re

from naftiko.values import JsonValue

MASK = "***"
WHOLE_WORD = 4
"""Shorter secrets are only taken out where they stand alone: too much else has them as a part."""


class Masking:
    """What must not be shown: parameters, members and outputs that the plan says are sensitive."""

    def __init__(self) -> None:
        """Know none."""
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, value: JsonValue) -> None:
        """Note a value, of a list or map all that is in it."""
        match value:
            case dict():
                for item in value.values():
                    self.add(item)
            case list():
                for item in value:
                    self.add(item)
            case bool() | None:
                return
            case _:
                self._add(str(value))

    def _add(self, text: str) -> None:
        if text.strip() and text not in self._known:
            self._known.add(text)
            self._pattern = None

    def masked(self, value: JsonValue) -> JsonValue:
        """Return a value with `***` for every secret in its texts."""
        if not self._known:
            return value
        match value:
            case str():
                return self._compiled().sub(MASK, value)
            case dict():
                return {name: self.masked(item) for name, item in value.items()}
            case list():
                return [self.masked(item) for item in value]
        return value

    def _compiled(self) -> re.Pattern[str]:
        if self._pattern is None:
            # The longest first: one secret may be a part of another.
            ordered = sorted(self._known, key=lambda text: (-len(text), text))
            self._pattern = re.compile("|".join(map(_alternative, ordered)))
        return self._pattern


def _alternative(text: str) -> str:
    quoted = re.escape(text)
    return quoted if len(text) >= WHOLE_WORD else rf"(?<!\w){quoted}(?!\w)"
