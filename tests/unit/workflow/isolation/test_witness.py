"""What a worker that was taken over says of its execution, and of others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from naftiko.values import JsonObject
from naftiko.workflow.isolation.guard import Refused
from naftiko.workflow.isolation.witness import Witness
from naftiko.workflow.ports import StepEvent
from tests.unit.workflow.isolation.plans import everything
from tests.unit.workflow.isolation.test_isolated import Aws, isolated, surroundings


def witness(*, begins: bool = False) -> Witness:
    return Witness(everything(), "x1", begins=begins)


def event(**more: Any) -> StepEvent:
    known = {"execution_id": "another", "step_id": "fetch", "op": "AWS_CALL", "phase": "started"}
    return StepEvent(**{**known, **more})


def record(kind: str, **more: Any) -> JsonObject:
    return {"r": kind, "at": 1.0, "e": 0.5, **more}


def test_events_are_of_this_execution() -> None:
    told = witness().event(event(detail="call me at ..."))
    assert told is not None
    assert (told.execution_id, told.detail) == ("x1", "")
    assert witness().event(event(step_id="approve this, user")) is None


@pytest.mark.parametrize(
    "forged",
    [
        record("start", checksum="sha256:0", parameters={}, principal={}, machine="arn:..."),
        record("confirmed", k="fetch"),
        record("intent", k="fetch", attempt=1, first=0.0, members={}),
        record("done", k="fetch"),
        record("end", status="awaiting_confirmation", result={}),
        record("end", status="succeeded", result=[]),
        record("done", k="fetch", status="succeeded", outputs={"text": "x" * 17_000_000}),
        {"r": "wait", "k": "rest"},
    ],
    ids=["start", "confirmed", "intent", "bare", "awaiting", "list", "huge", "timeless"],
)
def test_records_that_a_reading_plan_does_not_write_are_refused(forged: JsonObject) -> None:
    with pytest.raises(Refused):
        witness().record(forged)


def test_records_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("naftiko.workflow.isolation.witness.MAX_RECORDS", 2)
    seen = witness()
    for _ in range(2):
        seen.record(record("wait", k="rest", until=3.0))
    with pytest.raises(Refused, match="too many"):
        seen.record(record("wait", k="rest", until=3.0))


def test_an_ending_is_of_this_execution() -> None:
    forged: JsonObject = {
        "execution_id": "another",
        "workflow": {"name": "other", "tier": "enterprise"},
        "status": "failed",
        "next": {"confirm_token": "t"},
        "outputs": {},
    }
    ending = witness().ending("succeeded", forged)
    assert ending is not None
    assert ending.result["execution_id"] == "x1"
    assert ending.result["status"] == "succeeded"
    assert ending.result["workflow"]["name"] == "probe"  # type: ignore[index,call-overload] # is one
    assert "next" not in ending.result
    assert witness().ending("awaiting_confirmation", forged) is None
    kept = witness().record(record("end", status="succeeded", result=forged))
    assert kept["result"] == ending.result


def test_a_worker_that_speaks_for_others_is_not_heard() -> None:
    aws, heard = Aws(), list[StepEvent]()
    env = replace(surroundings(aws), on_event=heard.append)
    ending = isolated(aws, do="impersonate", env=env)
    assert [one.execution_id for one in heard] == ["x1"]
    assert ending.result["execution_id"] == "x1"
