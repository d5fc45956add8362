"""Processor time of a thread, without what the garbage collector takes.

A full collection of a large heap takes a second or two, and it happens in whichever code allocates
next: a rendering that is bounded by time must not be blamed for it.
"""

from __future__ import annotations

import gc
from time import thread_time

_collecting_s = 0.0
_began = 0.0


def spent_s() -> float:
    """Return the processor time of this thread; only differences mean something."""
    return thread_time() - _collecting_s


def _watch(phase: str, info: dict[str, int]) -> None:
    """Add up full collections; those of younger generations take next to nothing."""
    global _collecting_s, _began
    if info["generation"] < 2:
        return
    if phase == "start":
        _began = thread_time()
    else:
        _collecting_s += thread_time() - _began


gc.callbacks.append(_watch)
