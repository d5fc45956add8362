"""Activities, their workers, and task tokens, over HTTP."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError

from tests.live.sandbox.conftest import eventually

PASS = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}

Activity = tuple[str, str]


@pytest.fixture
def activity(steps: Any, client: Any) -> Callable[..., Activity]:
    """Make an activity, and a machine whose one task is of that activity."""

    def make(**fields: Any) -> Activity:
        name = f"activity-{time.monotonic_ns()}"
        arn = client.create_activity(name=name)["activityArn"]
        task = {"Type": "Task", "Resource": arn, "End": True} | fields
        return arn, steps.machine({"StartAt": "Work", "States": {"Work": task}})

    return make


def test_create_describe_list_delete(steps: Any, client: Any) -> None:
    created = client.create_activity(name="paint", tags=[{"key": "colour", "value": "red"}])
    arn = created["activityArn"]
    assert client.create_activity(name="paint")["creationDate"] == created["creationDate"]
    described = client.describe_activity(activityArn=arn)
    assert described["name"] == "paint"
    assert described["encryptionConfiguration"] == {"type": "AWS_OWNED_KEY"}
    assert arn in [each["activityArn"] for each in client.list_activities()["activities"]]
    tags = client.list_tags_for_resource(resourceArn=arn)["tags"]
    assert tags == [{"key": "colour", "value": "red"}]
    for number in range(3):
        client.create_activity(name=f"paint-{number}")
    pages = client.get_paginator("list_activities").paginate(PaginationConfig={"PageSize": 2})
    names = [each["name"] for page in pages for each in page["activities"]]
    assert len(names) == len(set(names)) >= 4
    client.delete_activity(activityArn=arn)
    client.delete_activity(activityArn=arn)
    assert steps.refusal("describe_activity", activityArn=arn) == "ActivityDoesNotExist"
    assert steps.refusal("get_activity_task", activityArn=arn) == "ActivityDoesNotExist"
    assert steps.refusal("create_activity", name="a b") == "InvalidName"


def test_success(steps: Any, client: Any, activity: Callable[..., Activity]) -> None:
    arn, machine = activity(HeartbeatSeconds=60)
    execution = steps.start(machine, {"n": 1})
    task = client.get_activity_task(activityArn=arn, workerName="ada")
    assert json.loads(task["input"]) == {"n": 1}
    client.send_task_heartbeat(taskToken=task["taskToken"])
    client.send_task_success(taskToken=task["taskToken"], output='{"done": true}')
    ended = steps.finish(execution)
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", {"done": True})
    assert steps.events(execution) == [
        "ExecutionStarted",
        "TaskStateEntered",
        "ActivityScheduled",
        "ActivityStarted",
        "ActivitySucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]
    for operation, more in (
        ("send_task_success", {"output": "{}"}),
        ("send_task_failure", {}),
        ("send_task_heartbeat", {}),
    ):
        code = steps.refusal(operation, taskToken=task["taskToken"], **more)
        assert code == "TaskTimedOut"


def test_failure(steps: Any, client: Any, activity: Callable[..., Activity]) -> None:
    arn, machine = activity()
    execution = steps.start(machine)
    task = client.get_activity_task(activityArn=arn)
    client.send_task_failure(taskToken=task["taskToken"], error="Jam", cause="no paper")
    ended = steps.finish(execution)
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "Jam", "no paper")


def test_failure_without_words(steps: Any, client: Any, activity: Callable[..., Activity]) -> None:
    arn, machine = activity()
    execution = steps.start(machine)
    client.send_task_failure(taskToken=client.get_activity_task(activityArn=arn)["taskToken"])
    assert steps.finish(execution)["status"] == "FAILED"


def test_a_heartbeat_that_stays_away(
    steps: Any, client: Any, activity: Callable[..., Activity]
) -> None:
    arn, machine = activity(HeartbeatSeconds=1)
    execution = steps.start(machine)
    task = client.get_activity_task(activityArn=arn)
    ended = steps.finish(execution)
    assert ended["status"] == "FAILED"
    assert ended["error"] in ("States.Timeout", "States.HeartbeatTimeout")
    assert "ActivityTimedOut" in steps.events(execution)
    code = steps.refusal("send_task_success", taskToken=task["taskToken"], output="{}")
    assert code == "TaskTimedOut"


def test_nobody_takes_the_task(steps: Any, activity: Callable[..., Activity]) -> None:
    _, machine = activity(TimeoutSeconds=1)
    execution = steps.start(machine)
    ended = steps.finish(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Timeout")
    assert "ActivityTimedOut" in steps.events(execution)


def test_retry_and_catch(steps: Any, client: Any, activity: Callable[..., Activity]) -> None:
    arn, _ = activity()
    task = {
        "Type": "Task",
        "Resource": arn,
        "Retry": [{"ErrorEquals": ["Again"], "IntervalSeconds": 1, "MaxAttempts": 1}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Caught"}],
        "End": True,
    }
    states = {"Work": task, "Caught": {"Type": "Succeed"}}
    execution = steps.start(steps.machine({"StartAt": "Work", "States": states}), {"n": 1})
    for _ in range(2):
        token = client.get_activity_task(activityArn=arn)["taskToken"]
        client.send_task_failure(taskToken=token, error="Again", cause="later")
    ended = steps.finish(execution)
    assert json.loads(ended["output"]) == {"n": 1, "error": {"Error": "Again", "Cause": "later"}}


def test_stop_while_a_task_is_out(
    steps: Any, client: Any, activity: Callable[..., Activity]
) -> None:
    arn, machine = activity()
    execution = steps.start(machine)
    token = client.get_activity_task(activityArn=arn)["taskToken"]
    client.stop_execution(executionArn=execution)
    assert client.describe_execution(executionArn=execution)["status"] == "ABORTED"
    events = steps.events(execution)
    assert events[-1] == "ExecutionAborted"
    assert not {"ActivityTimedOut", "ActivityFailed"} & set(events)
    assert steps.refusal("send_task_heartbeat", taskToken=token) == "TaskTimedOut"


def test_tasks_of_stopped_executions_are_not_handed_out(
    steps: Any, client: Any, activity: Callable[..., Activity]
) -> None:
    arn, machine = activity()
    client.stop_execution(executionArn=steps.start(machine, {"n": 1}))
    execution = steps.start(machine, {"n": 2})
    task = client.get_activity_task(activityArn=arn)
    assert json.loads(task["input"]) == {"n": 2}
    client.send_task_success(taskToken=task["taskToken"], output="1")
    assert steps.finish(execution)["status"] == "SUCCEEDED"


def test_a_poll_waits_and_holds_up_nobody(
    steps: Any, client: Any, activity: Callable[..., Activity]
) -> None:
    arn, machine = activity()
    with ThreadPoolExecutor(8) as pool:
        polls = [pool.submit(client.get_activity_task, activityArn=arn) for _ in range(8)]
        client.list_activities()
        assert not any(poll.done() for poll in polls), "it was answered while they waited"
        executions = [steps.start(machine, number) for number in range(8)]
        tasks = [poll.result() for poll in polls]
    assert sorted(json.loads(task["input"]) for task in tasks) == list(range(8))
    for task in tasks:
        client.send_task_success(taskToken=task["taskToken"], output=task["input"])
    outputs = [json.loads(steps.finish(execution)["output"]) for execution in executions]
    assert outputs == list(range(8))


def test_a_poll_ends_empty(
    monkeypatch: pytest.MonkeyPatch, client: Any, activity: Callable[..., Activity]
) -> None:
    monkeypatch.setattr("naftiko.sandbox.activities.LONGEST_POLL_S", 0.1)
    arn, _ = activity()
    task = client.get_activity_task(activityArn=arn)
    assert task.get("taskToken") is None


def test_a_worker_that_hung_up_gets_no_task(
    steps: Any, client: Any, sandbox: Any, activity: Callable[..., Activity]
) -> None:
    arn, machine = activity()
    account = sandbox.account
    impatient = boto3.client(
        "stepfunctions",
        endpoint_url=account.endpoint_url,
        region_name=account.region,
        aws_access_key_id=account.access_key_id,
        aws_secret_access_key=account.secret_access_key,
        config=Config(read_timeout=0.2, retries={"total_max_attempts": 1}, proxies={}),
    )
    with pytest.raises(ReadTimeoutError):
        impatient.get_activity_task(activityArn=arn)
    impatient.close()
    execution = steps.start(machine, {"n": 1})
    task = client.get_activity_task(activityArn=arn)
    client.send_task_success(taskToken=task["taskToken"], output="{}")
    assert steps.finish(execution)["status"] == "SUCCEEDED"


def test_tokens_and_outputs_are_checked(
    steps: Any, client: Any, activity: Callable[..., Activity]
) -> None:
    arn, machine = activity()
    execution = steps.start(machine)
    token = client.get_activity_task(activityArn=arn)["taskToken"]
    assert steps.refusal("send_task_success", taskToken=token, output="{") == "InvalidOutput"
    assert steps.refusal("send_task_success", taskToken="x", output="{}") == "InvalidToken"
    assert steps.refusal("send_task_failure", taskToken="x") == "InvalidToken"
    assert steps.refusal("send_task_heartbeat", taskToken="x") == "InvalidToken"
    client.stop_execution(executionArn=execution)


def test_a_task_token_in_a_queue(steps: Any, client: Any, sandbox: Any) -> None:
    account = sandbox.account
    queues = boto3.client(
        "sqs",
        endpoint_url=account.endpoint_url,
        region_name=account.region,
        aws_access_key_id=account.access_key_id,
        aws_secret_access_key=account.secret_access_key,
    )
    queue = queues.create_queue(QueueName="asks")["QueueUrl"]
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {
            "QueueUrl": queue,
            "MessageBody": {"token.$": "$$.Task.Token", "question.$": "$.question"},
        },
        "End": True,
    }
    machine = steps.machine({"StartAt": "Ask", "States": {"Ask": task}})
    execution = steps.start(machine, {"question": "why?"})
    messages = queues.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    body = json.loads(messages[0]["Body"])
    assert body["question"] == "why?"
    client.send_task_success(taskToken=body["token"], output='"because"')
    ended = steps.finish(execution)
    assert (ended["status"], ended["output"]) == ("SUCCEEDED", '"because"')
    queues.close()


def test_no_thread_is_left_waiting(steps: Any, activity: Callable[..., Activity]) -> None:
    _, machine = activity()
    execution = steps.start(machine)
    name = f"execution {execution.rsplit(':', 1)[1]}"
    assert name in [thread.name for thread in threading.enumerate()]
    steps.client.stop_execution(executionArn=execution)
    eventually(lambda: name not in [thread.name for thread in threading.enumerate()])
