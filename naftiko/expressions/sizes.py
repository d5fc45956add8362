"""Amounts of data as people write them: `512 KiB`, `10MiB`."""

from __future__ import annotations

import re

_UNITS = {
    "": 1,
    "b": 1,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
}
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*\Z")
_MAX_LENGTH = 64


def parse_size_bytes(value: object) -> int:
    """Return a number of bytes.

    "10MiB" -> 10485760, "512 KiB" -> 524288, "1.5KiB" -> 1536, 4096 -> 4096

    Raises: ValueError with a sentence fit for a problem's message.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and len(value) <= _MAX_LENGTH:
        match = _SIZE.match(value)
        unit = _UNITS.get(match.group(2).lower()) if match else None
        if match and unit is not None:
            return _bytes(match.group(1), unit)
    is_short = isinstance(value, str) and len(value) <= _MAX_LENGTH
    shown = value if is_short else type(value).__name__
    message = f"`{shown}` is not a size such as `512KiB` or `10MiB`"
    raise ValueError(message)


def _bytes(number: str, unit: int) -> int:
    whole, _, fraction = number.partition(".")
    return int(whole) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
