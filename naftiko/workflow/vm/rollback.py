"""Taking back what this execution did, when it fails. Spec: section 6.5, I6."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.vm.calls import Where
from naftiko.workflow.vm.failures import Halt
from naftiko.workflow.vm.operations import elements
from naftiko.workflow.vm.program import CallNode, Handler, LoopNode, Node
from naftiko.workflow.vm.records import Done
from naftiko.workflow.vm.run import Deadline, Run
from naftiko.workflow.vm.scope import Frame
from naftiko.workflow.vm.steps import run_op


@dataclass(slots=True, kw_only=True)
class RolledBack:
    """What the handlers did. `ran`: one was armed; `clean`: nothing in them failed."""

    handlers: list[JsonValue] = field(default_factory=list)
    ran: bool = False
    clean: bool = True


async def roll_back(run: Run, failing: frozenset[str]) -> RolledBack:
    """Run every handler that covers the failing step; `failing` are the ids it goes by.

    Errors are recorded and the rest goes on. Raises: Halt, if the plan has been revoked.
    """
    found = RolledBack()
    budget = min(run.env.limits.rollback_s, run.program.max_duration_s)
    # What a step did although it failed is known: its compensator may read it.
    _uncover(run)
    deadline = Deadline(run.clock.monotonic() + budget, "rollback")
    for handler in run.program.handlers:
        if not handler.steps & failing:
            continue
        if not any(_has_effect(run, step_id) for step_id in handler.steps):
            reason = "none of the steps it covers has changed anything"
            skipped: JsonObject = {"handler": handler.name, "status": "skipped", "reason": reason}
            found.handlers.append(skipped)
            continue
        found.ran = True
        await _run_handler(run, handler, deadline, found)
    return found


def _uncover(run: Run) -> None:
    for node in run.program.ops:
        done = run.history.done.get(node.common.step_id)
        if done is not None and done.status == "failed" and done.effect:
            seen = replace(done, status="succeeded")
            run.frame.settle(node.common, seen)


def _has_effect(run: Run, step_id: str) -> bool:
    if _done_changed(run, step_id):
        return True
    loop = _loop_of(run, step_id)
    if loop is not None:
        return any(True for _ in _changed_items(run, loop, step_id))
    position = run.program.positions.get(step_id)
    node = run.program.ops[position] if position is not None else None
    if not isinstance(node, LoopNode):
        return False
    return any(_has_effect(run, inner.common.step_id) for inner in node.body)


def _done_changed(run: Run, key: str) -> bool:
    done = run.history.done.get(key)
    return done is not None and done.effect


def _loop_of(run: Run, step_id: str) -> LoopNode | None:
    """Return the loop in whose body a step is."""
    position = run.program.positions.get(step_id)
    node = run.program.ops[position] if position is not None else None
    if isinstance(node, LoopNode) and node.common.step_id != step_id:
        return node
    return None


def _changed_items(run: Run, loop: LoopNode, step_id: str) -> list[int]:
    """Return the items, latest first, in which a step of the body has changed something."""
    start, found = f"{loop.common.step_id}[", []
    for key, done in run.history.done.items():
        if done.effect and key.startswith(start) and key.endswith(f"].{step_id}"):
            found.append(int(key[len(start) : key.index("]")]))
    return sorted(found, reverse=True)


async def _run_handler(run: Run, handler: Handler, deadline: Deadline, found: RolledBack) -> None:
    steps: list[JsonValue] = []
    status = "succeeded"
    outer = run.frame.for_item(None, 0)
    outer.index = None
    for node in handler.ops:
        for key, frame in _places(run, handler, node, outer):
            done = await _run_one(run, node, key, frame, deadline)
            steps.append(_shown(node, done))
            if done.status == "failed":
                status = "failed"
                found.clean = False
    found.handlers.append({"handler": handler.name, "status": status, "steps": steps})


def _places(run: Run, handler: Handler, node: Node, outer: Frame) -> list[tuple[str, Frame]]:
    """Return where a compensator runs: once, or once for each item that it takes back."""
    key = f"rollback.{handler.name}.{node.common.step_id}"
    undoes = node.common.undoes
    loop = _loop_of(run, undoes) if undoes is not None else None
    if loop is None or undoes is None:
        return [(key, outer)]
    places = []
    where = Where(frame=run.frame, key=loop.common.step_id, step_id="", deadline=run.deadline)
    items = elements(loop.over, where)
    for index in _changed_items(run, loop, undoes):
        frame = outer.for_item(items[index], index)
        for inner in loop.body:
            done = run.history.done.get(f"{loop.common.step_id}[{index}].{inner.common.step_id}")
            if done is not None:
                effect = replace(done, status="succeeded") if done.effect else done
                frame.settle(inner.common, effect)
        places.append((f"{key}[{index}]", frame))
    return places


async def _run_one(run: Run, node: Node, key: str, frame: Frame, deadline: Deadline) -> Done:
    common = node.common
    known = run.history.done.get(key)
    if known is not None:
        frame.settle(common, known)
        return known
    undoes = common.undoes
    reason = ""
    if undoes is not None and frame.index is None and not _done_changed(run, undoes):
        reason = f"`{undoes}` has changed nothing"
    elif run.env.revoked(run.program.checksum):
        raise Halt("revoked")
    elif run.clock.monotonic() >= deadline.at:
        error: JsonObject = {
            "type": "StepTimeout",
            "step_id": common.step_id,
            "message": "the time for the rollback is over",
        }
        return await _record(run, key, Done(status="failed", error=error))
    if reason:
        done = await _record(run, key, Done(status="skipped", reason=reason))
        frame.settle(common, done)
        return done
    run.event(common.step_id, common.op, "rollback")
    where = Where(frame=frame, key=key, step_id=common.step_id, deadline=deadline)
    return await run_op(run, node, where)


async def _record(run: Run, key: str, done: Done) -> Done:
    await run.recorder.write("done", key, done.to_json())
    run.history.done[key] = done
    return done


def _shown(node: Node, done: Done) -> JsonValue:
    found: JsonObject = {
        "step_id": node.common.step_id,
        "op": node.common.op,
        "status": done.status,
        "attempts": done.attempts,
        "duration_ms": done.ms,
        "aws_request_ids": list(done.ids),
    }
    if isinstance(node, CallNode):
        found["operation"] = node.call.operation
    if done.error is not None:
        found["error"] = done.error
    if done.reason:
        found["reason"] = done.reason
    return found
