"""What one path may cost: counted while it looks, refused past a bound."""

from __future__ import annotations

from naftiko.errors import ShapingError

MAX_RESULTS = 100_000
MAX_VISITS = 1_000_000
"""How many values one path may look at; a comparison counts as COMPARISON of them."""
COMPARISON = 5


class Meter:
    """Counts what the deep scans and filters of one path look at."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        """Start with all of it."""
        self._left = MAX_VISITS

    def spend(self, visits: int) -> None:
        """Count.

        Raises: ShapingError[too-many-values].
        """
        self._left -= visits
        if self._left < 0:
            raise too_many()


def too_many() -> ShapingError:
    """Return the error for a path that finds, or looks at, too much."""
    return ShapingError(code="too-many-values", message="a path finds too many values")
