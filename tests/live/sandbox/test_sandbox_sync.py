"""StartSyncExecution, over HTTP."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PASS = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}
UNTIL = {
    "StartAt": "Wait",
    "States": {"Wait": {"Type": "Wait", "TimestampPath": "$.until", "End": True}},
}


def test_success(steps: Any, client: Any) -> None:
    machine = steps.machine(PASS, type="EXPRESS")
    answer = client.start_sync_execution(
        stateMachineArn=machine, name="mine", input='{"a": 1}', traceHeader="Root=1"
    )
    assert answer["status"] == "SUCCEEDED"
    assert json.loads(answer["output"]) == {"a": 1}
    assert answer["input"] == '{"a": 1}'
    assert answer["name"] == "mine"
    assert answer["traceHeader"] == "Root=1"
    assert answer["stateMachineArn"] == machine
    assert ":express:" in answer["executionArn"]
    assert answer["stopDate"] >= answer["startDate"]
    assert answer["billingDetails"] == {
        "billedMemoryUsedInMB": 64,
        "billedDurationInMilliseconds": 100,
    }
    client.start_sync_execution(stateMachineArn=machine, name="mine")
    plain = client.start_sync_execution(stateMachineArn=machine, includedData="METADATA_ONLY")
    assert "output" not in plain


def test_failure_and_time_out(steps: Any, client: Any) -> None:
    failing = {"Type": "Fail", "Error": "Broken", "Cause": "on purpose"}
    machine = steps.machine({"StartAt": "Fail", "States": {"Fail": failing}}, type="EXPRESS")
    answer = client.start_sync_execution(stateMachineArn=machine)
    assert (answer["status"], answer["error"], answer["cause"]) == (
        "FAILED",
        "Broken",
        "on purpose",
    )
    slow = {"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}
    machine = steps.machine(
        {"StartAt": "Wait", "States": slow, "TimeoutSeconds": 1}, type="EXPRESS"
    )
    assert client.start_sync_execution(stateMachineArn=machine)["status"] == "TIMED_OUT"


def test_versions_and_aliases(steps: Any, client: Any) -> None:
    machine = steps.machine(PASS, type="EXPRESS", publish=True)
    client.create_state_machine_alias(
        name="PROD",
        routingConfiguration=[{"stateMachineVersionArn": f"{machine}:1", "weight": 100}],
    )
    for qualifier in ("1", "PROD"):
        answer = client.start_sync_execution(stateMachineArn=f"{machine}:{qualifier}")
        assert answer["status"] == "SUCCEEDED"


def test_refusals(steps: Any) -> None:
    standard = steps.machine(PASS)
    express = steps.machine(PASS, type="EXPRESS")
    for request, code in (
        ({"stateMachineArn": standard}, "StateMachineTypeNotSupported"),
        ({"stateMachineArn": f"{express}-not"}, "StateMachineDoesNotExist"),
        ({"stateMachineArn": express, "input": "{"}, "InvalidExecutionInput"),
        ({"stateMachineArn": express, "name": "a b"}, "InvalidName"),
        ({"stateMachineArn": "nonsense"}, "InvalidArn"),
    ):
        assert steps.refusal("start_sync_execution", **request) == code


def test_sixteen_at_once_run_beside_each_other(steps: Any, client: Any) -> None:
    """Each is running before any has ended; in turns, the second would start after the first."""
    waiting = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3, "End": True}}}
    machine = steps.machine(waiting, type="EXPRESS")
    with ThreadPoolExecutor(16) as pool:
        calls = [
            pool.submit(client.start_sync_execution, stateMachineArn=machine) for _ in range(16)
        ]
        answers = [call.result() for call in calls]
    assert {answer["status"] for answer in answers} == {"SUCCEEDED"}
    assert max(each["startDate"] for each in answers) < min(each["stopDate"] for each in answers)
