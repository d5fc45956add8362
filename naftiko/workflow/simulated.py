"""A clock whose hours pass in no time, for tests of the engine and of workflows.

Time moves only when every task that uses the clock waits: to the moment at which the first of them
wakes up. While a call is under way (`calling`) it stands still.
"""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta

from naftiko.workflow.ports import AwsAnswer, AwsRequest, CallAws

_ROUNDS = 12
"""Turns of the event loop in which nobody does anything new before time moves."""

EPOCH = datetime(2026, 1, 31, 10, 0, 0, tzinfo=UTC)


class SimulatedClock:
    """Time that moves by sleeping."""

    def __init__(self, start: datetime = EPOCH) -> None:
        """Begin at `start`, UTC."""
        self._start = start
        self._elapsed = 0.0
        self._order = 0
        self._sleepers: list[tuple[float, int]] = []
        self._busy = 0
        self._still = asyncio.Event()
        self._still.set()
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Return the time in UTC."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Let time pass while nobody waits for it."""
        self._elapsed += seconds

    async def sleep(self, seconds: float) -> None:
        """Wait until all other sleepers that wake up earlier have done so."""
        self.slept.append(seconds)
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        self._order += 1
        mine = (self._elapsed + seconds, self._order)
        heapq.heappush(self._sleepers, mine)
        try:
            while self._elapsed < mine[0]:
                await self._quiet(mine)
        finally:
            self._sleepers.remove(mine)
            heapq.heapify(self._sleepers)

    async def _quiet(self, mine: tuple[float, int]) -> None:
        seen = (self._order, self._elapsed, len(self._sleepers))
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)
            await self._still.wait()
        now = (self._order, self._elapsed, len(self._sleepers))
        if seen == now and self._sleepers[0] == mine:
            self._elapsed = max(self._elapsed, mine[0])

    def calling(self, call: CallAws) -> CallAws:
        """Return the call, with time standing still while it is under way."""

        async def called(request: AwsRequest, /) -> AwsAnswer:
            self._busy += 1
            self._still.clear()
            try:
                return await call(request)
            finally:
                self._busy -= 1
                if not self._busy:
                    self._still.set()

        return called
