"""The whole Step Functions API as routes and as tools, and what --read-only leaves of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from mcp import Client

from naftiko.capability import Capability, operations_of
from naftiko.engine import LoadOptions, check_capability, load_plan
from naftiko.plan.call import CallPlan
from naftiko.plan.capability import McpAdapterPlan, RestAdapterPlan
from naftiko.plan.ports import Effect
from naftiko.sandbox import Sandbox
from tests.case_files import ROOT
from tests.live.serving import Served, serving

FULL = ROOT / "capabilities" / "stepfunctions-full.yaml"
TOOLS = "step-functions-mcp"
ROLE = "arn:aws:iam::123456789012:role/workflow"


@pytest.fixture(scope="module")
def served(sandbox: Sandbox) -> Iterator[Served]:
    with serving(FULL, environment=sandbox.environment(), sandbox=True) as running:
        yield running


@pytest.fixture(scope="module")
def plan() -> Capability:
    return Capability(load_plan(FULL, LoadOptions(environment={"AWS_REGION": "us-east-1"})))


def called(capability: Capability, kind: type) -> list[str]:
    return sorted(
        operation.plan.operation.address
        for adapter in capability.plan.adapters
        if isinstance(adapter, kind)
        for operation in operations_of(adapter)
        if isinstance(operation.plan, CallPlan)
    )


def test_all_operations_are_routes_and_tools(plan: Capability) -> None:
    from botocore.loaders import Loader  # type: ignore[import-untyped]  # botocore has no types

    model = Loader().load_service_model("stepfunctions", "service-2")
    tools = called(plan, McpAdapterPlan)

    assert len(model["operations"]) == len(tools) == 37
    assert tools == called(plan, RestAdapterPlan)
    assert not plan.problems
    assert not plan.plan.disabled


def test_read_only_serves_what_changes_nothing() -> None:
    options = LoadOptions(environment={"AWS_REGION": "us-east-1"}, read_only=True)
    checked = check_capability(FULL, options)
    assert checked.plan is not None
    for adapter in checked.plan.adapters:
        served = operations_of(adapter)
        kept = {operation.name for operation in served}
        assert all(operation.effect is Effect.READ for operation in served)
        assert {"list-executions", "describe-map-run", "get-execution-history"} <= kept
        assert not kept & {
            "start-execution",
            "start-sync-execution",
            "stop-execution",
            "get-activity-task",
            "send-task-success",
            "delete-state-machine",
            "tag-resource",
            "update-map-run",
            "test-state",
        }


async def use(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, (tool, result.content)
    return result.structured_content


def test_an_agent_can_do_it_all(served: Served) -> None:
    """Every operation that the small capability lacks as a tool, over MCP alone."""

    async def story() -> None:
        async with Client(served.urls[TOOLS] + "/mcp", mode="2026-07-28") as client:
            await versions_and_aliases(client)
            await an_activity_worker(client)
            await a_map_run(client)
            await tags_and_single_states(client)

    anyio.run(story)


async def machine(client: Client, name: str, definition: object) -> str:
    made = await use(client, "create-state-machine", name=name, definition=definition, roleArn=ROLE)
    return str(made["stateMachineArn"])


async def versions_and_aliases(client: Client) -> None:
    state = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    arn = await machine(client, "full-versions", state)
    first = (await use(client, "publish-state-machine-version", stateMachineArn=arn))[
        "stateMachineVersionArn"
    ]
    changed = {**state, "Comment": "changed"}
    await use(client, "update-state-machine", stateMachineArn=arn, definition=changed)
    second = (await use(client, "publish-state-machine-version", stateMachineArn=arn))[
        "stateMachineVersionArn"
    ]
    versions = await use(client, "list-state-machine-versions", stateMachineArn=arn)
    assert [item["stateMachineVersionArn"] for item in versions["stateMachineVersions"]] == [
        second,
        first,
    ]
    alias = (
        await use(
            client,
            "create-state-machine-alias",
            name="LIVE",
            routingConfiguration=[{"stateMachineVersionArn": first, "weight": 100}],
        )
    )["stateMachineAliasArn"]
    await use(
        client,
        "update-state-machine-alias",
        stateMachineAliasArn=alias,
        routingConfiguration=[{"stateMachineVersionArn": second, "weight": 100}],
    )
    described = await use(client, "describe-state-machine-alias", stateMachineAliasArn=alias)
    assert described["routingConfiguration"] == [{"stateMachineVersionArn": second, "weight": 100}]
    aliases = await use(client, "list-state-machine-aliases", stateMachineArn=arn)
    assert len(aliases["stateMachineAliases"]) == 1
    execution = (await use(client, "start-execution", stateMachineArn=alias))["executionArn"]
    used = await use(client, "describe-state-machine-for-execution", executionArn=execution)
    assert json.loads(used["definition"])["Comment"] == "changed"
    await use(client, "delete-state-machine-alias", stateMachineAliasArn=alias)
    await use(client, "delete-state-machine-version", stateMachineVersionArn=first)
    await use(client, "delete-state-machine", stateMachineArn=arn)


async def an_activity_worker(client: Client) -> None:
    activity = (await use(client, "create-activity", name="full-work"))["activityArn"]
    described = await use(client, "describe-activity", activityArn=activity)
    assert described["name"] == "full-work"
    task_state = {
        "StartAt": "T",
        "States": {
            "T": {"Type": "Task", "Resource": activity, "HeartbeatSeconds": 60, "End": True}
        },
    }
    arn = await machine(client, "full-activity", task_state)
    execution = (await use(client, "start-execution", stateMachineArn=arn, input={"n": 1}))[
        "executionArn"
    ]
    task = await use(client, "get-activity-task", activityArn=activity, workerName="w")
    assert json.loads(task["input"]) == {"n": 1}
    await use(client, "send-task-heartbeat", taskToken=task["taskToken"])
    await use(client, "send-task-success", taskToken=task["taskToken"], output={"ok": 1})
    with anyio.fail_after(20):
        while True:
            seen = await use(client, "describe-execution", executionArn=execution)
            if seen["status"] != "RUNNING":
                break
            await anyio.sleep(0.05)
    assert seen["status"] == "SUCCEEDED"
    await use(client, "delete-activity", activityArn=activity)


async def a_map_run(client: Client) -> None:
    mapped = {
        "StartAt": "M",
        "States": {
            "M": {
                "Type": "Map",
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": "W",
                    "States": {"W": {"Type": "Wait", "Seconds": 300, "End": True}},
                },
                "End": True,
            }
        },
    }
    arn = await machine(client, "full-map", mapped)
    execution = (await use(client, "start-execution", stateMachineArn=arn, input=[1, 2, 3]))[
        "executionArn"
    ]
    with anyio.fail_after(20):
        while True:
            runs = (await use(client, "list-map-runs", executionArn=execution))["mapRuns"]
            if runs:
                break
            await anyio.sleep(0.05)
    run = await use(client, "describe-map-run", mapRunArn=runs[0]["mapRunArn"])
    assert run["executionArn"] == execution
    await use(client, "update-map-run", mapRunArn=runs[0]["mapRunArn"], maxConcurrency=2)
    await use(client, "stop-execution", executionArn=execution)


async def tags_and_single_states(client: Client) -> None:
    state = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    arn = await machine(client, "full-tags", state)
    await use(client, "tag-resource", resourceArn=arn, tags=[{"key": "team", "value": "a"}])
    tags = await use(client, "list-tags-for-resource", resourceArn=arn)
    assert tags["tags"] == [{"key": "team", "value": "a"}]
    await use(client, "untag-resource", resourceArn=arn, tagKeys=["team"])
    tested = await use(
        client,
        "test-state",
        definition={"Type": "Pass", "Result": {"a": 1}, "End": True},
        roleArn=ROLE,
        input={},
    )
    assert tested["status"] == "SUCCEEDED"
    assert json.loads(tested["output"]) == {"a": 1}
