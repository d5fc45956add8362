"""The sandbox as a server: start, stop, reset, what it lets out and what it takes in."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
import pytest
from botocore.config import Config

from naftiko.sandbox import Sandbox, SandboxAccount, SandboxUnavailable, machinery
from tests.live.sandbox.conftest import eventually

FOREVER = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}}
ROLE = "arn:aws:iam::123456789012:role/states"


def connect(account: SandboxAccount, service: str = "stepfunctions") -> Any:
    return boto3.client(
        service,
        endpoint_url=account.endpoint_url,
        region_name=account.region,
        aws_access_key_id=account.access_key_id,
        aws_secret_access_key=account.secret_access_key,
        config=Config(inject_host_prefix=False),
    )


@pytest.fixture(scope="module")
def examples() -> Iterator[Sandbox]:
    with Sandbox.start(examples=True) as running:
        yield running


def test_every_operation_of_the_api_is_ours() -> None:
    from naftiko.sandbox.extension import ACTIONS

    model = botocore.session.get_session().get_service_model("stepfunctions")
    assert set(ACTIONS) == set(model.operation_names)
    assert len(ACTIONS) == 37


def test_importing_is_cheap() -> None:
    code = "import sys, naftiko.sandbox; print('moto' in sys.modules, 'boto3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_start_is_clean_and_quiet() -> None:
    code = """
import asyncio
import json
import threading
from naftiko.sandbox import Sandbox
import boto3

sandbox = Sandbox.start(examples=True)
account = sandbox.account
client = boto3.client(
    "stepfunctions", endpoint_url=account.endpoint_url, region_name=account.region,
    aws_access_key_id=account.access_key_id, aws_secret_access_key=account.secret_access_key)

async def main():
    return await asyncio.to_thread(client.list_state_machines)

machines = asyncio.run(main())["stateMachines"]
arn = next(each["stateMachineArn"] for each in machines if each["name"] == "human-approval")
client.start_execution(stateMachineArn=arn)
client.close()
sandbox.stop()
sandbox.stop()
print(len(machines), [thread.name for thread in threading.enumerate()])
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.stdout.strip() == "4 ['MainThread']"


def test_environment(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    client = boto3.Session().client("stepfunctions")
    assert isinstance(client.list_state_machines()["stateMachines"], list)
    identity = boto3.Session().client("sts").get_caller_identity()
    assert identity["Account"] == sandbox.account.account_id
    client.close()


def test_examples(examples: Sandbox) -> None:
    client = connect(examples.account)
    machines = {
        each["name"]: each["stateMachineArn"]
        for each in client.list_state_machines()["stateMachines"]
    }
    assert list(machines) == ["flaky-import", "hello-world", "human-approval", "order-processing"]
    for arn in machines.values():
        described = client.describe_state_machine(stateMachineArn=arn)
        definition = described["definition"]
        assert json.loads(definition)["Comment"]
        checked = client.validate_state_machine_definition(
            definition=definition, severity="WARNING", type=described["type"]
        )
        assert (checked["result"], checked["diagnostics"]) == ("OK", [])
    assert len(client.list_activities()["activities"]) == 2
    role = connect(examples.account, "iam").get_role(RoleName="naftiko-sandbox-states")
    assert role["Role"]["Arn"] == described["roleArn"]
    greeted = client.start_sync_execution(
        stateMachineArn=machines["hello-world"], input='{"name": "Ada"}'
    )
    assert json.loads(greeted["output"]) == {"greeting": "Hello, Ada!"}
    client.close()


def _ended(client: Any, execution: str) -> Any:
    def described() -> Any:
        found = client.describe_execution(executionArn=execution)
        return found if found["status"] != "RUNNING" else None

    return eventually(described)


@pytest.mark.parametrize(("total", "status"), [(120, "SUCCEEDED"), (0, "FAILED")])
def test_order_example(examples: Sandbox, total: int, status: str) -> None:
    client = connect(examples.account)
    machine = client.list_state_machines()["stateMachines"][3]["stateMachineArn"]
    order = {"order": "A-1", "total": total, "items": [{"sku": "pen", "quantity": 2}]}
    execution = client.start_execution(stateMachineArn=f"{machine}:PROD", input=json.dumps(order))[
        "executionArn"
    ]
    ended = _ended(client, execution)
    assert ended["status"] == status
    if status == "SUCCEEDED":
        assert json.loads(ended["output"])["reserved"][0]["stock"] == "reserved"
    client.close()


def test_flaky_example_can_be_redriven(examples: Sandbox) -> None:
    client = connect(examples.account)
    machine = client.list_state_machines()["stateMachines"][0]["stateMachineArn"]
    activity = next(
        each["activityArn"]
        for each in client.list_activities()["activities"]
        if each["name"] == "import-batch"
    )
    execution = client.start_execution(stateMachineArn=machine)["executionArn"]
    first = client.get_activity_task(activityArn=activity)
    client.send_task_failure(taskToken=first["taskToken"], error="Down")
    assert _ended(client, execution)["status"] == "FAILED"
    client.redrive_execution(executionArn=execution)
    second = client.get_activity_task(activityArn=activity)
    assert second["input"] == first["input"]
    client.send_task_success(taskToken=second["taskToken"], output='{"rows": 3}')
    client.close()


def test_reset() -> None:
    with Sandbox.start(examples=True) as sandbox:
        client = connect(sandbox.account)
        queues = connect(sandbox.account, "sqs")
        queues.create_queue(QueueName="gone")
        machine = client.create_state_machine(
            name="gone", definition=json.dumps(FOREVER), roleArn=ROLE
        )["stateMachineArn"]
        client.start_execution(stateMachineArn=machine, name="ends")
        sandbox.reset()
        names = [each["name"] for each in client.list_state_machines()["stateMachines"]]
        assert "gone" not in names
        assert len(names) == 4
        assert "QueueUrls" not in queues.list_queues()
        assert "execution ends" not in [thread.name for thread in threading.enumerate()]
        client.close()
        queues.close()


def test_two_sandboxes_do_not_mix(sandbox: Sandbox) -> None:
    first = connect(sandbox.account)
    with Sandbox.start() as other:
        second = connect(other.account)
        second.create_activity(name="only-here")
        assert "only-here" not in [each["name"] for each in first.list_activities()["activities"]]
        second.close()
    assert isinstance(first.list_activities()["activities"], list)
    first.close()


def test_regions_do_not_mix(sandbox: Sandbox) -> None:
    here = connect(sandbox.account)
    here.create_activity(name="regional")
    elsewhere = boto3.client(
        "stepfunctions",
        endpoint_url=sandbox.account.endpoint_url,
        region_name="eu-west-1",
        aws_access_key_id=sandbox.account.access_key_id,
        aws_secret_access_key=sandbox.account.secret_access_key,
    )
    assert elsewhere.list_activities()["activities"] == []
    here.close()
    elsewhere.close()


def test_a_taken_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        Sandbox.start(port=taken.getsockname()[1])


def test_only_loopback(sandbox: Sandbox) -> None:
    assert urlsplit(sandbox.account.endpoint_url).hostname == "127.0.0.1"


def test_stop_ends_polls_and_executions() -> None:
    sandbox = Sandbox.start()
    client = connect(sandbox.account)
    machine = client.create_state_machine(
        name="forever", definition=json.dumps(FOREVER), roleArn=ROLE
    )["stateMachineArn"]
    client.start_execution(stateMachineArn=machine, name="to-be-stopped")
    activity = client.create_activity(name="poll")["activityArn"]
    answers: list[Any] = []

    def poll() -> None:
        answers.append(client.get_activity_task(activityArn=activity).get("taskToken"))

    poller = threading.Thread(target=poll)
    poller.start()
    board = sandbox._accounts.backend(sandbox.account.account_id, "us-east-1").board
    eventually(lambda: activity in board._queues)
    begun = time.monotonic()
    sandbox.stop()
    assert time.monotonic() - begun < 30, "it waited for the poll, which takes a minute"
    poller.join(5)
    assert answers == [None]
    assert "execution to-be-stopped" not in [thread.name for thread in threading.enumerate()]
    client.close()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "SerializationException"),
        (b"[]", "SerializationException"),
        (b"{}", "ValidationException"),
        (b'{"name": 5}', "ValidationException"),
    ],
)
def test_raw_requests(sandbox: Sandbox, body: bytes, code: str) -> None:
    place = urlsplit(sandbox.account.endpoint_url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=5)
    headers = {
        "X-Amz-Target": "AWSStepFunctions.CreateActivity",
        "Content-Type": "application/x-amz-json-1.0",
    }
    for _ in range(2):  # the connection stays usable
        connection.request("POST", "/", body, headers)
        response = connection.getresponse()
        assert response.status == 400
        assert json.loads(response.read())["__type"] == code
    connection.close()


def test_nothing_leaves_loopback(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, steps: Any
) -> None:
    reached: list[Any] = []
    connect_socket = socket.socket.connect

    def watched(self: socket.socket, address: Any) -> Any:
        reached.append(address)
        return connect_socket(self, address)

    monkeypatch.setattr(socket.socket, "connect", watched)
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:3128")
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:3128")
    monkeypatch.setenv("AWS_PROFILE", "a-profile-that-is-not-there")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://192.0.2.1")
    tables = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:dynamodb:createTable",
        "Parameters": {
            "TableName": "orders",
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        },
        "ResultPath": None,
        "Next": "Put",
    }
    put = {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:putItem",
        "Parameters": {"TableName": "orders", "Item": {"id": {"S.$": "$.id"}}},
        "ResultPath": None,
        "Next": "Get",
    }
    get = {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:getItem",
        "Parameters": {"TableName": "orders", "Key": {"id": {"S.$": "$.id"}}},
        "ResultSelector": {"item.$": "$.Item"},
        "End": True,
    }
    states = {"Create": tables, "Put": put, "Get": get}
    ended = steps.run({"StartAt": "Create", "States": states}, {"id": "A-1"})
    assert json.loads(ended["output"]) == {"item": {"id": {"S": "A-1"}}}
    assert {address[0] for address in reached} == {"127.0.0.1"}


def test_a_machine_that_starts_another(steps: Any) -> None:
    inner = steps.machine({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
    nested = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": inner, "Input": {"deep": True}},
        "OutputPath": "$.Output",
        "End": True,
    }
    ended = steps.run({"StartAt": "Nested", "States": {"Nested": nested}})
    assert (ended["status"], ended.get("output")) == ("SUCCEEDED", '{"deep":true}')


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(SandboxUnavailable, match=r"pip install 'naftiko\[sandbox\]'"):
        machinery.check_moto()


def test_with_another_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: "5.3.0")
    with pytest.raises(SandboxUnavailable, match=r"found 5\.3\.0"):
        machinery.check_moto()


def test_start_within_an_event_loop() -> None:
    async def main() -> int:
        with Sandbox.start() as sandbox:
            client = connect(sandbox.account)
            listed = await asyncio.to_thread(client.list_activities)
            client.close()
            return len(listed["activities"])

    assert asyncio.run(main()) == 0


def test_one_of_many_conditional_writes_wins(sandbox: Sandbox) -> None:
    client = connect(sandbox.account, "dynamodb")
    client.create_table(
        TableName="conditional-writes",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    def put(number: int) -> bool:
        item = {"id": {"S": f"one-{number % 8}"}, "by": {"N": str(number)}}
        condition = "attribute_not_exists(id)"
        try:
            client.put_item(
                TableName="conditional-writes", Item=item, ConditionExpression=condition
            )
        except client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(put, range(160)))
    client.delete_table(TableName="conditional-writes")

    assert sum(won) == 8
