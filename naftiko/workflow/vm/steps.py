"""One operation from guard to record. Spec: sections 6.2 (order, skipping), 6.4 (timeouts)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from naftiko.values import JsonObject
from naftiko.workflow.vm import operations
from naftiko.workflow.vm.calls import Tally, Where
from naftiko.workflow.vm.failures import Halt, StepFailure
from naftiko.workflow.vm.loops import for_each
from naftiko.workflow.vm.program import CallNode, ConditionNode, LoopNode, Node
from naftiko.workflow.vm.records import Done
from naftiko.workflow.vm.run import Run

_Do = Callable[[Run, Node, Where, Tally], Awaitable[JsonObject]]


async def _loop(run: Run, node: LoopNode, where: Where, tally: Tally) -> JsonObject:
    return await for_each(run, node, where, tally, run_op)


_DO: dict[str, _Do] = {
    "AWS_CALL": cast("_Do", operations.aws_call),
    "POLL": cast("_Do", operations.poll),
    "FOR_EACH": cast("_Do", _loop),
    "FILTER": cast("_Do", operations.filter_),
    "WAIT": cast("_Do", operations.wait),
    "ASSERT": cast("_Do", operations.check),
    "SET": cast("_Do", operations.set_),
    "CONDITION": cast("_Do", operations.condition),
}


async def run_op(run: Run, node: Node, where: Where, /) -> Done:
    """Run an operation, or take what is recorded of it; its outcome is in the frame afterwards.

    `where.deadline` is that of what the operation is part of.

    Raises: Halt.
    """
    key, common = where.key, node.common
    done = run.history.done.get(key)
    if done is None:
        if key not in run.flying and where.deadline.kind != "rollback":
            halt = run.stopping()
            if halt is not None:
                raise halt
        done = _skipped(node, where)
        if done is None:
            done = await _do(run, node, where)
        else:
            await run.recorder.write("done", key, done.to_json())
            run.history.done[key] = done
            if where.frame.index is None:
                run.event(common.step_id, common.op, "skipped")
    _settle(run, node, where, done)
    return done


def _settle(run: Run, node: Node, where: Where, done: Done) -> None:
    where.frame.settle(node.common, done)
    for name in node.common.hidden:
        run.secrets.add(done.outputs.get(name))
    if isinstance(node, ConditionNode):
        where.frame.registers[node.dest] = done.outputs.get("value") is True


def _skipped(node: Node, where: Where) -> Done | None:
    common = node.common
    if common.guard is not None and not where.frame.registers.get(common.guard, False):
        return Done(status="skipped", reason="its condition is false")
    lacking = where.frame.lacks(common)
    if lacking is not None:
        return Done(status="skipped", reason=f"`{lacking}` has no outputs")
    return None


async def _do(run: Run, node: Node, where: Where) -> Done:
    common, key = node.common, where.key
    is_top = where.frame.index is None
    if is_top:
        run.event(common.step_id, common.op, "started")
    began = run.clock.monotonic()
    tally = Tally()
    own = Where(
        frame=where.frame,
        key=key,
        step_id=where.step_id,
        deadline=where.deadline.within(common.timeout_s, began),
    )
    halt: Halt | None = None
    try:
        outputs = await _DO[common.op](run, node, own, tally)
        effect = isinstance(node, CallNode) and node.call.mutating
        done = _done(run, "succeeded", began, tally, outputs, None, effect)
    except StepFailure as failure:
        halt = failure.halted
        error = run.error_of(failure, common.step_id)
        kept = failure.outputs or {}
        done = _done(run, "failed", began, tally, kept, error, failure.effect)
    await run.recorder.write("done", key, done.to_json())
    run.history.done[key] = done
    if is_top:
        run.event(common.step_id, common.op, done.status, done.attempts)
    if halt is not None:
        _settle(run, node, where, done)
        raise halt
    return done


def _done(
    run: Run,
    status: str,
    began: float,
    tally: Tally,
    outputs: JsonObject,
    error: JsonObject | None,
    effect: bool,
) -> Done:
    return Done(
        status=status,
        outputs=outputs,
        attempts=tally.attempts,
        ids=tuple(tally.ids),
        ms=round((run.clock.monotonic() - began) * 1_000),
        error=error,
        effect=effect,
    )
