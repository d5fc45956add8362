"""The short way of a tool call gives what the SDK's way gives; and how answers become streams."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from naftiko.exposes.mcp import mcp_server
from naftiko.exposes.mcp.asgi import Inbound
from naftiko.exposes.mcp.jsonrpc import Message
from naftiko.exposes.mcp.server import build_server
from naftiko.exposes.mcp.stateless import Stateless
from naftiko.plan.ports import Result
from naftiko.plan.run import Run
from tests.live.mcp.mcp_demo import INFO, adapter, demo_plan, masker, tool

VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}


async def post(
    stateless: Stateless,
    params: dict[str, Any],
    *,
    streams: bool = True,
    receive: Callable[[], Awaitable[Any]] | None = None,
    on_sent: Callable[[Any], None] | None = None,
) -> list[Any]:
    """Make one tools/call; returns the ASGI messages of the answer."""
    params = {"_meta": META, **params}
    body = {"jsonrpc": "2.0", "id": "r", "method": "tools/call", "params": params}
    headers = {"mcp-protocol-version": VERSION, "mcp-method": "tools/call"}
    if isinstance(params.get("name"), str):
        headers["mcp-name"] = params["name"]
    sent: list[Any] = []

    async def never() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)
        if on_sent is not None:
            on_sent(message)

    inbound = Inbound(
        scope={"type": "http", "headers": []},
        headers=headers,
        body=b"",
        message=Message(body=body, id="r", method="tools/call"),
        streams=streams,
        receive=receive or never,
        send=send,
    )
    await stateless.serve(inbound)
    return sent


def outcome(sent: list[Any]) -> tuple[int, Any]:
    """Return status and body, without the request ids of internal errors."""
    text = b"".join(message.get("body", b"") for message in sent).decode()
    return sent[0]["status"], json.loads(re.sub("[0-9a-f]{16}", "ID", text))


CALLS: list[dict[str, Any]] = [
    {"name": "list-machines", "arguments": {"maxResults": 2}},
    {"name": "greet", "arguments": {"name": "Ada"}},
    {"name": "greet", "arguments": {"name": "", "x": 1}},
    {"name": "greet", "arguments": None},
    {"name": "greet"},
    {"name": "names"},
    {"name": "text"},
    {"name": "picture"},
    {"name": "archive"},
    {"name": "throttled"},
    {"name": "failed"},
    {"name": "bug"},
    {"name": "no-such-tool"},
    {"name": 7},
    {},
    {"name": "greet", "arguments": [1]},
    {"name": "greet", "arguments": {"name": "x"}, "more": 1},
    {"name": "greet", "_meta": {**META, "progressToken": {"a": 1}}},
    {"name": "greet", "_meta": {**META, "io.modelcontextprotocol/clientCapabilities": 7}},
    {"name": "greet", "_meta": {**META, "io.modelcontextprotocol/clientInfo": "me"}},
    {"name": "greet", "_meta": {**META, "io.modelcontextprotocol/logLevel": "loud"}},
]


@pytest.mark.parametrize("params", CALLS, ids=lambda params: json.dumps(params)[:60])
def test_both_ways_agree(params: dict[str, Any]) -> None:
    short = build_server(demo_plan(), info=INFO, masker=masker())
    long = build_server(demo_plan(), info=INFO, masker=masker())

    async def watching(ctx: Any, call_next: Any) -> Any:
        return await call_next(ctx)

    long.server.middleware.append(watching)

    async def both() -> tuple[Any, Any]:
        return outcome(await post(Stateless(short), params)), outcome(
            await post(Stateless(long), params)
        )

    first, second = asyncio.run(both())
    assert first == second


def test_middleware_sees_every_call() -> None:
    built = build_server(demo_plan(), info=INFO, masker=masker())
    seen: list[str] = []

    async def watching(ctx: Any, call_next: Any) -> Any:
        seen.append(ctx.params["name"])
        return await call_next(ctx)

    built.server.middleware.append(watching)
    asyncio.run(post(Stateless(built), {"name": "names"}))
    assert seen == ["names"]


def waiting_server(release: list[asyncio.Event]) -> Stateless:
    async def wait(_run: Run) -> Result:
        release.append(asyncio.Event())
        await release[0].wait()
        return Result(value="late")

    built = build_server(adapter(tool("wait", wait)), info=INFO, masker=masker())
    return Stateless(built, ping_interval_s=0.01)


def test_a_silent_call_becomes_a_stream_that_pings() -> None:
    release: list[asyncio.Event] = []

    def on_sent(message: Any) -> None:
        if message.get("body") == b": ping\r\n\r\n":
            release[0].set()

    async def story() -> list[Any]:
        return await post(waiting_server(release), {"name": "wait"}, on_sent=on_sent)

    start, *_, last = asyncio.run(story())
    assert (b"content-type", b"text/event-stream") in start["headers"]
    event, data, *_ = last["body"].decode().split("\r\n")
    assert event == "event: message"
    assert json.loads(data.removeprefix("data: "))["result"]["content"][0]["text"] == "late"
    assert not last.get("more_body")


def test_a_caller_that_hangs_up_gets_nothing_and_stops_the_call() -> None:
    release: list[asyncio.Event] = []

    async def gone() -> Any:
        return {"type": "http.disconnect"}

    sent = asyncio.run(post(waiting_server(release), {"name": "wait"}, receive=gone))
    assert sent == []


def test_the_server_can_be_run_by_the_sdk_alone() -> None:
    from mcp import Client

    async def story() -> Any:
        server = mcp_server(demo_plan(), info=INFO, masker=masker())
        async with Client(server) as client:
            return await client.call_tool("names", {})

    assert asyncio.run(story()).structured_content == {"result": ["a", "b"]}
