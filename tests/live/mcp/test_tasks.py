"""MCP tasks with the official client: both eras, over HTTP and stdio.

The client has no methods for tasks of 2025-11-25, so those are sent as they are on the wire. Tasks
of 2026-07-28 are an extension of it, which is here: it polls as any client of that extension would.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from mcp import MCPError, StdioServerParameters
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp_types import CallToolResult, ElicitResult, Request, RequestParams, Result
from pydantic import TypeAdapter

from tests.live.mcp.clients import connect
from tests.live.serving import Served, serving

FILE = Path(__file__).parents[2] / "cases/capabilities/mcp-tasks/capability.yaml"
EXTENSION = "io.modelcontextprotocol/tasks"
RELATED = "io.modelcontextprotocol/related-task"
ANYTHING: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(FILE) as served:
        yield served


@pytest.fixture(scope="module")
def url(served: Served) -> str:
    return served.urls["jobs"] + "/mcp"


@pytest.fixture(params=["http", "stdio"])
def server(request: pytest.FixtureRequest, url: str) -> Any:
    if request.param == "http":
        return url
    return StdioServerParameters(
        command=sys.executable, args=["-m", "naftiko", "run", "--stdio", "jobs", str(FILE)]
    )


async def _elicited(_context: Any, params: Any) -> ElicitResult:
    names = params.requested_schema["properties"]
    given = {"name": "Ada", "confirm": True}
    return ElicitResult(action="accept", content={name: given[name] for name in names})


# --------------------------------------------------------------------- 2025-11-25


async def _send(client: Any, method: str, **params: Any) -> Any:
    """Send a request as it is, and return the result as it came."""
    return await client.session._dispatcher.send_raw_request(method, params)


async def _start(client: Any, name: str, ttl: int | None = None, **arguments: Any) -> Any:
    task = {} if ttl is None else {"ttl": ttl}
    created = await _send(client, "tools/call", name=name, arguments=arguments, task=task)
    assert set(created) == {"task"}
    return created["task"]


async def _refused(client: Any, method: str, **params: Any) -> tuple[int, str]:
    with pytest.raises(MCPError) as caught:
        await _send(client, method, **params)
    return caught.value.error.code, caught.value.error.message


def _with_client(server: Any, story: Any, **more: Any) -> None:
    async def run() -> None:
        async with connect(server, "legacy", elicitation_callback=_elicited, **more) as client:
            await asyncio.wait_for(story(client), 60)

    asyncio.run(run())


def test_a_task_from_its_creation_to_its_result(server: Any) -> None:
    async def story(client: Any) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools["greet"].execution is None
        assert tools["slow_compute"].execution.task_support == "optional"
        assert tools["failing_job"].execution.task_support == "required"
        assert tools["protocol_error_job"].execution.task_support == "optional"
        offered = client.server_capabilities.tasks.model_dump(exclude_none=True)
        assert offered == {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}

        task = await _start(client, "slow_compute", seconds=0.3, ttl=90_000)
        assert (task["status"], task["ttl"], task["pollInterval"]) == ("working", 90_000, 500)
        assert len(task["taskId"]) == 32
        result = await _send(client, "tasks/result", taskId=task["taskId"])
        assert result.pop("_meta") == {RELATED: {"taskId": task["taskId"]}}
        plain = await _send(client, "tools/call", name="slow_compute", arguments={"seconds": 0.3})
        assert result == plain
        assert result["content"] == [{"type": "text", "text": "computed for 0.3 s"}]
        after = await _send(client, "tasks/get", taskId=task["taskId"])
        assert (after["status"], after["createdAt"]) == ("completed", task["createdAt"])
        assert after["lastUpdatedAt"] >= after["createdAt"]
        assert after["statusMessage"] == "done"

    _with_client(server, story)


def test_a_tool_that_fails_fails_its_task_and_keeps_the_result(server: Any) -> None:
    async def story(client: Any) -> None:
        task = await _start(client, "failing_job")
        result = await _send(client, "tasks/result", taskId=task["taskId"])
        assert result["isError"] is True
        assert result["structuredContent"]["error"]["code"] == "job-failed"
        after = await _send(client, "tasks/get", taskId=task["taskId"])
        assert (after["status"], after["statusMessage"]) == ("failed", "error: the job failed")
        # Arguments that do not fit fail a task as they fail a call.
        wrong = await _start(client, "slow_compute", secunds=1)
        result = await _send(client, "tasks/result", taskId=wrong["taskId"])
        assert "`seconds` is required" in result["content"][0]["text"]

    _with_client(server, story)


def test_a_tool_is_called_in_the_way_it_allows(url: str) -> None:
    async def story(client: Any) -> None:
        plain = await _refused(client, "tools/call", name="failing_job", arguments={})
        assert plain == (
            -32601,
            "the tool `failing_job` is called as a task only: give `task` in the parameters",
        )
        as_task = await _refused(client, "tools/call", name="greet", arguments={}, task={})
        assert as_task == (-32601, "the tool `greet` cannot be called as a task")
        unknown = await _refused(client, "tools/call", name="slow", arguments={}, task={})
        assert unknown[0] == -32602
        bad = await _refused(client, "tools/call", name="tell", arguments={}, task={"ttl": "x"})
        assert bad[0] == -32602

    _with_client(url, story)


def test_a_task_is_cancelled_once(server: Any) -> None:
    async def story(client: Any) -> None:
        task = await _start(client, "tell")
        waiting = asyncio.ensure_future(_refused(client, "tasks/result", taskId=task["taskId"]))
        cancelled = await _send(client, "tasks/cancel", taskId=task["taskId"])
        assert cancelled["status"] == "cancelled"
        assert cancelled["statusMessage"] == "cancelled by its caller"
        assert await waiting == (-32800, "Request cancelled")
        again = await _refused(client, "tasks/cancel", taskId=task["taskId"])
        assert again == (-32602, "the task has ended: it is cancelled")
        assert (await _send(client, "tasks/get", taskId=task["taskId"]))["status"] == "cancelled"

    _with_client(server, story)


def test_what_a_run_tells_is_the_status_message_and_reaches_the_session(server: Any) -> None:
    heard: list[Any] = []
    told = asyncio.Event()

    async def hear(message: Any) -> None:
        method = getattr(message, "method", "")
        if method in ("notifications/progress", "notifications/message"):
            heard.append(message)
            if len(heard) == 2:
                told.set()

    async def story(client: Any) -> None:
        id_ = await heard_of(client)
        progress, logged = (item.params for item in heard)
        assert (progress.progress_token, progress.message) == ("p1", "half way")
        assert (logged.level, logged.data) == ("warning", "nearly there")
        assert progress.meta[RELATED] == logged.meta[RELATED] == {"taskId": id_}
        now = await _send(client, "tasks/get", taskId=id_)
        assert (now["status"], now["statusMessage"]) == ("working", "nearly there")

    async def heard_of(client: Any) -> str:
        """Over HTTP it goes over the GET stream, which the client opens when it comes to it."""
        while True:
            created = await _send(
                client, "tools/call", name="tell", task={}, _meta={"progressToken": "p1"}
            )
            id_: str = created["task"]["taskId"]
            try:
                await asyncio.wait_for(told.wait(), 0.5)
            except TimeoutError:
                heard.clear()
                await _send(client, "tasks/cancel", taskId=id_)
            else:
                return id_

    _with_client(server, story, message_handler=hear)


def test_tasks_are_listed_and_found_by_their_own_session_only(url: str) -> None:
    async def story(client: Any) -> None:
        first, second, third = [await _start(client, "slow_compute", seconds=0) for _ in range(3)]
        await _send(client, "tasks/result", taskId=third["taskId"])
        listed = await _send(client, "tasks/list")
        ids = [task["taskId"] for task in listed["tasks"]]
        assert ids == [first["taskId"], second["taskId"], third["taskId"]]
        assert "nextCursor" not in listed
        assert (await _refused(client, "tasks/list", cursor="nonsense"))[0] == -32602
        async with connect(url, "legacy") as other:
            assert (await _send(other, "tasks/list"))["tasks"] == []
            for method in ("tasks/get", "tasks/result", "tasks/cancel"):
                found = await _refused(other, method, taskId=first["taskId"])
                assert found == (-32602, "there is no such task; it may have expired")

    _with_client(url, story)


def test_a_session_has_so_many_tasks_and_its_end_is_theirs(url: str, served: Served) -> None:
    async def story(client: Any) -> None:
        running = [await _start(client, "tell") for _ in range(3)]
        ended = await _start(client, "slow_compute", seconds=0)
        await _send(client, "tasks/result", taskId=ended["taskId"])
        running.append(await _start(client, "tell"))  # in the place of the one that ended
        gone = await _refused(client, "tasks/get", taskId=ended["taskId"])
        assert gone[0] == -32602
        code, message = await _refused(client, "tools/call", name="tell", task={})
        assert code == -32603
        assert message.startswith("this session has 4 tasks that still run, and takes no more")
        async with connect(url, "legacy") as other:
            task = await _start(other, "tell")
            assert task["status"] == "working"
        await _send(client, "tasks/cancel", taskId=running[0]["taskId"])
        await _start(client, "tell")

    _with_client(url, story)


def test_what_a_task_asks_is_asked_on_its_result(server: Any) -> None:
    async def story(client: Any) -> None:
        task = await _start(client, "multi_input")
        status = "working"
        while status == "working":
            status = (await _send(client, "tasks/get", taskId=task["taskId"]))["status"]
        assert status == "input_required"
        result = await _send(client, "tasks/result", taskId=task["taskId"])
        assert result["content"] == [{"type": "text", "text": "Ada"}]
        # Who cannot be asked fails it, as it fails a call.
        folders = await _start(client, "protocol_error_job")
        result = await _send(client, "tasks/result", taskId=folders["taskId"])
        assert result["isError"] is True
        assert result["structuredContent"]["error"]["code"] == "client-cannot-answer"

    _with_client(server, story)


def test_older_revisions_have_no_tasks(served: Served) -> None:
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "old", "version": "1"},
        },
    }
    accept = {"accept": "application/json, text/event-stream"}
    session = served.request("jobs", "POST", "/mcp", hello, **accept).headers["mcp-session-id"]

    def send(method: str, **params: Any) -> str:
        body = {"jsonrpc": "2.0", "id": 2, "method": method, "params": params}
        headers = {**accept, "mcp-session-id": session, "mcp-protocol-version": "2025-06-18"}
        answer = served.request("jobs", "POST", "/mcp", body, **headers)
        assert isinstance(answer.body, bytes)
        return answer.body.decode()

    greeted = send("tools/call", name="greet", arguments={"name": "Ada"}, task={})
    assert "Hello, Ada!" in greeted
    assert '"code":-32601' in send("tasks/list")
    assert '"code":-32601' in send("tasks/get", taskId="x")


# --------------------------------------------------------------------- 2026-07-28


class TaskParams(RequestParams):
    task_id: str
    input_responses: dict[str, Any] | None = None


class TaskRequest(Request[TaskParams, str]):
    name_param: ClassVar[str | None] = "taskId"


class Created(Result):
    result_type: Literal["task"]
    task_id: str
    status: str
    ttl_ms: int | None
    poll_interval_ms: int | None = None


async def _ask(session: Any, method: str, task_id: str, **more: Any) -> Any:
    params = TaskParams(task_id=task_id, **more)
    return await session.send_request(TaskRequest(method=method, params=params), ANYTHING)


class TasksExtension(ClientExtension):
    """Polls until the task has ended, and answers what it asks."""

    identifier = EXTENSION

    def __init__(self) -> None:
        self.created: list[Created] = []
        self.seen: list[str] = []
        self.polled = asyncio.Event()

    def claims(self) -> list[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Created, resolve=self._resolve)]

    async def _resolve(self, created: Created, context: ClaimContext) -> CallToolResult:
        self.created.append(created)
        while True:
            task = await _ask(context.session, "tasks/get", created.task_id)
            self.seen.append(task["status"])
            self.polled.set()
            if task["status"] == "completed":
                return CallToolResult.model_validate(task["result"], by_name=False)
            if task["status"] in ("failed", "cancelled"):
                raise MCPError(**task.get("error", {"code": 0, "message": "cancelled"}))
            if task["status"] == "input_required":
                answers = {key: _answer(item) for key, item in task["inputRequests"].items()}
                done = await _ask(
                    context.session, "tasks/update", created.task_id, input_responses=answers
                )
                assert done["resultType"] == "complete"
            await asyncio.sleep(0.02)


def _answer(asked: Any) -> Any:
    assert asked["method"] == "elicitation/create"
    names = asked["params"]["requestedSchema"]["properties"]
    given = {"name": "Ada", "confirm": True}
    return {"action": "accept", "content": {name: given[name] for name in names}}


def _with_modern(server: Any, story: Any) -> None:
    async def run() -> None:
        tasks = TasksExtension()
        more = {"extensions": [tasks], "elicitation_callback": _elicited}
        async with connect(server, "2026-07-28", **more) as client:
            await asyncio.wait_for(story(client, tasks), 60)

    asyncio.run(run())


def test_the_extension_makes_a_task_of_a_call(server: Any) -> None:
    async def story(client: Any, tasks: TasksExtension) -> None:
        result = await client.call_tool("slow_compute", {"seconds": 0.1})
        assert result.content[0].text == "computed for 0.1 s"
        (created,) = tasks.created
        assert (created.result_type, created.status, created.ttl_ms) == ("task", "working", 600_000)
        assert tasks.seen[-1] == "completed"

        failed = await client.call_tool("failing_job", {})
        assert failed.is_error
        assert failed.structured_content["error"]["code"] == "job-failed"
        assert tasks.seen[-1] == "completed", "what a tool reports is no failure of the protocol"

        with pytest.raises(MCPError) as caught:
            await client.call_tool("protocol_error_job", {})
        assert caught.value.error.code == -32021
        assert tasks.seen[-1] == "failed"

        greeted = await client.call_tool("greet", {"name": "Ada"})
        assert greeted.content[0].text == "Hello, Ada!"
        assert len(tasks.created) == 3

    _with_modern(server, story)


def test_the_extension_asks_through_the_task(server: Any) -> None:
    async def story(client: Any, tasks: TasksExtension) -> None:
        result = await client.call_tool("multi_input", {})
        assert result.content[0].text == "Ada"
        assert "input_required" in tasks.seen

    _with_modern(server, story)


def test_the_extension_cancels(server: Any) -> None:
    async def story(client: Any, tasks: TasksExtension) -> None:
        calling = asyncio.ensure_future(client.call_tool("tell", {}))
        await tasks.polled.wait()
        task_id = tasks.created[0].task_id
        done = await _ask(client.session, "tasks/cancel", task_id)
        assert done["resultType"] == "complete"
        assert "taskId" not in done
        with pytest.raises(MCPError, match="cancelled"):
            await calling
        again = await _ask(client.session, "tasks/cancel", task_id)
        assert again["resultType"] == "complete"
        for method in ("tasks/list", "tasks/result"):
            with pytest.raises(MCPError) as caught:
                await _ask(client.session, method, task_id)
            assert caught.value.error.code == -32601
        for method in ("tasks/get", "tasks/cancel"):
            with pytest.raises(MCPError) as caught:
                await _ask(client.session, method, "no-such-task")
            assert caught.value.error.code == -32602

    _with_modern(server, story)


def test_the_extension_is_offered_in_its_own_revision_only(url: str) -> None:
    async def story() -> None:
        async with connect(url, "auto") as modern, connect(url, "legacy") as legacy:
            assert modern.server_capabilities.extensions == {EXTENSION: {}}
            assert modern.server_capabilities.tasks is None
            assert legacy.server_capabilities.extensions is None
            assert all(tool.execution is None for tool in (await modern.list_tools()).tools)

    asyncio.run(story())


def test_a_client_without_the_extension_calls_as_before(url: str) -> None:
    async def story() -> None:
        async with connect(url, "2026-07-28") as client:
            result = await client.call_tool("slow_compute", {"seconds": 0})
            assert result.content[0].text == "computed for 0 s"
            with pytest.raises(MCPError) as caught:
                await client.call_tool("failing_job", {})
            assert caught.value.error.code == -32021
            assert caught.value.error.data == {
                "requiredCapabilities": {"extensions": {EXTENSION: {}}}
            }
            with pytest.raises(MCPError) as caught:
                await _ask(client.session, "tasks/get", "x")
            assert caught.value.error.code == -32021

    asyncio.run(story())


def test_the_name_header_is_the_task(served: Served) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {EXTENSION: {}}},
    }
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tasks/get",
        "params": {"taskId": "one", "_meta": meta},
    }
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tasks/get",
    }
    for name, code in (("other", -32020), ("", -32020), ("one", -32602)):
        more = {"mcp-name": name} if name else {}
        answer = served.request("jobs", "POST", "/mcp", body, **headers, **more)
        assert (answer.status, answer.body["error"]["code"]) == (400, code)
