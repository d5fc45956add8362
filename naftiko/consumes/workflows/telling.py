"""Tells a caller how an execution gets on: steps by their ids, nothing of AWS."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from naftiko.values import JsonObject

if TYPE_CHECKING:
    from naftiko.plan.run import Progress, Run
    from naftiko.workflow.ports import StepEvent
    from naftiko.workflow.runtime.orders import OnEvent

logger = logging.getLogger("naftiko")

MAX_WAITING = 1_000
"""Events that a slow caller has not heard of yet; more are left out."""

_BEGUN = 0.25
_GOING_ON = 0.5
_OVER = frozenset({"succeeded", "failed", "skipped"})


class Leaving:
    """Cancels executions whose last caller does not want them any more, in tasks of its own.

    A caller that says so cancels in any case; one that has only gone, `with_callers`.
    """

    def __init__(self, cancel: Callable[[str], Awaitable[object]], *, with_callers: bool) -> None:
        """Take what cancels an execution by its id."""
        self._cancel = cancel
        self._with_callers = with_callers
        self._waiting: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def come(self, execution_id: str) -> None:
        """Note that somebody waits for an execution."""
        self._waiting[execution_id] += 1

    def go(self, execution_id: str, *, early: bool, asked: bool) -> None:
        """Note that one of them does not any more.

        `early`: before it was over. `asked`: it has said that it is to be cancelled.
        """
        self._waiting[execution_id] -= 1
        if self._waiting[execution_id] > 0:
            return
        del self._waiting[execution_id]
        if early and (asked or self._with_callers):
            task = asyncio.get_running_loop().create_task(self._end(execution_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _end(self, execution_id: str) -> None:
        try:
            await self._cancel(execution_id)
        except Exception as error:  # noqa: BLE001  # nobody else would hear of it
            logger.warning("the execution %s was not cancelled: %s", execution_id, error)

    async def close(self) -> None:
        """Wait for what is being cancelled."""
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)


async def following(
    work: Callable[[OnEvent | None], Awaitable[JsonObject]], run: Run, leaving: Leaving
) -> JsonObject:
    """Do the work, and tell the caller of its events if it wants to hear of them."""
    events: asyncio.Queue[StepEvent | None] = asyncio.Queue(MAX_WAITING)
    execution: list[str] = []

    def heard(event: StepEvent) -> None:
        if not execution:
            execution.append(event.execution_id)
            leaving.come(event.execution_id)
        with suppress(asyncio.QueueFull):
            events.put_nowait(event)

    progress = run.progress
    telling = asyncio.create_task(_tell(events, progress)) if progress is not None else None
    is_over = False
    try:
        result = await work(heard)
        is_over = True
        if telling is not None:
            await _rest(events, telling)
    finally:
        if execution:
            leaving.go(execution[0], early=not is_over, asked=run.cancel_asked())
        if telling is not None:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
    return result


async def _rest(events: asyncio.Queue[StepEvent | None], telling: asyncio.Task[None]) -> None:
    """Let everything be told that has happened, unless the caller cannot be told any more."""
    if telling.done():
        return
    ending = asyncio.ensure_future(events.put(None))
    await asyncio.wait({telling}, timeout=5.0)
    ending.cancel()
    with suppress(asyncio.CancelledError):
        await ending


async def _tell(events: asyncio.Queue[StepEvent | None], progress: Progress) -> None:
    told = -1.0
    while (event := await events.get()) is not None:
        value = min(_value(event), float(event.total or event.done + 1))
        if value < told or (value == told and event.phase not in {"failed", "rollback"}):
            continue
        # What is told only grows, as MCP asks.
        value = value if value > told else told + 0.001
        told = value
        await progress(value, float(event.total) if event.total else None, _message(event))


def _value(event: StepEvent) -> float:
    """Return how much is done: a step that runs counts for a part, more with each attempt."""
    if event.phase == "started":
        return event.done + _BEGUN
    if event.phase == "waiting":
        return event.done + _GOING_ON + _GOING_ON * (1 - 1 / (event.attempt + 1)) * 0.9
    return float(_done(event))


def _done(event: StepEvent) -> int:
    """Return how many steps are over, the one that has just ended among them."""
    return event.done + (event.phase in _OVER)


def _message(event: StepEvent) -> str:
    """("create_snapshot", "started") -> "create_snapshot (AWS_CALL) started, 1 of 5 done"."""
    attempt = f", attempt {event.attempt}" if event.attempt > 1 else ""
    done = f"{_done(event)} of {event.total} done"
    return f"{event.step_id} ({event.op}) {event.phase}{attempt}, {done}"
