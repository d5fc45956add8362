"""What each kind of operation does, but for loops. Spec: sections 1, 5 and 6."""

from __future__ import annotations

from dataclasses import replace

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.expressions.values import TypeMismatch
from naftiko.workflow.vm import calls
from naftiko.workflow.vm.calls import Tally, Where, evaluate
from naftiko.workflow.vm.changes import change
from naftiko.workflow.vm.confirm import confirmed_members
from naftiko.workflow.vm.data import WrongData, fits, kind_of, misfit, size_of
from naftiko.workflow.vm.failures import StepFailure
from naftiko.workflow.vm.program import (
    AssertNode,
    CallNode,
    ConditionNode,
    FilterNode,
    PollNode,
    SetNode,
    Tree,
    Variable,
    WaitNode,
)
from naftiko.workflow.vm.run import Run

MAX_MESSAGE = 1_000
"""An assertion's message is cut there."""


async def aws_call(run: Run, node: CallNode, where: Where, tally: Tally) -> JsonObject:
    """AWS_CALL."""
    if not node.call.mutating:
        answer = await calls.read(run, node.call, where, tally)
        return calls.selected(run, node.call, answer)
    flight = run.history.flights.get(where.key)
    if flight is not None:
        members = flight.members
    else:
        members = calls.render(node.call, where)
        members = await confirmed_members(run, node, where, members)
    calls.note_secrets(run, node.call, members)
    is_undoing = node.common.undoes is not None
    return await change(run, node.call, members, where, tally, is_undoing=is_undoing)


async def poll(run: Run, node: PollNode, where: Where, tally: Tally) -> JsonObject:
    """POLL: look, and look again after the interval."""
    clock, key = run.clock, where.key
    now = clock.now().timestamp()
    attempt, since = run.history.polls.get(key, (0, now))
    spent = max(0.0, now - since)
    if spent:
        rest = node.common.timeout_s - spent
        where = replace(where, deadline=where.deadline.within(rest, clock.monotonic()))
    where = replace(where, attempt_cap_s=run.env.limits.poll_attempt_s)
    while attempt < node.max_attempts:
        attempt += 1
        answer = await calls.read(run, node.call, where, tally)
        verdict = _verdict(node, where, answer)
        if verdict == "reached":
            outputs = calls.selected(run, node.call, answer)
            return {**outputs, "attempts": attempt}
        if verdict == "failed":
            raise StepFailure("PollFailed", "the condition of `fail_when` holds")
        await run.recorder.write("poll", key, {"attempt": attempt, "since": round(since, 3)})
        if attempt < node.max_attempts:
            run.event(where.step_id, "POLL", "waiting", attempt)
            await run.sleep(node.interval_s, where.deadline)
    raise StepFailure("PollExhausted", f"the condition did not hold after {attempt} attempts")


def _verdict(node: PollNode, where: Where, answer: JsonObject) -> str:
    variables = {item.name: _variable(item, answer) for item in node.variables}
    values = where.frame.values(where.step_id, variables=variables)
    try:
        if node.until.evaluate(values) is True:
            return "reached"
        if node.fail_when is not None and node.fail_when.evaluate(values) is True:
            return "failed"
    except TypeMismatch as mismatch:
        raise StepFailure("TypeMismatch", str(mismatch)) from None
    return "waiting"


def _variable(variable: Variable, answer: JsonObject) -> JsonValue:
    try:
        value = variable.path.get(answer)
    except WrongData as wrong:
        raise StepFailure("TypeMismatch", str(wrong)) from None
    if not fits(value, variable.type_):
        raise StepFailure("TypeMismatch", misfit(variable.name, value, variable.type_))
    return value


async def wait(run: Run, node: WaitNode, where: Where, _: Tally) -> JsonObject:
    """WAIT; after a crash only what is left of it."""
    now = run.clock.now().timestamp()
    until = run.history.waits.get(where.key)
    if until is None:
        until = now + node.seconds
        await run.recorder.write("wait", where.key, {"until": round(until, 3)})
    await run.sleep(max(0.0, until - now), where.deadline)
    return {}


async def filter_(run: Run, node: FilterNode, where: Where, _: Tally) -> JsonObject:
    """FILTER."""
    kept: list[JsonValue] = []
    for element in elements(node.from_, where):
        try:
            if node.where.evaluate(where.frame.values(where.step_id, item=element)) is True:
                kept.append(element)
        except TypeMismatch as mismatch:
            raise StepFailure("TypeMismatch", str(mismatch)) from None
        if len(kept) > node.max_items:
            message = f"the filter keeps more than {node.max_items} elements"
            raise StepFailure("FanOutExceeded", message)
    return {"items": kept, "count": len(kept)}


def elements(tree: Tree, where: Where) -> list[JsonValue]:
    """Return the list that FILTER and FOR_EACH work on; null is the empty one."""
    found = evaluate(tree, where)
    if found is None:
        return []
    if not isinstance(found, list):
        raise StepFailure("TypeMismatch", f"a list was expected and {kind_of(found)} found")
    return found


async def check(run: Run, node: AssertNode, where: Where, _: Tally) -> JsonObject:
    """ASSERT. The message may hold values of AWS: it is data of the error."""
    if evaluate(node.that, where) is True:
        return {}
    try:
        text = evaluate(node.message, where)
    except StepFailure:
        text = None
    shown = text[:MAX_MESSAGE] if isinstance(text, str) else ""
    raise StepFailure("AssertionFailed", "the condition does not hold", data={"message": shown})


async def set_(run: Run, node: SetNode, where: Where, _: Tally) -> JsonObject:
    """SET."""
    found: JsonObject = {}
    for name, tree in node.values:
        found[name] = evaluate(tree, where)
    try:
        run.keep(size_of(found, run.env.limits.step_output_bytes))
    except WrongData as wrong:
        raise StepFailure("TypeMismatch", str(wrong)) from None
    return found


async def condition(run: Run, node: ConditionNode, where: Where, _: Tally) -> JsonObject:
    """CONDITION: the register is part of what is recorded."""
    return {"value": evaluate(node.expr, where) is True}
