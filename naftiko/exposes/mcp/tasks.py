"""The tasks of one adapter: how many there may be, whose they are, and how long they are kept.

A task belongs to its `owner`, a session; without one its id alone leads to it, 192 random bits.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator

import anyio
import orjson
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS

from naftiko.errors import RunError
from naftiko.exposes.mcp.responses import error_answer
from naftiko.exposes.mcp.task import Task, now
from naftiko.exposes.mcp.wire import Wire
from naftiko.plan.capability import TaskServing
from naftiko.plan.masking import Masker

MAX_HELD_BYTES = 64 * 1024 * 1024
"""What arguments and results of all tasks of an adapter may take, as JSON."""
STOP_S = 5.0
"""How long cancelled tasks may take to come to their end when the server stops."""
_ID_BYTES = 24

logger = logging.getLogger("naftiko.exposes.mcp")


class TaskTable:
    """The tasks of one adapter: how many there may be, and how long.

    Those that ended make room for new ones, oldest first; those that run do not.
    """

    def __init__(
        self,
        options: TaskServing,
        masker: Masker,
        *,
        clock: Callable[[], float] = time.monotonic,
        max_held_bytes: int = MAX_HELD_BYTES,
    ) -> None:
        """Start empty."""
        self.options = options
        self.clock = clock
        self._masker = masker
        self._max_held_bytes = max_held_bytes
        self._held_bytes = 0
        self._tasks: dict[str, Task] = {}
        self._ended: dict[str, Task] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._tasks)

    def open(self, owner: object | None, ttl_s: float | None, given_bytes: int = 0) -> Task:
        """Return a new task, which does nothing yet. `given_bytes` are what its arguments take.

        Raises: MCPError where there are as many running as there may be.
        """
        if self._is_closed:
            raise MCPError(code=INTERNAL_ERROR, message="the server is stopping")
        self._make_room(owner)
        self._hold(given_bytes)
        wanted = self.options.ttl_s if ttl_s is None else ttl_s
        kept_s = min(max(wanted, 1.0), self.options.max_ttl_s)
        opened = now()
        task = Task(
            id=secrets.token_urlsafe(_ID_BYTES),
            owner=owner,
            ttl_s=kept_s,
            expires=self.clock() + kept_s,
            created=opened,
            updated=opened,
            size=given_bytes,
        )
        task.timer = asyncio.get_running_loop().call_later(kept_s, self._expire, task)
        self._tasks[task.id] = task
        return task

    def start(self, task: Task, call: Callable[[], Awaitable[Wire]]) -> None:
        """Run the call of a task from now on, whatever becomes of the request that asked for it."""
        running = asyncio.create_task(self._work(task, call), name=f"task {task.id[:6]}")
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    def find(self, id_: str, owner: object | None) -> Task:
        """Return a task of that owner.

        Raises: MCPError (-32602): there is none, be it another's, or long gone.
        """
        task = self._tasks.get(id_)
        if task is not None and task.expires <= self.clock():
            self._expire(task)
            task = None
        if task is None or task.owner is not owner:
            message = "there is no such task; it may have expired"
            raise MCPError(code=INVALID_PARAMS, message=message)
        return task

    def of(self, owner: object) -> list[Task]:
        """Return the tasks of one owner, oldest first."""
        self.sweep()
        return [task for task in self._tasks.values() if task.owner is owner]

    def cancel(self, task: Task, message: str) -> bool:
        """Cancel a task that its caller wants no more; False where it has ended."""
        task.unwanted = not task.has_ended
        if not task.cancel(message):
            return False
        self._release(task)
        self._ended[task.id] = task
        return True

    def sweep(self) -> None:
        """Drop every task whose time is over."""
        now = self.clock()
        for task in [task for task in self._tasks.values() if task.expires <= now]:
            self._expire(task)

    def end_owner(self, owner: object) -> None:
        """Cancel and forget what a session had that is over: nobody else can reach it."""
        for task in [task for task in self._tasks.values() if task.owner is owner]:
            self._drop(task, "its session is over")

    def close(self) -> None:
        """Cancel and forget every task, and take no more."""
        self._is_closed = True
        for task in list(self._tasks.values()):
            self._drop(task, "the server stops")

    async def stop(self) -> None:
        """Close, and wait until what ran has come to its end. New tasks may be opened then."""
        self.close()
        running = [task for task in self._running if task.get_loop() is asyncio.get_running_loop()]
        with anyio.CancelScope(shield=True):
            if running:
                _, late = await asyncio.wait(running, timeout=STOP_S)
                for task in late:
                    task.cancel()
        self._running.clear()
        self._is_closed = False

    async def _work(self, task: Task, call: Callable[[], Awaitable[Wire]]) -> None:
        outcome = await task.work(call)
        if outcome is None or task.has_ended:
            return
        outcome = self._fitting(task, outcome)
        if task.id in self._tasks:
            self._ended[task.id] = task
        await task.end(outcome)

    def _fitting(self, task: Task, outcome: Wire | MCPError) -> Wire | MCPError:
        """Count what is kept; older results make room for it."""
        self._release(task)
        if isinstance(outcome, MCPError):
            return outcome
        size = json_size(outcome)
        if size > self._max_held_bytes:
            limit = self._max_held_bytes // 2**20
            too_large = RunError(
                code="result-too-large", message=f"the result takes more than {limit} MiB to keep"
            )
            return error_answer(too_large, self._masker)
        self._free(size)
        if task.id in self._tasks:
            task.size = size
            self._held_bytes += size
        return outcome

    def _hold(self, size: int) -> None:
        """Count arguments, which stay for as long as their task runs: nobody has to wait for it.

        Raises: MCPError where the tasks that run hold too much.
        """
        self._free(size)
        if self._held_bytes + size > self._max_held_bytes:
            raise MCPError(
                code=INTERNAL_ERROR,
                message="the tasks that still run hold too much; wait for one to end",
                data={"code": "too-many-tasks", "retryable": True},
            )
        self._held_bytes += size

    def _free(self, size: int) -> None:
        """Drop what ended, oldest first, until so much may be kept."""
        for old in self._oldest():
            if self._held_bytes + size <= self._max_held_bytes:
                break
            self._drop(old)

    def _release(self, task: Task) -> None:
        """Count nothing for a task any more."""
        self._held_bytes -= task.size
        task.size = 0

    def _make_room(self, owner: object | None) -> None:
        self.sweep()
        if owner is not None:
            mine = [task for task in self._tasks.values() if task.owner is owner]
            if len(mine) >= self.options.most_each:
                self._drop_oldest(owner, "this session has", self.options.most_each)
        most = self.options.most
        # Cancelled ones are no tasks any more while they clean up, and still cost something.
        if len(self._running) >= 2 * most:
            raise _full("the server has", most)
        if len(self._tasks) >= most:
            self._drop_oldest(None, "the server has", most)

    def _drop_oldest(self, owner: object | None, whose: str, most: int) -> None:
        for task in self._oldest():
            if owner is None or task.owner is owner:
                self._drop(task)
                return
        raise _full(whose, most)

    def _oldest(self) -> Iterator[Task]:
        """Yield those that ended, in the order in which they did."""
        yield from list(self._ended.values())

    def _expire(self, task: Task) -> None:
        self._drop(task, "its time is over")

    def _drop(self, task: Task, why: str = "") -> None:
        task.cancel(why)
        if self._tasks.pop(task.id, None) is None:
            return
        self._ended.pop(task.id, None)
        self._release(task)
        if task.timer is not None:
            task.timer.cancel()


def _full(whose: str, most: int) -> MCPError:
    return MCPError(
        code=INTERNAL_ERROR,
        message=f"{whose} {most} tasks that still run, and takes no more; "
        "wait for one to end, or cancel one",
        data={"code": "too-many-tasks", "limit": most, "retryable": True},
    )


def json_size(outcome: object) -> int:
    """Return how many bytes a value takes as JSON."""
    try:
        return len(orjson.dumps(outcome))
    except TypeError:  # an integer over 64 bits, or a lone surrogate
        return len(json.dumps(outcome))
