"""What is discovered while the server runs: clients hear of it, and what goes is gone."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import ElicitResult, ToolListChangedNotification

from naftiko import load
from tests.live.discovery.reports import EXAMPLE, REPORTS, answers, listing
from tests.live.mcp.clients import connect
from tests.live.scripted import ScriptedApi, scripted_api
from tests.live.serving import serving
from tests.live.waiting import until

MODES = ["legacy", "2026-07-28"]
KEY = "k3y-of-the-service"


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as running:
        running.play(answers())
        yield running


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """The example, which looks every second."""
    path = tmp_path / "discovery.yaml"
    text = EXAMPLE.read_text(encoding="utf-8").replace("refresh: 1m", "refresh: 1s")
    path.write_text(text, encoding="utf-8")
    return path


def more() -> dict[str, Any]:
    """Return the service with one report more, and one less."""
    details = {"GET /reports/new": {"runnable": True}}
    return answers(REPORTS[0], {"id": "new", "title": "New"}) | details


async def hears_of_a_new_tool(target: Any, mode: str, api: ScriptedApi) -> None:
    heard = asyncio.Event()

    async def on_message(message: Any) -> None:
        if isinstance(message, ToolListChangedNotification):
            heard.set()

    async with connect(target, mode, message_handler=on_message, cache=None) as client:
        before = [tool.name for tool in (await client.list_tools()).tools]
        assert before == ["list-reports", "run_7", "run_costs_by_team"]
        if mode == "legacy":
            assert client.server_capabilities.tools.list_changed
            api.play(more())
            await asyncio.wait_for(heard.wait(), 20)
        else:
            async with client.listen(tools_list_changed=True) as events:
                api.play(more())
                await asyncio.wait_for(anext(aiter(events)), 20)
        async with asyncio.timeout(20):
            while True:  # what is new is published with what has gone, or after it
                names = [tool.name for tool in (await client.list_tools()).tools]
                if "run_new" in names:
                    break
        assert names == ["list-reports", "run_7", "run_new"]
        with pytest.raises(MCPError, match="unknown tool `run_costs_by_team`"):
            await client.call_tool("run_costs_by_team", {})


@pytest.mark.parametrize("mode", MODES)
def test_clients_hear_of_a_new_tool_over_http(quick: Path, api: ScriptedApi, mode: str) -> None:
    with serving(quick, environment={"REPORTS_URL": api.url}) as served:
        asyncio.run(hears_of_a_new_tool(f"{served.urls['reports-mcp']}/mcp", mode, api))


@pytest.mark.parametrize("mode", MODES)
def test_clients_hear_of_a_new_tool_over_stdio(quick: Path, api: ScriptedApi, mode: str) -> None:
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "naftiko", "run", str(quick), "--stdio", "reports-mcp"],
        env={**os.environ, "REPORTS_URL": api.url},
    )
    asyncio.run(hears_of_a_new_tool(stdio_client(command), mode, api))


@pytest.mark.parametrize("mode", MODES)
def test_a_tool_that_went_between_list_and_call_is_unknown(
    quick: Path, api: ScriptedApi, mode: str
) -> None:
    async def story(url: str) -> None:
        async with connect(url, mode, cache=None) as client:
            assert len((await client.list_tools()).tools) == 3
            api.play(
                answers({"id": "77", "title": "Other"}) | {"GET /reports/77": {"runnable": True}}
            )
            async with asyncio.timeout(20):
                while len((await client.list_tools()).tools) != 2:
                    pass
            with pytest.raises(MCPError) as caught:
                await client.call_tool("run_7", {"month": 1})
            assert caught.value.error.code == -32602
            assert caught.value.error.message == ("unknown tool `run_7`; did you mean `run_77`?")

    with serving(quick, environment={"REPORTS_URL": api.url}) as served:
        asyncio.run(story(f"{served.urls['reports-mcp']}/mcp"))


def test_a_service_that_is_down_at_start_holds_up_nobody(quick: Path, api: ScriptedApi) -> None:
    api.play({"GET /reports": {"status": 503, "text": "down"}})

    async def names(url: str) -> list[str]:
        async with connect(url, "2026-07-28", cache=None) as client:
            return [tool.name for tool in (await client.list_tools()).tools]

    with serving(quick, environment={"REPORTS_URL": api.url}) as served:
        url = f"{served.urls['reports-mcp']}/mcp"
        assert asyncio.run(names(url)) == ["list-reports"]
        (finder,) = served.capability.plan.discoveries
        until(lambda: finder.status() if finder.status()["state"] == "failing" else None)
        assert finder.status()["error"]["code"] == "listing-failed"
        api.play(answers())
        until(lambda: len(finder.entries) == 3 or None)
        assert asyncio.run(names(url)) == ["list-reports", "run_7", "run_costs_by_team"]
        assert finder.status()["error"] is None


def test_the_last_tools_stay_while_the_service_is_down(quick: Path, api: ScriptedApi) -> None:
    async def call(url: str) -> Any:
        async with connect(url, "2026-07-28", cache=None) as client:
            assert len((await client.list_tools()).tools) == 3
            return await client.call_tool("run_7", {"month": 2})

    with serving(quick, environment={"REPORTS_URL": api.url}) as served:
        (finder,) = served.capability.plan.discoveries
        until(lambda: len(finder.entries) == 3 or None)
        api.play(
            {"GET /reports": {"status": 500, "text": "x"}, "POST /reports/7/runs": {"rows": 1}}
        )
        until(lambda: finder.status() if finder.status()["state"] == "failing" else None)
        result = asyncio.run(call(f"{served.urls['reports-mcp']}/mcp"))
        assert result.structured_content == {"rows": 1}


def test_a_broken_item_is_served_once_it_works(quick: Path, api: ScriptedApi) -> None:
    with serving(quick, environment={"REPORTS_URL": api.url}) as served:
        (finder,) = served.capability.plan.discoveries
        until(lambda: finder.status()["failed"] or None)
        api.play(answers() | {"GET /reports/11": {"runnable": True}})
        until(lambda: served.capability.knows("run_11") or None)
        assert finder.status()["failed"] == 0


def test_what_is_secret_is_masked_wherever_it_is_said(
    tmp_path: Path, api: ScriptedApi, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "discovery.yaml"
    text = EXAMPLE.read_text(encoding="utf-8")
    text = text.replace("REPORTS_URL: REPORTS_URL", "REPORTS_URL: REPORTS_URL, API_KEY: API_KEY")
    text = text.replace(
        'baseUri: "{{REPORTS_URL}}"',
        'baseUri: "{{REPORTS_URL}}"\n      authentication: {type: bearer, token: "{{API_KEY}}"}',
    )
    text = text.replace(
        "onError: stop}",
        "onError: continue}\n              - {type: fail, "
        'when: "{{ errors.details is defined }}", code: told, message: "{{errors.details}}"}',
    )
    path.write_text(text, encoding="utf-8")
    api.play(
        {
            "GET /reports": listing(
                {"id": f"a {KEY}\nforged", "title": "T"}, {"id": "b", "title": KEY}
            ),
            "GET /reports/b": {"status": 500, "json": {"you": f"sent {KEY}"}},
        }
    )
    with serving(path, environment={"REPORTS_URL": api.url, "API_KEY": KEY}) as served:
        (finder,) = served.capability.plan.discoveries
        status = until(lambda: finder.status() if finder.status()["failed"] == 2 else None)
    assert KEY not in str(status)
    assert status["failures"][0]["key"] == "a *** forged"
    assert KEY not in caplog.text
    assert all("\n" not in record.getMessage() for record in caplog.records)


def test_read_only_leaves_out_what_changes_something(api: ScriptedApi) -> None:
    with serving(EXAMPLE, environment={"REPORTS_URL": api.url}, read_only=True) as served:
        assert not served.capability.discovers
        assert [name for name in served.capability.operation_names() if "run_" in name] == []
        assert api.requests == []


def test_a_program_has_what_is_discovered_within_with(api: ScriptedApi) -> None:
    with load(EXAMPLE, environment={"REPORTS_URL": api.url}) as capability:
        assert capability.call_sync("run_7", {"month": 3}) == {"rows": 3}
        assert capability.call_sync("list-reports") == {"reports": ["run_7", "run_costs_by_team"]}


def test_servers_that_a_program_builds_are_not_held(api: ScriptedApi) -> None:
    capability = load(EXAMPLE, environment={"REPORTS_URL": api.url})
    adapter: Any = next(a for a in capability.plan.adapters if a.namespace == "reports-mcp")
    discovered = adapter.discovered
    built = [weakref.ref(capability.mcp_server()) for _ in range(20)]
    apps = [weakref.ref(capability.mcp_app()) for _ in range(20)]
    gc.collect()
    assert [ref() for ref in (*built, *apps) if ref() is not None] == []
    assert discovered._listeners == []


def test_the_same_file_twice_discovers_for_each(api: ScriptedApi) -> None:
    async def story() -> None:
        environment = {"REPORTS_URL": api.url}
        one, two = load(EXAMPLE, environment=environment), load(EXAMPLE, environment=environment)
        await one.discover()
        assert one.knows("run_7")
        assert not two.knows("run_7")
        await asyncio.gather(one.close(), two.close())

    asyncio.run(story())


ASKING = """
naftiko: "1.0.0-alpha3"
binds:
  - namespace: env
    keys: {REPORTS_URL: REPORTS_URL}
capability:
  consumes:
    - type: http
      namespace: reporting
      baseUri: "{{REPORTS_URL}}"
      resources:
        - {name: reports, path: /reports, operations: [{name: list-reports, method: GET}]}
        - name: runs
          path: "/reports/{{id}}/runs"
          operations: [{name: run-report, method: POST, body: "{{parameters}}"}]
  exposes:
    - type: mcp
      namespace: asking
      port: 9090
      tools: []
      discover:
        - name: reports
          as: report
          call: reporting.list-reports
          items: $.reports
          key: "{{report.id}}"
          tool:
            name: "run_{{report.id}}"
            description: Asks, then runs.
            inputSchema: {type: object, properties: {month: {type: integer}}}
            taskSupport: optional
            steps:
              - name: confirm
                type: ask
                message: "Run {{report.title}} of month {{arguments.month}}?"
                schema: {type: object, properties: {sure: {type: boolean}}, required: [sure]}
              - name: ran
                type: call
                call: reporting.run-report
                with: {id: "{{report.id}}", parameters: {month: "{{arguments.month}}"}}
            content:
              - {type: text, text: "{{report.title}}, {{arguments.month}}: {{ran.rows}} rows"}
"""


@pytest.mark.parametrize("mode", MODES)
def test_a_discovered_tool_asks_its_caller(tmp_path: Path, api: ScriptedApi, mode: str) -> None:
    path = tmp_path / "asking.yaml"
    path.write_text(ASKING, encoding="utf-8")
    asked: list[str] = []

    async def elicited(_context: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={"sure": True})

    async def story(url: str) -> None:
        async with connect(url, mode, elicitation_callback=elicited, cache=None) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert mode != "legacy" or tools["run_7"].execution.task_support == "optional"
            result = await client.call_tool("run_7", {"month": 5})
            assert result.content[0].text == "Sales, 5: 3 rows"

    with serving(path, environment={"REPORTS_URL": api.url}) as served:
        asyncio.run(story(f"{served.urls['asking']}/mcp"))
    assert asked == ["Run Sales of month 5?"]
    assert api.bodies[-1] == {"month": 5}
    assert api.requests.count("POST /reports/7/runs") == 1


def test_an_adapter_that_is_imported_discovers(tmp_path: Path, api: ScriptedApi) -> None:
    (tmp_path / "discovery.yaml").write_text(EXAMPLE.read_text(encoding="utf-8"), "utf-8")
    path = tmp_path / "main.yaml"
    entry = "{location: ./discovery.yaml, import: reports-mcp}"
    path.write_text(
        f'naftiko: "1.0.0-alpha3"\ncapability: {{consumes: [], exposes: [{entry}]}}\n', "utf-8"
    )

    async def story() -> None:
        capability = load(path, environment={"REPORTS_URL": api.url}, workspace=tmp_path)
        await capability.discover()
        assert await capability.call("run_7", {"month": 1}) == {"rows": 3}
        listed = await capability.call("list-reports")
        assert listed == {"reports": ["run_7", "run_costs_by_team"]}
        await capability.close()

    asyncio.run(story())
