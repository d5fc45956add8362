"""A plan -> a state machine of Step Functions, JSONata mode, type STANDARD. Spec: section 11."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from naftiko.errors import Problem, Problems
from naftiko.source import Location
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.asl.jsonata import MOMENT, Compiler
from naftiko.workflow.asl.literals import NotMappable, literal, wrapped
from naftiko.workflow.asl.machine import (
    MAX_BYTES,
    START,
    Machine,
    check,
    choosing,
    passing,
    shortened,
    targets,
)
from naftiko.workflow.asl.policy import role_policy
from naftiko.workflow.asl.states import Scope, objects, variable
from naftiko.workflow.asl.steps import Steps

END = "Workflow.end"
FAIL = "Workflow.fail"
ROLLBACK = "Workflow.rollback"
ROLLBACK_S = 300
"""The rollback's budget; spec, section 6.4."""

SLACK_S = 60
"""The machine keeps its times itself; Step Functions ends one that hangs beyond all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A state machine. With problems that are errors, `definition` must not be used."""

    definition: JsonObject
    role_policy: JsonObject
    problems: tuple[Problem, ...]

    @property
    def is_usable(self) -> bool:
        """Whether everything could be mapped."""
        return not any(problem.severity == 0 for problem in self.problems)


def export(plan: JsonObject, *, partition: str = "aws") -> Export:
    """Return the state machine of a plan.

    `definition` is what CreateStateMachine takes (as JSON text), `role_policy` has the policy
    documents of the role it runs as. Same plan, same result.
    """
    problems = Problems()
    place = Location(path=f"{plan['name']}@{plan['version']}")
    machine = Machine(problems, place)
    definition = _definition(plan, machine, partition)
    if not problems.errors:
        wrong = check(definition)
        if wrong:
            raise AssertionError("; ".join(wrong))
        _check_size(definition, problems, place)
    return Export(
        definition=definition, role_policy=role_policy(plan, partition), problems=problems.sorted()
    )


def definition_text(definition: JsonObject) -> str:
    """Return a definition as canonical text: the same bytes each time."""
    from naftiko.workflow.plan.canonical import canonical

    return canonical(definition).decode()


def _definition(plan: JsonObject, machine: Machine, partition: str) -> JsonObject:
    steps = Steps(plan, partition)
    main = objects(plan["execution_plan"])
    handlers = ordered_handlers(plan)
    scope = Scope(machine=machine, fail=lambda _: ROLLBACK if handlers else FAIL)
    machine.add(END, _end(plan, steps, scope))
    first = steps.chain(main, END, scope)
    machine.add(START, passing(_variables(plan, steps, handlers), first))
    mentioned = {name for state in machine.states.values() for name in _mentions(state)}
    if ROLLBACK in mentioned or FAIL in mentioned:
        _add_rollback(handlers, steps, scope, main, _budget(plan))
    budget = _budget(plan)
    return {
        "Comment": f"{plan['workflow_id']} {plan['checksum']}",
        "QueryLanguage": "JSONata",
        "StartAt": START,
        "States": shortened(machine.states),
        "TimeoutSeconds": budget + min(ROLLBACK_S, budget) + SLACK_S,
    }


def _budget(plan: JsonObject) -> int:
    return max(1, int(cast("int", cast("JsonObject", plan["metadata"])["max_duration"])))


def _variables(plan: JsonObject, steps: Steps, handlers: list[JsonObject]) -> JsonObject:
    defaults = {str(p["name"]): p.get("default") for p in objects(plan["parameters"])}
    undoing = [op for handler in handlers for op in objects(handler["ops"])]
    return {
        "params": wrapped(f"$merge([{literal(defaults)}, $states.input.parameters])"),
        "facts": wrapped(FACTS),
        "failure": {},
        "late": False,
        "ran": False,
        "broke": False,
        "until": wrapped(f"$millis() + {1_000 * _budget(plan)}"),
        **steps.initial(objects(plan["execution_plan"])),
        **steps.initial(undoing),
    }


FACTS = (
    '($given := $states.input.facts; $arn := $split($states.context.Execution.Id, ":"); '
    "$ms := $toMillis($exists($given.now) ? $given.now : $states.context.Execution.StartTime); "
    '$merge([{"now": $fromMillis($ms, ' + MOMENT + '), "now_ms": $ms, '
    '"timestamp": $fromMillis($ms, "[Y0001][M01][D01][H01][m01][s01]"), '
    '"execution_id": $states.context.Execution.Name, "partition": $arn[1], "region": $arn[3], '
    '"account_id": $arn[4], "uuid": {}}, $sift($given, function($v, $k) { $k != "now" })]))'
)
"""What expressions take from the execution. The engine passes `facts`; without it, the
execution's own start, name and ARN stand in."""


def _end(plan: JsonObject, steps: Steps, scope: Scope) -> JsonObject:
    compiler = Compiler(steps.names("", scope))
    outputs = cast("JsonObject", plan["outputs"])
    try:
        text = compiler.code({"obj": outputs}).text
    except NotMappable as error:
        scope.machine.problems.error(
            "WF801",
            f"the outputs cannot be given by a state machine: it has no way to do {error}",
            scope.machine.place,
            "run the workflow in the engine",
        )
        text = "{}"
    return {"Type": "Succeed", "Output": wrapped(text)}


def ordered_handlers(plan: JsonObject) -> list[JsonObject]:
    """Return the handlers in the order in which they run: the latest covered step first."""
    order = {str(op["step_id"]): n for n, op in enumerate(objects(plan["execution_plan"]))}
    handlers = objects(plan["rollback"])

    def latest(handler: JsonObject) -> int:
        return max(
            (order.get(str(s), -1) for s in cast("list[JsonValue]", handler["steps"])), default=-1
        )

    return sorted(handlers, key=latest, reverse=True)


def _add_rollback(
    handlers: list[JsonObject],
    steps: Steps,
    scope: Scope,
    main: list[JsonObject],
    budget: int,
) -> None:
    machine = scope.machine
    status = '$late ? "timed_out" : $broke ? "rollback_failed" : $ran ? "rolled_back" : "failed"'
    machine.add(
        FAIL,
        {
            "Type": "Fail",
            "Error": wrapped("$failure.type"),
            "Cause": wrapped(f'$string({{"status": {status}, "error": $failure}})'),
        },
    )
    until = wrapped(f"$ran ? $until : $millis() + {1_000 * min(ROLLBACK_S, budget)}")
    undoing = Scope(machine=machine, fail=lambda _: FAIL, broken=True)
    top = {str(op["step_id"]) for op in main}
    mutating = {str(op["step_id"]) for op in main if is_mutating(op)}
    following = FAIL
    for number in range(len(handlers), 0, -1):
        handler = handlers[number - 1]
        covered = [str(step) for step in cast("list[JsonValue]", handler["steps"])]
        ops = objects(handler["ops"])
        for op in ops:
            if op.get("undoes") and str(op["undoes"]) not in top:
                problems_of_items(op, steps, machine)
        first = steps.chain(ops, following, undoing)
        name = ROLLBACK if number == 1 else f"{ROLLBACK}.{number}"
        run = machine.add(f"{ROLLBACK}.run.{number}", passing({"ran": True, "until": until}, first))
        armed = [f'${variable(s)}.status = "succeeded"' for s in covered if s in mutating]
        concerned = f"$failure.step_id in {literal([*covered])}"
        condition = wrapped(f"{concerned} and ({' or '.join(armed) or 'false'})")
        following = machine.add(name, choosing([(condition, run)], following))


def problems_of_items(op: JsonObject, steps: Steps, machine: Machine) -> None:
    """Report a compensator for what single items of a loop did: a Map that fails tells nothing."""
    machine.problems.error(
        "WF801",
        f"`{op['step_id']}` takes back what items of a loop did, which a state machine does not "
        "know once one of them has failed",
        steps.place(op),
        "run the workflow in the engine",
    )


def is_mutating(op: JsonObject) -> bool:
    """Return whether an operation changes anything in AWS."""
    if op["op"] == "FOR_EACH":
        return any(is_mutating(step) for step in objects(op["body"]))
    return op["op"] == "AWS_CALL" and bool(op["mutating"])


def _mentions(state: JsonValue) -> list[str]:
    return targets(cast("JsonObject", state))


def _check_size(definition: JsonObject, problems: Problems, place: Location) -> None:
    size = len(definition_text(definition).encode())
    if size > MAX_BYTES:
        problems.error(
            "WF803",
            f"the state machine's definition has {size:,} bytes, where Step Functions allows "
            f"{MAX_BYTES:,}",
            place,
            "split the workflow, or run it in the engine",
        )


__all__ = ["Export", "definition_text", "export"]
