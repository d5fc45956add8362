"""docs/examples/tasks.yaml, served and called: a report is started, looked at, stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.case_files import ROOT
from tests.live.mcp.clients import connect
from tests.live.scripted import ScriptedApi, scripted_api
from tests.live.serving import serving
from tests.live.waiting import until

EXAMPLE = ROOT / "docs/examples/tasks.yaml"
WORKING = {"json": {"state": "working", "percent": 40}}
DONE = {"json": {"state": "done", "percent": 100, "text": "Bees are well."}}
FAILED = {"json": {"state": "failed", "percent": 70, "reason": "no paper"}}


@pytest.fixture(scope="module")
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as running:
        yield running


@pytest.fixture(scope="module")
def url(api: ScriptedApi) -> Iterator[str]:
    environment = {"REPORTS_API_URL": api.url, "REPORT_LOOK": "10ms"}
    with serving(EXAMPLE, environment=environment) as running:
        assert running.capability.problems == ()
        yield running.urls["desk"] + "/mcp"


def _with_client(url: str, story: Any) -> None:
    async def run() -> None:
        async with connect(url, "legacy") as client:
            await asyncio.wait_for(story(client), 60)

    asyncio.run(run())


async def _send(client: Any, method: str, **params: Any) -> Any:
    return await client.session._dispatcher.send_raw_request(method, params)


async def _make(client: Any) -> str:
    call = {"name": "make-report", "arguments": {"topic": "bees"}, "task": {"ttl": 3_600_000}}
    id_: str = (await _send(client, "tools/call", **call))["task"]["taskId"]
    return id_


@pytest.mark.parametrize(
    ("last", "status", "text"),
    [(DONE, "completed", "Bees are well."), (FAILED, "failed", "no paper")],
    ids=["done", "failed"],
)
def test_a_report(url: str, api: ScriptedApi, last: dict[str, Any], status: str, text: str) -> None:
    api.play({"POST /reports": {"id": "r-1"}, "GET /reports/r-1": {"sequence": [WORKING, last]}})

    async def story(client: Any) -> None:
        task = await _make(client)
        result = await _send(client, "tasks/result", taskId=task)
        assert text in result["content"][0]["text"]
        assert result["isError"] is (status == "failed")
        assert (await _send(client, "tasks/get", taskId=task))["status"] == status

    _with_client(url, story)
    assert api.requests == ["POST /reports", "GET /reports/r-1", "GET /reports/r-1"]
    assert api.bodies[0] == {"topic": "bees"}


def test_a_report_that_is_not_wanted_any_more_is_stopped(url: str, api: ScriptedApi) -> None:
    api.play(
        {
            "POST /reports": {"id": "r-2"},
            "GET /reports/r-2": WORKING,
            "DELETE /reports/r-2": {"json": {"state": "stopped"}},
        }
    )

    async def story(client: Any) -> None:
        task = await _make(client)
        message = ""
        while message != "40 % of bees":
            message = (await _send(client, "tasks/get", taskId=task)).get("statusMessage", "")
        cancelled = await _send(client, "tasks/cancel", taskId=task)
        assert cancelled["status"] == "cancelled"
        await asyncio.to_thread(until, lambda: "DELETE /reports/r-2" in api.requests or None)

    _with_client(url, story)


def test_plain_calls_wait(url: str, api: ScriptedApi) -> None:
    api.play({"POST /reports": {"id": "r-3"}, "GET /reports/r-3": {"sequence": [WORKING, DONE]}})

    async def story(client: Any) -> None:
        result = await client.call_tool("make-report", {"topic": "bees"})
        assert result.structured_content == {"id": "r-3", "text": "Bees are well."}

    _with_client(url, story)
