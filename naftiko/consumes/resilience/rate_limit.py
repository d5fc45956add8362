"""`rateLimit`: so many requests in so much time, some of them at once.

The generic cell rate algorithm (ITU-T I.371): one number says when the next request would be due.
aiolimiter is not used: it cannot say how long a wait would be, so that a caller who cannot be
served in time would wait in vain, and no `Retry-After` could be told.
"""

from __future__ import annotations

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

    async def run(self, call: Call, run: Run, then: Next) -> Result:
        """Wait for a permit, then go on.

        Raises: ConsumedError[rate-limited] at once where the wait would be too long.
        """
        delay_s = self._reserve(call, run)
        if delay_s > 0:
            try:
                await self.clock.sleep(delay_s)
            except BaseException:
                self._due -= self._apart_s
                raise
        return await then(call, run)

    @property
    def _apart_s(self) -> float:
        return self.settings.per_s / self.settings.requests

    def _reserve(self, call: Call, run: Run) -> float:
        """Take the next permit and return the seconds until it holds."""
        now = self.clock.now()
        apart_s = self._apart_s
        due = max(self._due, now)
        delay_s = due - apart_s * (self.settings.burst - 1) - now
        left_s = run.remaining_s()
        most_s = self.settings.wait_s if left_s is None else min(self.settings.wait_s, left_s)
        # A permit that is due by now may be late by a rounding error.
        if delay_s > most_s + 1e-9:
            raise ConsumedError(
                code="rate-limited",
                message=f"`{call.operation}` was called more often than its `rateLimit` allows",
                status=429,
                hint="try again a little later",
                retryable=True,
                retry_after_s=delay_s,
                details={"operation": call.operation},
            )
        self._due = due + apart_s
        return max(0.0, delay_s)

    def explain(self) -> str:
        """Say how much."""
        settings = self.settings
        return (
            f"rate limit: {settings.requests} in {settings.per_s:g} s, {settings.burst} at once, "
            f"waits up to {settings.wait_s:g} s"
        )
