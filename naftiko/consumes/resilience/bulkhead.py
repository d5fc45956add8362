"""`bulkhead`: at most so many calls at once, so that one slow API does not take everything."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from naftiko.consumes.resilience.clock import PerLoop
from naftiko.consumes.resilience.layer import Call, Next
from naftiko.consumes.resilience.settings import BulkheadSettings
from naftiko.errors import ConsumedError
from naftiko.plan.ports import Result

if TYPE_CHECKING:
    from naftiko.plan.run import Run


@dataclass(slots=True)
class _Room:
    """The places on one event loop, and how many wait for one."""

    places: asyncio.Semaphore
    queued: int = 0


@dataclass(slots=True)
class Bulkhead:
    """Shared by all operations of the level where the block stands; counts per event loop."""

    settings: BulkheadSettings
    _rooms: PerLoop[_Room] = field(init=False)

    def __post_init__(self) -> None:
        """Open the rooms."""
        most = self.settings.max_concurrent
        self._rooms = PerLoop(lambda: _Room(asyncio.Semaphore(most)))

    async def run(self, call: Call, run: Run, then: Next) -> Result:
        """Take a place, call, leave.

        Raises: ConsumedError[too-busy].
        """
        room = self._rooms.get()
        if room.places.locked():
            await self._queue(room, call, run)
        else:
            await room.places.acquire()
        try:
            return await then(call, run)
        finally:
            room.places.release()

    async def _queue(self, room: _Room, call: Call, run: Run) -> None:
        if room.queued >= self.settings.max_queued:
            raise self._refusal(call)
        left_s = run.remaining_s()
        wait_s = self.settings.wait_s if left_s is None else min(self.settings.wait_s, left_s)
        room.queued += 1
        try:
            async with asyncio.timeout(wait_s):
                await room.places.acquire()
        except TimeoutError:
            raise self._refusal(call) from None
        finally:
            room.queued -= 1

    def _refusal(self, call: Call) -> ConsumedError:
        return ConsumedError(
            code="too-busy",
            message=f"`{call.operation}` has {self.settings.max_concurrent} calls under way, "
            "which is all its `bulkhead` allows",
            status=503,
            hint="try again a little later",
            retryable=True,
            details={"operation": call.operation},
        )

    def explain(self) -> str:
        """Say how many."""
        settings = self.settings
        return (
            f"bulkhead: {settings.max_concurrent} at once, {settings.max_queued} more wait up to "
            f"{settings.wait_s:g} s"
        )
