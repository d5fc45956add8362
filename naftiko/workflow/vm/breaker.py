"""Circuit breakers: one per account, region and service. Spec: section 6.6."""

from __future__ import annotations

from collections import deque

from naftiko.workflow.ports import Clock

FAILURES = 5
WINDOW_S = 60.0
OPEN_S = 30.0


class Breaker:
    """Opens after five failures in a row within a minute, for 30 seconds; then one probe."""

    __slots__ = ("_failed", "_opened", "_probing")

    def __init__(self) -> None:
        """Start closed."""
        self._failed: deque[float] = deque(maxlen=FAILURES)
        self._opened: float | None = None
        self._probing = False

    def admits(self, clock: Clock) -> bool:
        """Return whether a call may be made; who asks and may, MUST report what came of it."""
        if self._opened is None:
            return True
        if self._probing or clock.monotonic() - self._opened < OPEN_S:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """Note that the service answered, be it with a refusal."""
        self._failed.clear()
        self._opened = None
        self._probing = False

    def failed(self, clock: Clock) -> None:
        """Note that it did not, or asked for less."""
        now = clock.monotonic()
        self._failed.append(now)
        in_a_row = len(self._failed) == FAILURES and now - self._failed[0] <= WINDOW_S
        if self._probing or (in_a_row and self._opened is None):
            self._opened = now
            self._probing = False

    def abandoned(self) -> None:
        """Note that nothing came of the call: it never left, or nobody waited for it."""
        self._probing = False


class Breakers:
    """All breakers of a process."""

    def __init__(self) -> None:
        """Start with none."""
        self._all: dict[tuple[str, str, str], Breaker] = {}

    def of(self, account: str, region: str, service: str) -> Breaker:
        """Return the breaker of a service."""
        key = (account, region, service)
        found = self._all.get(key)
        if found is None:
            found = self._all[key] = Breaker()
        return found
