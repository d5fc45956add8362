"""The shipped capability's tools, with the official client in both eras of the protocol."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mcp import StdioServerParameters

from naftiko.sandbox import Sandbox
from tests.live.mcp.clients import connect
from tests.live.waiting import until
from tests.live.workflows.stage import FILE, MODES, TOOLS, House, Json, Stage
from tests.live.workflows.test_rest import queues

STORY_S = 60
Story = Callable[[Any], Awaitable[None]]


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def tell(server: Any, mode: str, story: Story, **more: Any) -> None:
    async def run() -> None:
        async with connect(server, mode, cache=None, **more) as client:
            failures = await asyncio.gather(
                asyncio.wait_for(story(client), STORY_S), return_exceptions=True
            )
        if isinstance(failures[0], BaseException):
            raise failures[0]

    asyncio.run(run())


async def use(client: Any, tool: str, /, **arguments: Any) -> Json:
    """Call a tool that must do what it is for."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content[0].text
    found: Json = result.structured_content
    return found


async def refused(client: Any, tool: str, /, **arguments: Any) -> Any:
    """Call a tool that must not."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    return result


def test_the_tools_say_what_they_do(house: House, mode: str) -> None:
    async def story(client: Any) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {
            *("suggest_workflows", "list_workflows", "get_workflow"),
            *("execute_workflow", "get_execution"),
        }
        execute = tools["execute_workflow"]
        assert execute.annotations.destructive_hint is True
        assert execute.annotations.open_world_hint is True
        assert set(execute.input_schema["properties"]) == {
            "workflow_name",
            "parameters",
            "execution_mode",
            "execution_id",
            "confirm_token",
            "cancel",
            "idempotency_key",
        }
        assert "outputs" in execute.output_schema["properties"]
        for name in set(tools) - {"execute_workflow"}:
            assert tools[name].annotations.read_only_hint is True

    tell(house.tools, mode, story)


def test_a_workflow_is_found_read_and_executed_step_by_step(
    house: House, sandbox: Sandbox, mode: str
) -> None:
    name = f"mcp-{mode}"

    async def story(client: Any) -> None:
        listed = await use(client, "list_workflows", text="queue", service="sqs")
        assert "make_queue" in [one["workflow_name"] for one in listed["workflows"]]
        told = await use(client, "get_workflow", workflow_name="make_queue")
        assert told["parameters"]["required"] == ["queue_name"]
        first = await client.call_tool(
            "execute_workflow",
            {"workflow_name": "make_queue", "parameters": {"queue_name": name, "owner": "m e"}},
        )
        waits = first.structured_content
        assert waits["status"] == "awaiting_confirmation"
        text = first.content[0].text
        assert text.startswith(
            f"Execution {waits['execution_id']}: awaiting_confirmation, 1 step reached"
        )
        assert "Step make waits for confirmation" in text
        assert name not in text, "the text has ids, counts and statuses only"
        id_ = waits["execution_id"]
        wrong = await refused(client, "execute_workflow", execution_id=id_, confirm_token="0" * 64)
        assert wrong.structured_content["status"] == "awaiting_confirmation"
        second = await use(
            client,
            "execute_workflow",
            execution_id=id_,
            confirm_token=waits["next"]["confirm_token"],
        )
        assert second["next"]["step_id"] == "tag"
        done = await use(
            client,
            "execute_workflow",
            execution_id=id_,
            confirm_token=second["next"]["confirm_token"],
        )
        assert (done["status"], done["outputs"]["owner"]) == ("succeeded", "m e")
        assert (done["origin"], done["treat_as"]) == ("aws", "data")
        assert await use(client, "get_execution", execution_id=id_) == done

    tell(house.tools, mode, story)
    assert queues(sandbox, name) == [name]


def test_what_waits_can_be_cancelled(house: House, sandbox: Sandbox, mode: str) -> None:
    async def story(client: Any) -> None:
        given = {"queue_name": f"unwanted-{mode}"}
        first = await use(client, "execute_workflow", workflow_name="make_queue", parameters=given)
        second = await use(
            client,
            "execute_workflow",
            execution_id=first["execution_id"],
            confirm_token=first["next"]["confirm_token"],
        )
        over = await use(
            client, "execute_workflow", execution_id=second["execution_id"], cancel=True
        )
        assert over["status"] == "cancelled"

    tell(house.tools, mode, story)
    assert queues(sandbox, f"unwanted-{mode}") == []


def test_refusals_say_what_to_do(house: House, mode: str) -> None:
    async def story(client: Any) -> None:
        unknown = await refused(client, "execute_workflow", workflow_name="make_qeue")
        assert "did you mean `make_queue`" in unknown.content[0].text
        wrong = await refused(
            client, "execute_workflow", workflow_name="make_queue", parameters={"queue": "a"}
        )
        assert "`queue_name` is required" in wrong.content[0].text
        neither = await refused(client, "execute_workflow", parameters={})
        assert "workflow" in neither.content[0].text
        both = await refused(
            client, "execute_workflow", execution_id="a", confirm_token="t", workflow_name="b"
        )
        assert "workflow_name" in both.content[0].text
        alone = await refused(client, "execute_workflow", execution_id="a")
        assert "confirm_token" in alone.content[0].text
        assert (
            "no execution"
            in (await refused(client, "get_execution", execution_id="nothing")).content[0].text
        )

    tell(house.tools, mode, story)


def test_a_failure_is_an_error_with_all_that_is_known(
    house: House, sandbox: Sandbox, mode: str
) -> None:
    async def story(client: Any) -> None:
        result = await refused(
            client,
            "execute_workflow",
            workflow_name="doomed_queue",
            parameters={"queue_name": f"doomed-{mode}"},
            execution_mode="full",
        )
        assert result.structured_content["status"] == "rolled_back"
        assert "rolled_back" in result.content[0].text
        assert "failed by AssertionFailed" in result.content[0].text

    tell(house.tools, mode, story)
    assert queues(sandbox, f"doomed-{mode}") == []


def test_progress_is_told_for_each_step(house: House, mode: str) -> None:
    heard: list[tuple[float, float | None, str | None]] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        heard.append((done, total, message))

    async def story(client: Any) -> None:
        result = await client.call_tool(
            "execute_workflow",
            {
                "workflow_name": "make_queue",
                "parameters": {"queue_name": f"progress-{mode}"},
                "execution_mode": "full",
            },
            progress_callback=progress,
        )
        assert not result.is_error

    tell(house.tools, mode, story)
    assert (heard[0][2] or "").startswith("look (AWS_CALL)")
    values = [done for done, _, _ in heard]
    assert values == sorted(set(values)), "it only grows"
    messages = [message or "" for _, _, message in heard]
    assert [message.split()[0] for message in messages if "succeeded" in message] == [
        "look",
        "make",
        "tag",
    ]
    assert {total for _, total, _ in heard} == {3.0}


def test_a_long_one_can_be_a_task(house: House) -> None:
    async def send(client: Any, method: str, **params: Any) -> Any:
        return await client.session._dispatcher.send_raw_request(method, params)

    async def story(client: Any) -> None:
        arguments = {
            "workflow_name": "slow_queue",
            "parameters": {"queue_name": "task", "topic": "task"},
            "execution_mode": "full",
        }
        created = await send(
            client, "tools/call", name="execute_workflow", arguments=arguments, task={"ttl": 60_000}
        )
        task = created["task"]
        assert task["status"] == "working"
        result = await send(client, "tasks/result", taskId=task["taskId"])
        assert result["structuredContent"]["status"] == "succeeded"

    tell(house.tools, "legacy", story)


def test_each_workflow_can_be_a_tool_of_its_own(stage: Stage, mode: str) -> None:
    async def story(client: Any) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert {"execute_workflow", "make_queue", "list_queues", "slow_queue"} <= set(tools)
        make, look = tools["make_queue"], tools["list_queues"]
        assert make.input_schema["required"] == ["queue_name"]
        assert make.input_schema["additionalProperties"] is False
        assert ". Risk " in make.description
        assert set(make.output_schema["properties"]["outputs"]["properties"]) == {"url", "owner"}
        assert look.annotations.read_only_hint is True
        assert not make.annotations.read_only_hint
        found = await use(client, "list_queues", prefix="of-no-queue")
        assert found["outputs"] == {"queues": []}
        first = await use(client, "make_queue", queue_name="own-tool")
        assert first["next"]["step_id"] == "make"
        over = await use(
            client, "execute_workflow", execution_id=first["execution_id"], cancel=True
        )
        assert over["status"] == "cancelled"

    with stage.serving(WORKFLOW_TOOLS="each") as house:
        tell(house.tools, mode, story)


def test_over_stdio(stage: Stage) -> None:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "naftiko", "run", str(FILE), "--stdio", TOOLS],
        env=stage.environment(),
    )

    async def story(client: Any) -> None:
        done = await use(
            client,
            "execute_workflow",
            workflow_name="list_queues",
            parameters={"prefix": "stdio"},
        )
        assert done["status"] == "succeeded"

    tell(server, "legacy", story)


@pytest.mark.parametrize("on_cancel", ["continue", "cancel"])
def test_what_becomes_of_it_when_the_caller_goes(
    stage: Stage, sandbox: Sandbox, on_cancel: str
) -> None:
    name = f"left-{on_cancel}"

    async def story(client: Any) -> None:
        asked = asyncio.create_task(
            client.call_tool(
                "execute_workflow",
                {
                    "workflow_name": "slow_queue",
                    "parameters": {"queue_name": name, "topic": name},
                    "execution_mode": "full",
                },
            )
        )
        await asyncio.to_thread(lambda: until(lambda: queues(sandbox, name) or None))
        asked.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asked

    with stage.serving(WORKFLOW_ON_CANCEL=on_cancel) as house:
        tell(house.tools, "2026-07-28", story)
        (one,) = house.get("/v1/executions").body["executions"]
        place = f"/v1/executions/{one['execution_id']}"
        ended = until(
            lambda: found if (found := house.get(place).body)["status"] != "running" else None
        )
    assert ended["status"] == {"continue": "succeeded", "cancel": "cancelled"}[on_cancel]


def test_cancelling_the_task_cancels_the_execution(stage: Stage, sandbox: Sandbox) -> None:
    async def send(client: Any, method: str, **params: Any) -> Any:
        return await client.session._dispatcher.send_raw_request(method, params)

    async def story(client: Any) -> None:
        arguments = {
            "workflow_name": "slow_queue",
            "parameters": {"queue_name": "unwanted", "topic": "unwanted"},
            "execution_mode": "full",
        }
        created = await send(
            client, "tools/call", name="execute_workflow", arguments=arguments, task={"ttl": 60_000}
        )
        await asyncio.to_thread(lambda: until(lambda: queues(sandbox, "unwanted") or None))
        await send(client, "tasks/cancel", taskId=created["task"]["taskId"])

    with stage.serving() as house:
        tell(house.tools, "legacy", story)
        (one,) = house.get("/v1/executions").body["executions"]
        place = f"/v1/executions/{one['execution_id']}"
        ended = until(
            lambda: found if (found := house.get(place).body)["status"] != "running" else None
        )
    assert ended["status"] == "cancelled"
