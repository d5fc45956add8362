"""Paths of a checked plan into what AWS answers: `DBInstances[0].Endpoint`.

What authors write is read by resolution/paths.py, which tells what is wrong with it.
"""

from __future__ import annotations

import re

_PART = re.compile(r"([^.\[\]]+)|\[(-?\d+)\]")


def parts_of(path: str) -> tuple[str | int, ...]:
    """Return a path's parts: "Contents[-1].Key" -> ("Contents", -1, "Key").

    An index below zero, which counts from the end, stands in tokens of pages alone.
    """
    return tuple(
        found.group(1) if found.group(2) is None else int(found.group(2))
        for found in _PART.finditer(path)
    )
