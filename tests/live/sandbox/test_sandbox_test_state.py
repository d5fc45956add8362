"""TestState, over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

ROLE = "arn:aws:iam::123456789012:role/states"
TASK = {
    "Type": "Task",
    "Resource": "arn:aws:states:::lambda:invoke",
    "Parameters": {"FunctionName": "price", "Payload.$": "$"},
    "ResultSelector": {"price.$": "$.Payload"},
    "ResultPath": "$.result",
    "Retry": [{"ErrorEquals": ["Busy"], "MaxAttempts": 2, "IntervalSeconds": 3}],
    "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Help"}],
    "Next": "Ship",
}


@pytest.fixture
def try_state(client: Any) -> Any:
    """Run TestState with Python values for its JSON texts."""

    def run(state: Any, given: Any = None, **fields: Any) -> dict[str, Any]:
        answer = client.test_state(
            definition=json.dumps(state), roleArn=ROLE, input=json.dumps(given or {}), **fields
        )
        answer.pop("ResponseMetadata")
        return dict(answer)

    return run


def test_pass(try_state: Any) -> None:
    state = {
        "Type": "Pass",
        "InputPath": "$.in",
        "Parameters": {"a.$": "$.a"},
        "ResultPath": "$.r",
        "Next": "X",
    }
    answer = try_state(state, {"in": {"a": 1}}, inspectionLevel="DEBUG")
    assert (answer["status"], answer["nextState"]) == ("SUCCEEDED", "X")
    inspected = {key: json.loads(text) for key, text in answer["inspectionData"].items()}
    assert inspected["input"] == {"in": {"a": 1}}
    assert inspected["afterInputPath"] == {"a": 1}
    assert inspected["afterParameters"] == {"a": 1}


def test_info_shows_no_inspection(try_state: Any) -> None:
    answer = try_state({"Type": "Pass", "End": True})
    assert answer == {"status": "SUCCEEDED", "output": "{}"}


@pytest.mark.parametrize(("x", "next_state"), [(1, "One"), (2, "Else")])
def test_choice(try_state: Any, x: int, next_state: str) -> None:
    rule = {"Variable": "$.x", "NumericEquals": 1, "Next": "One"}
    state = {"Type": "Choice", "Choices": [rule], "Default": "Else"}
    answer = try_state(state, {"x": x})
    assert answer == {
        "status": "SUCCEEDED",
        "nextState": next_state,
        "output": json.dumps({"x": x}, separators=(",", ":")),
    }


def test_choice_without_match(try_state: Any) -> None:
    rule = {"Variable": "$.x", "NumericEquals": 1, "Next": "One"}
    answer = try_state({"Type": "Choice", "Choices": [rule]}, {"x": 2})
    assert (answer["status"], answer["error"]) == ("FAILED", "States.NoChoiceMatched")


def test_succeed_wait_fail(try_state: Any) -> None:
    assert try_state({"Type": "Succeed"}, {"a": 1})["output"] == '{"a":1}'
    waited = try_state({"Type": "Wait", "Seconds": 1, "Next": "Up"})
    assert (waited["status"], waited["nextState"]) == ("SUCCEEDED", "Up")
    failed = try_state({"Type": "Fail", "Error": "Broken", "Cause": "told so"})
    assert failed == {"status": "FAILED", "error": "Broken", "cause": "told so"}


def test_mocked_result(try_state: Any) -> None:
    mock = {"result": '{"Payload": 7}'}
    answer = try_state(TASK, {"n": 1}, mock=mock, inspectionLevel="TRACE")
    assert (answer["status"], answer["nextState"]) == ("SUCCEEDED", "Ship")
    assert json.loads(answer["output"]) == {"n": 1, "result": {"price": 7}}
    inspected = answer["inspectionData"]
    assert json.loads(inspected["afterParameters"])["Payload"] == {"n": 1}
    assert json.loads(inspected["result"]) == {"Payload": 7}
    assert json.loads(inspected["afterResultSelector"]) == {"price": 7}


def test_mocked_errors(try_state: Any) -> None:
    busy = {"errorOutput": {"error": "Busy", "cause": "later"}}
    answer = try_state(TASK, {"n": 1}, mock=busy, inspectionLevel="DEBUG")
    assert (answer["status"], answer["error"], answer["cause"]) == ("RETRIABLE", "Busy", "later")
    details = answer["inspectionData"]["errorDetails"]
    assert details == {"retryIndex": 0, "retryBackoffIntervalSeconds": 3}
    second = {"retrierRetryCount": 1}
    answer = try_state(TASK, mock=busy, inspectionLevel="DEBUG", stateConfiguration=second)
    assert answer["inspectionData"]["errorDetails"]["retryBackoffIntervalSeconds"] == 6
    spent = {"retrierRetryCount": 2}
    answer = try_state(TASK, {"n": 1}, mock=busy, stateConfiguration=spent)
    assert (answer["status"], answer["nextState"]) == ("CAUGHT_ERROR", "Help")
    assert json.loads(answer["output"]) == {
        "n": 1,
        "error": {"Error": "Busy", "Cause": "later"},
    }
    uncaught = {key: value for key, value in TASK.items() if key not in ("Retry", "Catch")}
    assert try_state(uncaught, mock=busy)["status"] == "FAILED"


@pytest.mark.parametrize("kind", ["Map", "Parallel"])
def test_states_with_states_inside_need_a_mock(try_state: Any, steps: Any, kind: str) -> None:
    inner = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    more = {"ItemProcessor": inner} if kind == "Map" else {"Branches": [inner]}
    state = {"Type": kind, "Next": "Then"} | more
    answer = try_state(state, [1], mock={"result": "[2]"})
    assert answer == {"status": "SUCCEEDED", "output": "[2]", "nextState": "Then"}
    code = steps.refusal("test_state", definition=json.dumps(state), roleArn=ROLE)
    assert code == "ValidationException"


def test_a_state_of_a_machine(client: Any) -> None:
    states = {
        "A": {"Type": "Pass", "Next": "B"},
        "B": {"Type": "Pass", "Result": 1, "End": True},
    }
    definition = json.dumps({"StartAt": "A", "States": states})
    answer = client.test_state(definition=definition, stateName="B")
    assert (answer["status"], answer["output"]) == ("SUCCEEDED", "1")


def test_variables_and_context(try_state: Any) -> None:
    pytest.importorskip("jsonata")  # moto reads `$kept` with JSONata
    state = {
        "Type": "Pass",
        "Parameters": {"kept.$": "$kept", "name.$": "$$.Execution.Name"},
        "End": True,
    }
    context = json.dumps({"Execution": {"Name": "mine"}})
    answer = try_state(state, variables='{"kept": 42}', context=context)
    assert json.loads(answer["output"]) == {"kept": 42, "name": "mine"}


def test_a_real_service(try_state: Any) -> None:
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:dynamodb:listTables",
        "End": True,
    }
    # The sandbox is the process's: tests before this one may have left tables.
    assert isinstance(json.loads(try_state(state)["output"])["TableNames"], list)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"definition": "{"}, "InvalidDefinition"),
        ({"definition": '{"Type": "Nap"}'}, "InvalidDefinition"),
        ({"definition": '{"Type": "Succeed"}', "input": "{"}, "InvalidExecutionInput"),
        ({"definition": '{"Type": "Succeed"}', "roleArn": "me"}, "InvalidArn"),
        ({"definition": '{"Type": "Succeed"}', "stateName": "A"}, "ValidationException"),
        (
            {"definition": json.dumps(TASK), "mock": {"result": "{"}},
            "ValidationException",
        ),
    ],
)
def test_refusals(steps: Any, request_: dict[str, Any], code: str) -> None:
    assert steps.refusal("test_state", **request_) == code
