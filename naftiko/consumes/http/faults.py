"""What the transport reports -> the error a caller sees, without the URL: it may hold secrets."""

from __future__ import annotations

from naftiko.consumes.transport import (
    BadResponseError,
    ConnectError,
    ConnectionBrokenError,
    ResponseTooLargeError,
    TimedOutError,
    TransportError,
)
from naftiko.errors import ConsumedError, DeadlineError, RunError, StartError

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""What does no harm if it is done twice. Source: RFC 9110, 9.2.2."""
UNKNOWN_OUTCOME = "it may have been done nevertheless: look before you call again"


def run_error(error: TransportError, address: str, timeout_s: float, *, method: str) -> RunError:
    """Return the error of a call to `namespace.operation` that got no whole answer.

    Callers are told to try again only where nothing was sent, or `method` may be repeated.
    """
    details = {"operation": address}
    safe = method in IDEMPOTENT or not error.sent
    match error:
        case TimedOutError():
            return DeadlineError(
                message=f"`{address}` did not answer within {timeout_s:g} s",
                hint="raise its `timeout`, or try again" if safe else UNKNOWN_OUTCOME,
                retryable=safe,
                details=details,
            )
        case ConnectError():
            return ConsumedError(
                code="unreachable",
                message=f"{error.address} could not be reached: {error.reason}",
                hint="check `baseUri` and the network",
                retryable=True,
                details=details,
            )
        case ConnectionBrokenError():
            return ConsumedError(
                code="connection-broken",
                message=f"{error.address} ended the connection before its answer was complete",
                hint="" if safe else UNKNOWN_OUTCOME,
                retryable=safe,
                details=details,
            )
        case ResponseTooLargeError():
            return ConsumedError(
                code="response-too-large",
                message=f"the answer of `{address}` is larger than {error.limit} bytes",
                hint="ask for less of it",
                details=details,
            )
        case BadResponseError():
            return ConsumedError(
                code="bad-response",
                message=f"{error.address} answered with what is no HTTP: {error.reason}",
                details=details,
            )
        case _:
            return ConsumedError(
                code="invalid-request",
                message=f"the request of `{address}` cannot be sent as it stands",
                details=details,
            )


def settings_error(error: StartError) -> ConsumedError:
    """Return the error of a call that this machine's proxy or TLS settings keep from going out."""
    return ConsumedError(code="unreachable", message=error.message, hint=error.hint)
