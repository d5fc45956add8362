"""Lambda functions in the sandbox: no Docker, no code is run."""

from __future__ import annotations

import base64
import io
import json
import urllib.request
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from naftiko.sandbox import Sandbox
from tests.live.sandbox.conftest import Steps, connect


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start() as running:
        yield running


class Functions:
    """Lambda, said briefly."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.client = connect(sandbox.account, "lambda")
        role = connect(sandbox.account, "iam").create_role(
            RoleName="functions", AssumeRolePolicyDocument="{}"
        )
        self.role = role["Role"]["Arn"]

    def create(self, name: str, **variables: str) -> str:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("handler.py", "raise SystemExit('code is not run')\n")
        made = self.client.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=self.role,
            Handler="handler.handle",
            Code={"ZipFile": archive.getvalue()},
            Environment={"Variables": variables},
        )
        return str(made["FunctionArn"])

    def invoke(self, name: str, given: Any = None, **fields: Any) -> dict[str, Any]:
        payload = {} if given is None else {"Payload": json.dumps(given)}
        answer = self.client.invoke(FunctionName=name, **payload, **fields)
        return {**answer, "Payload": answer["Payload"].read().decode()}


@pytest.fixture
def functions(sandbox: Sandbox) -> Iterator[Functions]:
    yield Functions(sandbox)
    sandbox.reset()


def test_a_function_answers_what_it_is_given(functions: Functions) -> None:
    arn = functions.create("echo")
    answer = functions.invoke("echo", {"n": [1, "é"]})
    assert (answer["StatusCode"], json.loads(answer["Payload"])) == (200, {"n": [1, "é"]})
    assert "FunctionError" not in answer
    assert "LogResult" not in answer
    assert functions.invoke(arn, "by its ARN")["Payload"] == '"by its ARN"'
    assert functions.invoke("echo")["Payload"] == "null"


def test_a_function_answers_what_its_variables_say(functions: Functions) -> None:
    functions.create("fixed", SANDBOX_ANSWER='{"total": 12}')
    functions.create("broken", SANDBOX_ERROR="OrderError: there is no order: 7")
    functions.create("silent", SANDBOX_ERROR="it is broken")
    assert functions.invoke("fixed", {"n": 1})["Payload"] == '{"total": 12}'
    failed = functions.invoke("broken", LogType="Tail")
    assert (failed["StatusCode"], failed["FunctionError"]) == (200, "Unhandled")
    assert json.loads(failed["Payload"]) == {
        "errorMessage": "there is no order: 7",
        "errorType": "OrderError",
        "stackTrace": [],
    }
    assert b"[ERROR] OrderError" in base64.b64decode(failed["LogResult"])
    assert json.loads(functions.invoke("silent")["Payload"])["errorMessage"] == "it is broken"


def test_answers_that_were_queued_come_first(functions: Functions) -> None:
    functions.create("broken", SANDBOX_ERROR="it is broken")
    request = urllib.request.Request(  # noqa: S310  # loopback only
        f"{functions.sandbox.account.endpoint_url}/moto-api/static/lambda-simple/response",
        data=json.dumps({"results": ['{"first": true}']}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
        assert response.status == 201
    first = functions.invoke("broken")
    assert (first["Payload"], first.get("FunctionError")) == ('{"first": true}', None)
    assert functions.invoke("broken")["FunctionError"] == "Unhandled"


def test_what_is_not_synchronous_is_taken(functions: Functions) -> None:
    functions.create("echo")
    assert functions.invoke("echo", 1, InvocationType="Event")["StatusCode"] == 202
    assert functions.invoke("echo", 1, InvocationType="DryRun")["StatusCode"] == 204


def test_a_function_that_is_not_there(functions: Functions) -> None:
    with pytest.raises(ClientError) as raised:
        functions.invoke("gone")
    assert raised.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_an_execution_invokes_functions(functions: Functions) -> None:
    arn = functions.create("double", SANDBOX_ANSWER='{"total": 12}')
    functions.create("broken", SANDBOX_ERROR="OrderError: there is no order 7")
    steps = Steps(connect(functions.sandbox.account))

    def task(resource: str, **fields: Any) -> dict[str, Any]:
        state = {"Type": "Task", "Resource": resource, "End": True, **fields}
        return {"StartAt": "Task", "States": {"Task": state}}

    invoke = "arn:aws:states:::lambda:invoke"
    done = steps.run(
        task(invoke, Parameters={"FunctionName": "double"}, OutputPath="$.Payload"), {"n": 6}
    )
    assert (done["status"], json.loads(done["output"])) == ("SUCCEEDED", {"total": 12})
    direct = steps.run(task(arn), {"n": 6})
    assert (direct["status"], json.loads(direct["output"])) == ("SUCCEEDED", {"total": 12})
    failed = steps.run(task(invoke, Parameters={"FunctionName": "broken"}))
    assert (failed["status"], failed["error"]) == ("FAILED", "OrderError")


def test_examples() -> None:
    with Sandbox.start(examples=True) as sandbox:
        client = connect(sandbox.account, "lambda")

        def names() -> list[str]:
            listed = client.list_functions()["Functions"]
            return sorted(function["FunctionName"] for function in listed)

        assert names() == ["always-fails", "echo", "hello-world"]
        greeting = client.invoke(FunctionName="hello-world")["Payload"].read()
        assert json.loads(greeting) == {"greeting": "Hello from the sandbox"}
        client.delete_function(FunctionName="echo")
        assert names() == ["always-fails", "hello-world"]
        sandbox.reset()
        assert client.invoke(FunctionName="echo", Payload="7")["Payload"].read() == b"7"
        assert names() == ["always-fails", "echo", "hello-world"]
