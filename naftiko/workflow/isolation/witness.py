"""What a worker says of its execution, as far as it can be believed.

A worker that was taken over could speak of other executions, claim that a confirmation is awaited,
or write records that begin, or end, something else. Values are not judged here: they are AWS's.
"""

from __future__ import annotations

from dataclasses import replace

from naftiko.values import JsonObject
from naftiko.workflow.isolation.guard import Refused
from naftiko.workflow.plan.walk import mapping, objects, operations
from naftiko.workflow.ports import StepEvent
from naftiko.workflow.vm.data import WrongData, size_of
from naftiko.workflow.vm.environment import FINAL, Ending
from naftiko.workflow.vm.records import History

MAX_RECORDS = 50_000
"""A loop of 1,000 items with bodies of dozens of operations writes fewer."""

MAX_RECORD_BYTES = 16 * 1024 * 1024

_READING = frozenset({"poll", "wait", "done", "failing", "end"})
"""What a plan that only reads writes down, but for its start."""


class Witness:
    """One execution of a plan in a worker."""

    def __init__(self, plan: JsonObject, execution_id: str, *, begins: bool) -> None:
        """Know the plan. `begins`: the worker writes the start as well."""
        self._execution_id = execution_id
        metadata = mapping(plan.get("metadata"))
        self._workflow: JsonObject = {
            "name": plan.get("name"),
            "version": plan.get("version"),
            "checksum": plan.get("checksum"),
            "tier": metadata.get("tier"),
            "risk_score": metadata.get("risk_score"),
        }
        handlers = [op for one in objects(plan.get("rollback")) for op in objects(one.get("ops"))]
        steps = [*objects(plan.get("execution_plan")), *handlers]
        self._ops = {str(op.get("step_id")): str(op.get("op")) for op in operations(steps)}
        self._kinds = _READING | ({"start"} if begins else set())
        self._count = 0

    def event(self, event: StepEvent) -> StepEvent | None:
        """Return an event as one of this execution; None if no step of the plan can give it."""
        if self._ops.get(event.step_id) != event.op:
            return None
        return replace(event, execution_id=self._execution_id, detail="")

    def record(self, record: JsonObject) -> JsonObject:
        """Return a record that may be kept.

        Raises: Refused.
        """
        self._count += 1
        if self._count > MAX_RECORDS:
            raise Refused("these are too many records")
        if record.get("r") not in self._kinds:
            raise Refused("it writes what a reading plan does not write")
        try:
            too_large = size_of(record, MAX_RECORD_BYTES) > MAX_RECORD_BYTES
            History([record]).used_s(0.0)
        except (WrongData, KeyError, AssertionError, ValueError, TypeError):
            raise Refused("a record has not the form of one") from None
        if too_large:
            raise Refused("a record is too large")
        result = record.get("result")
        if record["r"] == "end":
            if not isinstance(result, dict) or record.get("status") not in FINAL:
                raise Refused("a record has not the form of one")
            return {**record, "result": self._own(result, str(record["status"]))}
        return record

    def ending(self, status: object, result: object) -> Ending | None:
        """Return how the execution ended; None if it cannot have ended so."""
        if status not in FINAL or not isinstance(result, dict):
            return None
        return Ending(status=str(status), result=self._own(result, str(status)))

    def _own(self, result: JsonObject, status: str) -> JsonObject:
        rest = {name: value for name, value in result.items() if name != "next"}
        own: JsonObject = {
            "execution_id": self._execution_id,
            "workflow": self._workflow,
            "status": status,
        }
        return {**rest, **own}
