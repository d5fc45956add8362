"""Spans of time as people write them: `500ms`, `10s`, `1m30s`."""

from __future__ import annotations

import math
import re

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*(ms|[smhd])")
_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*\Z")
_MAX_LENGTH = 64


def parse_duration_s(value: object) -> float:
    """Return seconds.

    "10s" -> 10.0, "500ms" -> 0.5, "1m30s" -> 90.0, 2 -> 2.0, "2" -> 2.0

    Raises: ValueError with a sentence fit for a problem's message.
    """
    seconds = _seconds(value)
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        is_short = isinstance(value, str) and len(value) <= _MAX_LENGTH
        shown = value if is_short else type(value).__name__
        message = f"`{shown}` is not a duration such as `500ms`, `10s` or `2m`"
        raise ValueError(message)
    return seconds


def _seconds(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e15 else None
    if not isinstance(value, str) or not value.strip() or len(value) > _MAX_LENGTH:
        return None
    number = _NUMBER.match(value)
    if number:
        return float(number.group(1))
    total = 0.0
    done = 0
    text = value.rstrip()
    while (part := _PART.match(text, done)) is not None:
        total += float(part.group(1)) * _UNITS_S[part.group(2)]
        done = part.end()
    return total if done == len(text) else None
