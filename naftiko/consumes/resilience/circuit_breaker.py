"""`circuitBreaker`: an API that keeps failing is left alone for a while.

Closed, open, half-open as M. Nygard, Release It!, describes them. purgatory is not used: it reads
the wall clock, which may jump, and lets everybody through when it is half open; here one call
probes while the others are still refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from naftiko.consumes.resilience.clock import Clock
from naftiko.consumes.resilience.layer import Call, Next, is_unhealthy
from naftiko.consumes.resilience.settings import BreakerSettings
from naftiko.errors import ConsumedError, RunError
from naftiko.plan.ports import Result

if TYPE_CHECKING:
    from naftiko.plan.run import Run

PROBING_RETRY_S = 1.0


@dataclass(slots=True)
class CircuitBreaker:
    """Shared by all operations of the level where the block stands."""

    settings: BreakerSettings
    clock: Clock = field(default_factory=Clock)
    _failures: int = field(default=0, init=False)
    _opened: float | None = field(default=None, init=False)
    _probing: bool = field(default=False, init=False)

    async def run(self, call: Call, run: Run, then: Next) -> Result:
        """Call while the circuit is closed.

        Raises: ConsumedError[circuit-open].
        """
        probes = self._admit(call)
        try:
            result = await then(call, run)
        except RunError as error:
            self._note(probes, failed=is_unhealthy(error), well=not _is_local(error))
            raise
        except BaseException:
            # The caller went away, which says nothing of the API.
            self._note(probes, failed=False, well=False)
            raise
        failed = result.status in self.settings.statuses
        self._note(probes, failed=failed, well=not failed)
        return result

    def _admit(self, call: Call) -> bool:
        """Return whether this call is the one that finds out whether the API is back."""
        if self._opened is None:
            return False
        left_s = self._opened + self.settings.reset_s - self.clock.now()
        if left_s > 0 or self._probing:
            raise ConsumedError(
                code="circuit-open",
                message=f"`{call.operation}` is not called for now: the API kept failing",
                status=503,
                hint="try again a little later",
                retryable=True,
                retry_after_s=left_s if left_s > 0 else PROBING_RETRY_S,
                details={"operation": call.operation},
            )
        self._probing = True
        return True

    def _note(self, probes: bool, *, failed: bool, well: bool) -> None:
        if probes:
            self._probing = False
            if failed:
                self._opened = self.clock.now()
            elif well:
                self._opened, self._failures = None, 0
        elif self._opened is not None:
            return  # it was on its way when the circuit opened
        elif failed:
            self._failures += 1
            if self._failures >= self.settings.failures:
                self._opened = self.clock.now()
        elif well:
            self._failures = 0

    def explain(self) -> str:
        """Say when it opens."""
        settings = self.settings
        return (
            f"circuit breaker: opens after {settings.failures} failures for {settings.reset_s:g} s"
        )


def _is_local(error: RunError) -> bool:
    """Tell whether the API was not asked, or answered nothing that says how it is."""
    return not isinstance(error, ConsumedError) or error.code in {
        "rate-limited",
        "too-busy",
        "invalid-request",
    }
