"""Waiting for tasks, and tasks that go on when nobody waits for them any longer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from naftiko.workflow.ports import Clock

T = TypeVar("T")


class Aside:
    """Does what must not end halfway, though whoever asked for it stops waiting."""

    def __init__(self) -> None:
        """Nothing is under way yet."""
        self._tasks: set[asyncio.Task[Any]] = set()

    async def do(self, doing: Coroutine[Any, Any, T]) -> T:
        """Do something, and return what comes of it."""
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(look_at)
        return await asyncio.shield(task)

    async def settled(self) -> None:
        """Wait for all that is under way now."""
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def done_within(task: asyncio.Task[Any], clock: Clock, wait_s: float | None) -> None:
    """Wait until a task is done, for `wait_s` at most; it goes on after that."""
    if wait_s is None:
        await asyncio.wait({task})
        return
    timer = asyncio.ensure_future(clock.sleep(wait_s))
    try:
        await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
        await asyncio.gather(timer, return_exceptions=True)


async def ended(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def look_at(task: asyncio.Task[Any]) -> None:
    """Take note of how a task ended that nobody may be waiting for; it has been logged."""
    if not task.cancelled():
        task.exception()
