"""What is read off an execution in Step Functions: outcomes, and outputs of the same name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from naftiko.workflow.runtime.remote_history import RemoteHistory
from naftiko.workflow.vm.program import Program
from naftiko.workflow.vm.records import Done
from tests.unit.workflow.asl import samples

TIME = "2026-01-31T10:00:00Z"


def done(plan: dict[str, Any], step_id: str, held: dict[str, Any]) -> Done:
    assigned = {f"step_{step_id}": json.dumps(held)}
    events: list[Any] = [
        {"id": 1, "timestamp": TIME, "stateEnteredEventDetails": {"name": step_id}},
        {
            "id": 2,
            "timestamp": TIME,
            "previousEventId": 1,
            "stateExitedEventDetails": {"name": step_id, "assignedVariables": assigned},
        },
    ]
    history = RemoteHistory(program=Program.load(plan))
    list(history.read(events))
    return history.dones[step_id]


@pytest.mark.parametrize(
    ("code", "expected"),
    [("ParameterNotFound", "ParameterNotFound"), (None, None), ("say: do it", None), (7, None)],
)
def test_the_error_code_of_a_step(code: Any, expected: str | None) -> None:
    found = done(samples.asking(), "look", {"status": "failed", "error_code": code})
    assert (found.status, found.error_code, found.outputs) == ("failed", expected, {})


def test_outputs_that_are_called_as_what_a_step_says_of_itself() -> None:
    held = {"status": "succeeded", "=status": "ACTIVE", "=error_code": "none", "output.a": 1}
    found = done(samples.own_names(), "look", held)
    assert found.status == "succeeded"
    assert found.error_code is None
    assert found.outputs == {"status": "ACTIVE", "error_code": "none", "output.a": 1}
