"""`retry`: the same request again, where that may help and does no harm."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from naftiko.consumes.resilience.clock import Clock
from naftiko.consumes.resilience.layer import (
    Call,
    Next,
    asked_s,
    is_connection,
    is_timeout,
)
from naftiko.consumes.resilience.settings import RetrySettings
from naftiko.errors import RunError
from naftiko.plan.ports import Result

if TYPE_CHECKING:
    from tenacity import RetryCallState
    from tenacity.wait import wait_base

    from naftiko.plan.run import Run


@dataclass(frozen=True, slots=True)
class Retry:
    """Repeats a call. A first try that is well costs a comparison; tenacity does the rest."""

    settings: RetrySettings
    clock: Clock = field(default_factory=Clock)

    async def run(self, call: Call, run: Run, then: Next) -> Result:
        """Call, and again while it fails in a way that may pass."""
        first: Result | RunError
        try:
            first = await then(call, run)
        except RunError as error:
            if not self._may_repeat(call, error):
                raise
            first = error
        else:
            if first.status not in self.settings.statuses or not self._repeats(call.method):
                return first
        return await _Repetition(self, call, run, then).go_on(first)

    def _repeats(self, method: str) -> bool:
        methods = self.settings.methods
        return methods is None or method in methods

    def _may_repeat(self, call: Call, error: RunError) -> bool:
        if is_timeout(error):
            return self.settings.on_timeout and self._repeats(call.method)
        if not is_connection(error) or not self.settings.on_connection:
            return False
        # What could not be reached was sent nothing: trying again changes nothing twice.
        return error.code == "unreachable" or self._repeats(call.method)

    def again(self, call: Call, outcome: Result | RunError) -> bool:
        """Tell whether an outcome calls for another try."""
        if isinstance(outcome, RunError):
            return self._may_repeat(call, outcome)
        return outcome.status in self.settings.statuses and self._repeats(call.method)

    def explain(self) -> str:
        """Say how often."""
        settings = self.settings
        which = "any method" if settings.methods is None else ", ".join(sorted(settings.methods))
        return (
            f"retry: {settings.attempts} tries, {settings.initial_s:g} s to {settings.max_s:g} s "
            f"apart, {which}"
        )


@dataclass(slots=True)
class _Repetition:
    """The further tries of one call."""

    retry: Retry
    call: Call
    run: Run
    then: Next
    tried: int = 0

    async def go_on(self, first: Result | RunError) -> Result:
        from tenacity import AsyncRetrying, retry_if_result

        pending: Result | RunError | None = first

        async def attempt() -> Result | RunError:
            nonlocal pending
            self.tried += 1
            if pending is not None:
                known, pending = pending, None
                return known
            try:
                return await self.then(self.call, self.run)
            except RunError as error:
                return error

        settings = self.retry.settings
        backoff = _backoff(settings)
        outcome: Result | RunError = await AsyncRetrying(
            sleep=self.retry.clock.sleep,
            stop=self._is_over,
            wait=lambda state: self._wait_s(state, backoff),
            retry=retry_if_result(lambda result: self.retry.again(self.call, result)),
            retry_error_callback=_outcome,
        )(attempt)
        return self._settled(outcome)

    def _settled(self, outcome: Result | RunError) -> Result:
        if not isinstance(outcome, RunError):
            return outcome
        if self.tried > 1:
            outcome.details = {**outcome.details, "tries": self.tried}
        raise outcome

    def _asked_s(self, state: RetryCallState) -> float | None:
        if not self.retry.settings.respect_retry_after:
            return None
        return asked_s(_outcome(state), self.retry.clock.wall())

    def _wait_s(self, state: RetryCallState, backoff: wait_base) -> float:
        return max(backoff(state), self._asked_s(state) or 0.0)

    def _is_over(self, state: RetryCallState) -> bool:
        """Stop after the last try, or where the wait would be longer than we, or the run, give."""
        if state.attempt_number >= self.retry.settings.attempts:
            return True
        if (self._asked_s(state) or 0.0) > self.retry.settings.max_retry_after_s:
            return True
        left_s = self.run.remaining_s()
        return left_s is not None and left_s <= state.upcoming_sleep


def _outcome(state: RetryCallState) -> Result | RunError:
    assert state.outcome is not None  # asked after a try only
    outcome: Result | RunError = state.outcome.result()
    return outcome


def _backoff(settings: RetrySettings) -> wait_base:
    """Return the wait before each try: 0.1, 0.2, 0.4... at most `max_s`; up to that with jitter."""
    from tenacity import wait_exponential, wait_random_exponential

    kind = wait_random_exponential if settings.jitter else wait_exponential
    return kind(multiplier=settings.initial_s, max=settings.max_s, exp_base=settings.multiplier)
