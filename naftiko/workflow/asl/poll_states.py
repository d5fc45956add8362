"""POLL -> states: a look, a check, a wait, and again."""

from __future__ import annotations

from typing import cast

from naftiko.values import JsonObject
from naftiko.workflow.asl import calls
from naftiko.workflow.asl.call_states import add_call, checked_input
from naftiko.workflow.asl.literals import literal, wrapped
from naftiko.workflow.asl.machine import choosing, passing
from naftiko.workflow.asl.paging import members_of, outcome
from naftiko.workflow.asl.states import (
    SUCCEEDED,
    Scope,
    States,
    expression_true,
    seconds_of,
    time_left,
    variable,
)

POLL_ATTEMPT_S = 60
"""A look of a poll takes no longer."""


def poll(states: States, op: JsonObject, next_: str, scope: Scope) -> str:
    """Add the states of a POLL; return the name of the first."""
    step_id = str(op["step_id"])
    plan = cast("JsonObject", op["call"])
    call = calls.read_call(plan)
    names = states.names(step_id, scope)
    interval, timeout = seconds_of(op, "interval"), seconds_of(op, "timeout")
    attempts = seconds_of(op, "max_attempts")
    in_time = (timeout - 1) // max(1, interval) + 1
    held, tries = f"vars_{step_id}", f"tries_{step_id}"
    end = f"until_{step_id}"
    left = time_left(min(POLL_ATTEMPT_S, timeout), f"${end}")
    state = calls.task(call, names, partition=states.partition, timeout=left)
    selects = cast("dict[str, str]", op["vars"])
    state["Assign"] = {
        held: members_of((n, calls.at_path(call, p, "$states.result")) for n, p in selects.items()),
        tries: wrapped(f"${tries} + 1"),
        variable(step_id): outcome(
            [*calls.outputs(call), ("attempts", f"${tries} + 1")], "running"
        ),
    }
    check = f"{step_id}.check"
    state["Next"] = check
    add_call(states, op, call, state, next_, scope)
    done = passing(
        {variable(step_id): wrapped(f"$merge([${variable(step_id)}, {literal(SUCCEEDED)}])")},
        next_,
    )
    rules = [(expression_true(op["until"], names), states.add(scope, op, f"{step_id}.done", done))]
    if op["fail_when"]:
        failed = states.failing(op, "failed", "PollFailed", next_, scope)
        rules.append((expression_true(op["fail_when"], names), failed))
    last, type_ = (attempts, "PollExhausted") if attempts <= in_time else (in_time, "StepTimeout")
    spent = states.failing(op, "exhausted", type_, next_, scope)
    rules.append((wrapped(f"${tries} >= {last}"), spent))
    soon = f"$millis() + {1_000 * interval}"
    if not scope.broken:
        rules.append((wrapped(f"{soon} >= $until"), states.late(op, scope)))
    over = spent
    if type_ != "StepTimeout":
        over = states.failing(op, "timeout", "StepTimeout", next_, scope)
    rules.append((wrapped(f"{soon} >= ${end}"), over))
    wait: JsonObject = {"Type": "Wait", "Seconds": interval, "Next": step_id}
    states.add(scope, op, check, choosing(rules, states.add(scope, op, f"{step_id}.wait", wait)))
    begin: JsonObject = {
        tries: 0,
        held: {},
        f"again_{step_id}": 0,
        end: wrapped(f"$min([$until, $millis() + {1_000 * timeout}])"),
    }
    entry = states.add(scope, op, f"{step_id}.start", passing(begin, step_id))
    return checked_input(states, op, call, names, entry, next_, scope)
