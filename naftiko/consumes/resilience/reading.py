"""Nodes -> Resilience settings of one member each; wrong ones are problems."""

from __future__ import annotations

import re

from naftiko.consumes.resilience.members import DAY_S, HOUR_S, Members
from naftiko.consumes.resilience.settings import (
    BREAKING,
    IDEMPOTENT,
    RETRIED,
    BreakerSettings,
    BulkheadSettings,
    CacheSettings,
    FallbackSettings,
    RateLimitSettings,
    RetrySettings,
)
from naftiko.document.nodes import Mapping, Scalar
from naftiko.errors import did_you_mean

MEMBERS = (
    "timeout",
    "deadline",
    "retry",
    "rateLimit",
    "circuitBreaker",
    "bulkhead",
    "cache",
    "fallback",
)
MAX_ATTEMPTS = 20
MAX_COUNT = 100_000
MIN_S = 0.001

_METHODS = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PATCH")
_FALLBACK_CAUSES = ("error", "timeout", "open-circuit")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie"})


def read_retry(members: Members) -> RetrySettings:
    """Read `retry`."""
    members.check_names(
        (
            *("attempts", "backoff", "statuses", "methods", "idempotentOnly", "on"),
            *("respectRetryAfter", "maxRetryAfter"),
        )
    )
    retry = RetrySettings()
    backoff = members.block("backoff")
    initial_s = max_s = multiplier = None
    jitter = True
    if backoff is not None:
        backoff.check_names(("initial", "max", "multiplier", "jitter"))
        initial_s = backoff.duration("initial", MIN_S, 60)
        max_s = backoff.duration("max", MIN_S, HOUR_S)
        multiplier = backoff.number("multiplier", 1, 10)
        jitter = backoff.boolean("jitter", default=True)
    causes = _words(members, "on", ("timeout", "connection"))
    statuses = members.statuses("statuses")
    most_s = members.duration("maxRetryAfter", 0, HOUR_S)
    return RetrySettings(
        attempts=members.integer("attempts", 1, MAX_ATTEMPTS) or retry.attempts,
        initial_s=initial_s or retry.initial_s,
        max_s=max_s or max(retry.max_s, initial_s or 0),
        multiplier=multiplier or retry.multiplier,
        jitter=jitter,
        statuses=RETRIED if statuses is None else statuses,
        methods=_methods(members),
        on_timeout=causes is None or "timeout" in causes,
        on_connection=causes is None or "connection" in causes,
        respect_retry_after=members.boolean("respectRetryAfter", default=True),
        max_retry_after_s=retry.max_retry_after_s if most_s is None else most_s,
    )


def _methods(members: Members) -> frozenset[str] | None:
    """Return the methods that may be repeated, None for all of them."""
    scalars = members.scalars("methods")
    if scalars is None:
        return IDEMPOTENT if members.boolean("idempotentOnly", default=True) else None
    if members.has("idempotentOnly"):
        members.note(
            scalars[0].location if scalars else members.location,
            f"`{members.name}` names both `methods` and `idempotentOnly`",
            "keep one of them",
        )
    for scalar in scalars:
        if scalar.text.upper() not in _METHODS:
            hint = did_you_mean(scalar.text, _METHODS)
            members.note(scalar.location, f"`{scalar.text}` is no method to repeat", hint)
    return frozenset(scalar.text.upper() for scalar in scalars)


def read_rate_limit(members: Members) -> RateLimitSettings | None:
    """Read `rateLimit`."""
    members.check_names(("requests", "per", "burst", "wait"))
    requests = members.integer("requests", 1, MAX_COUNT)
    if requests is None:
        if not members.has("requests"):
            message = f"`{members.name}` does not say how many requests it allows"
            members.note(members.location, message, "add `requests: 100`")
        return None
    return RateLimitSettings(
        requests=requests,
        per_s=members.duration("per", MIN_S) or 1.0,
        burst=members.integer("burst", 1, MAX_COUNT) or requests,
        wait_s=members.duration("wait", 0, HOUR_S) or 0.0,
    )


def read_breaker(members: Members) -> BreakerSettings:
    """Read `circuitBreaker`."""
    members.check_names(("failures", "reset", "statuses"))
    defaults = BreakerSettings()
    statuses = members.statuses("statuses")
    return BreakerSettings(
        failures=members.integer("failures", 1, 10_000) or defaults.failures,
        reset_s=members.duration("reset", MIN_S) or defaults.reset_s,
        statuses=BREAKING if statuses is None else statuses,
    )


def read_bulkhead(members: Members) -> BulkheadSettings | None:
    """Read `bulkhead`."""
    members.check_names(("maxConcurrent", "maxQueued", "wait"))
    most = members.integer("maxConcurrent", 1, 10_000)
    if most is None:
        if not members.has("maxConcurrent"):
            message = f"`{members.name}` does not say how many calls it allows at once"
            members.note(members.location, message, "add `maxConcurrent: 10`")
        return None
    wait_s = members.duration("wait", 0, HOUR_S)
    return BulkheadSettings(
        max_concurrent=most,
        max_queued=members.integer("maxQueued", 0, MAX_COUNT) or 0,
        wait_s=1.0 if wait_s is None else wait_s,
    )


def read_cache(members: Members) -> CacheSettings:
    """Read `cache`. Without `ttl` and `http`, HTTP's own rules hold."""
    members.check_names(
        (
            *("ttl", "http", "maxEntries", "maxBytes", "ignoreHeaders"),
            *("staleIfError", "staleWhileRevalidate"),
        )
    )
    defaults = CacheSettings()
    ttl_s = members.duration("ttl", MIN_S, 30 * DAY_S)
    http = members.boolean("http", default=not members.has("ttl"))
    if not http and not members.has("ttl"):
        message = f"`{members.name}` keeps nothing: it has neither `http` nor `ttl`"
        members.note(members.location, message, "add `ttl: 60s`")
    return CacheSettings(
        ttl_s=ttl_s,
        http=http,
        max_entries=members.integer("maxEntries", 1, 1_000_000) or defaults.max_entries,
        max_bytes=members.size("maxBytes", 4 * 1024**3) or defaults.max_bytes,
        ignored_headers=_ignored_headers(members),
        stale_if_error_s=members.duration("staleIfError", 0, 30 * DAY_S) or 0.0,
        stale_while_revalidate_s=members.duration("staleWhileRevalidate", 0, 30 * DAY_S) or 0.0,
    )


def _ignored_headers(members: Members) -> frozenset[str]:
    names: set[str] = set()
    for scalar in members.scalars("ignoreHeaders") or ():
        name = scalar.text.lower()
        if name in _CREDENTIALS:
            members.note(
                scalar.location,
                f"`{scalar.text}` says who calls, so the cache cannot ignore it",
                "answers for one must not go to another",
            )
        elif _HEADER.fullmatch(name) is None:
            members.note(scalar.location, f"`{scalar.text}` is no name of a header")
        names.add(name)
    return frozenset(names)


def read_fallback(members: Members) -> FallbackSettings | None:
    """Read `fallback`: `value` or `call` (with `with`), and `on`."""
    members.check_names(("value", "call", "with", "on"))
    has_value, call = "value" in members.node, members.scalar("call")
    if has_value == (call is not None):
        members.note(
            members.location,
            f"`{members.name}` must name either a `value` or a `call`",
            "add `value: {...}` or `call: other.operation`",
        )
        return None
    errors = timeouts = open_circuits = True
    statuses: frozenset[int] = BREAKING
    node = members.node.get("on")
    if node is not None and members.has("on"):
        causes, statuses = _fallback_causes(members)
        errors, timeouts = "error" in causes, "timeout" in causes
        open_circuits = "open-circuit" in causes
    return FallbackSettings(
        block=members.node,
        call=call,
        errors=errors,
        timeouts=timeouts,
        open_circuits=open_circuits,
        statuses=statuses,
    )


def _fallback_causes(members: Members) -> tuple[set[str], frozenset[int]]:
    """[error, timeout, {status: [404]}] -> ({"error", "timeout"}, {404})."""
    node = members.node.get("on")
    items = (node,) if isinstance(node, Scalar | Mapping) or node is None else tuple(node)
    words: set[str] = set()
    statuses: frozenset[int] = frozenset()
    for item in items:
        if isinstance(item, Mapping):
            inner = Members(
                node=item, name=f"{members.name}.on", code=members.code, problems=members.problems
            )
            inner.check_names(("status",))
            statuses |= inner.statuses("status") or frozenset()
        elif isinstance(item, Scalar) and item.text in _FALLBACK_CAUSES:
            words.add(item.text)
        elif item is not None:
            text = item.text if isinstance(item, Scalar) else "a list"
            members.note(
                item.location,
                f"`{members.name}.on` has no choice `{text}`",
                did_you_mean(text, _FALLBACK_CAUSES) or "or `{status: [404]}`",
            )
    return words, statuses


def _words(members: Members, name: str, known: tuple[str, ...]) -> set[str] | None:
    scalars = members.scalars(name)
    if scalars is None:
        return None
    for scalar in scalars:
        if scalar.text not in known:
            members.note(
                scalar.location,
                f"`{members.name}.{name}` has no choice `{scalar.text}`",
                did_you_mean(scalar.text, known),
            )
    return {scalar.text for scalar in scalars}
