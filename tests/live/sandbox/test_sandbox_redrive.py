"""RedriveExecution, over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

Worker = Callable[..., dict[str, Any]]


@pytest.fixture
def activity(client: Any) -> str:
    """The ARN of a new activity."""
    name = f"work-{time.monotonic_ns()}"
    return str(client.create_activity(name=name)["activityArn"])


@pytest.fixture
def work(client: Any, activity: str) -> Worker:
    """Take a task of the activity and end it as told."""

    def end(*, error: str | None = None, output: Any = None) -> dict[str, Any]:
        task = client.get_activity_task(activityArn=activity)
        token = task["taskToken"]
        if error:
            client.send_task_failure(taskToken=token, error=error, cause="told so")
        else:
            client.send_task_success(taskToken=token, output=json.dumps(output))
        return dict(json.loads(task["input"]))

    return end


def test_goes_on_from_the_failed_state(
    steps: Any, client: Any, activity: str, work: Worker
) -> None:
    states = {
        "Prepare": {
            "Type": "Pass",
            "Parameters": {"id.$": "States.UUID()"},
            "Next": "Work",
        },
        "Work": {"Type": "Task", "Resource": activity, "ResultPath": "$.work", "Next": "After"},
        "After": {"Type": "Succeed"},
    }
    execution = steps.start(steps.machine({"StartAt": "Prepare", "States": states}))
    first = work(error="Jam")
    failed = steps.finish(execution)
    assert (failed["status"], failed["redriveStatus"]) == ("FAILED", "REDRIVABLE")
    redriven = client.redrive_execution(executionArn=execution)
    running = client.describe_execution(executionArn=execution)
    assert (running["status"], running["redriveCount"]) == ("RUNNING", 1)
    assert running["redriveDate"] == redriven["redriveDate"]
    assert running["redriveStatusReason"] == "Execution is RUNNING and cannot be redriven"
    assert "error" not in running
    assert "stopDate" not in running
    second = work(output=7)
    assert second == first
    ended = steps.finish(execution)
    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"]) == first | {"work": 7}
    assert steps.entered(execution) == ["Prepare", "Work", "Work", "After"]
    events = client.get_execution_history(executionArn=execution)["events"]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    mark = next(event for event in events if event["type"] == "ExecutionRedriven")
    assert mark["executionRedrivenEventDetails"] == {"redriveCount": 1}
    assert events[mark["id"] - 2]["type"] == "ExecutionFailed"
    listed = client.list_executions(
        stateMachineArn=ended["stateMachineArn"], redriveFilter="REDRIVEN"
    )["executions"]
    assert [each["redriveCount"] for each in listed] == [1]


def test_can_be_repeated(steps: Any, client: Any, activity: str, work: Worker) -> None:
    task = {"Type": "Task", "Resource": activity, "End": True}
    execution = steps.start(steps.machine({"StartAt": "Work", "States": {"Work": task}}))
    for _ in range(3):
        work(error="Jam")
        assert steps.finish(execution)["status"] == "FAILED"
        client.redrive_execution(executionArn=execution)
    work(output={})
    ended = steps.finish(execution)
    assert (ended["status"], ended["redriveCount"]) == ("SUCCEEDED", 3)


def test_uses_the_definition_of_the_start(
    steps: Any, client: Any, activity: str, work: Worker
) -> None:
    task = {"Type": "Task", "Resource": activity, "End": True}
    machine = steps.machine({"StartAt": "Work", "States": {"Work": task}})
    execution = steps.start(machine)
    work(error="Jam")
    steps.finish(execution)
    stop = {"StartAt": "Stop", "States": {"Stop": {"Type": "Fail"}}}
    client.update_state_machine(stateMachineArn=machine, definition=json.dumps(stop))
    client.redrive_execution(executionArn=execution)
    work(output=1)
    assert steps.finish(execution)["status"] == "SUCCEEDED"


def test_keeps_variables(steps: Any, client: Any, activity: str, work: Worker) -> None:
    pytest.importorskip("jsonata")  # moto reads `$kept` with JSONata
    states = {
        "Set": {"Type": "Pass", "Assign": {"kept": 42}, "Next": "Work"},
        "Work": {"Type": "Task", "Resource": activity, "Next": "Show"},
        "Show": {"Type": "Pass", "Parameters": {"kept.$": "$kept"}, "End": True},
    }
    execution = steps.start(steps.machine({"StartAt": "Set", "States": states}))
    work(error="Jam")
    steps.finish(execution)
    client.redrive_execution(executionArn=execution)
    work(output=1)
    assert json.loads(steps.finish(execution)["output"]) == {"kept": 42}


def test_branches_that_succeeded_are_not_run_again(
    steps: Any, client: Any, activity: str, work: Worker
) -> None:
    good = {
        "StartAt": "Good",
        "States": {"Good": {"Type": "Pass", "Parameters": {"id.$": "States.UUID()"}, "End": True}},
    }
    bad = {
        "StartAt": "Before",
        "States": {
            "Before": {"Type": "Pass", "Next": "Work"},
            "Work": {"Type": "Task", "Resource": activity, "End": True},
        },
    }
    both = {"Type": "Parallel", "Branches": [good, bad], "End": True}
    execution = steps.start(steps.machine({"StartAt": "Both", "States": {"Both": both}}))
    steps.await_exit(execution, "Good")
    work(error="Jam")
    assert steps.finish(execution)["error"] == "Jam"
    client.redrive_execution(executionArn=execution)
    work(output="mended")
    ended = steps.finish(execution)
    assert json.loads(ended["output"])[1] == "mended"
    entered = steps.entered(execution)
    assert sorted(entered) == ["Before", "Both", "Both", "Good", "Work", "Work"]


def test_iterations_that_succeeded_are_not_run_again(
    steps: Any, client: Any, activity: str, work: Worker
) -> None:
    each = {
        "Type": "Map",
        "MaxConcurrency": 1,
        "ItemProcessor": {
            "StartAt": "Which",
            "States": {
                "Which": {
                    "Type": "Choice",
                    "Choices": [{"Variable": "$.hard", "BooleanEquals": True, "Next": "Work"}],
                    "Default": "Easy",
                },
                "Easy": {"Type": "Pass", "Result": "easy", "End": True},
                "Work": {"Type": "Task", "Resource": activity, "End": True},
            },
        },
        "End": True,
    }
    given = [{"hard": False}, {"hard": True}, {"hard": False}]
    execution = steps.start(steps.machine({"StartAt": "Each", "States": {"Each": each}}), given)
    work(error="Jam")
    assert steps.finish(execution)["status"] == "FAILED"
    client.redrive_execution(executionArn=execution)
    work(output="hard")
    ended = steps.finish(execution)
    assert json.loads(ended["output"]) == ["easy", "hard", "easy"]
    entered = steps.entered(execution)
    assert (entered.count("Easy"), entered.count("Work")) == (2, 2)


def test_a_distributed_map(steps: Any, client: Any, activity: str, work: Worker) -> None:
    each = {
        "Type": "Map",
        "MaxConcurrency": 1,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Work",
            "States": {"Work": {"Type": "Task", "Resource": activity, "End": True}},
        },
        "End": True,
    }
    machine = steps.machine({"StartAt": "Each", "States": {"Each": each}})
    execution = steps.start(machine, [{"n": 1}, {"n": 2}, {"n": 3}])
    work(output=1)
    work(error="Jam")
    work(output=3)
    failed = steps.finish(execution)
    assert failed["error"] == "States.ExceedToleratedFailureThreshold"
    assert "MapRunFailed" in steps.events(execution)
    client.redrive_execution(executionArn=execution)
    assert work(output=2) == {"n": 2}
    assert json.loads(steps.finish(execution)["output"]) == [1, 2, 3]


@pytest.mark.parametrize("tolerated", ["ToleratedFailureCount", "ToleratedFailurePercentage"])
def test_tolerated_failures(steps: Any, tolerated: str) -> None:
    failing = {"StartAt": "Fail", "States": {"Fail": {"Type": "Fail", "Error": "No"}}}
    processor = failing | {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}}
    each = {"Type": "Map", "ItemProcessor": processor, tolerated: 100, "End": True}
    ended = steps.run({"StartAt": "Each", "States": {"Each": each}}, [1, 2])
    assert ended["status"] == "SUCCEEDED"


def test_a_retry_after_a_redrive_runs_all_branches(
    steps: Any, client: Any, activity: str, work: Worker
) -> None:
    good = {"StartAt": "Good", "States": {"Good": {"Type": "Pass", "End": True}}}
    bad = {
        "StartAt": "Work",
        "States": {"Work": {"Type": "Task", "Resource": activity, "End": True}},
    }
    both = {
        "Type": "Parallel",
        "Branches": [good, bad],
        "Retry": [{"ErrorEquals": ["Again"], "IntervalSeconds": 1, "MaxAttempts": 1}],
        "End": True,
    }
    execution = steps.start(steps.machine({"StartAt": "Both", "States": {"Both": both}}))
    steps.await_exit(execution, "Good")
    work(error="Jam")
    steps.finish(execution)
    client.redrive_execution(executionArn=execution)
    work(error="Again")
    work(output=1)
    assert steps.finish(execution)["status"] == "SUCCEEDED"
    assert steps.entered(execution).count("Good") == 2


def test_aborted_and_timed_out_executions(
    steps: Any, client: Any, activity: str, work: Worker
) -> None:
    task = {"Type": "Task", "Resource": activity, "End": True}
    machine = steps.machine({"StartAt": "Work", "States": {"Work": task}, "TimeoutSeconds": 1})
    execution = steps.start(machine)
    client.stop_execution(executionArn=execution)
    client.redrive_execution(executionArn=execution)
    assert steps.finish(execution)["status"] == "TIMED_OUT"
    client.redrive_execution(executionArn=execution)
    work(output=1)
    assert steps.finish(execution)["status"] == "SUCCEEDED"
    marks = [name for name in steps.events(execution) if name.startswith("Execution")]
    assert marks == [
        "ExecutionStarted",
        "ExecutionAborted",
        "ExecutionRedriven",
        "ExecutionTimedOut",
        "ExecutionRedriven",
        "ExecutionSucceeded",
    ]


def test_what_cannot_be_redriven(steps: Any, client: Any, activity: str, work: Worker) -> None:
    succeeded = steps.start(steps.machine())
    steps.finish(succeeded)
    code = steps.refusal("redrive_execution", executionArn=succeeded)
    assert code == "ExecutionNotRedrivable"
    task = {"Type": "Task", "Resource": activity, "End": True}
    running = steps.start(steps.machine({"StartAt": "Work", "States": {"Work": task}}))
    code = steps.refusal("redrive_execution", executionArn=running)
    assert code == "ExecutionNotRedrivable"
    work(error="Jam")
    steps.finish(running)
    once = client.redrive_execution(executionArn=running, clientToken="once")
    again = client.redrive_execution(executionArn=running, clientToken="once")
    assert again["redriveDate"] == once["redriveDate"]
    client.stop_execution(executionArn=running)


def test_a_fail_state_fails_again(steps: Any, client: Any) -> None:
    failing = {"StartAt": "Fail", "States": {"Fail": {"Type": "Fail", "Error": "Always"}}}
    ended = steps.run(failing)
    client.redrive_execution(executionArn=ended["executionArn"])
    again = steps.finish(ended["executionArn"])
    assert (again["status"], again["error"], again["redriveCount"]) == ("FAILED", "Always", 1)
