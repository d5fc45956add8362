"""docs/examples/steps.yaml over real HTTP and MCP: routes, tools, questions, failures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.case_files import ROOT
from tests.live.scripted import ScriptedApi, scripted_api
from tests.live.serving import Served, serving
from tests.live.shop import call_tool, list_tools

EXAMPLE = ROOT / "docs/examples/steps.yaml"
ANSWERS: dict[str, Any] = {
    "GET /orders": [
        {"id": "o-1", "customer": "c-2"},
        {"id": "o-2", "customer": "c-1"},
        {"id": "o-3", "customer": "c-2"},
    ],
    "GET /orders/o-1": {"id": "o-1", "state": "paid", "customer": "c-2", "articles": ["a", "b c"]},
    "GET /orders/o-2": {"id": "o-2", "state": "sent", "customer": "c-9", "articles": []},
    "DELETE /orders/o-1": {"id": "o-1", "state": "cancelled"},
    "GET /customers": [
        {"id": "c-1", "name": "Ann", "city": "Oslo"},
        {"id": "c-2", "name": "Bo", "city": None, "phone": "1"},
    ],
    "GET /stock/a": {"count": 3},
    "GET /stock/b%20c": {"count": 0},
    "GET /jobs/j-1": {
        "sequence": [
            {"json": {"status": "RUNNING"}},
            {"json": {"status": "RUNNING"}},
            {"json": {"status": "DONE", "result": 42}},
        ]
    },
    "GET /jobs/j-2": {"json": {"status": "FAILED", "reason": "no paper"}},
    "POST /jobs": {"id": "j-1"},
}


@pytest.fixture(scope="module")
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as running:
        yield running


@pytest.fixture(scope="module")
def served(api: ScriptedApi) -> Iterator[Served]:
    environment = {"SHOP_API_URL": api.url, "JOB_LOOK": "10ms"}
    with serving(EXAMPLE, environment=environment) as running:
        assert running.capability.problems == ()
        yield running


@pytest.fixture(autouse=True)
def _played(api: ScriptedApi) -> None:
    api.play(ANSWERS)


def test_a_route_puts_several_answers_together(served: Served, api: ScriptedApi) -> None:
    answer = served.request("orders", "GET", "/orders/o-1")

    assert answer.status == 200
    assert answer.body == {
        "id": "o-1",
        "open": True,
        "customer": {"name": "Bo", "city": None},
        "articles": [{"article": "a", "inStock": 3}, {"article": "b c", "inStock": 0}],
    }
    assert sorted(api.requests) == [
        "GET /customers",
        "GET /orders/o-1",
        "GET /stock/a",
        "GET /stock/b%20c",
    ]


def test_what_is_not_found_is_left_out(served: Served) -> None:
    answer = served.request("orders", "GET", "/orders/o-2")

    assert answer.body == {"id": "o-2", "open": False, "articles": []}


def test_a_failed_status_ends_the_run_where_the_file_says_so(
    served: Served, api: ScriptedApi
) -> None:
    answer = served.request("orders", "GET", "/orders/o-9")

    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["code"] == "step-failed"
    assert answer.body["step"] == "order"
    assert answer.body["result"] == {"error": "not found"}
    assert api.requests == ["GET /orders/o-9"]


def test_a_route_polls(served: Served, api: ScriptedApi) -> None:
    answer = served.request("orders", "GET", "/jobs/j-1/result")

    assert (answer.status, answer.body) == (200, {"result": 42})
    assert api.requests == ["GET /jobs/j-1"] * 3


def test_the_file_fails_with_words_of_its_own(served: Served) -> None:
    answer = served.request("orders", "GET", "/jobs/j-2/result")

    assert (answer.status, answer.body["code"]) == (409, "job-failed")
    assert answer.body["detail"] == "job j-2 failed: no paper"


def test_branches_go_on_without_each_other(served: Served, api: ScriptedApi) -> None:
    whole = served.request("orders", "GET", "/overview").body
    api.play({**ANSWERS, "GET /customers": {"status": 503}})
    part = served.request("orders", "GET", "/overview").body

    assert whole["total"] == 5
    assert (part["customers"], len(part["orders"])) == (None, 3)
    assert part["total"] == "not counted: template-failed"


def test_a_tool_runs_steps(served: Served) -> None:
    failed, text = call_tool(served, "order-tools", "open-orders", {"customer": "c-2"})

    assert (failed, json.loads(text)) == (False, {"orders": ["o-1", "o-3"]})


def test_a_tool_waits_for_a_job(served: Served, api: ScriptedApi) -> None:
    failed, text = call_tool(served, "order-tools", "run-job", {"kind": "print"})

    done = {"id": "j-1", "status": "DONE", "result": 42, "late": False}
    assert (failed, json.loads(text)) == (False, done)
    assert api.requests == ["POST /jobs", *["GET /jobs/j-1"] * 3]
    assert api.bodies[0] == {"kind": "print"}


def test_a_tool_waits_no_longer_than_it_may(api: ScriptedApi) -> None:
    environment = {"SHOP_API_URL": api.url, "JOB_LOOK": "15s", "JOB_WAIT": "10s"}
    with serving(EXAMPLE, environment=environment) as served:
        failed, text = call_tool(served, "order-tools", "run-job", {"kind": "print"})

    assert (failed, json.loads(text)) == (False, {"id": "j-1", "status": "RUNNING", "late": True})
    assert api.requests == ["POST /jobs", "GET /jobs/j-1"]


def test_a_tool_that_fails_says_so(served: Served, api: ScriptedApi) -> None:
    api.play({"GET /orders": {"status": 500, "json": {"why": "down"}}})

    failed, text = call_tool(served, "order-tools", "open-orders", {"customer": "c-2"})

    assert failed
    assert "the step `orders` failed: `shop.list-orders` answered with status 500" in text


def test_inputs_are_published(served: Served) -> None:
    tools = list_tools(served, "order-tools")

    assert tools["cancel-order"]["inputSchema"]["required"] == ["id"]
    assert tools["cancel-order"]["annotations"]["destructiveHint"] is True


@pytest.mark.parametrize(
    ("action", "sure", "expected"),
    [
        ("accept", True, {"cancelled": True, "state": "cancelled"}),
        ("accept", False, {"cancelled": False}),
        ("decline", None, {"cancelled": False}),
    ],
)
def test_a_tool_asks_before_it_acts(
    served: Served, api: ScriptedApi, action: Any, sure: bool | None, expected: object
) -> None:
    from mcp.client import Client
    from mcp_types import ElicitResult

    asked: list[str] = []

    async def elicited(_context: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action=action, content=None if sure is None else {"sure": sure})

    async def call() -> Any:
        url = served.urls["order-tools"] + "/mcp"
        async with Client(url, elicitation_callback=elicited) as client:
            return await client.call_tool("cancel-order", {"id": "o-1"})

    result = asyncio.run(call())

    assert result.structured_content == expected
    assert asked == ["Cancel order o-1, which is paid?"]
    cancelled = ["DELETE /orders/o-1"] if expected != {"cancelled": False} else []
    assert api.requests == ["GET /orders/o-1", *cancelled]
