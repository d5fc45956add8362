"""The main job over REST: all 17 routes of the Step Functions capability, as one story each.

Runs the shipped file and, where it lies beside the project, the seed's own file verbatim.
"""

from __future__ import annotations

import json
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest

from naftiko.sandbox import Sandbox
from tests.live.serving import Answer, Served
from tests.live.waiting import until

API = "workflow-orchestration-api"
ROLE = "arn:aws:iam::123456789012:role/workflow"


def get(served: Served, path: str) -> Answer:
    return served.request(API, "GET", path)


def post(served: Served, path: str, body: object = None) -> Answer:
    return served.request(API, "POST", path, body if body is not None else {})


def ok(answer: Answer) -> Any:
    assert answer.status == 200, answer.body
    return answer.body


def arn(value: str) -> str:
    return quote(value, safe="")


def pass_machine(**more: object) -> dict[str, Any]:
    return {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True, **more}}}


def create(served: Served, name: str, definition: object, **more: object) -> str:
    body = {"name": name, "definition": definition, "roleArn": ROLE, **more}
    created: str = ok(post(served, "/v1/state-machines", body))["stateMachineArn"]
    return created


def finished(served: Served, execution: str) -> Any:
    def described() -> Any:
        answer = ok(get(served, f"/v1/executions/{arn(execution)}/describe"))
        return answer if answer["status"] != "RUNNING" else None

    return until(described)


def test_lifecycle_of_a_machine(served: Served) -> None:
    """Create -> validate -> publish version -> alias -> start -> describe -> history -> stop."""
    kind = served.urls[API].rpartition(":")[2]
    definition = {
        "StartAt": "W",
        "States": {"W": {"Type": "Wait", "Seconds": 300, "Next": "D"}, "D": {"Type": "Succeed"}},
    }
    machine = create(served, f"life-{kind}", definition)

    listed = ok(get(served, "/v1/state-machines"))["stateMachines"]
    assert machine in [item["stateMachineArn"] for item in listed]
    assert listed[0]["creationDate"].endswith("Z")

    described = ok(get(served, f"/v1/state-machines/{arn(machine)}/describe"))
    assert json.loads(described["definition"]) == definition
    assert "ResponseMetadata" not in described

    valid = ok(
        post(served, f"/v1/state-machines/{arn(machine)}/validate", {"definition": definition})
    )
    assert valid["result"] == "OK"
    broken = {"StartAt": "X", "States": {"P": {"Type": "Pass", "End": True}}}
    invalid = ok(
        post(served, f"/v1/state-machines/{arn(machine)}/validate", {"definition": broken})
    )
    assert invalid["result"] == "FAIL"
    assert invalid["diagnostics"]

    version = ok(
        post(served, f"/v1/state-machines/{arn(machine)}/versions", {"description": "first"})
    )["stateMachineVersionArn"]
    assert version == f"{machine}:1"
    versions = ok(get(served, f"/v1/state-machines/{arn(machine)}/versions"))
    assert [item["stateMachineVersionArn"] for item in versions["stateMachineVersions"]] == [
        version
    ]

    alias = ok(
        post(
            served,
            f"/v1/state-machines/{arn(machine)}/aliases",
            {
                "name": "PROD",
                "routingConfiguration": [{"stateMachineVersionArn": version, "weight": 100}],
            },
        )
    )["stateMachineAliasArn"]
    aliases = ok(get(served, f"/v1/state-machines/{arn(machine)}/aliases"))
    assert [item["stateMachineAliasArn"] for item in aliases["stateMachineAliases"]] == [alias]

    execution = ok(
        post(
            served,
            "/v1/executions",
            {"stateMachineArn": alias, "name": f"run-{kind}", "input": {"order": 1}},
        )
    )["executionArn"]
    assert ":execution:" in execution
    running = ok(get(served, f"/v1/executions/{arn(execution)}/describe"))
    assert running["status"] == "RUNNING"
    assert json.loads(running["input"]) == {"order": 1}
    assert running["stateMachineVersionArn"] == version

    in_list = ok(get(served, f"/v1/executions?stateMachineArn={arn(machine)}&statusFilter=RUNNING"))
    assert [item["executionArn"] for item in in_list["executions"]] == [execution]

    history = until(
        lambda: ok(get(served, f"/v1/executions/{arn(execution)}/history"))["events"] or None
    )
    assert history[0]["type"] == "ExecutionStarted"

    ok(post(served, f"/v1/executions/{arn(execution)}/stop", {"error": "E", "cause": "enough"}))
    stopped = finished(served, execution)
    assert (stopped["status"], stopped["error"], stopped["cause"]) == ("ABORTED", "E", "enough")


def test_sync_execution(served: Served) -> None:
    kind = served.urls[API].rpartition(":")[2]
    machine = create(served, f"sync-{kind}", pass_machine(Result={"n": 1}), type="EXPRESS")

    answer = post(served, "/v1/sync-executions", {"stateMachineArn": machine, "input": {"a": 1}})

    assert ok(answer)["status"] == "SUCCEEDED"
    assert json.loads(answer.body["output"]) == {"n": 1}


def test_sync_execution_that_fails_says_so_in_a_header(served: Served) -> None:
    kind = served.urls[API].rpartition(":")[2]
    failing = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Bad", "Cause": "luck"}}}
    machine = create(served, f"sync-fail-{kind}", failing, type="EXPRESS")

    answer = post(served, "/v1/sync-executions", {"stateMachineArn": machine})

    assert ok(answer)["status"] == "FAILED"
    assert (answer.body["error"], answer.body["cause"]) == ("Bad", "luck")
    assert answer.headers["naftiko-execution-status"] == "FAILED"


def test_activity_worker_loop(served: Served, sandbox: Sandbox) -> None:
    """Create an activity, fetch its task while an execution waits, complete it."""
    import boto3

    kind = served.urls[API].rpartition(":")[2]
    activity = ok(post(served, "/v1/activities", {"name": f"work-{kind}"}))["activityArn"]
    listed = ok(get(served, "/v1/activities"))["activities"]
    assert activity in [item["activityArn"] for item in listed]
    definition = {
        "StartAt": "T",
        "States": {"T": {"Type": "Task", "Resource": activity, "End": True}},
    }
    machine = create(served, f"activity-{kind}", definition)
    tasks: list[Answer] = []
    poll = Thread(
        target=lambda: tasks.append(
            post(served, "/v1/activities/tasks", {"activityArn": activity, "workerName": "w"})
        )
    )
    poll.start()
    execution = ok(
        post(served, "/v1/executions", {"stateMachineArn": machine, "input": '{"job": 7}'})
    )["executionArn"]
    poll.join(70)

    task = ok(tasks[0])
    assert json.loads(task["input"]) == {"job": 7}
    account = sandbox.account
    worker = boto3.client(
        "stepfunctions",
        endpoint_url=account.endpoint_url,
        region_name=account.region,
        aws_access_key_id=account.access_key_id,
        aws_secret_access_key=account.secret_access_key,
    )
    worker.send_task_success(taskToken=task["taskToken"], output='{"done": true}')
    worker.close()
    assert json.loads(finished(served, execution)["output"]) == {"done": True}


def test_arns_in_paths_raw_and_encoded(served: Served) -> None:
    kind = served.urls[API].rpartition(":")[2]
    machine = create(served, f"arn-{kind}", pass_machine())

    raw = get(served, f"/v1/state-machines/{machine}/describe")
    encoded = get(served, f"/v1/state-machines/{arn(machine)}/describe")

    assert ok(raw) == ok(encoded)
    map_run = "arn:aws:states:us-east-1:123456789012:mapRun:m/label:8d7b2b44-0000-0000"
    refused = get(served, f"/v1/executions/{map_run}/describe")
    assert refused.status in (400, 404)
    assert "mapRun" in json.dumps(refused.body) or refused.body["code"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "/v1/state-machines", {"name": "x" * 300, "definition": {}}, 400, "`name`"),
        ("POST", "/v1/state-machines", {"definition": "{}"}, 400, "is required"),
        ("POST", "/v1/executions", {"stateMachineArn": 5}, 400, "must be string"),
        ("POST", "/v1/executions", {"stateMachineArn": "a", "nam": "b"}, 400, "did you mean"),
        ("GET", "/v1/executions?statusFilter=RUNING", None, 400, "RUNNING"),
        ("GET", "/v1/state-machines?maxResults=many", None, 400, "integer"),
        ("GET", "/v1/nothing", None, 404, "/v1/"),
        ("DELETE", "/v1/activities", None, 405, "GET"),
        (
            "GET",
            "/v1/executions/arn:aws:states:us-east-1:123456789012:execution:a:b/describe",
            None,
            404,
            "ExecutionDoesNotExist",
        ),
        ("POST", "/v1/executions", {"stateMachineArn": "not-an-arn"}, 400, "InvalidArn"),
        (
            "POST",
            "/v1/executions",
            {
                "stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:a",
                "input": "{not json",
            },
            400,
            "JSON",
        ),
    ],
)
def test_mistakes_are_explained(
    served: Served, method: str, path: str, body: object, status: int, said: str
) -> None:
    answer = served.request(API, method, path, body)

    assert answer.status == status, answer.body
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert said in json.dumps(answer.body), answer.body
    assert "Traceback" not in json.dumps(answer.body)


def test_every_route_of_the_file_was_met(served: Served) -> None:
    routes = served.capability.plan.adapters[0].routes  # type: ignore[union-attr]  # the REST one
    assert sum(len(route.operations) for route in routes) == 17
    assert not served.capability.plan.disabled
