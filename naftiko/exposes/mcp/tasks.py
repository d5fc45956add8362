"""Calls that go on in the background, each a task that its caller polls, and where they are kept.

Nothing here knows a protocol revision; task_calls.py shows tasks to clients. A task belongs to its
`owner`, a session; without one its id alone leads to it, 192 random bits.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import anyio
import orjson
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS

from naftiko.errors import DeadlineError, RunError
from naftiko.exposes.mcp.peer import ASK_TIMEOUT_S
from naftiko.exposes.mcp.questions import askable, fits
from naftiko.exposes.mcp.responses import error_answer
from naftiko.exposes.mcp.wire import Wire
from naftiko.plan.capability import TaskServing
from naftiko.plan.masking import Masker
from naftiko.plan.run import Question
from naftiko.values import JsonObject

REQUEST_CANCELLED = -32800
"""What the SDK answers a cancelled call with, too."""
MAX_HELD_BYTES = 64 * 1024 * 1024
"""What the results of all tasks of an adapter may take, as JSON."""
MAX_MESSAGE = 500
"""Characters of a status message."""
STOP_S = 5.0
"""How long cancelled tasks may take to come to their end when the server stops."""
_ID_BYTES = 24

Status = Literal["working", "input_required", "ended", "cancelled"]

logger = logging.getLogger("naftiko.exposes.mcp")


@dataclass(slots=True, eq=False, kw_only=True)
class OpenQuestion:
    """A question that waits for its answer. `key` is new in its task; `taken` while it is asked."""

    key: str
    name: str
    question: Question
    answer: asyncio.Future[JsonObject]
    taken: bool = False


@dataclass(slots=True, eq=False, kw_only=True)
class Task:
    """One call and what is known of it. `outcome` is its answer, or the error it ended with."""

    id: str
    owner: object | None
    ttl_s: float
    expires: float
    created: str
    updated: str
    message: str = ""
    cancelled: bool = False
    outcome: Wire | MCPError | None = None
    size: int = 0
    questions: dict[str, OpenQuestion] = field(default_factory=dict)
    on_change: Callable[[Task], Awaitable[None]] | None = None
    timer: asyncio.TimerHandle | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _scope: anyio.CancelScope | None = None
    _asked: int = 0

    @property
    def status(self) -> Status:
        """Return where it stands; whether what ended has failed is for the protocol to say."""
        if self.cancelled:
            return "cancelled"
        if self.outcome is not None:
            return "ended"
        return "input_required" if self.questions else "working"

    @property
    def has_ended(self) -> bool:
        """Whether it will not change any more."""
        return self.outcome is not None

    def say(self, message: str) -> None:
        """Tell whoever polls what it does now."""
        if message and not self.has_ended:
            self.message = message[:MAX_MESSAGE]
            self.updated = _now()

    def next_question(self) -> OpenQuestion | None:
        """Return a question that nobody is asked yet."""
        return next((item for item in self.questions.values() if not item.taken), None)

    async def changed(self) -> None:
        """Wait until its status or its questions change."""
        await self._changed.wait()

    async def ask(
        self, questions: Mapping[str, Question], capabilities: Mapping[str, Any]
    ) -> Mapping[str, JsonObject]:
        """Put questions to the caller, who finds them by polling, and wait for the answers.

        Raises: CannotAskError; DeadlineError; RunError as the caller's refusal.
        """
        loop = asyncio.get_running_loop()
        opened = [
            self._open(name, question, loop.create_future())
            for name, question in askable(questions, capabilities).items()
        ]
        if not opened:
            return {}
        await self._move()
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S):
                answers = await asyncio.gather(*(item.answer for item in opened))
        except TimeoutError:
            names = ", ".join(f"`{item.name}`" for item in opened if not item.answer.done())
            raise DeadlineError(message=f"the caller did not answer {names} in time") from None
        finally:
            self._forget({item.answer for item in opened})
        await self._move()
        return {item.name: answer for item, answer in zip(opened, answers, strict=True)}

    def answer(self, responses: Mapping[str, object]) -> None:
        """Take answers by key. One that does not fit is asked for again, under a new key."""
        for key, response in responses.items():
            item = self.questions.get(key)
            if item is None or item.answer.done():
                continue
            del self.questions[key]
            if fits(item.question, response):
                item.answer.set_result(response)  # type: ignore[arg-type]  # `fits` has looked
            else:
                self._open(item.name, item.question, item.answer)
        self._wake()

    def settle(self, item: OpenQuestion, answer: JsonObject | RunError) -> None:
        """Take the answer to a question, or why there is none."""
        self.questions.pop(item.key, None)
        if item.answer.done():
            return
        if isinstance(answer, RunError):
            item.answer.set_exception(answer)
        else:
            item.answer.set_result(answer)

    def release(self, item: OpenQuestion) -> None:
        """Let somebody else ask a question that has no answer yet."""
        item.taken = False
        self._wake()

    def cancel(self, message: str) -> bool:
        """Cancel it as a call is cancelled; False where it has ended."""
        if self.has_ended:
            return False
        self.say(message)
        self.cancelled = True
        self.outcome = MCPError(code=REQUEST_CANCELLED, message="Request cancelled")
        if self._scope is not None:
            with contextlib.suppress(RuntimeError):  # its loop is closed
                self._scope.cancel()
        self._wake()
        return True

    async def work(self, call: Callable[[], Awaitable[Wire]]) -> Wire | MCPError | None:
        """Run the call and return what it ended with; None where it was cancelled."""
        with anyio.CancelScope() as scope:
            self._scope = scope
            if self.cancelled:
                return None
            try:
                return await call()
            except MCPError as error:
                return MCPError.from_error_data(error.error)  # without the frames it came through
            except Exception as error:  # noqa: BLE001  # else its callers would wait for ever
                logger.error("a task failed inside the server: %s", type(error).__name__)
                return MCPError(code=INTERNAL_ERROR, message="Internal server error")
        return None

    async def end(self, outcome: Wire | MCPError) -> None:
        """Keep what it ended with."""
        self.say(_summary(outcome))
        self.outcome = outcome
        await self._move()
        self.on_change = None

    def _forget(self, answers: set[asyncio.Future[JsonObject]]) -> None:
        """Take back what was asked and is not answered."""
        for item in [item for item in self.questions.values() if item.answer in answers]:
            del self.questions[item.key]
        for answer in answers:
            answer.cancel()

    def _open(
        self, name: str, question: Question, answer: asyncio.Future[JsonObject]
    ) -> OpenQuestion:
        """Put a question under a key that its task never had: clients remember keys."""
        self._asked += 1
        key = f"{name}-{self._asked}"
        item = OpenQuestion(key=key, name=name, question=question, answer=answer)
        self.questions[key] = item
        return item

    async def _move(self) -> None:
        self.updated = _now()
        self._wake()
        if self.on_change is not None and not self.cancelled:
            await self.on_change(self)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


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

    def open(self, owner: object | None, ttl_s: float | None) -> Task:
        """Return a new task, which does nothing yet.

        Raises: MCPError where there are as many running as there may be.
        """
        if self._is_closed:
            raise MCPError(code=INTERNAL_ERROR, message="the server is stopping")
        self._make_room(owner)
        wanted = self.options.ttl_s if ttl_s is None else ttl_s
        kept_s = min(max(wanted, 1.0), self.options.max_ttl_s)
        now = _now()
        task = Task(
            id=secrets.token_urlsafe(_ID_BYTES),
            owner=owner,
            ttl_s=kept_s,
            expires=self.clock() + kept_s,
            created=now,
            updated=now,
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
        """Cancel a task; False where it has ended."""
        if not task.cancel(message):
            return False
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
        if isinstance(outcome, MCPError):
            return outcome
        size = _size(outcome)
        if size > self._max_held_bytes:
            limit = self._max_held_bytes // 2**20
            too_large = RunError(
                code="result-too-large", message=f"the result takes more than {limit} MiB to keep"
            )
            return error_answer(too_large, self._masker)
        for old in self._oldest():
            if self._held_bytes + size <= self._max_held_bytes:
                break
            self._drop(old)
        task.size = size
        self._held_bytes += size
        return outcome

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
        self._held_bytes -= task.size
        if task.timer is not None:
            task.timer.cancel()


def _full(whose: str, most: int) -> MCPError:
    return MCPError(
        code=INTERNAL_ERROR,
        message=f"{whose} {most} tasks that still run, and takes no more; "
        "wait for one to end, or cancel one",
        data={"code": "too-many-tasks", "limit": most, "retryable": True},
    )


def _summary(outcome: Wire | MCPError) -> str:
    """Return what went wrong, in a line."""
    if isinstance(outcome, MCPError):
        return outcome.error.message
    if not outcome.get("isError"):
        return "done"
    texts = (block.get("text") for block in outcome.get("content", ()))
    found = next((text for text in texts if isinstance(text, str)), "")
    return found.partition("\n")[0] or "failed"


def _size(outcome: Wire) -> int:
    try:
        return len(orjson.dumps(outcome))
    except TypeError:  # an integer over 64 bits, or a lone surrogate
        return len(json.dumps(outcome))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
