"""What the service gives -> what callers get: results in a view, refusals as errors."""

from __future__ import annotations

from collections.abc import Mapping

from naftiko.errors import ConsumedError, FieldError, InputError, RunError
from naftiko.plan.ports import Result
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.ports import AwsFailure
from naftiko.workflow.runtime.policy import Refused
from naftiko.workflow.state.sealing import StateUnreadable
from naftiko.workflow.state.store import StateError, StateUnavailable
from naftiko.workflow.view import redacted

FAILED = frozenset(
    {"failed", "rolled_back", "rollback_failed", "timed_out", "expired", "cancelled"}
)
RETRY_S = 5.0
FAILED_STATUS = 502
TIMED_OUT_STATUS = 504
UNCONFIRMED_STATUS = 409

_REFUSALS: Mapping[str, tuple[str, int]] = {
    "UnknownWorkflow": ("unknown-workflow", 404),
    "UnknownExecution": ("unknown-execution", 404),
    "PermissionDenied": ("permission-denied", 403),
    "TierDenied": ("tier-denied", 403),
    "IntegrityError": ("integrity-error", 409),
    "PlanDrift": ("plan-drift", 409),
    "IdempotencyConflict": ("idempotency-conflict", 409),
    "Busy": ("busy", 503),
    "AwsError": ("aws-error", 502),
}
"""Refusal -> code and status. A plan that may not run is in conflict with the request to run it."""


def shown(result: JsonObject, view: str) -> JsonObject:
    """Return a result as callers see it: a copy through the view, marked as data."""
    seen = redacted(result, view)
    assert isinstance(seen, dict)  # an object stays one
    return {**seen, "origin": "aws", "treat_as": "data"}


def answer(result: JsonObject, view: str, *, judges: bool, expected: str = "") -> Result:
    """Return what an operation answers.

    `judges`: an execution that failed is a failed answer, unless it ended as `expected`.
    """
    status = str(result.get("status"))
    value = shown(result, view)
    if judges and status == "awaiting_confirmation" and "error" in result:
        return Result(value=value, failed=True, judged=True, status=UNCONFIRMED_STATUS)
    if not judges or status not in FAILED or status == expected:
        return Result(value=value)
    http = TIMED_OUT_STATUS if status == "timed_out" else FAILED_STATUS
    return Result(value=value, failed=True, judged=True, status=http)


def error_of(error: Exception) -> RunError:
    """Return what callers see of a refusal, or of state or AWS that do not answer."""
    if isinstance(error, Refused):
        return _refusal(error)
    if isinstance(error, StateUnreadable):
        return ConsumedError(
            code="state-unreadable",
            message=f"the execution cannot be read: {error}",
            status=500,
            hint="it needs the state key that it was stored with",
        )
    if isinstance(error, AwsFailure):
        return ConsumedError(
            code="aws-error",
            message=f"AWS does not do what the workflow state needs ({error.code or error.kind})",
            details={"awsCode": error.code or error.kind},
        )
    hint = error.hint if isinstance(error, StateError) else "try again later"
    return ConsumedError(
        code="state-unavailable",
        message=str(error) or "the workflow state does not answer",
        status=503,
        hint=hint,
        retryable=True,
        retry_after_s=RETRY_S,
    )


TROUBLES = (Refused, StateUnavailable, StateUnreadable, StateError, AwsFailure)
"""What `error_of` takes."""


def _refusal(error: Refused) -> RunError:
    if error.type == "InvalidParameters":
        return InputError(
            code="invalid-parameters",
            message=f"invalid parameters: {error.message}",
            hint=error.hint,
            fields=tuple(_fields(error.data.get("data"))),
            details={"type": error.type},
        )
    code, status = _REFUSALS.get(error.type, ("workflow-refused", 500))
    near = error.data.get("near")
    hint = error.hint
    if isinstance(near, tuple | list) and near:
        hint = f"did you mean {', '.join(f'`{name}`' for name in near)}?"
    details = {name: value for name, value in error.to_json().items() if name != "message"}
    busy = error.type == "Busy"
    kind = ConsumedError if status >= 500 else RunError
    return kind(
        code=code,
        message=error.message,
        status=status,
        hint=hint,
        retryable=busy,
        retry_after_s=RETRY_S if busy else None,
        details=details,
    )


def _fields(found: object) -> list[FieldError]:
    problems: JsonValue = found.get("problems") if isinstance(found, dict) else None
    return [
        FieldError(
            name=f"parameters.{item['name']}" if item.get("name") else "parameters",
            message=str(item.get("message")),
        )
        for item in (problems if isinstance(problems, list) else ())
        if isinstance(item, dict)
    ]
