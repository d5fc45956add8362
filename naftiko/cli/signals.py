"""Waiting for the signal that ends a command."""

from __future__ import annotations

import signal
import threading
from types import FrameType


def wait_for_signal() -> str:
    """Block until SIGINT or SIGTERM and return its name; a second one ends the process at once."""
    came = threading.Event()
    caught: list[signal.Signals] = []
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, _frame: FrameType | None) -> None:
        caught.append(signal.Signals(number))
        for each, handler in previous.items():
            signal.signal(each, handler)
        came.set()

    for number in previous:
        signal.signal(number, stop)
    while not came.wait(3600):
        pass
    return caught[0].name
