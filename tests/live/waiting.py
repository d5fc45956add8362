"""Waiting for something another process or thread does, with a bound."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_PAUSE = threading.Event()


def until(look: Callable[[], T | None], within_s: float = 20.0) -> T:
    """Look until there is something to see; fail when time is up."""
    deadline = time.monotonic() + within_s
    while True:
        seen = look()
        if seen is not None:
            return seen
        assert time.monotonic() < deadline, "it did not happen in time"
        _PAUSE.wait(0.05)
