"""`rateLimit`: so many requests in so much time, some of them at once.

The generic cell rate algorithm (ITU-T I.371): one number says when the next request would be due.
aiolimiter is not used: it cannot say how long a wait would be, so that a caller who cannot be
served in time would wait in vain, and no `Retry-After` could be told.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from naftiko.consumes.resilience.clock import Clock
from naftiko.consumes.resilience.layer import Call, Next
from naftiko.consumes.resilience.settings import RateLimitSettings
from naftiko.errors import ConsumedError
from naftiko.plan.ports import Result

if TYPE_CHECKING:
    from naftiko.plan.run import Run


@dataclass(slots=True)
class RateLimit:
    """Shared by all operations of the level where the block stands."""

    settings: RateLimitSettings
    clock: Clock = field(default_factory=Clock)
    _due: float = field(default=float("-inf"), init=False)
    _given_back: list[float] = field(default_factory=list, init=False)
    """Permits of callers that left, by when each was due, the earliest first."""

    async def run(self, call: Call, run: Run, then: Next) -> Result:
        """Wait for a permit, then go on.

        Raises: ConsumedError[rate-limited] at once where the wait would be too long.
        """
        await self.permit(call.operation, run)
        return await then(call, run)

    async def permit(self, operation: str, run: Run) -> bool:
        """Wait for a permit to send one request; True if there was a wait.

        Raises: ConsumedError[rate-limited] at once where the wait would be too long.
        """
        due, delay_s = self._reserve(operation, run)
        if delay_s <= 0:
            return False
        try:
            await self.clock.sleep(delay_s)
        except BaseException:
            self._give_back(due)
            raise
        return True

    @property
    def _apart_s(self) -> float:
        return self.settings.per_s / self.settings.requests

    @property
    def _ahead_s(self) -> float:
        """How long before it is due a request may go out, by what was saved up."""
        return self._apart_s * (self.settings.burst - 1)

    def _reserve(self, operation: str, run: Run) -> tuple[float, float]:
        """Take the next permit; return when it is due, and the seconds until it holds."""
        now = self.clock.now()
        given_back = self._given_back
        # A permit that nobody used in its time is gone: to use it now would be one too many.
        del given_back[: bisect_left(given_back, now + self._ahead_s)]
        due = given_back[0] if given_back else max(self._due, now)
        delay_s = due - self._ahead_s - now
        left_s = run.remaining_s()
        most_s = self.settings.wait_s if left_s is None else min(self.settings.wait_s, left_s)
        # A permit that is due by now may be late by a rounding error.
        if delay_s > most_s + 1e-9:
            raise ConsumedError(
                code="rate-limited",
                message=f"`{operation}` was called more often than its `rateLimit` allows",
                status=429,
                hint="try again a little later",
                retryable=True,
                retry_after_s=delay_s,
                details={"operation": operation},
            )
        if given_back:
            del given_back[0]
        else:
            self._due = due + self._apart_s
        return due, max(0.0, delay_s)

    def _give_back(self, due: float) -> None:
        """Return a permit: the next caller takes the earliest of those, never a second of a time.

        Others hold their own times already, so that nothing else can be moved.
        """
        given_back = self._given_back
        insort(given_back, due)
        while given_back and given_back[-1] + self._apart_s == self._due:
            self._due = given_back.pop()

    def explain(self) -> str:
        """Say how much."""
        settings = self.settings
        return (
            f"rate limit: {settings.requests} in {settings.per_s:g} s, {settings.burst} at once, "
            f"waits up to {settings.wait_s:g} s"
        )
