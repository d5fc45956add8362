"""How long tasks are kept and how many, and how they end with their server."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError

from naftiko.exposes.mcp import mcp_app
from naftiko.exposes.mcp.tasks import Task, TaskTable
from naftiko.plan.capability import McpAdapterPlan, McpServing, TaskServing
from naftiko.plan.masking import Masker
from naftiko.plan.ports import Result
from naftiko.plan.run import Question, Run
from naftiko.values import JsonObject
from tests.live.mcp.clients import connect
from tests.live.mcp.mcp_demo import INFO, adapter, masker, serving, tool

Wire = dict[str, Any]
DONE: Wire = {"content": [{"type": "text", "text": "x"}], "isError": False}


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _table(clock: Clock | None = None, held: int = 10_000, **options: Any) -> TaskTable:
    return TaskTable(TaskServing(**options), Masker(), clock=clock or Clock(), max_held_bytes=held)


async def _done() -> Wire:
    return DONE


def _run(table: TaskTable, call: Callable[[], Awaitable[Wire]], owner: object = None) -> Task:
    task = table.open(owner, None)
    table.start(task, call)
    return task


async def _ended(table: TaskTable, owner: object = None) -> Task:
    task = _run(table, _done, owner)
    while not task.has_ended:
        await task.changed()
    return task


def _gone(table: TaskTable, task: Task) -> bool:
    try:
        return table.find(task.id, task.owner) is not task
    except MCPError as error:
        return error.error.code == -32602


class Endless:
    """A call that only ends when it is cancelled."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self) -> Wire:
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return DONE


def test_a_task_is_kept_for_its_time_and_one_that_runs_is_cancelled_then() -> None:
    async def story() -> None:
        clock = Clock()
        table = _table(clock, ttl_s=60)
        ended = await _ended(table)
        endless = Endless()
        running = _run(table, endless)
        await endless.started.wait()
        clock.now += 59.9
        assert table.find(ended.id, None) is ended
        clock.now += 0.2
        assert _gone(table, ended)
        assert _gone(table, running)
        await endless.cancelled.wait()
        assert len(table) == 0

    asyncio.run(story())


def test_a_caller_may_ask_for_so_much_time() -> None:
    async def story() -> None:
        table = _table(ttl_s=60, max_ttl_s=600)
        times = [table.open(None, asked).ttl_s for asked in (None, 30, 601, 0, -5)]
        assert times == [60, 30, 600, 1, 1]
        table.close()

    asyncio.run(story())


def test_without_anybody_asking_a_task_goes_when_its_time_is_over() -> None:
    async def story() -> None:
        table = _table(ttl_s=60)
        task = await _ended(table)
        assert task.timer is not None
        assert task.timer.when() - asyncio.get_running_loop().time() > 50
        task.timer._run()
        assert len(table) == 0
        assert task.timer.cancelled()

    asyncio.run(story())


def test_the_oldest_that_ended_makes_room_and_those_that_run_do_not() -> None:
    async def story() -> None:
        table = _table(most=3)
        first, second = await _ended(table), await _ended(table)
        running = _run(table, Endless())
        third = await _ended(table)
        assert _gone(table, first)
        assert not _gone(table, second)
        more = [_run(table, Endless()) for _ in range(2)]
        assert _gone(table, second)
        assert _gone(table, third)
        with pytest.raises(MCPError) as caught:
            table.open(None, None)
        assert caught.value.error.message.startswith("the server has 3 tasks that still run")
        assert caught.value.error.data == {
            "code": "too-many-tasks",
            "limit": 3,
            "retryable": True,
        }
        assert table.cancel(more[0], "enough")
        table.open(None, None)
        assert not _gone(table, running)
        await table.stop()

    asyncio.run(story())


def test_one_session_does_not_take_the_place_of_another() -> None:
    async def story() -> None:
        table = _table(most=10, most_each=2)
        mine, other = object(), object()
        kept = await _ended(table, other)
        first, second = await _ended(table, mine), await _ended(table, mine)
        third = await _ended(table, mine)
        assert _gone(table, first)
        assert table.of(mine) == [second, third]
        assert table.of(other) == [kept]
        table.end_owner(mine)
        assert table.of(mine) == []
        assert not _gone(table, kept)

    asyncio.run(story())


def test_results_are_counted_and_one_that_is_too_large_says_so() -> None:
    async def story() -> None:
        table = _table(held=400)

        def large(count: int) -> Callable[[], Awaitable[Wire]]:
            async def call() -> Wire:
                return {"content": [{"type": "text", "text": "y" * count}], "isError": False}

            return call

        async def ended(count: int) -> Task:
            task = _run(table, large(count))
            while not task.has_ended:
                await task.changed()
            return task

        first, second = await ended(100), await ended(100)
        assert not _gone(table, first)
        third = await ended(200)
        assert _gone(table, first), "the oldest made room"
        assert not _gone(table, third)
        fourth = await ended(500)
        assert isinstance(fourth.outcome, dict)
        assert fourth.outcome["isError"] is True
        assert "more than" in fourth.outcome["content"][0]["text"]
        # An integer past 64 bits is counted too.
        odd: Wire = {"structuredContent": {"n": 2**70}, "content": [], "isError": False}

        async def call() -> Wire:
            return odd

        task = _run(table, call)
        while not task.has_ended:
            await task.changed()
        assert task.size > 20
        assert second is not None

    asyncio.run(story())


def test_an_answer_that_does_not_fit_is_asked_for_again_under_another_key() -> None:
    schema: JsonObject = {"type": "object", "properties": {"n": {"type": "integer"}}}
    question = Question(kind="form", params={"message": "?", "requestedSchema": schema})

    async def story() -> None:
        table = _table()
        task = table.open(None, None)
        answers: list[Any] = []

        async def call() -> Wire:
            got = await task.ask({"a": question, "b": question}, {"elicitation": {}})
            answers.append(got)
            return DONE

        table.start(task, call)
        while task.status != "input_required":
            await task.changed()
        a, b = list(task.questions)
        task.answer({a: {"action": "accept", "content": {"n": "one"}}, "c": {}, b: 3})
        again = list(task.questions)
        assert len(again) == 2
        assert not {a, b} & set(again)
        task.answer({again[0]: {"action": "accept", "content": {"n": 1}}})
        assert list(task.questions) == [again[1]]
        assert task.status == "input_required"
        task.answer({again[0]: {"action": "decline"}, again[1]: {"action": "decline"}})
        while not task.has_ended:
            await task.changed()
        assert answers == [
            {"a": {"action": "accept", "content": {"n": 1}}, "b": {"action": "decline"}}
        ]

    asyncio.run(story())


def test_a_cancelled_task_forgets_what_it_asked() -> None:
    question = Question(kind="form", params={"message": "?"})

    async def story() -> None:
        table = _table()
        task = table.open(None, None)

        async def call() -> Wire:
            await task.ask({"a": question}, {"elicitation": {}})
            return DONE

        table.start(task, call)
        while task.status != "input_required":
            await task.changed()
        (item,) = task.questions.values()
        table.cancel(task, "enough")
        await table.stop()
        assert task.questions == {}
        assert item.answer.cancelled()
        assert task.status == "cancelled"

    asyncio.run(story())


def test_a_server_that_stops_cancels_what_runs_and_takes_no_more() -> None:
    async def story() -> None:
        table = _table()
        endless = Endless()
        task = _run(table, endless)
        await endless.started.wait()
        table.close()
        assert task.status == "cancelled"
        with pytest.raises(MCPError, match="stopping"):
            table.open(None, None)
        await table.stop()
        assert endless.cancelled.is_set()
        table.open(None, None)  # it may be started anew
        table.close()

    asyncio.run(story())


# --------------------------------------------------------------------- with a server


class Plan:
    """What a tool does until it is cancelled."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.over = threading.Event()

    async def __call__(self, _run: Run) -> Result:
        self.happened.append("started")
        try:
            await asyncio.Event().wait()
        finally:
            self.happened.append("cancelled")
            self.over.set()
        return Result()


def _with_tasks(body: Plan) -> McpAdapterPlan:
    waits = replace(tool("wait", body), task_support="optional")
    return replace(adapter(waits), options=McpServing(tasks=TaskServing()))


def _post(url: str, method: str, headers: dict[str, str], **params: Any) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    request = urllib.request.Request(  # noqa: S310  # loopback only
        url,
        data=json.dumps(body).encode(),
        headers={
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": method,
            **headers,
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.loads(answer.read())


MODERN = {
    "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {
            "extensions": {"io.modelcontextprotocol/tasks": {}}
        },
    }
}


def test_stopping_the_server_cancels_the_plans_of_tasks() -> None:
    body = Plan()
    app = mcp_app(_with_tasks(body), info=INFO, masker=masker())
    with serving(app) as port:
        url = f"http://127.0.0.1:{port}/mcp"
        created = _post(url, "tools/call", {"mcp-name": "wait"}, name="wait", **MODERN)["result"]
        assert created["resultType"] == "task"
        found: Any = {}
        while "started" not in body.happened:
            task_id = created["taskId"]
            found = _post(url, "tasks/get", {"mcp-name": task_id}, taskId=task_id, **MODERN)
            assert found["result"]["status"] == "working"
    assert body.happened == ["started", "cancelled"]


def test_the_end_of_a_session_cancels_its_tasks() -> None:
    body = Plan()
    app = mcp_app(_with_tasks(body), info=INFO, masker=masker())

    async def story(url: str) -> None:
        async with connect(url, "legacy") as client:
            created = await client.session._dispatcher.send_raw_request(
                "tools/call", {"name": "wait", "task": {}}
            )
            assert created["task"]["status"] == "working"

    with serving(app) as port:
        asyncio.run(story(f"http://127.0.0.1:{port}/mcp"))
        assert body.over.wait(20)
        assert app.server.tasks is not None
        assert len(app.server.tasks.table) == 0


def test_a_server_without_such_tools_knows_no_tasks() -> None:
    app = mcp_app(adapter(tool("wait", Plan())), info=INFO, masker=masker())
    assert app.server.tasks is None
    assert app.server.get_request_handler("tasks/get") is None
    code = "import sys, naftiko.exposes.mcp.app; print('naftiko.exposes.mcp.tasks' in sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert shown.stdout == "False\n"


def test_arguments_count_for_as_long_as_their_task_runs() -> None:
    """A caller need not wait for tasks: their arguments must not fill the memory."""

    async def scenario() -> None:
        table = _table(held=1_000)
        endless = Endless()
        first = table.open(None, None, 600)
        table.start(first, endless)
        await endless.started.wait()

        with pytest.raises(MCPError) as caught:
            table.open(None, None, 600)
        assert caught.value.error.data == {"code": "too-many-tasks", "retryable": True}
        assert len(table) == 1

        table.cancel(first, "enough")
        second = table.open(None, None, 600)
        table.start(second, _done)
        while not second.has_ended:
            await second.changed()
        assert table.open(None, None, 900).status == "working"
        await table.stop()

    asyncio.run(scenario())


def test_what_ended_makes_room_for_arguments() -> None:
    async def scenario() -> None:
        table = _table(held=1_000)
        ended = await _ended(table)
        assert table.open(None, None, 990).status == "working"
        assert _gone(table, ended)
        await table.stop()

    asyncio.run(scenario())
