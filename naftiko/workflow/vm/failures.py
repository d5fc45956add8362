"""What ends a step, and what ends an execution before its last step. Spec: section 6.11."""

from __future__ import annotations

from naftiko.values import JsonObject, JsonValue

ERROR_TYPES = (
    "InvalidParameters",
    "IntegrityError",
    "PlanDrift",
    "PermissionDenied",
    "TierDenied",
    "InputMissing",
    "AwsError",
    "AmbiguousOutcome",
    "PollExhausted",
    "PollFailed",
    "AssertionFailed",
    "FanOutExceeded",
    "StepTimeout",
    "CircuitOpen",
    "TypeMismatch",
    "Cancelled",
    "ConfirmationExpired",
)


class StepFailure(Exception):  # noqa: N818 - a step's failure, which the machine handles
    """A step failed. `message` is engine text; what AWS said is in `data`.

    `effect`: a mutating call has had its effect, or is known to have had it, all the same;
    `outputs` are then what is known of it, for the rollback.
    """

    def __init__(
        self,
        type_: str,
        message: str,
        *,
        aws_code: str = "",
        data: JsonObject | None = None,
        effect: bool = False,
        outputs: JsonObject | None = None,
        halted: Halt | None = None,
    ) -> None:
        """Keep all of it."""
        super().__init__(message)
        self.type_ = type_
        self.message = message
        self.aws_code = aws_code
        self.data = data
        self.effect = effect
        self.outputs = outputs
        self.halted = halted

    def to_json(self, step_id: str | None) -> JsonObject:
        """Return the error object of section 6.11."""
        found: JsonObject = {"type": self.type_, "step_id": step_id, "message": self.message}
        if self.aws_code:
            found["aws_code"] = self.aws_code
        if self.data:
            found["data"] = {**self.data}
        return found


class Halt(Exception):  # noqa: N818 - an event, not an error
    """The execution stops here, whatever the step says about errors.

    `reason` is `cancelled`, `timed_out`, `revoked` or `awaiting`. `pending` is the confirmation
    that is awaited.
    """

    def __init__(self, reason: str, pending: JsonObject | None = None) -> None:
        """Keep both."""
        super().__init__(reason)
        self.reason = reason
        self.pending = pending


class InvalidParameters(Exception):  # noqa: N818 - the specification's name
    """The parameters do not fit the plan; `problems` lists all that is wrong, without values."""

    def __init__(self, problems: list[JsonObject]) -> None:
        """Keep the list: [{"name": "retention_days", "message": "..."}]."""
        super().__init__("; ".join(str(problem["message"]) for problem in problems))
        self.problems = problems

    def to_json(self) -> JsonObject:
        """Return the error object."""
        listed: list[JsonValue] = [*self.problems]
        return {
            "type": "InvalidParameters",
            "step_id": None,
            "message": str(self),
            "data": {"problems": listed},
        }
