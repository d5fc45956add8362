"""Executions: the interpreter at work, stopped, listed and looked at, over HTTP."""

from __future__ import annotations

import datetime
import json
import time
from typing import Any

import pytest

from tests.live.sandbox.conftest import eventually

PASS = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}
FOREVER = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}}


def test_success(steps: Any, client: Any) -> None:
    execution = steps.start(
        steps.machine(PASS), {"a": [1, "é"]}, name="first", traceHeader="Root=1"
    )
    ended = steps.finish(execution)
    assert ended["status"] == "SUCCEEDED"
    assert ended["name"] == "first"
    assert json.loads(ended["output"]) == json.loads(ended["input"]) == {"a": [1, "é"]}
    assert ended["traceHeader"] == "Root=1"
    assert ended["stopDate"] >= ended["startDate"]
    assert (ended["redriveCount"], ended["redriveStatus"]) == (0, "NOT_REDRIVABLE")
    plain = client.describe_execution(executionArn=execution, includedData="METADATA_ONLY")
    assert "input" not in plain
    assert plain["inputDetails"] == {"included": False}


def test_map_parallel_choice(steps: Any) -> None:
    inner = {
        "StartAt": "Mark",
        "States": {"Mark": {"Type": "Pass", "Result": True, "ResultPath": "$.ok", "End": True}},
    }
    definition = {
        "StartAt": "Both",
        "States": {
            "Both": {
                "Type": "Parallel",
                "Branches": [
                    {
                        "StartAt": "Each",
                        "States": {
                            "Each": {
                                "Type": "Map",
                                "ItemsPath": "$.items",
                                "ItemProcessor": inner,
                                "End": True,
                            }
                        },
                    },
                    PASS,
                ],
                "ResultPath": "$.both",
                "Next": "Which",
            },
            "Which": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.both[0][1].ok", "BooleanEquals": True, "Next": "Yes"}],
                "Default": "No",
            },
            "Yes": {"Type": "Succeed"},
            "No": {"Type": "Fail"},
        },
    }
    ended = steps.run(definition, {"items": [{"n": 1}, {"n": 2}]})
    assert ended["status"] == "SUCCEEDED"
    both = json.loads(ended["output"])["both"]
    assert both[0] == [{"n": 1, "ok": True}, {"n": 2, "ok": True}]
    assert both[1] == {"items": [{"n": 1}, {"n": 2}]}


def test_failure(steps: Any) -> None:
    failing = {"Type": "Fail", "Error": "Broken", "Cause": "on purpose"}
    ended = steps.run({"StartAt": "Fail", "States": {"Fail": failing}})
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "Broken", "on purpose")
    assert ended["redriveStatus"] == "REDRIVABLE"
    assert steps.events(ended["executionArn"])[-1] == "ExecutionFailed"


def test_no_choice_matched(steps: Any) -> None:
    choice = {
        "Type": "Choice",
        "Choices": [{"Variable": "$.x", "NumericEquals": 1, "Next": "End"}],
    }
    states = {"Choice": choice, "End": {"Type": "Succeed"}}
    ended = steps.run({"StartAt": "Choice", "States": states}, {"x": 2})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.NoChoiceMatched")


def test_time_out(steps: Any) -> None:
    ended = steps.run(FOREVER | {"TimeoutSeconds": 1})
    assert ended["status"] == "TIMED_OUT"
    assert steps.events(ended["executionArn"])[-1] == "ExecutionTimedOut"


@pytest.mark.parametrize("offset", ["Z", "+00:00"])
def test_timestamps_are_exact(steps: Any, offset: str) -> None:
    definition = {
        "StartAt": "Wait",
        "States": {"Wait": {"Type": "Wait", "TimestampPath": "$.until", "End": True}},
    }
    until = datetime.datetime.now(tz=datetime.UTC) + datetime.timedelta(milliseconds=250)
    text = until.isoformat().replace("+00:00", offset)
    ended = steps.run(definition, {"until": text})
    assert ended["status"] == "SUCCEEDED"
    late = ended["stopDate"] - until
    assert datetime.timedelta(milliseconds=-2) <= late < datetime.timedelta(seconds=1)


def test_a_timestamp_in_the_definition(steps: Any) -> None:
    past = {"Type": "Wait", "Timestamp": "2020-01-01T00:00:00+01:00", "End": True}
    ended = steps.run({"StartAt": "Wait", "States": {"Wait": past}})
    assert ended["status"] == "SUCCEEDED"


def test_dates_that_a_service_returns(steps: Any) -> None:
    listing = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sfn:listStateMachines",
        "Parameters": {"MaxResults": 1},
        "End": True,
    }
    ended = steps.run({"StartAt": "List", "States": {"List": listing}})
    machine = json.loads(ended["output"])["StateMachines"][0]
    assert datetime.datetime.fromisoformat(machine["CreationDate"]).tzinfo is not None


def test_waiting_uses_no_processor(steps: Any) -> None:
    machine = steps.machine(FOREVER)
    executions = [steps.start(machine) for _ in range(20)]
    before, begun = time.process_time(), time.monotonic()
    steps.client.describe_execution(executionArn=executions[0])
    eventually(lambda: time.monotonic() - begun > 0.5)
    assert time.process_time() - before < 0.25
    for execution in executions:
        steps.client.stop_execution(executionArn=execution)


def test_stop(steps: Any, client: Any) -> None:
    execution = steps.start(steps.machine(FOREVER))
    stopped = client.stop_execution(executionArn=execution, error="Enough", cause="changed my mind")
    described = client.describe_execution(executionArn=execution)
    assert described["status"] == "ABORTED"
    assert described["stopDate"] == stopped["stopDate"]
    assert (described["error"], described["cause"]) == ("Enough", "changed my mind")
    last = client.get_execution_history(executionArn=execution, reverseOrder=True)["events"][0]
    assert last["type"] == "ExecutionAborted"
    assert last["executionAbortedEventDetails"] == {"error": "Enough", "cause": "changed my mind"}
    again = client.stop_execution(executionArn=execution, error="Later")
    assert again["stopDate"] == stopped["stopDate"]
    assert client.describe_execution(executionArn=execution)["error"] == "Enough"


def test_stop_inside_branches(steps: Any, client: Any) -> None:
    definition = {
        "StartAt": "Both",
        "States": {"Both": {"Type": "Parallel", "Branches": [FOREVER, FOREVER], "End": True}},
    }
    execution = steps.start(steps.machine(definition))
    client.stop_execution(executionArn=execution)
    assert client.describe_execution(executionArn=execution)["status"] == "ABORTED"
    assert steps.events(execution)[-1] == "ExecutionAborted"


def test_the_pause_before_a_retry_can_be_stopped(steps: Any, client: Any) -> None:
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {"QueueUrl": "http://localhost/nowhere", "MessageBody": "x"},
        "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 3600}],
        "End": True,
    }
    execution = steps.start(steps.machine({"StartAt": "Send", "States": {"Send": task}}))
    eventually(lambda: "TaskFailed" in steps.events(execution))
    client.stop_execution(executionArn=execution)
    assert client.describe_execution(executionArn=execution)["status"] == "ABORTED"


def test_names_are_idempotent_while_running(steps: Any, client: Any) -> None:
    machine = steps.machine(FOREVER)
    first = steps.start(machine, {"n": 1}, name="same")
    assert steps.start(machine, {"n": 1}, name="same") == first
    other = {"stateMachineArn": machine, "name": "same", "input": '{"n":2}'}
    assert steps.refusal("start_execution", **other) == "ExecutionAlreadyExists"
    client.stop_execution(executionArn=first)
    closed = {"stateMachineArn": machine, "name": "same", "input": '{"n": 1}'}
    assert steps.refusal("start_execution", **closed) == "ExecutionAlreadyExists"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"input": "{"}, "InvalidExecutionInput"),
        ({"input": json.dumps("x" * 300_000)}, "InvalidExecutionInput"),
        ({"name": "not/allowed"}, "InvalidName"),
    ],
)
def test_start_refuses(steps: Any, request_: dict[str, str], code: str) -> None:
    machine = steps.machine()
    assert steps.refusal("start_execution", stateMachineArn=machine, **request_) == code


def test_unknown_executions(steps: Any) -> None:
    nowhere = "arn:aws:states:us-east-1:123456789012:execution:no:where"
    for operation in (
        "describe_execution",
        "stop_execution",
        "get_execution_history",
        "describe_state_machine_for_execution",
        "redrive_execution",
        "list_map_runs",
    ):
        assert steps.refusal(operation, executionArn=nowhere) == "ExecutionDoesNotExist"
        assert steps.refusal(operation, executionArn="nonsense") == "InvalidArn"


def test_list_and_filter(steps: Any, client: Any) -> None:
    machine = steps.machine(FOREVER)
    executions = [steps.start(machine, name=f"run-{number}") for number in range(5)]
    client.stop_execution(executionArn=executions[0])
    listed = client.list_executions(stateMachineArn=machine)["executions"]
    assert [each["executionArn"] for each in listed] == executions[::-1]
    aborted = client.list_executions(stateMachineArn=machine, statusFilter="ABORTED")
    assert [each["name"] for each in aborted["executions"]] == ["run-0"]
    assert "stopDate" in aborted["executions"][0]
    none = client.list_executions(stateMachineArn=machine, redriveFilter="REDRIVEN")
    assert none["executions"] == []
    pages = client.get_paginator("list_executions").paginate(
        stateMachineArn=machine, PaginationConfig={"PageSize": 2}
    )
    assert [len(page["executions"]) for page in pages] == [2, 2, 1]
    assert steps.refusal("list_executions") == "ValidationException"
    for execution in executions:
        client.stop_execution(executionArn=execution)


def test_history(steps: Any, client: Any) -> None:
    execution = steps.start(steps.machine(PASS), {"secret": 1})
    steps.finish(execution)
    assert steps.events(execution) == [
        "ExecutionStarted",
        "PassStateEntered",
        "PassStateExited",
        "ExecutionSucceeded",
    ]
    reverse = client.get_execution_history(executionArn=execution, reverseOrder=True, maxResults=3)
    assert [event["id"] for event in reverse["events"]] == [4, 3, 2]
    rest = client.get_execution_history(
        executionArn=execution, reverseOrder=True, maxResults=3, nextToken=reverse["nextToken"]
    )
    assert [event["id"] for event in rest["events"]] == [1]
    bare = client.get_execution_history(executionArn=execution, includeExecutionData=False)
    assert "secret" not in json.dumps(bare["events"], default=str)


def test_an_update_leaves_running_executions_alone(steps: Any, client: Any) -> None:
    machine = steps.machine(FOREVER)
    execution = steps.start(machine)
    client.update_state_machine(stateMachineArn=machine, definition=json.dumps(PASS))
    ran = client.describe_state_machine_for_execution(executionArn=execution)
    assert json.loads(ran["definition"]) == FOREVER
    client.delete_state_machine(stateMachineArn=machine)
    assert client.describe_execution(executionArn=execution)["status"] == "ABORTED"


def test_distributed_map(steps: Any, client: Any) -> None:
    processor = PASS | {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    definition = {
        "StartAt": "Each",
        "States": {
            "Each": {
                "Type": "Map",
                "ItemsPath": "$.items",
                "ItemProcessor": processor,
                "MaxConcurrency": 2,
                "End": True,
            }
        },
    }
    ended = steps.run(definition, {"items": [1, 2, 3]})
    assert json.loads(ended["output"]) == [1, 2, 3]
    runs = client.list_map_runs(executionArn=ended["executionArn"])["mapRuns"]
    assert len(runs) == 1
    arn = runs[0]["mapRunArn"]
    described = client.describe_map_run(mapRunArn=arn)
    assert described["status"] == "SUCCEEDED"
    assert described["itemCounts"]["succeeded"] == 3
    assert client.list_executions(mapRunArn=arn)["executions"] == []
    code = steps.refusal("update_map_run", mapRunArn=arn, maxConcurrency=5)
    assert code == "ValidationException"
    nowhere = arn[:-1] + "x"
    assert steps.refusal("describe_map_run", mapRunArn=nowhere) == "ResourceNotFound"
    assert steps.refusal("list_executions", mapRunArn=nowhere) == "ResourceNotFound"


def test_update_of_a_running_map(steps: Any, client: Any) -> None:
    processor = FOREVER | {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    each = {"Type": "Map", "ItemProcessor": processor, "MaxConcurrency": 1, "End": True}
    execution = steps.start(steps.machine({"StartAt": "Each", "States": {"Each": each}}), [1])
    eventually(lambda: client.list_map_runs(executionArn=execution)["mapRuns"])
    arn = client.list_map_runs(executionArn=execution)["mapRuns"][0]["mapRunArn"]
    client.update_map_run(mapRunArn=arn, maxConcurrency=7)
    described = client.describe_map_run(mapRunArn=arn)
    assert (described["status"], described["maxConcurrency"]) == ("RUNNING", 7)
    client.stop_execution(executionArn=execution)
    assert client.describe_execution(executionArn=execution)["status"] == "ABORTED"


def test_express_executions_run_but_are_not_kept(steps: Any, client: Any) -> None:
    machine = steps.machine(PASS, type="EXPRESS")
    execution = steps.start(machine)
    assert ":express:" in execution
    assert steps.refusal("describe_execution", executionArn=execution) == "InvalidArn"
    assert steps.refusal("list_executions", stateMachineArn=machine) == (
        "StateMachineTypeNotSupported"
    )


def test_jsonata(steps: Any) -> None:
    pytest.importorskip("jsonata")
    add = {"Type": "Pass", "Output": {"sum": "{% $sum($states.input.numbers) %}"}, "End": True}
    definition = {"QueryLanguage": "JSONata", "StartAt": "Add", "States": {"Add": add}}
    ended = steps.run(definition, {"numbers": [1, 2, 3], "quote": 'a "b"'})
    assert json.loads(ended["output"]) == {"sum": 6}
