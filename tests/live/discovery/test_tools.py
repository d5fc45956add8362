"""Tools that are discovered: docs/examples/discovery.yaml against a loopback service."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.live.discovery.reports import EXAMPLE, answers
from tests.live.mcp.clients import connect
from tests.live.scripted import ScriptedApi, scripted_api
from tests.live.serving import Served, serving
from tests.live.waiting import until

MODES = ["legacy", "2026-07-28"]


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as running:
        running.play(answers())
        yield running


@pytest.fixture
def served(api: ScriptedApi) -> Iterator[Served]:
    with serving(EXAMPLE, environment={"REPORTS_URL": api.url}) as running:
        yield running


@pytest.mark.parametrize("mode", MODES)
def test_every_item_is_a_tool_with_its_own_schema(
    served: Served, api: ScriptedApi, mode: str
) -> None:
    async def story() -> None:
        async with connect(f"{served.urls['reports-mcp']}/mcp", mode) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert sorted(tools) == ["list-reports", "run_7", "run_costs_by_team"]
            assert tools["run_7"].description == "Runs the report `Sales`. By month."
            assert tools["run_7"].title == "Sales"
            assert tools["run_7"].annotations.read_only_hint is True
            assert tools["run_7"].input_schema["required"] == ["month"]
            run = await client.call_tool("run_7", {"month": 4})
            assert run.structured_content == {"rows": 3}
            bad = await client.call_tool("run_7", {"month": 13})
            assert bad.is_error
            assert "`month` must be at most 12" in bad.content[0].text
            listed = await client.call_tool("list-reports", {})
            assert listed.structured_content == {"reports": ["run_7", "run_costs_by_team"]}

    asyncio.run(story())
    assert api.bodies[api.requests.index("POST /reports/7/runs")] == {"month": 4}
    assert api.requests.count("POST /reports/7/runs") == 1


def test_what_cannot_be_enriched_is_left_out_and_said(served: Served) -> None:
    (finder,) = served.capability.plan.discoveries
    status = until(lambda: finder.status() if finder.status()["state"] == "ready" else None)
    assert (status["found"], status["known"], status["failed"]) == (5, 3, 1)
    (failure,) = status["failures"]
    assert failure["key"] == "11"
    assert failure["code"] == "step-failed"
