"""What a caller hears of a long run whose file has no `progress` steps: how far it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic

from naftiko.plan.run import Progress

QUIET_S = 0.5
"""Rounds of a loop are told at most this often."""


@dataclass(slots=True, kw_only=True)
class Telling:
    """Tells which of the operation's own steps runs, and the rounds of loops between two of them.

    What is told only grows, as MCP asks: a step is 1, the rounds of a loop share it.
    """

    progress: Progress
    total: int
    done: int = 0
    _told: float = field(default=-1.0, init=False)
    _next_s: float = field(default=0.0, init=False)

    async def step(self, number: int, label: str) -> None:
        """Tell that a step begins: (1, 3, "list-crew") for the second of three."""
        self.done = number
        await self._tell(float(number), label)

    async def rounds(self, finished: int, most: int, path: str, *, exact: bool) -> None:
        """Tell how many rounds of a loop are over; `exact` where `most` is how many there are."""
        if monotonic() < self._next_s:
            return
        shown = f"{path}: {finished} of {most}" if exact else f"{path}: round {finished}"
        await self._tell(self.done + finished / (most + 1), shown)

    async def _tell(self, value: float, message: str) -> None:
        if value <= self._told:
            return
        self._told = value
        self._next_s = monotonic() + QUIET_S
        await self.progress(value, float(self.total), message)
