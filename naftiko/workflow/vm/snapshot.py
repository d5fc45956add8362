"""An execution as its records tell it, while it runs, waits or after it is over."""

from __future__ import annotations

from collections.abc import Sequence

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.vm.confirm import next_of
from naftiko.workflow.vm.environment import Environment
from naftiko.workflow.vm.program import Program
from naftiko.workflow.vm.records import History
from naftiko.workflow.vm.results import step_of


def snapshot(
    execution_id: str,
    status: str,
    records: Sequence[JsonObject],
    program: Program | None,
    env: Environment,
) -> JsonObject:
    """Return an execution's result so far.

    Without its program, which says what is secret, nothing of AWS is shown.
    """
    history = History(records)
    if history.end is not None:
        result = history.end["result"]
        assert isinstance(result, dict)
        return result
    start = history.start or {}
    found: JsonObject = {
        "execution_id": execution_id,
        "workflow": program.workflow if program is not None else {},
        "status": status,
        "mode": start.get("mode"),
        "cached": False,
        "started_at": start.get("now"),
        "finished_at": None,
        "steps": _steps(history, program),
        "outputs": {},
        "warnings": [],
    }
    if history.failing is not None:
        found["error"] = history.failing["error"]
    pending = history.awaiting
    if status == "awaiting_confirmation" and pending is not None:
        found["next"] = next_of(env, execution_id, pending)
    return found


def _steps(history: History, program: Program | None) -> list[JsonValue]:
    if program is None:
        return [{"step_id": key, "status": done.status} for key, done in history.done.items()]
    return [
        step_of(node, history.done[node.common.step_id])
        for node in program.ops
        if node.common.step_id in history.done
    ]
