"""The main job over MCP: all 15 tools through the official client, in both protocol generations."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import Client

from naftiko.sandbox import Sandbox
from tests.live.serving import Served
from tests.live.test_stepfunctions_rest import pass_machine

TOOLS = "workflow-orchestration-mcp"
ROLE = "arn:aws:iam::123456789012:role/workflow"
ALL_TOOLS = {
    "list-state-machines",
    "describe-state-machine",
    "create-state-machine",
    "validate-state-machine-definition",
    "start-execution",
    "start-sync-execution",
    "describe-execution",
    "list-executions",
    "get-execution-history",
    "stop-execution",
    "publish-state-machine-version",
    "redrive-execution",
    "list-activities",
    "send-task-success",
    "send-task-failure",
}


@asynccontextmanager
async def connected(served: Served, mode: str) -> AsyncIterator[Client]:
    async with Client(served.urls[TOOLS] + "/mcp", mode=mode) as client:
        yield client


async def use(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    assert json.loads(result.content[0].text) == result.structured_content  # type: ignore[union-attr]  # it is text
    return result.structured_content


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return "\n".join(block.text for block in result.content)  # type: ignore[union-attr]  # it is text


MODES = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])


@MODES
def test_tools_are_described(served: Served, mode: str) -> None:
    async def story() -> None:
        async with connected(served, mode) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}

        assert set(tools) == ALL_TOOLS
        create = tools["create-state-machine"]
        assert set(create.input_schema["required"]) == {"name", "definition", "roleArn"}
        properties = create.input_schema["properties"]
        assert properties["type"]["enum"] == ["STANDARD", "EXPRESS"]
        assert properties["name"]["maxLength"] == 80
        assert properties["name"]["description"]
        assert create.output_schema is not None
        assert create.output_schema["type"] == "object"
        annotations = tools["stop-execution"].annotations
        assert annotations is not None
        assert annotations.destructive_hint is True
        assert annotations.idempotent_hint is True
        assert tools["list-activities"].annotations.read_only_hint is True  # type: ignore[union-attr]  # it has hints

    anyio.run(story)


@MODES
def test_lifecycle(served: Served, mode: str) -> None:
    suffix = f"{mode[:4]}-{served.urls[TOOLS].rpartition(':')[2]}"

    async def story() -> None:
        async with connected(served, mode) as client:
            definition = {
                "StartAt": "W",
                "States": {"W": {"Type": "Wait", "Seconds": 300, "End": True}},
            }
            verdict = await use(client, "validate-state-machine-definition", definition=definition)
            assert verdict["result"] == "OK"
            machine = (
                await use(
                    client,
                    "create-state-machine",
                    name=f"m-{suffix}",
                    definition=definition,
                    roleArn=ROLE,
                )
            )["stateMachineArn"]
            listed = await use(client, "list-state-machines")
            assert machine in [item["stateMachineArn"] for item in listed["stateMachines"]]
            described = await use(client, "describe-state-machine", stateMachineArn=machine)
            assert json.loads(described["definition"]) == definition
            version = await use(client, "publish-state-machine-version", stateMachineArn=machine)
            assert version["stateMachineVersionArn"] == f"{machine}:1"
            execution = (
                await use(client, "start-execution", stateMachineArn=machine, input={"a": 1})
            )["executionArn"]
            running = await use(client, "describe-execution", executionArn=execution)
            assert running["status"] == "RUNNING"
            found = await use(
                client, "list-executions", stateMachineArn=machine, statusFilter="RUNNING"
            )
            assert [item["executionArn"] for item in found["executions"]] == [execution]
            await use(client, "stop-execution", executionArn=execution, error="E", cause="c")
            stopped = await settled(client, execution)
            assert (stopped["status"], stopped["cause"]) == ("ABORTED", "c")
            history = await use(client, "get-execution-history", executionArn=execution)
            assert history["events"][-1]["type"] == "ExecutionAborted"

    anyio.run(story)


async def settled(client: Client, execution: str) -> Any:
    with anyio.fail_after(30):
        while True:
            seen = await use(client, "describe-execution", executionArn=execution)
            if seen["status"] != "RUNNING":
                return seen
            await anyio.sleep(0.05)


@MODES
def test_activities_and_redrive(served: Served, mode: str, sandbox: Sandbox) -> None:
    suffix = f"{mode[:4]}-{served.urls[TOOLS].rpartition(':')[2]}"
    rest = "workflow-orchestration-api"

    async def task_of(activity: str) -> Any:
        answer = await anyio.to_thread.run_sync(
            lambda: served.request(
                rest, "POST", "/v1/activities/tasks", {"activityArn": activity, "workerName": "w"}
            )
        )
        return answer.body

    async def story() -> None:
        created = served.request(rest, "POST", "/v1/activities", {"name": f"a-{suffix}"})
        activity = created.body["activityArn"]
        async with connected(served, mode) as client:
            activities = await use(client, "list-activities")
            assert activity in [item["activityArn"] for item in activities["activities"]]
            definition = {
                "StartAt": "First",
                "States": {
                    "First": {"Type": "Pass", "Next": "Work"},
                    "Work": {"Type": "Task", "Resource": activity, "End": True},
                },
            }
            machine = (
                await use(
                    client,
                    "create-state-machine",
                    name=f"r-{suffix}",
                    definition=json.dumps(definition),
                    roleArn=ROLE,
                )
            )["stateMachineArn"]
            execution = (await use(client, "start-execution", stateMachineArn=machine))[
                "executionArn"
            ]
            first = await task_of(activity)
            await use(
                client, "send-task-failure", taskToken=first["taskToken"], error="Oops", cause="no"
            )
            failed = await settled(client, execution)
            assert (failed["status"], failed["error"]) == ("FAILED", "Oops")

            await use(client, "redrive-execution", executionArn=execution)
            second = await task_of(activity)
            await use(
                client, "send-task-success", taskToken=second["taskToken"], output={"ok": True}
            )
            done = await settled(client, execution)
            assert (done["status"], json.loads(done["output"])) == ("SUCCEEDED", {"ok": True})
            history = await use(client, "get-execution-history", executionArn=execution)
            kinds = [event["type"] for event in history["events"]]
            assert kinds.count("PassStateEntered") == 1, "redrive starts at the failed state"
            assert "ExecutionRedriven" in kinds

    anyio.run(story)


@MODES
def test_sync_execution(served: Served, mode: str) -> None:
    suffix = f"{mode[:4]}-{served.urls[TOOLS].rpartition(':')[2]}"

    async def story() -> None:
        async with connected(served, mode) as client:

            async def express(name: str, definition: object) -> str:
                made = await use(
                    client,
                    "create-state-machine",
                    name=f"{name}-{suffix}",
                    definition=definition,
                    roleArn=ROLE,
                    type="EXPRESS",
                )
                return str(made["stateMachineArn"])

            good = await express("good", pass_machine(Result=1))
            done = await use(client, "start-sync-execution", stateMachineArn=good)
            assert (done["status"], done["output"]) == ("SUCCEEDED", "1")
            bad = await express(
                "bad", {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Bad"}}}
            )
            text = await refused(client, "start-sync-execution", stateMachineArn=bad)
            assert "FAILED" in text
            assert "Bad" in text

    anyio.run(story)


@MODES
def test_mistakes_are_results_the_model_can_act_on(served: Served, mode: str) -> None:
    async def story() -> None:
        async with connected(served, mode) as client:
            missing = await refused(client, "describe-execution")
            assert "`executionArn` is required" in missing
            wrong = await refused(
                client, "describe-execution", executionArn="arn:aws:states:us-east-1:1:x", a=1
            )
            assert "`a` is not known" in wrong
            unknown = await refused(
                client,
                "describe-execution",
                executionArn="arn:aws:states:us-east-1:123456789012:execution:a:b",
            )
            assert "ExecutionDoesNotExist" in unknown
            assert "Traceback" not in unknown

    anyio.run(story)
