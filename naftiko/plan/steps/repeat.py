"""`while` and `until` steps: rounds with waits between them, within bounds."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import ClassVar

from naftiko.errors import DeadlineError, RunError
from naftiko.expressions.conditions import Condition
from naftiko.plan.ports import Result
from naftiko.plan.run import Run
from naftiko.plan.steps.execution import (
    At,
    CallsItsSteps,
    Execution,
    Frame,
    StepNode,
    error_object,
    explain_steps,
    run_steps,
)
from naftiko.values import MISSING, JsonObject, JsonValue, Missing

EARLY_S = 0.05
"""How much sooner than a loop's deadline a call may give up because of it: timers are rounded."""


@dataclass(kw_only=True, eq=False)
class NoTimeLeftError(DeadlineError):
    """A wait would go beyond `ends`, a deadline on the monotonic clock, so that it is not begun."""

    ends: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a loop waits between rounds.

    The first wait is `interval_s`, each one after it `backoff` times as long, up to `most_s`. With
    `jitter` a part of it, from none to all of it (1), is left to chance.
    """

    interval_s: float = 0.0
    backoff: float = 1.0
    most_s: float = math.inf
    jitter: float = 0.0

    def wait_s(self, number: int) -> float:
        """Return the longest wait after that round, counted from 0."""
        if self.backoff == 1.0:
            return min(self.interval_s, self.most_s)
        try:
            return min(self.interval_s * self.backoff**number, self.most_s)
        except OverflowError:
            return self.most_s

    def shown(self) -> str:
        """Return it as a person reads it."""
        if not self.interval_s:
            return ""
        text = f", every {self.interval_s:g} s"
        if self.backoff != 1.0:
            text += f", then {self.backoff:g} times as long each time up to {self.most_s:g} s"
        return text + (f", less up to {self.jitter:.0%} by chance" if self.jitter else "")


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the steps of a frame have given so far, to go back to."""

    values: JsonObject
    outputs: JsonObject
    weights: Mapping[str, int]
    last: Result | None

    @classmethod
    def of(cls, frame: Frame) -> _Kept:
        return cls(dict(frame.values), dict(frame.outputs), dict(frame.weights), frame.last)

    def restore(self, frame: Frame, execution: Execution) -> None:
        execution.budget.held += sum(self.weights.values()) - sum(frame.weights.values())
        for now, then in ((frame.values, self.values), (frame.outputs, self.outputs)):
            now.clear()
            now.update(then)
        frame.weights = dict(self.weights)
        frame.last = self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatAction(CallsItsSteps):
    """Repeats steps while a condition holds (looked at before them), or until it does (after them).

    Its output is that of the last step in the last round. With `quiet` a loop that is out of time
    or rounds is over like any other: what its last whole round left stays, and `errors` says so.
    `task_timeout_s` takes the place of `timeout_s` where nobody waits for the run (MCP tasks).
    `clock`, `sleep` and `spread` (a number from 0 to 1) are what time and chance are to it.
    """

    condition: Condition
    until: bool
    steps: tuple[StepNode, ...]
    max_iterations: int
    pace: Pace
    timeout_s: float | None
    task_timeout_s: float | None = None
    quiet: bool = False
    clock: Callable[[], float] = monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    spread: Callable[[], float] = random.random
    silent: ClassVar[bool] = False

    async def run(self, execution: Execution, at: At) -> JsonValue | Missing:
        """Run the steps again and again.

        Raises: RunError[too-many-iterations]; DeadlineError where `timeout` or the run's own
            deadline passes; and as its steps do.
        """
        loop = _Loop(self, execution, at)
        if self.quiet:
            at.frame.forget_error(at.name)
        try:
            return await self._rounds(loop)
        except _OverError as over:
            error = over.error
        if not self.quiet:
            raise error
        at.frame.note_error(at.name, error_object(error, at.path, execution.masker))
        return loop.value

    async def _rounds(self, loop: _Loop) -> JsonValue | Missing:
        frame = loop.at.frame
        for number in range(self.max_iterations):
            if not self.until and not self.condition.test(frame.values):
                return loop.value
            await loop.round(number)
            if self.until and self.condition.test(frame.values):
                return loop.value
            loop.check()
            telling = loop.inner.telling
            if telling is not None:
                await telling.rounds(number + 1, self.max_iterations, loop.at.path, exact=False)
            if number + 1 < self.max_iterations:
                await loop.pause(number)
        if not self.until and not self.condition.test(frame.values):
            return loop.value
        word = "until" if self.until else "while"
        raise _OverError(
            RunError(
                code="too-many-iterations",
                message=f"`{word} {self.condition.text}` of the step `{loop.at.path}` has not "
                f"ended after {self.max_iterations:,} rounds",
                status=504,
                hint="raise `maxIterations` or `interval`",
            )
        )

    def explain(self) -> Sequence[str]:
        """Return the loop and its steps."""
        word = "until" if self.until else "while"
        first = f"repeat {word} {self.condition.text}, at most {self.max_iterations:,} times"
        first += self.pace.shown()
        if self.timeout_s is not None:
            first += f", for {self.timeout_s:g} s at most"
        if self.task_timeout_s is not None:
            first += f" (for {self.task_timeout_s:g} s in a task)"
        if self.quiet:
            first += "; out of time or rounds, the run goes on"
        return [first, *(f"  {line}" for line in explain_steps(self.steps))]


class _OverError(Exception):
    """A loop is out of time or rounds; `error` says so to callers."""

    def __init__(self, error: RunError) -> None:
        super().__init__(error.code)
        self.error = error


class _Loop:
    """One run of a `while` or `until` step: its deadline, and what its rounds left.

    `outer` is the run as the step finds it, `inner` the same with the loop's own deadline.
    """

    def __init__(self, action: RepeatAction, execution: Execution, at: At) -> None:
        self.action = action
        self.at = at
        self.outer = execution
        in_task = execution.run.in_task and action.task_timeout_s is not None
        self.timeout_s = action.task_timeout_s if in_task else action.timeout_s
        self.ends = None if self.timeout_s is None else action.clock() + self.timeout_s
        self.inner = execution if self.ends is None else execution.until(self.ends)
        self.value: JsonValue | Missing = MISSING

    async def round(self, number: int) -> None:
        """Run the steps once.

        Raises: _OverError where the loop's own time is up; as the steps do.
        """
        at = self.at
        kept = _Kept.of(at.frame) if self.action.quiet and self.ends is not None else None
        try:
            path = f"{at.path}[{number}]."
            self.value = await run_steps(self.action.steps, self.inner, at.frame, path)
        except DeadlineError as error:
            own = self._own(error)
            if own is None:
                raise
            if kept is not None:
                kept.restore(at.frame, self.outer)
            raise _OverError(own) from None

    def _own(self, error: DeadlineError) -> DeadlineError | None:
        """Return what to say of a step that ran out of the loop's time; None if it was other time.

        A call that has its own time-out, a loop within this one and the run's deadline are others'.
        """
        if self.ends is None or self.outer.run.remaining_s() == 0:
            return None
        if self.action.clock() >= self.ends - EARLY_S:
            return self._timed_out()
        early = isinstance(error, NoTimeLeftError) and error.ends == self.ends
        return error if early else None

    def check(self) -> None:
        """Look at the clock after a round.

        Raises: _OverError.
        """
        is_over = self.ends is not None and self.action.clock() >= self.ends
        if is_over and self.outer.run.remaining_s() != 0:
            raise _OverError(self._timed_out())

    def _timed_out(self) -> DeadlineError:
        return DeadlineError(
            code="loop-timeout",
            message=f"the step `{self.at.path}` has not ended within {self.timeout_s:g} s",
        )

    async def pause(self, number: int) -> None:
        """Wait before the next round.

        Raises: _OverError where the loop's time does not last until then; DeadlineError where the
            run's does not.
        """
        pace = self.action.pace
        if not pace.interval_s:
            # Steps that never wait would keep every other request from running.
            await asyncio.sleep(0)
            return
        wait_s = pace.wait_s(number)
        left = self._left_s()
        if left is not None and wait_s > left - pace.interval_s:
            # A wait that has grown leaves time for one more round, an interval before the end.
            wait_s = max(left - pace.interval_s, min(wait_s, pace.interval_s))
        if pace.jitter:
            wait_s *= 1 - pace.jitter * self.action.spread()
        if self.inner is not self.outer and left is not None and left <= wait_s:
            raise _OverError(self._timed_out())
        await pause(self.outer.run, wait_s, self.at.path, self.action.sleep)

    def _left_s(self) -> float | None:
        """Return the time that the loop has, by its own clock, or that the run has."""
        if self.ends is None or self.inner is self.outer:
            return self.outer.run.remaining_s()
        return max(0.0, self.ends - self.action.clock())


async def pause(
    run: Run,
    seconds: float,
    path: str,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Wait, but not for what the deadline would cut short.

    Raises: DeadlineError.
    """
    left = run.remaining_s()
    if left is not None and left <= seconds:
        raise NoTimeLeftError(
            message=f"no time is left for the step `{path}` to wait {seconds:g} s",
            ends=run.deadline or 0.0,
        )
    await sleep(seconds)
