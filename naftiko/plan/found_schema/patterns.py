"""Regular expressions of schemas: those that the validator takes, at a bounded cost."""

from __future__ import annotations

import re
from typing import Final

from naftiko.plan.inputs import MAX_LOOK_AROUND_TEXT, compile_validator
from naftiko.plan.schema_bounds import with_bounded_patterns

MAX_COST: Final = 1_000_000
"""What all patterns may cost to compile, each time that they stand in the result: characters, times
how often they may be repeated, more for classes of Unicode. It takes about a second."""
MAX_REPEATS: Final = 10_000
_REPEATS = re.compile(r"\{(\d{1,9})(?:,(\d{0,9}))?\}")
_WIDE = re.compile(r"\\[pP]|[^\x00-\x7f]|\(\?")
_WIDE_FACTOR: Final = 50


class Patterns:
    """Tries each pattern once."""

    def __init__(self) -> None:
        """Know none yet."""
        self._left = MAX_COST
        self._known: dict[tuple[str, bool], bool] = {}

    def takes(self, pattern: str, *, names: bool = False) -> bool:
        """Tell whether a pattern can be used, for `names` of members or for texts."""
        repeats = 1
        for least, most in _REPEATS.findall(pattern):
            repeats *= max(int(most or least), 1)
            if repeats > MAX_REPEATS:
                return False
        self._left -= len(pattern) * repeats * (_WIDE_FACTOR if _WIDE.search(pattern) else 1)
        if self._left < 0:
            return False
        key = (pattern, names)
        if key not in self._known:
            self._known[key] = _compiles(pattern, names=names)
        return self._known[key]


def _compiles(pattern: str, *, names: bool) -> bool:
    if names and "allOf" in with_bounded_patterns({"pattern": pattern}, MAX_LOOK_AROUND_TEXT):
        # No `maxLength` can stand before it.
        return False
    try:
        compile_validator({"patternProperties": {pattern: True}} if names else {"pattern": pattern})
    except ValueError:
        return False
    return True
