"""The result of an execution. Spec: section 8.

Values of AWS stand under `outputs` alone, and in the `data` of errors; what is secret is `***`.
"""

from __future__ import annotations

from datetime import datetime

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.times import time_text
from naftiko.workflow.vm.confirm import MASK
from naftiko.workflow.vm.environment import Ending
from naftiko.workflow.vm.failures import StepFailure
from naftiko.workflow.vm.loops import is_shown
from naftiko.workflow.vm.program import LoopNode, Node, Program
from naftiko.workflow.vm.records import Done
from naftiko.workflow.vm.run import Run


def ending(
    run: Run,
    status: str,
    *,
    steps: list[JsonValue] | None = None,
    outputs: JsonObject | None = None,
    error: JsonObject | None = None,
    rollback: list[JsonValue] | None = None,
    next_: JsonObject | None = None,
) -> Ending:
    """Return how an execution ended, or that it awaits confirmation."""
    is_over = status != "awaiting_confirmation"
    result: JsonObject = {
        "execution_id": run.facts.execution_id,
        "workflow": run.program.workflow,
        "status": status,
        "mode": run.mode,
        "cached": False,
        "started_at": time_text(run.facts.now),
        "finished_at": time_text(run.clock.now()) if is_over else None,
        "steps": step_list(run) if steps is None else steps,
        "outputs": outputs or {},
        "warnings": [*run.warnings],
    }
    for name, value in (("error", error), ("rollback", rollback), ("next", next_)):
        if value:
            result[name] = value
    return Ending(status=status, result=result)


def refused(
    program: Program, execution_id: str, mode: str, moment: datetime, error: JsonObject
) -> Ending:
    """Return the ending of an execution that never began."""
    result: JsonObject = {
        "execution_id": execution_id,
        "workflow": program.workflow,
        "status": "failed",
        "mode": mode,
        "cached": False,
        "started_at": time_text(moment),
        "finished_at": time_text(moment),
        "steps": [],
        "outputs": {},
        "error": error,
        "warnings": [],
    }
    return Ending(status="failed", result=result)


def step_list(run: Run) -> list[JsonValue]:
    """Return the steps that were reached, in plan order."""
    found: list[JsonValue] = []
    for node in run.program.ops:
        done = run.history.done.get(node.common.step_id)
        if done is not None:
            found.append(step_of(node, done))
    return found


def step_of(node: Node, done: Done) -> JsonObject:
    """Return one step of the result."""
    found: JsonObject = {
        "step_id": node.common.step_id,
        "op": node.common.op,
        "status": done.status,
        "attempts": done.attempts,
        "duration_ms": done.ms,
        "aws_request_ids": list(done.ids),
        "outputs": _shown_outputs(node, done.outputs),
    }
    if done.reason:
        found["reason"] = done.reason
    if done.error is not None:
        found["error"] = done.error
    return found


def _shown_outputs(node: Node, outputs: JsonObject) -> JsonObject:
    if node.common.op == "CONDITION":
        return {}
    if isinstance(node, LoopNode):
        return {**outputs, "results": _masked_results(node, outputs.get("results"))}
    hidden = node.common.hidden
    return {
        name: MASK if name in hidden and value is not None else value
        for name, value in outputs.items()
        if is_shown(name)
    }


def _masked_results(node: LoopNode, results: JsonValue) -> JsonValue:
    hidden = {inner.common.step_id: inner.common.hidden for inner in node.body}
    if not any(hidden.values()) or not isinstance(results, list):
        return results
    masked: list[JsonValue] = []
    for result in results:
        outputs = result.get("outputs") if isinstance(result, dict) else None
        if not isinstance(result, dict) or not isinstance(outputs, dict):
            continue
        shown: JsonObject = {}
        for step_id, values in outputs.items():
            assert isinstance(values, dict)
            shown[step_id] = {
                name: MASK if name in hidden[step_id] else value for name, value in values.items()
            }
        masked.append({**result, "outputs": shown})
    return masked


def outputs_of(run: Run) -> JsonObject:
    """Return what the workflow gives.

    Raises: StepFailure[TypeMismatch].
    """
    from naftiko.workflow.expressions.values import TypeMismatch

    found: JsonObject = {}
    values = run.frame.values("outputs")
    for name, tree, is_secret in run.program.outputs:
        try:
            value = tree.evaluate(values)
        except TypeMismatch as mismatch:
            raise StepFailure("TypeMismatch", f"the output `{name}`: {mismatch}") from None
        found[name] = MASK if is_secret and value is not None else value
    return found
