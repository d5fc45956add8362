"""Classes of failures and delays between attempts. Spec: section 6.3."""

from __future__ import annotations

import re

from naftiko.workflow.ports import AwsFailure, Chance
from naftiko.workflow.vm.program import RetryRule

BREAKING = frozenset({"throttling", "server_error", "timeout", "connection"})
"""Classes that count against a service's circuit breaker."""

_THROTTLING = frozenset(
    {"RequestLimitExceeded", "TooManyRequests", "TooManyRequestsException", "SlowDown"}
)
_DENIED = (
    "AccessDenied",
    "UnauthorizedOperation",
    "AuthFailure",
    "UnrecognizedClient",
    "ExpiredToken",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
)

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}", re.ASCII)

_GONE = re.compile(r"notfound|nosuch|doesnotexist|nonexist|notexist", re.ASCII | re.IGNORECASE)


def class_of(failure: AwsFailure) -> str:
    """Return `throttling`, `server_error`, `timeout`, `connection` or, for the rest, "".

    AwsFailure("fault", code="ThrottlingException", status=400) -> "throttling"
    """
    if failure.kind in {"timeout", "connection"}:
        return failure.kind
    if failure.kind != "fault":
        return ""
    code = failure.code
    if failure.status == 429 or code.startswith("Throttl") or code in _THROTTLING:
        return "throttling"
    return "server_error" if failure.status >= 500 else ""


def code_of(failure: AwsFailure) -> str:
    """Return AWS's code if it looks like one, else "": it stands beside the engine's own words."""
    return failure.code if _CODE.fullmatch(failure.code) else ""


def is_unknown(failure: AwsFailure) -> bool:
    """Return whether a mutating request may have had its effect all the same."""
    return failure.kind in {"timeout", "connection"} and failure.sent


def is_gone(failure: AwsFailure) -> bool:
    """Return whether AWS says that what a request is about is not there.

    `DBSnapshotNotFound`, `NoSuchEntity`, `InvalidInstanceID.NotFound`, `QueueDoesNotExist`
    """
    return failure.kind == "fault" and failure.status < 500 and bool(_GONE.search(failure.code))


def is_retried(rule: RetryRule, class_: str, code: str) -> bool:
    """Return whether the rule repeats after this failure.

    A code that the author lists is repeated, but never one that says who is asking may not.
    """
    if class_ in rule.retry_on:
        return True
    return bool(code) and code in rule.retry_on and not code.startswith(_DENIED)


def delay_s(rule: RetryRule, attempt: int, chance: Chance) -> float:
    """Return how long to wait after attempt number `attempt` (from 1)."""
    if rule.backoff == "exponential":
        delay = rule.initial_delay * float(2 ** (attempt - 1))
    elif rule.backoff == "linear":
        delay = rule.initial_delay * attempt
    else:
        delay = rule.initial_delay
    delay = min(rule.max_delay, delay)
    return delay * chance.random() if rule.jitter == "full" else delay
