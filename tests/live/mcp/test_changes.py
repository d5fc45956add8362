"""Lists that are published anew, pages of lists, and streams that are taken up again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import MCPError
from mcp_types import JSONRPCNotification, ToolListChangedNotification

from naftiko.exposes.mcp.changes import MAX_LOOKS, Changes
from naftiko.exposes.mcp.resources import ResourceTable
from naftiko.exposes.mcp.server import build_server
from naftiko.exposes.mcp.sessions import SessionManager
from naftiko.exposes.mcp.streams import RecentEvents
from tests.live.mcp.clients import connect
from tests.live.mcp.mcp_demo import INFO, TOOLS, demo_plan, masker
from tests.live.serving import serving

EVERYTHING = Path(__file__).parents[2] / "cases/capabilities/mcp-everything/capability.yaml"
PAGED = """
naftiko: "1.0.0-alpha3"
capability:
  exposes:
    - type: mcp
      namespace: paged
      port: 9090
      pageSize: 2
      ttlMs: 5
      cacheScope: private
      tools:
        - {name: a, description: a, content: a}
        - {name: b, description: b, content: b}
        - {name: c, description: c, content: "{{x}}", inputParameters: [{name: x, type: integer}]}
      resources:
        - {name: r, uri: "t://r", description: r, text: {deep: [1]}}
        - {name: s, uri: "t://s", description: s, blob: AQID, mimeType: application/x-s, size: 3}
        - name: t
          uri: t://n/{n}
          description: t
          inputParameters: [{name: n, type: integer, description: n}]
          steps: [{name: s, type: set, value: {twice: "{{ n * 2 }}"}}]
          mappings: [{targetName: x.y, value: $.s.twice}]
"""


class _Client:
    """A connection whose client reads what it is sent, or does not."""

    def __init__(self, *, reads: bool) -> None:
        self.heard = asyncio.Event()
        self._reads = reads

    async def send_tool_list_changed(self) -> None:
        if not self._reads:
            await asyncio.Event().wait()
        self.heard.set()


def test_a_client_that_does_not_read_keeps_nobody_else_from_hearing() -> None:
    async def story() -> None:
        changes = build_server(demo_plan(), info=INFO, masker=masker()).changes
        deaf, keen = _Client(reads=False), _Client(reads=True)
        changes._clients.update({deaf: set(), keen: set()})
        telling = asyncio.create_task(changes.list_changed("tools"))
        await asyncio.wait_for(keen.heard.wait(), 20)
        assert not telling.done()
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)

    asyncio.run(story())


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_clients_hear_of_a_list_that_is_published_anew(mode: str) -> None:
    async def story() -> None:
        built = build_server(demo_plan(), info=INFO, masker=masker(), changing_lists=True)
        heard = asyncio.Event()

        async def on_message(message: Any) -> None:
            if isinstance(message, ToolListChangedNotification):
                heard.set()

        async with connect(built.server, mode, message_handler=on_message, cache=None) as client:
            assert len((await client.list_tools()).tools) == len(TOOLS)
            assert mode != "legacy" or client.server_capabilities.tools.list_changed
            built.caller.tools.publish(TOOLS[:2])
            if mode == "legacy":
                await built.changes.list_changed("tools")
                await asyncio.wait_for(heard.wait(), 20)
            else:
                async with client.listen(tools_list_changed=True) as events:
                    await built.changes.list_changed("tools")
                    await asyncio.wait_for(anext(aiter(events)), 20)
            names = [tool.name for tool in (await client.list_tools()).tools]
            assert names == ["list-machines", "greet"]

    asyncio.run(story())


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_pages_hints_and_given_values(mode: str, tmp_path: Path) -> None:
    file = tmp_path / "capability.yaml"
    file.write_text(PAGED)

    async def story(url: str) -> None:
        async with connect(url, mode, cache=None) as client:
            first = await client.list_tools()
            assert [tool.name for tool in first.tools] == ["a", "b"]
            last = await client.list_tools(cursor=first.next_cursor)
            assert ([tool.name for tool in last.tools], last.next_cursor) == (["c"], None)
            if mode != "legacy":
                assert (first.ttl_ms, first.cache_scope) == (5, "private")
            called = await client.call_tool("c", {"x": 4})
            assert called.content[0].text == "4"
            refused = await client.call_tool("c", {"x": "four"})
            assert refused.is_error
            deep = (await client.read_resource("t://r")).contents[0]
            assert (deep.text, deep.mime_type) == ('{"deep":[1]}', "application/json")
            blob = (await client.read_resource("t://s")).contents[0]
            assert (blob.blob, blob.mime_type) == ("AQID", "application/x-s")
            mapped = (await client.read_resource("t://n/21")).contents[0]
            assert mapped.text == '{"x":{"y":42}}'

    with serving(file) as served:
        asyncio.run(story(served.urls["paged"] + "/mcp"))


def test_a_stream_that_was_closed_is_taken_up_again() -> None:
    """SEP-1699: a priming event, an early end, and the answer after `Last-Event-ID`."""

    async def story(url: str) -> None:
        head = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        async with httpx.AsyncClient(timeout=20) as http:
            hello = {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            }
            body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
            opened = await http.post(url, json=body, headers=head)
            head["mcp-session-id"] = opened.headers["mcp-session-id"]
            head["mcp-protocol-version"] = "2025-11-25"
            ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            await http.post(url, json=ready, headers=head)
            params = {"name": "test_reconnection", "arguments": {}}
            body = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
            cut = await http.post(url, json=body, headers=head)
            lines = cut.text.splitlines()
            assert "retry: 200" in lines
            assert '"result"' not in cut.text
            last = next(line.removeprefix("id: ") for line in lines if line.startswith("id: "))
            async with http.stream("GET", url, headers={**head, "last-event-id": last}) as stream:
                async for line in stream.aiter_lines():
                    if line.startswith("data: {"):
                        answer = json.loads(line.removeprefix("data: "))
                        break
        assert answer["result"]["content"][0]["text"] == "Reconnection test completed."

    with serving(EVERYTHING) as served:
        asyncio.run(story(served.urls["everything"] + "/mcp"))


def test_old_events_are_forgotten() -> None:
    async def story() -> None:
        events = RecentEvents(limit=3).for_session()
        note = JSONRPCNotification(jsonrpc="2.0", method="x")
        ids = [await events.store_event("s", note) for _ in range(5)]
        sent: list[str | None] = []

        async def send(event: Any) -> None:
            sent.append(event.event_id)

        assert await events.replay_events_after(ids[0], send) is None
        assert await events.replay_events_after(ids[2], send) == "s"
        assert sent == ids[3:]

    asyncio.run(story())


def test_large_events_are_forgotten_sooner() -> None:
    async def story() -> None:
        events = RecentEvents(max_bytes=10_000).for_session()
        note = JSONRPCNotification(jsonrpc="2.0", method="x", params={"text": "x" * 4_000})
        ids = [await events.store_event("s", note) for _ in range(3)]

        async def send(_event: Any) -> None: ...

        assert await events.replay_events_after(ids[0], send) is None
        assert await events.replay_events_after(ids[1], send) == "s"

    asyncio.run(story())


def test_no_session_is_shown_the_events_of_another() -> None:
    """All sessions call their streams 1, 2, 3: an id must not lead to a stranger's answer."""

    async def story() -> None:
        shared = RecentEvents()
        mine, others = shared.for_session(), shared.for_session()
        note = JSONRPCNotification(jsonrpc="2.0", method="x")
        first = await mine.store_event("2", None)
        await mine.store_event("2", note)
        await others.store_event("2", note)
        sent: list[str | None] = []

        async def send(event: Any) -> None:
            sent.append(event.event_id)

        assert await others.replay_events_after(first, send) is None
        assert await others.replay_events_after("1", send) is None
        assert sent == []
        assert await mine.replay_events_after(first, send) == "2"
        assert len(sent) == 1

    asyncio.run(story())


def test_each_session_is_made_with_events_of_its_own() -> None:
    built = build_server(demo_plan(), info=INFO, masker=masker())
    manager = SessionManager(built.server)
    assert manager.event_store is None
    manager.recent = RecentEvents()
    assert manager.event_store is not manager.event_store


def test_listening_without_taking_a_stream_is_refused() -> None:
    async def story(url: str) -> None:
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        params = {"_meta": meta, "notifications": {"resourceSubscriptions": ["test://x"]}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params}
        headers = {
            "accept": "application/json",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": "subscriptions/listen",
        }
        async with httpx.AsyncClient(timeout=20) as http:
            assert (await http.post(url, json=body, headers=headers)).status_code == 406

    with serving(EVERYTHING) as served:
        asyncio.run(story(served.urls["everything"] + "/mcp"))


PARALLEL = """
naftiko: "1.0.0-alpha3"
capability:
  exposes:
    - type: mcp
      namespace: ask
      port: 9090
      tools:
        - name: both
          description: Asks in two branches.
          steps:
            - name: all
              type: parallel
              branches:
                a: [{name: llm, type: ask, requests: {x: {kind: sampling, messages: []}}}]
                b: [{name: page, type: ask, requests: {y: {kind: url, message: m, url: "http://x"}}}]
        - name: other-way
          description: Goes another way where nobody can be asked.
          steps:
            - name: try-it
              type: try
              steps: [{name: llm, type: ask, requests: {x: {kind: sampling, messages: []}}}]
              catch: [{name: instead, type: set, value: "{{error.code}}"}]
"""


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_who_cannot_be_asked_in_a_branch_is_told(mode: str, tmp_path: Path) -> None:
    file = tmp_path / "capability.yaml"
    file.write_text(PARALLEL)

    async def story(url: str) -> None:
        async with connect(url, mode) as client:
            if mode == "legacy":
                told = await client.call_tool("both")
                assert told.is_error
                assert "this needs a client with" in told.content[0].text
            else:
                with pytest.raises(MCPError, match="this needs a client with") as caught:
                    await client.call_tool("both")
                assert caught.value.error.code == -32021
            other = await client.call_tool("other-way")
            assert "client-cannot-answer" in other.content[0].text

    with serving(file) as served:
        asyncio.run(story(served.urls["ask"] + "/mcp"))


class Slow(ResourceTable):
    """Resources that are looked at for ever; counts how many at once."""

    def __init__(self) -> None:
        super().__init__(demo_plan(), masker())
        self.looks = 0
        self.enough = asyncio.Event()

    async def fingerprint(self, uri: str) -> str:
        self.looks += 1
        if self.looks == MAX_LOOKS:
            self.enough.set()
        await asyncio.Event().wait()
        return uri


def test_what_is_watched_is_no_flood_of_calls() -> None:
    async def story() -> None:
        resources = Slow()
        changes = Changes(resources)
        looking = [
            asyncio.ensure_future(changes._fingerprint(f"t://{number}"))
            for number in range(3 * MAX_LOOKS)
        ]
        await resources.enough.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        assert resources.looks == MAX_LOOKS
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)

    asyncio.run(story())
