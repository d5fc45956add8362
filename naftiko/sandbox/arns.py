"""ARNs of Step Functions resources: text -> parts, and names checked."""

from __future__ import annotations

import re
from dataclasses import dataclass

from naftiko.sandbox import faults

_ARN = re.compile(r"arn:aws[a-z-]*:states:[a-z0-9-]+:\d{12}:(?P<kind>[a-zA-Z]+):(?P<rest>.+)")
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.+")
_FORBIDDEN_IN_NAME = re.compile(r"[\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]")
_ALIAS_NAME = re.compile(r"(?=.*[a-zA-Z_\-.])[a-zA-Z0-9_\-.]{1,80}")

MAX_NAME = 80


@dataclass(frozen=True, slots=True)
class MachineArn:
    """`...:stateMachine:orders:7` as its machine's ARN and its qualifier, "7" or "PROD"."""

    text: str
    machine: str
    qualifier: str | None

    @property
    def version(self) -> int | None:
        """Return the version number, if a number is what qualifies it."""
        if self.qualifier is not None and self.qualifier.isdigit():
            return int(self.qualifier)
        return None


def parse_machine_arn(arn: str) -> MachineArn:
    """Read the ARN of a state machine, of a version or of an alias.

    Raises: InvalidArn.
    """
    rest = _rest_of(arn, "stateMachine")
    name, _, qualifier = rest.partition(":")
    if not name or ":" in qualifier or (rest.endswith(":")):
        raise faults.invalid_arn(arn)
    machine = arn[: len(arn) - len(qualifier) - 1] if qualifier else arn
    return MachineArn(arn, machine, qualifier or None)


def check_execution_arn(arn: str) -> str:
    """Return the ARN if it is one of a standard execution.

    Raises: InvalidArn.
    """
    _rest_of(arn, "execution")
    return arn


def check_activity_arn(arn: str) -> str:
    """Return the ARN if it is one of an activity.

    Raises: InvalidArn.
    """
    _rest_of(arn, "activity")
    return arn


def check_map_run_arn(arn: str) -> str:
    """Return the ARN if it is one of a map run.

    Raises: InvalidArn.
    """
    _rest_of(arn, "mapRun")
    return arn


def check_role_arn(arn: str) -> str:
    """Return the ARN if it is one of an IAM role.

    Raises: InvalidArn.
    """
    if not _ROLE_ARN.fullmatch(arn):
        raise faults.fault("InvalidArn", f"Invalid Role Arn: '{arn}'")
    return arn


def check_name(name: str) -> str:
    """Return the name of a machine, an execution or an activity if AWS would take it.

    Raises: InvalidName.
    """
    if not 1 <= len(name) <= MAX_NAME or _FORBIDDEN_IN_NAME.search(name):
        raise faults.invalid_name(name)
    return name


def check_alias_name(name: str) -> str:
    """Return the name of an alias; at least one character is not a digit.

    Raises: ValidationException.
    """
    if not _ALIAS_NAME.fullmatch(name):
        raise faults.constraint_errors(
            [
                f"Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy "
                r"regular expression pattern: ^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$"
            ]
        )
    return name


def _rest_of(arn: str, kind: str) -> str:
    match = _ARN.fullmatch(arn)
    if match is None:
        raise faults.invalid_arn(arn)
    if match["kind"] != kind:
        raise faults.wrong_resource_type(match["kind"])
    return match["rest"]
