"""The `resilience` block, read: numbers in seconds and bytes, all of them within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from naftiko.document.nodes import Mapping, Scalar

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""What does no harm if it is done twice. Source: RFC 9110, 9.2.2."""
RETRIED = frozenset({429, 502, 503, 504})
BREAKING = frozenset(range(500, 600))


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings:
    """`attempts` counts the first try. `methods` are those that may be repeated."""

    attempts: int = 3
    initial_s: float = 0.1
    max_s: float = 5.0
    multiplier: float = 2.0
    jitter: bool = True
    statuses: frozenset[int] = RETRIED
    methods: frozenset[str] | None = IDEMPOTENT
    on_timeout: bool = True
    on_connection: bool = True
    respect_retry_after: bool = True
    max_retry_after_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitSettings:
    """`requests` in `per_s` seconds, `burst` of them at once; a call waits at most `wait_s`."""

    requests: int
    per_s: float = 1.0
    burst: int
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings:
    """After `failures` in a row nothing is sent for `reset_s` seconds."""

    failures: int = 5
    reset_s: float = 30.0
    statuses: frozenset[int] = BREAKING


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkheadSettings:
    """At most so many calls at once, and so many that wait, each at most `wait_s`."""

    max_concurrent: int
    max_queued: int = 0
    wait_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """`ttl_s` is how long an answer is fresh whose headers do not say so (with `http`), or any."""

    ttl_s: float | None = None
    http: bool = False
    max_entries: int = 1000
    max_bytes: int = 50 * 1024 * 1024
    ignored_headers: frozenset[str] = frozenset()
    stale_if_error_s: float = 0.0
    stale_while_revalidate_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackSettings:
    """What is answered instead: a value, or what another operation answers.

    `value` is the mapping that holds it, as is `with_`.
    """

    block: Mapping
    call: Scalar | None
    errors: bool = True
    timeouts: bool = True
    open_circuits: bool = True
    statuses: frozenset[int] = BREAKING
