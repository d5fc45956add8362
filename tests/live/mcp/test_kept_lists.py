"""`tools/list` of 2026-07-28 is written once for each set of tools, and answers as before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from mcp_types import ListToolsResult, PaginatedRequestParams

from naftiko.exposes.guard import Guard
from naftiko.exposes.mcp.app import McpApp
from naftiko.exposes.mcp.server import BuiltServer, build_server
from naftiko.plan.capability import McpServing
from tests.live.mcp.mcp_demo import INFO, TOOLS, demo_plan, masker

VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}
Ask = Callable[..., Awaitable[str]]


async def _nothing(*_given: object) -> None: ...


def told(story: Callable[[BuiltServer, Ask], Awaitable[None]], page_size: int = 2) -> None:
    """Run a story with a server of small pages and what asks it; the answer is text."""

    async def run() -> None:
        plan = replace(demo_plan(), options=McpServing(page_size=page_size))
        built = build_server(plan, info=INFO, masker=masker())
        app: Any = McpApp(built, guard=Guard(_nothing, loopback=True), auth=None)
        headers = {
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": VERSION,
            "mcp-method": "tools/list",
        }
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1", headers=headers
        ) as http:

            async def ask(request_id: object = 1, **params: object) -> str:
                body = {"jsonrpc": "2.0", "id": request_id, "method": "tools/list"}
                params = {"_meta": META, **params}
                return (await http.post("/mcp", json={**body, "params": params})).text

            await story(built, ask)
        await app.stop()

    asyncio.run(run())


def test_every_page_is_the_same_again() -> None:
    async def story(_built: BuiltServer, ask: Ask) -> None:
        cursor: dict[str, object] = {}
        names = []
        while True:
            first = await ask(**cursor)
            assert await ask(**cursor) == first
            assert json.loads(await ask(2**70, **cursor)) == {**json.loads(first), "id": 2**70}
            assert json.loads(await ask('"}', **cursor)) == {**json.loads(first), "id": '"}'}
            result = json.loads(first)["result"]
            assert {"resultType", "ttlMs", "cacheScope", "_meta"} <= result.keys()
            names += [tool["name"] for tool in result["tools"]]
            if "nextCursor" not in result:
                break
            cursor = {"cursor": result["nextCursor"]}
        assert len(names) == len(set(names)) == len(TOOLS)

    told(story)


@pytest.mark.parametrize("cursor", ["never", "", 5, ["x"], {"a": 1}], ids=repr)
def test_a_bad_cursor_is_refused_as_at_first(cursor: object) -> None:
    async def story(_built: BuiltServer, ask: Ask) -> None:
        refused = await ask(cursor=cursor)
        assert json.loads(refused)["error"]["code"] == -32602
        await ask()
        assert await ask(cursor=cursor) == refused

    told(story)


def test_cursors_that_are_made_up_keep_nothing() -> None:
    async def story(built: BuiltServer, ask: Ask) -> None:
        runs = counted(built)
        odd = "ZnJvbToz"  # from:3, which no page of two leads to
        await ask()
        for _ in range(3):
            assert "result" in json.loads(await ask(cursor=odd))
            await ask()
        assert runs == [None, odd, odd, odd]

    told(story)


def counted(built: BuiltServer) -> list[str | None]:
    """Have the server's own pages counted: the cursors that were looked up."""
    looked: list[str | None] = []
    tools = built.caller.tools
    first = tools.definitions

    class Counted(list[Any]):
        def __getitem__(self, part: Any) -> Any:
            looked.append(None if part.start == 0 else "ZnJvbToz")
            return super().__getitem__(part)

    tools.definitions = Counted(first)
    return looked


def test_other_tools_are_another_list() -> None:
    async def story(built: BuiltServer, ask: Ask) -> None:
        before = await ask()
        assert await ask() == before
        built.caller.tools.publish(TOOLS[:1])
        result = json.loads(await ask())["result"]
        assert [tool["name"] for tool in result["tools"]] == ["list-machines"]
        assert "nextCursor" not in result

    told(story)


def test_a_handler_of_a_program_is_asked_each_time() -> None:
    async def story(built: BuiltServer, ask: Ask) -> None:
        await ask()
        await ask()
        asked = 0

        async def nobody(_ctx: Any, _params: PaginatedRequestParams) -> ListToolsResult:
            nonlocal asked
            asked += 1
            return ListToolsResult(tools=[])

        built.server.add_request_handler("tools/list", PaginatedRequestParams, nobody)
        for _ in range(2):
            assert json.loads(await ask())["result"]["tools"] == []
        assert asked == 2

    told(story)
