"""What one account holds in one region: moto's Step Functions backend, and what it lacks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from moto.stepfunctions.models import StateMachine, StateMachineVersion, StepFunctionBackend

from naftiko.sandbox import arns, faults
from naftiko.sandbox.run import Execution
from naftiko.sandbox.tasks import TaskBoard

INITIAL_REVISION = "INITIAL"
"""How callers name the revision of a machine that was never updated, which has no id."""


class Machine(StateMachine):  # type: ignore[misc] # moto is untyped
    """A state machine with its revision."""

    def __init__(self, **fields: Any) -> None:
        """Create the first revision, which has no id."""
        super().__init__(**fields)
        self.revision_id: str | None = None
        self.version_of_revision: dict[str | None, int] = {}


class Backend(StepFunctionBackend):  # type: ignore[misc] # moto is untyped
    """State machines, versions, aliases, executions and tasks of an account in a region."""

    state_machines: list[Machine]
    activities: dict[str, Any]
    account_id: str
    region_name: str

    def __init__(self, region_name: str, account_id: str, endpoint_url: str | None = None) -> None:
        """Start empty."""
        super().__init__(region_name, account_id)
        self.lock = threading.RLock()
        self.executions: dict[str, Execution] = {}
        self.synchronous: set[Execution] = set()
        self.board = TaskBoard(self.activities, endpoint_url)

    def arn(self, kind: str, rest: str) -> str:
        """Return an ARN of this account and region: "activity", "review" -> "arn:...:review"."""
        return f"arn:{self.partition}:states:{self.region_name}:{self.account_id}:{kind}:{rest}"

    def machine(self, arn: str) -> Machine:
        """Return the machine with this unqualified ARN.

        Raises: StateMachineDoesNotExist.
        """
        for machine in self.state_machines:
            if machine.arn == arn:
                return machine
        raise faults.no_such_machine(arn)

    def version(self, arn: arns.MachineArn) -> StateMachineVersion:
        """Return a version.

        Raises: StateMachineDoesNotExist.
        """
        machine = self.machine(arn.machine)
        found = machine.versions.get(arn.version) if arn.version is not None else None
        if found is None:
            raise faults.no_such_machine(arn.text)
        return found

    def aliases_of(self, version_arn: str) -> list[Any]:
        """Return the aliases that route to a version."""
        return [
            alias
            for machine in self.state_machines
            for alias in machine.aliases.values()
            if any(
                route["stateMachineVersionArn"] == version_arn
                for route in alias.routing_configuration
            )
        ]

    def execution(self, arn: str) -> Execution:
        """Return a standard execution.

        Raises: InvalidArn, ExecutionDoesNotExist.
        """
        found = self.executions.get(arns.check_execution_arn(arn))
        if found is None:
            raise faults.no_such_execution(arn)
        return found

    def executions_of(self, machine_arn: str) -> Iterator[Execution]:
        """Yield the machine's executions, newest first."""
        for execution in reversed(list(self.executions.values())):
            if execution.snapshot.arn == machine_arn:
                yield execution

    def close(self) -> None:
        """Abort what runs and send waiting workers home."""
        self.board.close()
        everything = [*self.executions.values(), *self.synchronous]
        running = [each for each in everything if not each.finished.is_set()]
        for execution in running:
            execution.stop("Sandbox.Stopped", "The sandbox was stopped")
        for execution in running:
            execution.join(1.0)
