"""capabilities/examples/ssm-runbooks.yaml.

moto has documents but no StartAutomationExecution and no GetAutomationExecution, so that runbooks
are found on the sandbox, and run on a scripted AWS.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from naftiko.sandbox import Sandbox
from tests.case_files import ROOT
from tests.live.mcp.clients import connect
from tests.live.scripted import ScriptedApi, scripted_api
from tests.live.serving import Served, serving

FILE = ROOT / "capabilities/examples/ssm-runbooks.yaml"
MODES = ["legacy", "2026-07-28"]
EXECUTION = "73c8eef8-f4ee-4a05-820c-e354fEXAMPLE".replace("EXAMPLE", "0123456")
RESTART = {
    "schemaVersion": "0.3",
    "description": "Restarts instances.",
    "parameters": {
        "InstanceId": {"type": "StringList", "description": "Which instances."},
        "Mode": {"type": "String", "allowedValues": ["soft", "hard"], "default": "soft"},
        "Count": {"type": "Integer", "default": 1},
        "Force": {"type": "Boolean", "default": False},
        "Role": {"type": "AWS::IAM::Role::Arn", "default": ""},
        "Groups": {"type": "List<AWS::EC2::SecurityGroup::Id>", "default": []},
        "Tags": {"type": "StringMap", "default": {"a": 'a "quoted" text'}},
    },
    "mainSteps": [{"name": "wait", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}}],
}
PLAIN = {"schemaVersion": "0.3", "mainSteps": RESTART["mainSteps"]}
INPUTS = {
    "type": "object",
    "properties": {
        "Count": {"type": "integer", "default": 1, "description": ""},
        "Force": {"type": "boolean", "default": False, "description": ""},
        "Groups": {"type": "array", "default": [], "description": ""},
        "InstanceId": {"type": "array", "description": "Which instances."},
        "Mode": {
            "type": "string",
            "enum": ["soft", "hard"],
            "default": "soft",
            "description": "",
        },
        "Role": {"type": "string", "default": "", "description": ""},
        "Tags": {"type": "object", "default": {"a": 'a "quoted" text'}, "description": ""},
    },
    "required": ["InstanceId"],
    "additionalProperties": False,
}


class Ssm(ScriptedApi):
    """Answers by the operation, which the members of a request tell; all of them POST to /."""

    def answer(self, request: str, body: Any) -> Any:
        members = {
            "Filters": "ListDocuments",
            "Name": "GetDocument",
            "DocumentName": "StartAutomationExecution",
            "AutomationExecutionId": "GetAutomationExecution",
        }
        name = next(members[member] for member in members if member in body)
        return super().answer(name if request == "POST /" else request, body)


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with scripted_api(Ssm) as running:
        yield running


def _runbooks(**documents: Any) -> dict[str, Any]:
    return {
        "ListDocuments": {"json": {"DocumentIdentifiers": [{"Name": name} for name in documents]}},
        "GetDocument": {
            "sequence": [
                {"json": {"Name": name, "DocumentVersion": "3", "Content": json.dumps(content)}}
                for name, content in documents.items()
            ]
        },
    }


def _execution(status: str, **more: Any) -> dict[str, Any]:
    found = {"AutomationExecutionId": EXECUTION, "AutomationExecutionStatus": status, **more}
    return {"json": {"AutomationExecution": found}}


def _serving(api: ScriptedApi, **variables: str) -> Any:
    environment = {
        "AWS_ENDPOINT_URL": api.url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    return serving(FILE, environment=environment | variables)


def call(served: Served, tool: str, mode: str = "legacy", **arguments: Any) -> Any:
    async def story() -> Any:
        async with connect(f"{served.urls['runbooks']}/mcp", mode) as client:
            return await client.call_tool(tool, arguments)

    return asyncio.run(story())


def tools(served: Served) -> dict[str, Any]:
    async def story() -> Any:
        async with connect(f"{served.urls['runbooks']}/mcp", "legacy") as client:
            return {tool.name: tool for tool in (await client.list_tools()).tools}

    return asyncio.run(story())


def test_runbooks_of_the_sandbox_are_tools() -> None:
    with Sandbox.start() as sandbox:
        account = sandbox.account
        client = boto3.client(
            "ssm",
            endpoint_url=account.endpoint_url,
            region_name=account.region,
            aws_access_key_id=account.access_key_id,
            aws_secret_access_key=account.secret_access_key,
        )
        for name, kind, content in (
            ("Ops-Restart", "Automation", RESTART),
            ("Ops-Plain", "Automation", PLAIN),
            ("Ops-Shell", "Command", {"schemaVersion": "2.2", "mainSteps": []}),
            ("Other", "Automation", PLAIN),
        ):
            client.create_document(Name=name, DocumentType=kind, Content=json.dumps(content))
        environment = sandbox.environment() | {"RUNBOOK_PREFIX": "Ops-"}
        with serving(FILE, environment=environment, sandbox=True) as served:
            found = tools(served)
    assert sorted(found) == ["Plain", "Restart", "get-runbook-execution"]
    assert found["Restart"].description == "Restarts instances."
    assert found["Restart"].input_schema == INPUTS
    assert found["Restart"].annotations.destructive_hint is True
    assert found["Plain"].description == "Runs the Automation runbook Ops-Plain"
    assert found["Plain"].input_schema["properties"] == {}


@pytest.mark.parametrize("mode", MODES)
def test_a_runbook_is_run_to_its_end(api: ScriptedApi, mode: str) -> None:
    api.play(
        {
            **_runbooks(Restart=RESTART),
            "StartAutomationExecution": {"json": {"AutomationExecutionId": EXECUTION}},
            "GetAutomationExecution": {
                "sequence": [
                    _execution("InProgress", CurrentStepName="wait"),
                    _execution("Success", Outputs={"wait.Done": ["2"]}),
                ]
            },
        }
    )
    with _serving(api) as served:
        refused = call(served, "Restart", mode, InstanceId=["i-1"], Mode="softly")
        before = list(api.requests)
        done = call(
            served,
            "Restart",
            mode,
            InstanceId=["i-1", "i-2"],
            Count=2,
            Force=True,
            Tags={"team": 'the "a" team'},
        )
    assert refused.is_error is True
    assert "Mode" in refused.content[0].text
    assert before == ["ListDocuments", "GetDocument"]
    assert done.is_error is False
    assert done.structured_content == {
        "executionId": EXECUTION,
        "status": "Success",
        "outputs": {"wait.Done": ["2"]},
    }
    listed, _, started, looked, _ = api.bodies
    assert listed["Filters"] == [
        {"Key": "DocumentType", "Values": ["Automation"]},
        {"Key": "Owner", "Values": ["Self"]},
    ]
    assert (started["DocumentName"], started["DocumentVersion"]) == ("Restart", "3")
    assert started["Parameters"] == {
        "InstanceId": ["i-1", "i-2"],
        "Count": ["2"],
        "Force": ["true"],
        "Tags": ['{"team":"the \\"a\\" team"}'],
    }
    assert looked == {"AutomationExecutionId": EXECUTION}


def test_a_runbook_that_fails_is_an_error(api: ScriptedApi) -> None:
    api.play(
        {
            **_runbooks(Plain=PLAIN),
            "StartAutomationExecution": {"json": {"AutomationExecutionId": EXECUTION}},
            "GetAutomationExecution": _execution("Failed", FailureMessage="Step wait failed."),
        }
    )
    with _serving(api) as served:
        failed = call(served, "Plain")
    assert failed.is_error is True
    assert failed.structured_content == {
        "executionId": EXECUTION,
        "status": "Failed",
        "failure": "Step wait failed.",
    }


def test_a_long_runbook_is_asked_for_later(api: ScriptedApi) -> None:
    api.play(
        {
            **_runbooks(Plain=PLAIN),
            "StartAutomationExecution": {"json": {"AutomationExecutionId": EXECUTION}},
            "GetAutomationExecution": _execution("InProgress", CurrentStepName="wait"),
        }
    )
    with _serving(api, RUNBOOK_WAIT="2s") as served:
        running = call(served, "Plain")
        assert api.requests.count("StartAutomationExecution") == 1
        api.play({"GetAutomationExecution": _execution("Success")})
        given = running.structured_content["executionId"]
        later = call(served, "get-runbook-execution", executionId=given)
    assert running.is_error is False
    assert running.structured_content == {
        "executionId": EXECUTION,
        "status": "InProgress",
        "step": "wait",
    }
    assert later.structured_content == {"executionId": EXECUTION, "status": "Success"}
    assert api.requests == ["GetAutomationExecution"]
