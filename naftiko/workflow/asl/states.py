"""What all states of a plan's operations have in common: names, variables, ways out of failures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from naftiko.source import Location
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.asl.error_codes import Codes
from naftiko.workflow.asl.jsonata import Compiler, Names
from naftiko.workflow.asl.literals import text_literal, wrapped
from naftiko.workflow.asl.machine import Machine, passing
from naftiko.workflow.own_fields import Hidden, hidden_in, is_own

IS_LATE = "$millis() >= $until"
"""Whether the time of the whole execution is over; in the rollback, that of the rollback."""

SUCCEEDED: JsonObject = {"status": "succeeded"}
SKIPPED: JsonObject = {"status": "skipped"}
FAILED: JsonObject = {"status": "failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where operations stand: the machine itself, the body of a Map, or the rollback.

    `fail` gives the state to go on with after a failure of a step, `failure` is the variable that
    holds the error object. `continues`: a failure never ends anything here (rollback).
    """

    machine: Machine
    fail: Callable[[str], str]
    failure: str = "failure"
    in_item: bool = False
    broken: bool = False


def variable(step_id: str) -> str:
    """Return the name of the variable that holds a step's status and outputs."""
    return f"step_{step_id}"


class States:
    """Adds states of operations, and knows what their expressions may take for certain."""

    def __init__(self, plan: JsonObject, partition: str) -> None:
        """Remember what expressions of the plan may take for certain."""
        self.partition = partition
        self.hidden = hidden_in(plan)
        self.codes = Codes(plan, self.hidden).asked
        self._required = frozenset(
            str(p["name"]) for p in objects(plan["parameters"]) if _is_certain(p)
        )
        self._skippable: set[str] = set()
        self._find_skippable(objects(plan["execution_plan"]))

    def names(self, step_id: str, scope: Scope) -> Names:
        """Return where an operation's expressions find things."""
        uuid = f"$lookup($facts.uuid, {text_literal(step_id)})"
        return Names(
            step=lambda name: f"${variable(name)}",
            uuid=f"{uuid}[$index]" if scope.in_item else uuid,
            vars=f"$vars_{step_id}",
            required=self._required,
            hidden=self.hidden,
        )

    def initial(self, operations: Iterable[JsonObject]) -> JsonObject:
        """Return the variables of operations as they are before the first."""
        found: JsonObject = {}
        for op in operations:
            step_id = str(op["step_id"])
            if op["op"] == "CONDITION":
                found[f"is_{op['dest']}"] = False
                continue
            found[variable(step_id)] = {"status": "pending"}
            if op["op"] == "POLL":
                found[f"tries_{step_id}"] = 0
                found[f"vars_{step_id}"] = {}
                found[f"until_{step_id}"] = 0
            if op["op"] in {"AWS_CALL", "POLL"}:
                found[f"again_{step_id}"] = 0
                found[f"is_again_{step_id}"] = False
            if op["op"] == "FOR_EACH":
                found[f"list_{step_id}"] = []
            if op["op"] == "AWS_CALL" and op["paginate"]:
                found.update(paging_start(step_id))
        return found

    def place(self, op: JsonObject) -> Location:
        """Return where the source says an operation."""
        path, line = cast("list[JsonValue]", op["at"])
        return Location(path=str(path), line=int(cast("int", line)))

    def add(self, scope: Scope, op: JsonObject, name: str, state: JsonObject) -> str:
        """Add a state under a name, with the place of its operation; return the name."""
        return scope.machine.add(name, state, self.place(op))

    def on_failure(self, op: JsonObject, next_: str, scope: Scope) -> tuple[str, JsonObject]:
        """Return where a failure of an operation leads, and what is assigned on the way."""
        step_id = str(op["step_id"])
        assign: JsonObject = {variable(step_id): {**FAILED}}
        if op["on_error"] == "continue" or scope.broken:
            if scope.broken:
                assign["broke"] = True
            return next_, assign
        return scope.fail(step_id), assign

    def late(self, op: JsonObject, scope: Scope) -> str:
        """Return the state that ends the execution because its time is over; made once."""
        step_id = str(op["step_id"])
        name = f"{step_id}.late"
        if name not in scope.machine.states:
            error: JsonObject = {"type": "StepTimeout", "step_id": step_id}
            assign: JsonObject = {scope.failure: error}
            if not scope.in_item:
                assign["late"] = True
            self.add(scope, op, name, passing(assign, scope.fail(step_id)))
        return name

    def failing(
        self, op: JsonObject, suffix: str, type_: str, next_: str, scope: Scope, message: str = ""
    ) -> str:
        """Add a state that notes a failure which is not AWS's; return its name."""
        step_id = str(op["step_id"])
        target, assign = self.on_failure(op, next_, scope)
        if target != next_:
            error: JsonObject = {"type": type_, "step_id": step_id}
            if message:
                error["data"] = {"message": message}
            assign[scope.failure] = error
        return self.add(scope, op, f"{step_id}.{suffix}", passing(assign, target))

    def _find_skippable(self, operations: Iterable[JsonObject]) -> None:
        for op in operations:
            if op["guard"] or op["on_error"] == "continue" or self.reads_skippable(op):
                self._skippable.add(str(op["step_id"]))
            if op["op"] == "FOR_EACH":
                self._find_skippable(objects(op["body"]))

    def reads_skippable(self, op: JsonObject) -> set[str]:
        """Return the steps that an operation reads and that may not have run."""
        own = {name: value for name, value in op.items() if name != "body"}
        return {name for name in _read_steps(own, self.hidden) if name in self._skippable}


def paging_start(step_id: str) -> JsonObject:
    """Return the variables of a paged call as they are before its first page."""
    return {
        f"page_{step_id}": None,
        f"page_before_{step_id}": None,
        f"pages_{step_id}": {},
        f"items_{step_id}": 0,
        f"again_{step_id}": 0,
    }


def time_left(seconds: int, until: str = "$until", least: int = 1) -> str:
    """Return so many seconds, or as many as are left, whatever is less."""
    return wrapped(f"$max([{least}, $min([{seconds}, $ceil(({until} - $millis()) / 1000)])])")


def expression_true(tree: JsonValue, names: Names) -> str:
    """Return a condition as the text of a field."""
    return wrapped(Compiler(names).condition(tree))


def objects(value: JsonValue) -> list[JsonObject]:
    """Return a list of objects as such."""
    return cast("list[JsonObject]", value)


def seconds_of(op: JsonObject, name: str) -> int:
    """Return a whole number of an operation."""
    return int(cast("int", op[name]))


def _is_certain(parameter: JsonObject) -> bool:
    return bool(parameter.get("required")) or parameter.get("default") is not None


def _read_steps(value: JsonValue, hidden: Hidden) -> set[str]:
    """Return the steps whose outputs trees read without a default."""
    if isinstance(value, list):
        return set().union(*(_read_steps(item, hidden) for item in value)) if value else set()
    if not isinstance(value, dict):
        return set()
    ref = value.get("ref")
    if isinstance(ref, list):
        is_output = ref[0] == "steps" and not is_own(ref, hidden) and "default" not in value
        return {str(ref[1])} if is_output else set()
    if "lit" in value:
        return set()
    inner = (_read_steps(item, hidden) for item in value.values())
    return set().union(*inner) if value else set()
