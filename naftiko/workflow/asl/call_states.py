"""AWS_CALL -> states: the call, what becomes of its errors, its pages."""

from __future__ import annotations

from typing import cast

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.asl import calls
from naftiko.workflow.asl.error_codes import check_codes, failed_with
from naftiko.workflow.asl.jsonata import Names
from naftiko.workflow.asl.literals import wrapped
from naftiko.workflow.asl.machine import choosing, passing
from naftiko.workflow.asl.paging import Pages, outcome
from naftiko.workflow.asl.states import (
    IS_LATE,
    Scope,
    States,
    paging_start,
    seconds_of,
    time_left,
    variable,
)


def add_call(
    states: States, op: JsonObject, call: calls.Call, state: JsonObject, next_: str, scope: Scope
) -> None:
    """Add a Task with what becomes of its errors.

    Those that the service's model does not name are looked at and tried again in a loop of
    their own: Retry knows names only, and refusals have the same one.
    """
    step_id = str(op["step_id"])
    target, assign = states.on_failure(op, next_, scope)
    if target != next_:
        assign[scope.failure] = calls.failure(call, step_id)
        if not scope.in_item:
            assign["late"] = wrapped(IS_LATE)
    caught = assign
    if step_id in states.codes:
        check_codes(call, states.codes[step_id])
        caught = {**assign, variable(step_id): failed_with(call)}
    rules: list[JsonValue] = []
    condition = calls.is_again(call)
    if condition is not None:
        rules.append(_again(states, op, call, condition, target, assign, scope))
        state["Assign"] = {**cast("JsonObject", state["Assign"]), f"again_{step_id}": 0}
    rules.append({"ErrorEquals": ["States.ALL"], "Assign": caught, "Output": {}, "Next": target})
    state["Catch"] = rules
    states.add(scope, op, step_id, state)


def _again(
    states: States,
    op: JsonObject,
    call: calls.Call,
    condition: str,
    target: str,
    assign: JsonObject,
    scope: Scope,
) -> JsonObject:
    step_id = str(op["step_id"])
    tries, is_again = f"again_{step_id}", f"is_again_{step_id}"
    waiting: JsonObject = {
        "Type": "Wait",
        "Seconds": calls.pause(call, f"${tries}"),
        "Next": step_id,
    }
    states.add(scope, op, f"{step_id}.pause", waiting)
    held = {name: value for name, value in assign.items() if name in {scope.failure, "late"}}
    final: JsonObject = {name: value for name, value in assign.items() if name not in held}
    states.add(scope, op, f"{step_id}.lost", passing(final, target))
    rule = (
        wrapped(f"${is_again} and ${tries} < {calls.attempts(call)} and $not({IS_LATE})"),
        f"{step_id}.pause",
    )
    states.add(scope, op, f"{step_id}.refused", choosing([rule], f"{step_id}.lost"))
    return {
        "ErrorEquals": [calls.unnamed_error(call)],
        "Assign": {**held, tries: wrapped(f"${tries} + 1"), is_again: wrapped(condition)},
        "Output": {},
        "Next": f"{step_id}.refused",
    }


def aws_call(states: States, op: JsonObject, next_: str, scope: Scope) -> str:
    """Add the states of an AWS_CALL; return the name of the first."""
    step_id = str(op["step_id"])
    call = calls.read_call(op)
    names = states.names(step_id, scope)
    _note_idempotency(states, op, scope)
    if op["paginate"]:
        entry = _paged(states, op, call, next_, scope)
    else:
        state = calls.task(
            call,
            names,
            partition=states.partition,
            timeout=time_left(_share(op, call)),
            members=_with_token(call, names),
        )
        state["Assign"] = {variable(step_id): outcome(calls.outputs(call))}
        state["Next"] = next_
        add_call(states, op, call, state, next_, scope)
        entry = step_id
    return checked_input(states, op, call, names, entry, next_, scope)


def checked_input(
    states: States,
    op: JsonObject,
    call: calls.Call,
    names: Names,
    entry: str,
    next_: str,
    scope: Scope,
) -> str:
    """Put a look at required input before a call, where it may be null."""
    missing = calls.missing_input(call, names)
    if missing is None:
        return entry
    step_id = str(op["step_id"])
    failing = states.failing(op, "missing", "InputMissing", next_, scope)
    return states.add(scope, op, f"{step_id}.input", choosing([(wrapped(missing), failing)], entry))


def _with_token(call: calls.Call, names: Names) -> JsonObject:
    idempotency = cast("JsonObject", call.plan["idempotency"])
    member = idempotency.get("member")
    if idempotency["kind"] != "token" or member is None or str(member) in call.members:
        return call.members
    return {**call.members, str(member): {"fn": "uuid", "args": [], "t": "string"}}


def _note_idempotency(states: States, op: JsonObject, scope: Scope) -> None:
    idempotency = cast("JsonObject", op["idempotency"])
    retry = cast("JsonObject", op["retry"])
    if idempotency["kind"] == "natural" and cast("int", retry["max_attempts"]) > 1:
        scope.machine.problems.warn(
            "WF801",
            f"`{op['step_id']}` is not tried again there after a lost connection: a state "
            "machine cannot observe what became of it",
            states.place(op),
        )
    if retry["backoff"] == "linear" and cast("int", retry["max_attempts"]) > 2:
        scope.machine.problems.warn(
            "WF801",
            f"`{op['step_id']}` doubles its delays there: Step Functions has no linear backoff",
            states.place(op),
        )


def _paged(states: States, op: JsonObject, call: calls.Call, next_: str, scope: Scope) -> str:
    """Add the loop over an operation's pages; its token is kept in a variable."""
    step_id = str(op["step_id"])
    names = states.names(step_id, scope)
    timeout = time_left(_share(op, call))
    state = calls.task(call, names, partition=states.partition, timeout=timeout)
    pages = Pages(op=op, call=call, names=names)
    pages.check_size()
    pages.fill(state)
    more, done = f"{step_id}.more", f"{step_id}.done"
    state["Next"] = more
    cap = cast("JsonObject", op["paginate"])["max_items"]
    again = f"$page_{step_id} != null and $items_{step_id} < {cap}"
    entry = f"{step_id}.start"
    add_call(states, op, call, state, next_, scope)
    stuck = states.failing(op, "stuck", "AwsError", next_, scope)
    same = f"$page_{step_id} != null and $page_{step_id} = $page_before_{step_id}"
    rules = [(wrapped(f"{again} and {same}"), stuck), (wrapped(again), step_id)]
    states.add(scope, op, more, choosing(rules, done))
    states.add(scope, op, done, passing({variable(step_id): pages.outcome()}, next_))
    return states.add(scope, op, entry, passing(paging_start(step_id), step_id))


def _share(op: JsonObject, call: calls.Call) -> int:
    """Return an attempt's part of the step's time, so that those after it have some left."""
    return max(1, seconds_of(op, "timeout") // calls.attempts(call))
