"""The errors that the Step Functions API answers with, worded in one place."""

from __future__ import annotations

from collections.abc import Iterable


class ApiFault(Exception):  # noqa: N818 - AWS's word for what a caller did wrong
    """An error of the API: its code, its message and further members of its shape."""

    def __init__(self, code: str, message: str, members: dict[str, str]) -> None:
        """Describe it; `fault` is the short way."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.members = members

    def as_json(self) -> dict[str, str]:
        """Return the body that clients know it by."""
        return {"__type": self.code, "message": self.message, **self.members}


def fault(code: str, message: str, **members: str) -> ApiFault:
    """Return the API error `code` to raise; `members` are further fields of its shape."""
    return ApiFault(code, message, members)


def validation_error(message: str) -> ApiFault:
    """Return what AWS answers when a request breaks its own model."""
    return fault("ValidationException", message)


def constraint_errors(problems: Iterable[str]) -> ApiFault:
    """Return one ValidationException that names every broken constraint."""
    listed = list(problems)
    noun = "error" if len(listed) == 1 else "errors"
    return validation_error(f"{len(listed)} validation {noun} detected: {'; '.join(listed)}")


def invalid_arn(arn: str) -> ApiFault:
    """Return the error for a text that is no ARN of this service."""
    return fault("InvalidArn", f"Invalid Arn: '{arn}'")


def wrong_resource_type(kind: str) -> ApiFault:
    """Return the error for an ARN of a kind that the operation does not take."""
    return fault(
        "InvalidArn", f"Invalid Arn: 'Resource type not valid in this context: {kind.lower()}'"
    )


def invalid_name(name: str) -> ApiFault:
    """Return the error for a name with characters or a length that AWS refuses."""
    return fault("InvalidName", f"Invalid Name: '{name}'")


def no_such_machine(arn: str) -> ApiFault:
    """Return the error for a state machine, or a version of it, that does not exist."""
    return fault("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")


def no_such_execution(arn: str) -> ApiFault:
    """Return the error for an execution that does not exist."""
    return fault("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")


def no_such_resource(arn: str) -> ApiFault:
    """Return the error for any other resource that does not exist."""
    return fault("ResourceNotFound", f"Resource not found: '{arn}'", resourceName=arn)


def type_not_supported() -> ApiFault:
    """Return the error for an operation that the machine's type does not have."""
    return fault(
        "StateMachineTypeNotSupported",
        "This operation is not supported by this type of state machine",
    )
