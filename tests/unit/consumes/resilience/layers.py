"""Time that tests move themselves, and calls that answer as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from naftiko.consumes.resilience.clock import Clock
from naftiko.consumes.resilience.layer import Call
from naftiko.errors import ConsumedError, DeadlineError, RunError
from naftiko.plan.ports import Result
from naftiko.plan.run import Run

TIMEOUT = DeadlineError(message="late")
UNREACHABLE = ConsumedError(code="unreachable", message="gone", retryable=True)
BROKEN = ConsumedError(code="connection-broken", message="broken")


@dataclass
class Time:
    """A clock that moves when it is told to, or when somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, wall=lambda: self.now, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@dataclass
class Api:
    """Answers with what it is given, in turn; the last one for ever."""

    outcomes: list[Result | RunError | int]
    calls: int = 0
    gate: asyncio.Event | None = None

    async def send(self, call: Call, run: Run) -> Result:
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, RunError):
            raise outcome
        if isinstance(outcome, int):
            return answer(outcome)
        return outcome

    def call(self, method: str = "GET") -> Call:
        return Call(operation="api.op", method=method, send=self.send)


def answer(status: int = 200, **headers: str) -> Result:
    received = {name.replace("_", "-"): value for name, value in headers.items()}
    return Result(value={"status": status}, status=status, failed=status >= 400, received=received)


def api(*outcomes: Result | RunError | int) -> Api:
    return Api(list(outcomes) or [200])


def run(deadline: float | None = None) -> Run:
    return Run(inputs={}, deadline=deadline)


async def outcome_of(work: Awaitable[Result]) -> int | str:
    """Return the status of an answer or the code of an error."""
    try:
        return (await work).status
    except RunError as error:
        return error.code


async def outcomes(works: Iterable[Awaitable[Result]]) -> list[int | str]:
    return [await outcome_of(work) for work in works]


async def until(holds: Callable[[], bool]) -> None:
    """Let others run until it holds."""
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never held")
