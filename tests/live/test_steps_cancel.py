"""Callers that go away while a tool or route of docs/examples/steps.yaml runs: `onCancel`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from naftiko.capability import Capability
from naftiko.engine import LoadOptions, load_plan
from tests.case_files import ROOT
from tests.live.mcp.clients import connect
from tests.live.scripted import ScriptedApi, scripted_api
from tests.live.serving import serving
from tests.live.test_steps import EXAMPLE
from tests.live.waiting import until

RUNNING: dict[str, Any] = {
    "POST /jobs": {"id": "j-7"},
    "GET /jobs/j-7": {"json": {"status": "RUNNING"}},
    "DELETE /jobs/j-7": {"json": {"status": "STOPPED"}},
}
ASKED = ["POST /jobs", "GET /jobs/j-7"]
STOPPED = [*ASKED, "DELETE /jobs/j-7"]


@pytest.fixture(scope="module")
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as running:
        yield running


@pytest.fixture(autouse=True)
def _played(api: ScriptedApi) -> None:
    api.play(RUNNING)


def environment(api: ScriptedApi, on_cancel: str = "stop") -> dict[str, str]:
    """Nobody waits for the second look: it comes after 12 s or more."""
    given = {"JOB_LOOK": "15s", "JOB_WAIT": "1h", "ON_CANCEL": on_cancel}
    return {"SHOP_API_URL": api.url, **given}


async def waits(api: ScriptedApi) -> None:
    await asyncio.to_thread(until, lambda: api.requests == ASKED or None)


async def leave(url: str, mode: str, api: ScriptedApi) -> None:
    async with connect(url, mode) as client:
        call = asyncio.create_task(client.call_tool("run-job", {"kind": "print"}))
        await waits(api)
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
        # A session that is over cancels its calls, too: look before it is.
        await asyncio.to_thread(until, lambda: api.requests != ASKED or None)


# legacy: a cancelled notification; 2026-07-28: the stream is closed.
@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_who_cancels_over_mcp_stops_the_job(api: ScriptedApi, mode: str) -> None:
    with serving(EXAMPLE, environment=environment(api)) as served:
        asyncio.run(leave(served.urls["order-tools"] + "/mcp", mode, api))

    assert api.requests == STOPPED


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_nothing_is_stopped_where_the_file_is_not_told_to(api: ScriptedApi, mode: str) -> None:
    async def story(url: str) -> None:
        async with connect(url, mode) as client:
            call = asyncio.create_task(client.call_tool("run-job", {"kind": "print"}))
            await waits(api)
            call.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await call

    with serving(EXAMPLE, environment=environment(api, "leave")) as served:
        asyncio.run(story(served.urls["order-tools"] + "/mcp"))

    # The server is down: whatever it had to do is done.
    assert api.requests == ASKED


def as_route(folder: Path, *, cancels: bool = True) -> Path:
    """Write the tool of the example as a route."""
    document = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    tools = document["capability"]["exposes"].pop()["tools"]
    tool = next(item for item in tools if item["name"] == "run-job")
    guarded = tool["steps"][1]
    if not cancels:
        del guarded["onCancel"]
        for member in ("catch", "finally"):
            guarded[member] = [{"name": member, "type": "call", "call": "shop.list-orders"}]
    operation = {
        "method": "POST",
        "name": "run-job",
        "inputParameters": [
            {"name": "kind", "in": "body", "type": "string", "description": "What it does"}
        ],
        **{name: tool[name] for name in ("description", "steps", "mappings")},
    }
    document["capability"]["exposes"][0]["resources"] = [
        {"path": "/jobs", "operations": [operation]}
    ]
    path = folder / "route.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


@pytest.mark.parametrize("cancels", [True, False], ids=["on-cancel", "without"])
def test_who_disconnects_over_rest_stops_the_job(
    api: ScriptedApi, tmp_path: Path, cancels: bool
) -> None:
    path = as_route(tmp_path, cancels=cancels)
    body = b'{"kind":"print"}'
    head = (
        "POST /jobs HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    with serving(path, environment=environment(api), workspace=ROOT) as served:
        _, _, port = served.urls["orders"].rpartition(":")
        with socket.create_connection(("127.0.0.1", int(port)), timeout=20) as raw:
            raw.sendall(head.encode() + body)
            until(lambda: api.requests == ASKED or None)
        if cancels:
            until(lambda: api.requests == STOPPED or None)

    assert api.requests == (STOPPED if cancels else ASKED)


class SlowApi(ScriptedApi):
    """Answers DELETE when it is told to."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.released = threading.Event()
        self.answered: list[str] = []

    def answer(self, request: str, body: Any) -> Any:
        answer = super().answer(request, body)
        if request.startswith("DELETE"):
            assert self.released.wait(20)
            self.answered.append(request)
        return answer


def test_closing_waits_for_what_is_to_be_done(api: ScriptedApi) -> None:
    with scripted_api(SlowApi) as slow:
        assert isinstance(slow, SlowApi)
        slow.play(RUNNING)

        async def story() -> None:
            plan = load_plan(EXAMPLE, LoadOptions(environment=environment(slow)))
            capability = Capability(plan)
            call = asyncio.create_task(capability.call("run-job", {"kind": "print"}))
            await waits(slow)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            closing = asyncio.create_task(capability.close())
            await asyncio.to_thread(until, lambda: slow.requests == STOPPED or None)
            assert not closing.done()
            slow.released.set()
            await closing
            assert slow.answered == ["DELETE /jobs/j-7"]
            assert capability.plan.aftermath.running == 0

        asyncio.run(story())
