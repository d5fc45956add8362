"""What AWS answers when it refuses -> one Fault, and what the caller is told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from naftiko.consumes.transport import (
    ConnectError,
    InvalidRequestError,
    TimedOutError,
    TransportError,
)
from naftiko.errors import ConsumedError, DeadlineError, RunError

if TYPE_CHECKING:
    from collections.abc import Mapping

THROTTLING_CODES = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottledException",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "RequestThrottled",
        "SlowDown",
        "PriorRequestNotComplete",
        "EC2ThrottledException",
    }
)
TRANSIENT_CODES = frozenset({"RequestTimeout", "RequestTimeoutException", "InternalError"})
TRANSIENT_STATUSES = frozenset({500, 502, 503, 504})
SKEW_CODES = frozenset(
    {
        "RequestTimeTooSkewed",
        "RequestExpired",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "RequestInTheFuture",
        "AuthFailure",
    }
)
EXPIRED_CODES = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
CREDENTIAL_CODES = (
    EXPIRED_CODES
    | SKEW_CODES
    | frozenset(
        {
            "UnrecognizedClientException",
            "UnrecognizedClient",
            "InvalidClientTokenId",
            "InvalidAccessKeyId",
            "IncompleteSignature",
            "IncompleteSignatureException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "InvalidToken",
            "NotSignedUp",
            "OptInRequired",
        }
    )
)
DENIED = re.compile(
    r"AccessDenied\w*|NotAuthorized\w*|Unauthorized\w*|Forbidden\w*|AuthorizationError\w*"
)
NOT_FOUND = re.compile(
    r"\w*(?:DoesNotExist|NotFound|NonExistent|NonExistentQueue)(?:Exception|Fault|Error)?"
    r"|NoSuch\w+|AWS\.SimpleQueueService\.NonExistentQueue|Unknown\w*Exception"
)
CONFLICT = re.compile(
    r"\w*(?:AlreadyExists|Conflict|AlreadyOwnedByYou|InUse|DuplicateRequest|Duplicate|"
    r"ConditionalCheckFailed|AlreadyInUse)\w*|\w*Exists(?:Exception|Fault)?"
)
UNKNOWN_OUTCOME = "it may have been done nevertheless: look before you call again"
_ACTION = re.compile(r"perform:? (?P<action>[a-z0-9-]+:[A-Za-z*]+)")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Fault:
    """A refusal: `code` is AWS's, such as ExecutionDoesNotExist; `date` is when it was sent."""

    status: int
    code: str
    message: str
    request_id: str | None = None
    throttled: bool = False
    retry_after_s: float | None = None
    date: str | None = None
    region: str | None = None

    @property
    def transient(self) -> bool:
        """Whether a repetition may succeed, if it may be repeated at all."""
        return self.status in TRANSIENT_STATUSES or self.code in TRANSIENT_CODES


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Called:
    """Who is speaking, for messages: `step-functions.describe-execution`, and the API's names."""

    address: str
    service: str
    operation: str
    action: str


def is_throttling(code: str, status: int, modeled: frozenset[str]) -> bool:
    """Tell whether AWS said "too fast", and did nothing."""
    return code in THROTTLING_CODES or code in modeled or status == 429


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After` (seconds) or `x-amz-retry-after` (milliseconds)."""
    for name, unit in (("x-amz-retry-after", 0.001), ("retry-after", 1.0)):
        text = headers.get(name)
        if text is not None and text.strip().isdecimal() and len(text) < 10:
            return int(text) * unit
    return None


def fault_error(
    fault: Fault, called: Called, *, service_has_tokens: bool = False, repeatable: bool = True
) -> ConsumedError:
    """Return what the caller sees of a fault.

    `service_has_tokens` says that InvalidToken is about a token of the API's own (a task token),
    `repeatable` that to call again does no harm.
    """
    text = f"{called.address}: {fault.code}"
    if fault.message:
        text += f": {fault.message}"
    code, status, hint = _classify(fault, called, service_has_tokens)
    throttled = code == "throttled"
    if code == "upstream-error" and not repeatable:
        hint = UNKNOWN_OUTCOME
    return ConsumedError(
        code=code,
        message=text,
        status=status,
        hint=hint,
        retryable=throttled or (status == 502 and fault.transient and repeatable),
        retry_after_s=(fault.retry_after_s or 1.0) if throttled else fault.retry_after_s,
        details={
            "awsCode": fault.code,
            "requestId": fault.request_id,
            "service": called.service,
            "operation": called.operation,
        },
    )


def _classify(fault: Fault, called: Called, service_has_tokens: bool) -> tuple[str, int, str]:
    """Return (our code, status, hint)."""
    code = fault.code
    if fault.throttled:
        return "throttled", 429, "slow down and try again after the time in `Retry-After`"
    if code in CREDENTIAL_CODES and not (code == "InvalidToken" and service_has_tokens):
        return "aws-credentials", 502, _credentials_hint(code)
    if fault.status >= 500:
        return "upstream-error", 502, "the service failed; try again later"
    if fault.status < 400:
        region = f" ({fault.region})" if fault.region else ""
        return "wrong-region", 502, f"set `region` to where the resource is{region}"
    if DENIED.fullmatch(code) or fault.status == 403:
        action = _ACTION.search(fault.message)
        name = action["action"] if action else called.action
        return "access-denied", 403, f"allow `{name}` for the credentials that this server uses"
    if NOT_FOUND.fullmatch(code) or fault.status == 404:
        return "not-found", 404, ""
    if CONFLICT.fullmatch(code) or fault.status == 409:
        return "conflict", 409, ""
    return "request-refused", 400, ""


def _credentials_hint(code: str) -> str:
    if code in EXPIRED_CODES:
        return "the server's AWS session has expired: sign in again (`aws sso login`) or renew it"
    if code in SKEW_CODES:
        return "check the server's AWS secret key and its clock"
    return "check the AWS credentials that the server runs with"


def credentials_error(called: Called, reason: str, hint: str = "") -> ConsumedError:
    """Return the error for credentials of ours that are missing or cannot be had."""
    return ConsumedError(
        code="aws-credentials",
        message=f"{called.address}: {reason}",
        status=502,
        hint=hint
        or "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, where the server runs",
        details={"service": called.service, "operation": called.operation},
    )


def transport_error(
    error: TransportError, called: Called, timeout_s: float, *, repeatable: bool
) -> RunError:
    """Return what the caller sees when no whole answer came.

    Whether AWS did what was asked is unknown unless nothing was sent: a caller may only be told to
    try again where doing it twice does no harm (`repeatable`).
    """
    safe = repeatable or not error.sent
    details = {"service": called.service, "operation": called.operation}
    if isinstance(error, TimedOutError) and error.phase != "connect":
        return DeadlineError(
            message=f"{called.address}: {error.address} did not answer within {timeout_s:g} s",
            hint="" if safe else UNKNOWN_OUTCOME,
            retryable=safe,
            details=details,
        )
    hint = "check the network, and the region or endpoint URL"
    if isinstance(error, ConnectError) and error.kind == "tls":
        hint = "check the endpoint's certificate, and AWS_CA_BUNDLE"
    unsent = isinstance(error, ConnectError | TimedOutError | InvalidRequestError)
    return ConsumedError(
        code="unreachable",
        message=f"{called.address}: {'cannot reach' if unsent else 'no answer from'} "
        f"{error.address}: {error.reason}",
        status=502,
        retryable=safe,
        hint=hint if safe else UNKNOWN_OUTCOME,
        details=details,
    )
