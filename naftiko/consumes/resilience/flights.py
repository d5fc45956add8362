"""Single flight: of callers that miss the same answer at once, one calls and the others wait."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Hashable
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from naftiko.consumes.resilience.clock import PerLoop
from naftiko.errors import DeadlineError, RunError
from naftiko.plan.ports import Result

if TYPE_CHECKING:
    from naftiko.consumes.resilience.store import Stored
    from naftiko.plan.run import Run


class _Again(Enum):
    AGAIN = "again"


AGAIN: Final = _Again.AGAIN
"""The one who called was cancelled or out of time: look again, and call."""

_Landed: TypeAlias = "Stored | RunError | Literal[_Again.AGAIN] | None"
Work: TypeAlias = Callable[[], Awaitable["tuple[Result, Stored | None]"]]


class Flights:
    """What is under way, by key, on each event loop."""

    def __init__(self) -> None:
        """Start with nothing under way."""
        self._under_way: PerLoop[dict[Hashable, asyncio.Future[_Landed]]] = PerLoop(dict)

    def is_under_way(self, key: Hashable) -> bool:
        """Tell whether somebody calls for this key."""
        return key in self._under_way.get()

    async def join(
        self, key: Hashable, run: Run, work: Work
    ) -> Result | Literal[_Again.AGAIN] | None:
        """Call, or wait for the one who does; None where their answer is for them alone.

        Raises: what the call raises, for everybody; DeadlineError for one who waited too long.
        """
        under_way = self._under_way.get()
        flight = under_way.get(key)
        if flight is not None:
            return await self._landed(flight, run)
        flight = under_way[key] = asyncio.get_running_loop().create_future()
        landed: _Landed = AGAIN
        try:
            result, landed = await work()
        except RunError as error:
            if not isinstance(error, DeadlineError) or run.remaining_s() != 0:
                landed = copy.copy(error)
            raise
        finally:
            del under_way[key]
            flight.set_result(landed)
        return result

    async def _landed(
        self, flight: asyncio.Future[_Landed], run: Run
    ) -> Result | Literal[_Again.AGAIN] | None:
        try:
            async with asyncio.timeout(run.remaining_s()):
                landed = await asyncio.shield(flight)
        except TimeoutError:
            raise DeadlineError(message="no time was left to wait for the same call") from None
        if isinstance(landed, RunError):
            raise copy.copy(landed)
        return landed.result() if landed is not None and landed is not AGAIN else landed
