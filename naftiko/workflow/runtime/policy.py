"""What a server of workflows allows, and where it keeps what. Spec: section 13, "Config"."""

from __future__ import annotations

from dataclasses import dataclass

from naftiko.errors import NaftikoError
from naftiko.values import JsonObject

TIERS = ("community", "verified", "enterprise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The settings of a `workflows` entry that decide about executions.

    `target` is where plans run: `local`, or `step-functions`. `isolate`: community plans run in a
    process of their own. `role_arn`: executions run with this role, and a session policy of exactly
    what the plan needs.
    """

    tiers_enabled: tuple[str, ...] = ("community", "verified")
    risk_ceiling: float = 10.0
    permission_check: str = "enforce"
    on_indeterminate: str = "fail"
    execution_role: str | None = None
    dev: bool = False
    target: str = "local"
    isolate: bool = True
    max_parallel: int = 32
    max_queued: int = 256


class Refused(NaftikoError):  # noqa: N818 - what becomes of an order
    """An execution that does not begin.

    `type` is one of the specification's error types (section 6.11), or `UnknownWorkflow`,
    `UnknownExecution`, `Busy`, `IdempotencyConflict`, `NotDeployed`.
    `message` is engine text; `data` names,
    counts and ids.
    """

    def __init__(self, type_: str, message: str, *, hint: str = "", **data: object) -> None:
        """Keep why."""
        super().__init__(message)
        self.type = type_
        self.message = message
        self.hint = hint
        self.data = data

    def to_json(self) -> JsonObject:
        """Return it as the `error` of a result."""
        error: JsonObject = {"type": self.type, "message": self.message}
        for name, value in self.data.items():
            if isinstance(value, str | int | float | dict):
                error[name] = value
            elif isinstance(value, tuple | list):
                error[name] = [str(item) for item in value]
        return error
