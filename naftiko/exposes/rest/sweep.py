"""What must happen to requests that take long: their bodies get late, their callers go away."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from naftiko.exposes.rest.body import DisconnectedError

if TYPE_CHECKING:
    from starlette.types import Receive

SWEEP_EVERY_S = 0.1

T = TypeVar("T")


class _Entry(Protocol):
    """Something that is due at a time of the loop's clock, unless it is over by then."""

    due: float

    def act(self) -> None: ...


class Sweeper:
    """Looks at what is under way ten times a second, if anything is.

    Most requests end within a millisecond or two. A timer for each costs more than reading its
    inputs; being put in a set and taken out again costs next to nothing.
    """

    def __init__(self) -> None:
        """Start with nothing under way."""
        self._entries: set[_Entry] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def while_connected(self, work: Coroutine[Any, Any, T], receive: Receive) -> T:
        """Await the work in the current task; cancel it when the caller disconnects.

        Raises: DisconnectedError, and what the work raises.
        """
        watch = _Watch(receive)
        self._add(watch, SWEEP_EVERY_S)
        try:
            return await work
        except asyncio.CancelledError:
            if not watch.gone:
                raise
            watch.task.uncancel()
            raise DisconnectedError from None
        finally:
            self._entries.discard(watch)
            watch.stop()

    async def within(self, seconds: float, work: Coroutine[Any, Any, T]) -> T:
        """Await the work in the current task for that long, give or take a sweep.

        Raises: TimeoutError, and what the work raises.
        """
        deadline = _Deadline()
        self._add(deadline, seconds)
        try:
            return await work
        except asyncio.CancelledError:
            if not deadline.passed:
                raise
            deadline.task.uncancel()
            raise TimeoutError from None
        finally:
            self._entries.discard(deadline)

    def _add(self, entry: _Entry, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        entry.due = loop.time() + seconds
        self._entries.add(entry)
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(SWEEP_EVERY_S, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:
            return
        now = loop.time()
        due = [entry for entry in self._entries if entry.due <= now]
        self._entries.difference_update(due)
        for entry in due:
            entry.act()
        if self._entries:
            loop.call_later(SWEEP_EVERY_S, self._sweep, loop)
        else:
            self._loop = None


class _Deadline:
    """Cancels the task that made it."""

    __slots__ = ("due", "passed", "task")

    def __init__(self) -> None:
        self.due = 0.0
        self.passed = False
        self.task = _current_task()

    def act(self) -> None:
        self.passed = True
        self.task.cancel()


class _Watch:
    """Waits for the caller to go, then cancels the task that serves it."""

    __slots__ = ("_receive", "_waiting", "due", "gone", "task")

    def __init__(self, receive: Receive) -> None:
        self.due = 0.0
        self.gone = False
        self.task = _current_task()
        self._receive = receive
        self._waiting: asyncio.Task[None] | None = None

    def act(self) -> None:
        self._waiting = asyncio.get_running_loop().create_task(self._wait())

    def stop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass  # what is left of a body that no input asks for
        self.gone = True
        self.task.cancel()


def _current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None  # a coroutine on asyncio runs in a task
    return task
