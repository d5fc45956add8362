"""The example of the guide, served: pages collected, and passed on one by one."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.requests import Request  # noqa: TC002  # the upstream needs it anyway
from starlette.responses import JSONResponse, Response

from tests.case_files import ROOT
from tests.live.resilience.upstream import Upstream
from tests.live.serving import Served, serving

FILE = ROOT / "docs/examples/pagination.yaml"
SHIPS = [{"name": f"ship {number}", "tons": number} for number in range(5)]


@pytest.fixture
def fleet(upstream: Upstream) -> Iterator[Served]:
    with serving(FILE, environment={"SHIPS_URL": upstream.url}) as served:
        yield served


def ships(request: Request) -> Response:
    page, size = int(request.query_params["page"]), int(request.query_params.get("per_page", 3))
    found = SHIPS[(page - 1) * size : page * size]
    return JSONResponse({"data": {"ships": found, "total": len(SHIPS)}, "page": page})


def crew(count: int, size: int = 2, broken_at: int | None = None) -> Callable[[Request], Response]:
    def handler(request: Request) -> Response:
        start = int(request.query_params.get("after", "0"))
        if broken_at is not None and start >= broken_at:
            return JSONResponse({"error": "down"}, 503)
        members = [{"name": f"sailor {n}"} for n in range(start, min(start + size, count))]
        following = str(start + size) if start + size < count else None
        return JSONResponse({"members": members, "next": following})

    return handler


def test_pages_are_collected_into_the_first_one(upstream: Upstream, fleet: Served) -> None:
    upstream.handler = ships
    answer = fleet.request("fleet", "GET", "/ships")
    assert (answer.status, answer.body) == (200, {"data": {"ships": SHIPS, "total": 5}, "page": 1})
    assert upstream.targets == [f"/ships?per_page=2&page={number}" for number in (1, 2, 3)]
    assert "x-truncated" not in answer.headers


def test_mappings_see_all_items(upstream: Upstream, fleet: Served) -> None:
    upstream.handler = ships
    answer = fleet.request("fleet", "GET", "/ship-names")
    assert answer.body == [{"name": f"ship {number}"} for number in range(5)]


def test_a_caller_may_page(upstream: Upstream, fleet: Served) -> None:
    upstream.handler = ships
    answer = fleet.request("fleet", "GET", "/ships?page=2")
    assert answer.body["data"]["ships"] == SHIPS[3:]
    assert upstream.targets == ["/ships?page=2"]


def test_a_first_page_that_fails_is_the_answer(upstream: Upstream, fleet: Served) -> None:
    upstream.answers(404)
    answer = fleet.request("fleet", "GET", "/ships")
    assert (answer.status, answer.body["status"]) == (404, 404)


def test_a_later_page_that_fails_fails_the_call(upstream: Upstream, fleet: Served) -> None:
    upstream.answers(JSONResponse({"data": {"ships": SHIPS[:2], "total": 5}}), 404)
    answer = fleet.request("fleet", "GET", "/ships")
    assert (answer.status, answer.body["code"]) == (502, "page-failed")
    assert answer.body["upstreamStatus"] == 404


def test_the_same_page_again_is_no_progress(upstream: Upstream, fleet: Served) -> None:
    upstream.handler = lambda _: JSONResponse({"data": {"ships": SHIPS[:2], "total": 9}})
    answer = fleet.request("fleet", "GET", "/ships")
    assert (answer.status, answer.body["code"]) == (502, "pagination-loop")
    assert len(upstream.seen) == 2


def test_what_holds_no_list_is_an_error(upstream: Upstream, fleet: Served) -> None:
    upstream.handler = lambda _: JSONResponse({"data": {"boats": []}})
    answer = fleet.request("fleet", "GET", "/ships")
    assert (answer.status, answer.body["code"]) == (502, "output-error")
    assert "`$.data.ships`" in answer.body["detail"]


def test_links_are_followed_on_the_same_origin(upstream: Upstream, fleet: Served) -> None:
    def handler(request: Request) -> Response:
        page = int(request.query_params.get("p", "1"))
        link = f'</ports?p={page + 1}>; rel="next", </ports>; rel="first"' if page < 3 else ""
        return JSONResponse([page], headers={"Link": link} if link else {})

    upstream.handler = handler
    assert fleet.request("fleet", "GET", "/ports").body == [1, 2, 3]
    assert upstream.targets == ["/ports", "/ports?p=2", "/ports?p=3"]


@pytest.mark.parametrize(
    ("link", "code"),
    [
        ("<https://elsewhere.example/ports?p=2>; rel=next", "foreign-page"),
        ("<//elsewhere.example/ports>; rel=next", "foreign-page"),
        ("<http://127.0.0.1@elsewhere.example/>; rel=next", "foreign-page"),
        ("</ports?again>; rel=next", "pagination-loop"),
    ],
)
def test_links_that_lead_astray(upstream: Upstream, fleet: Served, link: str, code: str) -> None:
    upstream.handler = lambda _: JSONResponse([1], headers={"Link": link})
    answer = fleet.request("fleet", "GET", "/ports")
    assert (answer.status, answer.body["code"]) == (502, code)


def get(fleet: Served, path: str, accept: str = "*/*") -> tuple[Any, bytes]:
    host, port = fleet.urls["fleet"].removeprefix("http://").rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    try:
        connection.request("GET", path, headers={"Accept": accept})
        response = connection.getresponse()
        try:
            return response, response.read()
        except http.client.IncompleteRead as error:
            return response, b"CUT " + error.partial
    finally:
        connection.close()


def test_pages_go_out_one_by_one(upstream: Upstream, fleet: Served) -> None:
    upstream.handler = crew(5)
    response, body = get(fleet, "/crew")
    assert (response.status, response.getheader("content-type")) == (200, "application/json")
    assert response.getheader("transfer-encoding") == "chunked"
    assert json.loads(body) == [{"name": f"sailor {number}"} for number in range(5)]
    assert upstream.targets == ["/crew", "/crew?after=2", "/crew?after=4"]


def test_as_lines_and_shaped(upstream: Upstream, fleet: Served) -> None:
    upstream.handler = crew(3)
    response, body = get(fleet, "/crew-names", "application/x-ndjson")
    assert response.getheader("content-type") == "application/x-ndjson"
    assert body.splitlines() == [b'{"who":"sailor %d"}' % number for number in range(3)]


def test_nothing_is_an_empty_list(upstream: Upstream, fleet: Served) -> None:
    upstream.handler = crew(0)
    assert get(fleet, "/crew")[1] == b"[]"
    assert get(fleet, "/crew", "application/x-ndjson")[1] == b""


def test_a_failure_after_the_first_page_shows(upstream: Upstream, fleet: Served) -> None:
    upstream.handler = crew(9, broken_at=4)
    response, body = get(fleet, "/crew")
    assert (response.status, body[:5]) == (200, b"CUT [")
    lines = get(fleet, "/crew", "application/x-ndjson")[1].splitlines()
    assert len(lines) == 5
    assert json.loads(lines[-1])["code"] == "page-failed"


def test_a_failed_first_page_is_an_answer_like_any_other(upstream: Upstream, fleet: Served) -> None:
    upstream.handler = crew(9, broken_at=0)
    response, body = get(fleet, "/crew")
    assert (response.status, json.loads(body)) == (503, {"error": "down"})


def test_head_asks_for_one_list_and_sends_none(upstream: Upstream, fleet: Served) -> None:
    upstream.handler = crew(3)
    assert fleet.request("fleet", "HEAD", "/crew").body == b""


def test_mcp_collects_them_and_tells_of_each(upstream: Upstream, fleet: Served) -> None:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    upstream.handler = crew(5)
    told: list[tuple[float, str | None]] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message))

    async def session() -> Any:
        url = fleet.urls["fleet-tools"] + "/mcp"
        async with (
            streamable_http_client(url) as streams,
            ClientSession(streams[0], streams[1]) as client,
        ):
            await client.initialize()
            return await client.call_tool("list-crew", {}, progress_callback=tell)

    result = asyncio.run(session())
    assert len(json.loads(result.content[0].text)["members"]) == 5
    assert told == [(2.0, "page 1"), (4.0, "page 2"), (5.0, "page 3")]
