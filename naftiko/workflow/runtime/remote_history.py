"""What the history of an execution in Step Functions tells of a plan's operations.

An exported machine keeps each operation's status and outputs in a variable of its own
(`step_<step_id>`); the history says whenever one is assigned. Nothing else of the history is read
but the names of states and times. Spec: sections 8 and 11.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.asl.machine import prefix_of
from naftiko.workflow.asl.names import output_name
from naftiko.workflow.vm.failures import ERROR_TYPES
from naftiko.workflow.vm.program import CallNode, ConditionNode, Handler, Node, Program
from naftiko.workflow.vm.records import Done

_ENDED = frozenset({"succeeded", "failed", "skipped"})
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}", re.ASCII)
_RAN = re.compile(r"Workflow\.rollback\.run\.([0-9]{1,4})", re.ASCII)

MESSAGES = {
    "AwsError": "AWS refused the call",
    "AmbiguousOutcome": "whether the call had its effect is unknown",
    "AssertionFailed": "the condition does not hold",
    "Cancelled": "the execution was cancelled",
    "FanOutExceeded": "there are more elements than the step allows",
    "InputMissing": "a required member is null",
    "PermissionDenied": "the role of the state machine may not make the call",
    "PollExhausted": "the condition did not hold after the last attempt",
    "PollFailed": "the condition of `fail_when` holds",
    "StepTimeout": "the step did not end within its time",
    "TypeMismatch": "a value is of another type than the plan says",
}
"""What each failure is called: a state machine passes on types and codes, no sentences."""


@dataclass(slots=True)
class _Place:
    """An operation under way."""

    entered: str
    attempts: int = 0


@dataclass(slots=True)
class RemoteHistory:
    """The events of one execution, read as they come. `last` is the id of the latest."""

    program: Program
    last: int = 0
    dones: dict[str, Done] = field(default_factory=dict)
    undone: dict[str, Done] = field(default_factory=dict)
    ran: set[int] = field(default_factory=set)
    _places: dict[str, _Place] = field(default_factory=dict)
    _owners: dict[int, str] = field(default_factory=dict)
    _failure: JsonObject | None = None

    def read(self, events: Sequence[JsonObject]) -> Iterator[tuple[str, Done | None]]:
        """Take further events, oldest first; yield what began (None) and what ended."""
        for event in events:
            number = _integer(event.get("id"))
            if number <= self.last:
                continue
            self.last = number
            yield from self._event(number, event)

    def handlers(self) -> list[JsonValue]:
        """Return what the handlers did, in the order in which they stand in the plan."""
        found: list[JsonValue] = []
        for number, handler in enumerate(self.program.handlers, 1):
            if number not in self.ran:
                continue
            steps = [
                _undone(node, self.undone[node.common.step_id])
                for node in handler.ops
                if node.common.step_id in self.undone
            ]
            is_failed = any(step["status"] == "failed" for step in steps)
            found.append(
                {
                    "handler": handler.name,
                    "status": "failed" if is_failed else "succeeded",
                    "steps": [*steps],
                }
            )
        return found

    def _event(self, number: int, event: JsonObject) -> Iterator[tuple[str, Done | None]]:
        kind, time = str(event.get("type", "")), str(event.get("timestamp", ""))
        entered, left = event.get("stateEnteredEventDetails"), event.get("stateExitedEventDetails")
        if isinstance(entered, dict):
            name = str(entered.get("name", ""))
            ran = _RAN.fullmatch(name)
            if ran is not None:
                self.ran.add(int(ran[1]))
            owner = self._step_of(name.split(".", 1)[0])
            self._owners[number] = owner
            if owner not in self._places:
                self._places[owner] = _Place(time)
                if owner in self.program.positions:
                    yield owner, None
            return
        owner = self._owners.get(_integer(event.get("previousEventId")), "")
        self._owners[number] = owner
        if kind == "TaskScheduled" and owner in self._places:
            self._places[owner].attempts += 1
        if isinstance(left, dict):
            yield from self._left(left, time)

    def _step_of(self, prefix: str) -> str:
        """Return the step of a state by what its name begins with; long ids are cut in names."""
        if "~" not in prefix:
            return prefix
        nodes = (*self.program.ops, *_undoing(self.program.handlers))
        ids = (node.common.step_id for node in nodes)
        return next((step_id for step_id in ids if prefix_of(step_id) == prefix), prefix)

    def _left(self, left: JsonObject, time: str) -> Iterator[tuple[str, Done | None]]:
        assigned = left.get("assignedVariables")
        if not isinstance(assigned, dict):
            return
        values = {name: _parsed(text) for name, text in assigned.items()}
        failure = values.get("failure")
        if isinstance(failure, dict) and failure:
            self._failure = error_of(failure, self.program)
        for node in self.program.ops:
            done = self._done(node, values, time)
            if done is not None and node.common.step_id not in self.dones:
                self.dones[node.common.step_id] = done
                yield node.common.step_id, done
        for node in _undoing(self.program.handlers):
            done = self._done(node, values, time)
            if done is not None:
                self.undone[node.common.step_id] = done

    def _done(self, node: Node, values: dict[str, JsonValue], time: str) -> Done | None:
        step_id = node.common.step_id
        if step_id not in self._places:
            return None  # its variable is only being set up
        if isinstance(node, ConditionNode):
            value = values.get(f"is_{node.dest}")
            if value is None:
                return None
            outputs: JsonObject = {"value": value is True}
            return self._ended(node, "succeeded", outputs, time)
        held = values.get(f"step_{step_id}")
        if not isinstance(held, dict) or held.get("status") not in _ENDED:
            return None
        done = self._ended(node, str(held["status"]), _outputs(held), time)
        code = held.get("error_code")
        if done.error is None or not isinstance(code, str) or not _CODE.fullmatch(code):
            return done
        return replace(done, error={**done.error, "aws_code": code})

    def _ended(self, node: Node, status: str, outputs: JsonObject, time: str) -> Done:
        place = self._places[node.common.step_id]
        error, failure = None, self._failure
        if status == "failed":
            is_own = failure is not None and failure.get("step_id") == node.common.step_id
            error = failure if is_own else _error("AwsError", node.common.step_id)
        return Done(
            status=status,
            outputs=outputs,
            attempts=place.attempts,
            ms=_ms_between(place.entered, time),
            error=error,
            effect=status == "succeeded" and isinstance(node, CallNode) and node.call.mutating,
        )


def _outputs(held: JsonObject) -> JsonObject:
    named = ((output_name(key), value) for key, value in held.items())
    return {name: value for name, value in named if name is not None}


def error_of(found: JsonValue, program: Program) -> JsonObject | None:
    """Return an error object of section 6.11 from what a machine says; None if it is none.

    Types and steps are those that the engine knows, sentences are its own.
    """
    if not isinstance(found, dict) or found.get("type") not in ERROR_TYPES:
        return None
    step_id = found.get("step_id")
    known = {node.common.step_id for node in program.ops}
    error = _error(str(found["type"]), str(step_id) if step_id in known else None)
    code, data = found.get("aws_code"), found.get("data")
    if isinstance(code, str) and _CODE.fullmatch(code):
        error["aws_code"] = code
    if isinstance(data, dict) and isinstance(data.get("message"), str):
        error["data"] = {"message": data["message"]}
    return error


def _error(type_: str, step_id: str | None) -> JsonObject:
    return {"type": type_, "step_id": step_id, "message": MESSAGES.get(type_, "the step failed")}


def _undone(node: Node, done: Done) -> JsonObject:
    found: JsonObject = {
        "step_id": node.common.step_id,
        "op": node.common.op,
        "status": done.status,
        "attempts": done.attempts,
        "duration_ms": done.ms,
        "aws_request_ids": [],
    }
    if isinstance(node, CallNode):
        found["operation"] = node.call.operation
    if done.error is not None:
        found["error"] = done.error
    return found


def _undoing(handlers: Sequence[Handler]) -> Iterator[Node]:
    for handler in handlers:
        yield from handler.ops


def _parsed(text: JsonValue) -> JsonValue:
    try:
        value: JsonValue = json.loads(str(text))
    except ValueError:
        return None  # a long one is cut
    return value


def _ms_between(first: str, second: str) -> int:
    try:
        between = datetime.fromisoformat(second) - datetime.fromisoformat(first)
    except ValueError:
        return 0
    return max(0, round(between.total_seconds() * 1_000))


def _integer(value: JsonValue) -> int:
    return value if isinstance(value, int) else 0
