"""When a call is repeated, and after how long: botocore's standard mode, made careful.

The budget is botocore's RetryQuota: while much fails, retries stop before they make it worse.
Its checkers and handlers are not used: they repeat calls that change something whenever a
connection breaks or a 500 comes, whether or not AWS did what was asked.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from naftiko.consumes.transport import TimedOutError, TransportError

if TYPE_CHECKING:
    from botocore.retries.quota import RetryQuota

    from naftiko.consumes.aws.faults import Fault

DEFAULT_ATTEMPTS = 3
MAX_BACKOFF_S = 20.0
THROTTLED_SCALE_S = 1.0
TRANSIENT_SCALE_S = 0.05
RETRY_COST = 5
TIMEOUT_COST = 10
MAX_EXTRA_WAIT_S = 5.0
"""How much longer than its own backoff a retry waits because AWS asks for it."""


@dataclass(slots=True, kw_only=True)
class RetryPolicy:
    """How often one service's calls are tried; `attempts` counts the first one."""

    attempts: int = DEFAULT_ATTEMPTS
    _quota: RetryQuota | None = field(default=None, init=False)

    def succeeded(self, spent: int) -> None:
        """Give back what the retries of a call took, or a little for a call without."""
        if self._quota is not None:
            self._quota.release(spent or 1)

    def spend(self, failure: Fault | TransportError) -> int:
        """Take the cost of a retry out of the budget; 0 where the budget is used up."""
        if self._quota is None:
            from botocore.retries.quota import RetryQuota

            self._quota = RetryQuota()
        cost = TIMEOUT_COST if isinstance(failure, TimedOutError) else RETRY_COST
        return cost if self._quota.acquire(cost) else 0


def may_repeat(failure: Fault | TransportError, *, repeatable: bool) -> bool:
    """Tell whether to call again: throttled and unsent calls always, others if repeatable."""
    if isinstance(failure, TransportError):
        return not failure.sent or repeatable
    return failure.throttled or (failure.transient and repeatable)


def backoff_s(failure: Fault | TransportError, retry: int) -> float:
    """Return how long to wait before the `retry`th repetition (from 1), with full jitter."""
    throttled = not isinstance(failure, TransportError) and failure.throttled
    scale = THROTTLED_SCALE_S if throttled else TRANSIENT_SCALE_S
    # Jitter needs no cryptographic randomness.
    delay = random.random() * min(scale * 2.0 ** (retry - 1), MAX_BACKOFF_S)  # noqa: S311  # jitter, not a secret
    asked = None if isinstance(failure, TransportError) else failure.retry_after_s
    return delay if asked is None else max(delay, min(asked, delay + MAX_EXTRA_WAIT_S))
