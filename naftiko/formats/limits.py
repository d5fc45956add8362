"""How much of an answer is read: values, nesting and time; and what ends reading."""

from __future__ import annotations

import time

MAX_VALUES = 1_000_000
"""Each costs 60 bytes and more in memory."""
MAX_DEPTH = 200
"""JSON libraries follow some 250 levels when the value is written again."""
TIME_LIMIT_S = 10.0

_LOOKS_AT_CLOCK_EVERY = 2_000


class UnreadableError(Exception):
    """An answer is not of its format, or is too much; the text says why, in half a sentence."""


class FormatError(Exception):
    """A format cannot be read with this schema: a problem of the file."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        """Keep a problem's code, message and hint."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class Budget:
    """What one answer may still cost. `time_limit_s` runs from now on."""

    __slots__ = ("_deadline", "_left", "_until_clock")

    def __init__(self, time_limit_s: float = TIME_LIMIT_S) -> None:
        """Start the clock."""
        self._left = MAX_VALUES
        self._deadline = time.monotonic() + time_limit_s
        self._until_clock = 0

    def take(self, values: int = 1) -> None:
        """Count some values.

        Raises: UnreadableError where there are too many, or the time is up.
        """
        self._left -= values
        if self._left < 0:
            raise UnreadableError(f"it holds more than {MAX_VALUES} values")
        self._until_clock -= 1
        if self._until_clock <= 0:
            self._until_clock = _LOOKS_AT_CLOCK_EVERY
            if self.remaining_s() <= 0:
                raise UnreadableError("reading it takes too long")

    def remaining_s(self) -> float:
        """Return the seconds left."""
        return self._deadline - time.monotonic()


def check_depth(depth: int) -> None:
    """Refuse what nests too deep.

    Raises: UnreadableError.
    """
    if depth > MAX_DEPTH:
        raise UnreadableError(f"it nests deeper than {MAX_DEPTH} levels")
