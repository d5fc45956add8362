"""One call that goes on in the background, and what is known of it.

Nothing here knows a protocol revision; task_calls.py shows tasks to clients.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import anyio
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR

from naftiko.errors import DeadlineError, RunError
from naftiko.exposes.mcp.peer import ASK_TIMEOUT_S
from naftiko.exposes.mcp.questions import askable, fits
from naftiko.exposes.mcp.wire import Wire
from naftiko.plan.run import Question
from naftiko.values import JsonObject

REQUEST_CANCELLED = -32800
"""What the SDK answers a cancelled call with, too."""
MAX_MESSAGE = 500
"""Characters of a status message."""

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
    unwanted: bool = False
    """Its caller has cancelled it: neither its time was over, nor does the server stop."""

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
            self.updated = now()

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
        self.updated = now()
        self._wake()
        if self.on_change is not None and not self.cancelled:
            await self.on_change(self)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _summary(outcome: Wire | MCPError) -> str:
    """Return what went wrong, in a line."""
    if isinstance(outcome, MCPError):
        return outcome.error.message
    if not outcome.get("isError"):
        return "done"
    texts = (block.get("text") for block in outcome.get("content", ()))
    found = next((text for text in texts if isinstance(text, str)), "")
    return found.partition("\n")[0] or "failed"


def now() -> str:
    """Return the time as tasks show it: "2026-11-21T01:50:30.123Z"."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
