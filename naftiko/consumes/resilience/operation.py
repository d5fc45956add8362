"""A consumed operation with layers around it: still a ClientOperation."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from naftiko.consumes.resilience.layer import Call, Next, is_timeout
from naftiko.errors import ConsumedError, DeadlineError, RunError
from naftiko.plan.ports import ClientOperation, Effect, Parameter, Result, StreamsPages
from naftiko.values import MISSING, JsonSchema, JsonValue

if TYPE_CHECKING:
    from naftiko.consumes.resilience.settings import FallbackSettings
    from naftiko.plan.run import Run
    from naftiko.plan.values import ValueTemplate

FALLBACK_HEADER = ("x-fallback", "true")
"""On an answer that came from a fallback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AroundOperation:
    """Shows the operation inside as its own."""

    inner: ClientOperation
    lines: tuple[str, ...]

    @property
    def address(self) -> str:
        """`namespace.operation`."""
        return self.inner.address

    @property
    def description(self) -> str:
        """What it does."""
        return self.inner.description

    @property
    def parameters(self) -> Sequence[Parameter]:
        """Its arguments."""
        return self.inner.parameters

    @property
    def open_arguments(self) -> bool:
        """Whether further arguments are passed on."""
        return self.inner.open_arguments

    @property
    def output_schema(self) -> JsonSchema | None:
        """The schema of its result."""
        return self.inner.output_schema

    @property
    def effect(self) -> Effect:
        """What calling it does."""
        return self.inner.effect

    def explain(self) -> Sequence[str]:
        """Return what is sent, and the layers around it."""
        return [*self.inner.explain(), *self.lines]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResilientOperation(AroundOperation):
    """Cache, circuit breaker, bulkhead, retry and rate limit around one call."""

    prepare: Callable[[Mapping[str, JsonValue]], Call]
    chain: Next

    async def call(self, arguments: Mapping[str, JsonValue], run: Run) -> Result:
        """Call through the layers.

        Raises: InputError, ConsumedError, DeadlineError, ShapingError.
        """
        return await self.chain(self.prepare(arguments), run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """What is answered where a call fails: `value` over its arguments, or another operation."""

    settings: FallbackSettings
    value: ValueTemplate | None = None
    other: ClientOperation | None = None
    with_: ValueTemplate | None = None

    def takes(self, outcome: Result | RunError) -> bool:
        """Tell whether it answers in place of this outcome."""
        settings = self.settings
        if isinstance(outcome, Result):
            return outcome.status in settings.statuses
        if is_timeout(outcome):
            return settings.timeouts
        if not isinstance(outcome, ConsumedError):
            return False
        return settings.open_circuits if outcome.code == "circuit-open" else settings.errors

    async def answer(self, arguments: Mapping[str, JsonValue], run: Run) -> Result:
        """Return the answer.

        Raises: what the other operation raises.
        """
        if self.other is None:
            value = self.value.render(arguments) if self.value is not None else MISSING
            return Result(value=None if value is MISSING else value, headers=(FALLBACK_HEADER,))
        result = await self.other.call(self._passed(self.other, arguments), run)
        return replace(result, headers=(*result.headers, FALLBACK_HEADER))

    def _passed(
        self, other: ClientOperation, arguments: Mapping[str, JsonValue]
    ) -> Mapping[str, JsonValue]:
        if self.with_ is not None:
            rendered = self.with_.render(arguments)
            return rendered if isinstance(rendered, dict) else {}
        if other.open_arguments:
            return arguments
        known = {parameter.name for parameter in other.parameters}
        return {name: value for name, value in arguments.items() if name in known}


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedOperation(AroundOperation):
    """A deadline over everything inside, and a fallback for what fails even so."""

    deadline_s: float | None = None
    fallback: Fallback | None = None

    async def call(self, arguments: Mapping[str, JsonValue], run: Run) -> Result:
        """Call within the deadline; answer by the fallback where that fails.

        Raises: InputError, ConsumedError, DeadlineError, ShapingError.
        """
        return await self.guarded(self.inner.call, arguments, run)

    async def guarded(self, call: Start, arguments: Mapping[str, JsonValue], run: Run) -> Result:
        """Make this call, of those that the operation inside has."""
        bounded = run if self.deadline_s is None else _sooner(run, self.deadline_s)
        fallback = self.fallback
        try:
            result = await call(arguments, bounded)
        except RunError as error:
            if fallback is not None and fallback.takes(error):
                return await fallback.answer(arguments, run)
            if isinstance(error, DeadlineError) and self._is_over(bounded, run):
                raise self._late(error) from error
            raise
        if fallback is not None and fallback.takes(result):
            return await fallback.answer(arguments, run)
        return result

    def _is_over(self, bounded: Run, run: Run) -> bool:
        return bounded is not run and bounded.remaining_s() == 0

    def _late(self, error: DeadlineError) -> DeadlineError:
        return DeadlineError(
            message=f"`{self.address}` did not answer within its deadline of {self.deadline_s:g} s",
            hint=error.hint,
            retryable=error.retryable,
            details=error.details,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedStream(GuardedOperation):
    """The same around an operation whose pages can be taken one by one.

    A fallback answers in place of the first page only: after it something was answered already.
    """

    pages: StreamsPages

    async def open(self, arguments: Mapping[str, JsonValue], run: Run) -> Result:
        """Call it and wait for the first page.

        Raises: as `call` does.
        """
        return await self.guarded(self.pages.open, arguments, run)

    def items_of(self, page: JsonValue) -> Sequence[JsonValue]:
        """Return the items of a page."""
        return self.pages.items_of(page)


if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import TypeAlias

    Start: TypeAlias = Callable[[Mapping[str, JsonValue], Run], Awaitable[Result]]


def _sooner(run: Run, seconds: float) -> Run:
    """Return the run with a deadline that is no later than in so many seconds."""
    deadline = time.monotonic() + seconds
    if run.deadline is not None and run.deadline <= deadline:
        return run
    return replace(run, deadline=deadline)
