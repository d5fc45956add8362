"""The example of the guide, served."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import formatdate

import pytest
from starlette.requests import Request  # noqa: TC002  # the upstream needs it anyway
from starlette.responses import JSONResponse, Response

from tests.case_files import ROOT
from tests.live.resilience.upstream import Upstream
from tests.live.serving import Served, serving

FILE = ROOT / "docs/examples/resilience.yaml"


@pytest.fixture
def rates(upstream: Upstream) -> Iterator[Served]:
    with serving(FILE, environment={"RATES_URL": upstream.url}) as served:
        yield served


def test_a_failed_read_is_repeated(upstream: Upstream, rates: Served) -> None:
    upstream.answers(503, 502)
    answer = rates.request("rates", "GET", "/rates/eur")
    assert (answer.status, answer.body) == (200, {"status": 200, "call": 3})


def test_the_last_answer_goes_to_the_caller(upstream: Upstream, rates: Served) -> None:
    upstream.answers(503, 503, JSONResponse({"n": 3}, 503, {"Retry-After": "7"}))
    answer = rates.request("rates", "GET", "/rates/eur")
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (503, {"n": 3}, "7")


def test_retry_after_is_more_than_we_wait(upstream: Upstream, rates: Served) -> None:
    upstream.answers(JSONResponse({}, 429, {"Retry-After": "3600"}))
    answer = rates.request("rates", "GET", "/rates/eur")
    assert (answer.status, answer.headers["retry-after"]) == (429, "3600")
    assert len(upstream.seen) == 1


def test_the_circuit_opens_for_all_operations_of_the_api(upstream: Upstream, rates: Served) -> None:
    upstream.answers(*[500] * 50)
    assert [rates.request("rates", "GET", "/rates/eur").status for _ in range(5)] == [500] * 5
    answer = rates.request("rates", "PUT", "/rates/eur", {"rate": 1.5})
    assert (answer.status, answer.body["code"]) == (503, "circuit-open")
    assert 0 < int(answer.headers["retry-after"]) <= 30
    assert len(upstream.seen) == 5


def test_a_value_stands_in(upstream: Upstream, rates: Served) -> None:
    upstream.answers(404, 503)
    for _ in range(2):
        answer = rates.request("rates", "GET", "/mirror/eur")
        assert answer.status == 200
        assert answer.body == {"currency": "eur", "rate": None, "known": False}
        assert answer.headers["x-fallback"] == "true"
    assert len(upstream.seen) == 2
    assert "x-fallback" not in rates.request("rates", "GET", "/mirror/eur").headers


def test_another_operation_stands_in(upstream: Upstream, rates: Served) -> None:
    upstream.answers(500)
    answer = rates.request("rates", "GET", "/either/eur")
    assert (answer.status, answer.headers["x-fallback"]) == (200, "true")
    assert upstream.targets == ["/first/eur", "/rates/eur"]


def fresh(upstream: Upstream, **headers: str) -> None:
    def handler(request: Request) -> Response:
        if request.method != "GET":
            return Response(status_code=204)
        tag = headers.get("ETag")
        if tag is not None and request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return JSONResponse({"call": len(upstream.seen)}, headers=headers)

    upstream.handler = handler


def read(rates: Served, count: int) -> list[int]:
    return [rates.request("rates", "GET", "/rates/eur").body["call"] for _ in range(count)]


@pytest.mark.parametrize(
    ("headers", "bodies", "calls"),
    [
        ({"Cache-Control": "max-age=60"}, [1, 1, 1], 1),
        ({"Cache-Control": "private, max-age=60"}, [1, 1, 1], 1),
        ({"Cache-Control": "max-age=60", "Vary": "Accept-Language"}, [1, 1, 1], 1),
        ({"Cache-Control": "max-age=60", "Age": "59"}, [1, 1, 1], 1),
        ({"Cache-Control": "max-age=60", "Age": "60"}, [1, 2, 3], 3),
        ({"Cache-Control": "no-store"}, [1, 2, 3], 3),
        ({}, [1, 2, 3], 3),
        ({"Cache-Control": "max-age=60", "Vary": "*"}, [1, 2, 3], 3),
        ({"Expires": formatdate(4e9, usegmt=True)}, [1, 1, 1], 1),
        ({"Expires": "0"}, [1, 2, 3], 3),
        # Asked each time whether it still holds, and it does.
        ({"Cache-Control": "no-cache", "ETag": '"a"'}, [1, 1, 1], 3),
        ({"Cache-Control": "max-age=0", "ETag": '"a"'}, [1, 1, 1], 3),
        ({"ETag": '"a"'}, [1, 1, 1], 3),
    ],
)
def test_answers_are_kept_as_http_allows(
    upstream: Upstream, rates: Served, headers: dict[str, str], bodies: list[int], calls: int
) -> None:
    fresh(upstream, **headers)
    assert read(rates, 3) == bodies
    assert len(upstream.seen) == calls


def test_a_write_ends_what_is_kept_of_its_url(upstream: Upstream, rates: Served) -> None:
    fresh(upstream, **{"Cache-Control": "max-age=60"})
    assert read(rates, 2) == [1, 1]
    assert rates.request("rates", "GET", "/rates/usd").body["call"] == 2
    assert rates.request("rates", "PUT", "/rates/eur", {"rate": 1.5}).status == 204
    assert read(rates, 2) == [4, 4]
    assert rates.request("rates", "GET", "/rates/usd").body["call"] == 2


def test_failures_are_not_kept(upstream: Upstream, rates: Served) -> None:
    kept = {"Cache-Control": "max-age=60"}
    upstream.answers(JSONResponse({"call": 0}, 404, kept), JSONResponse({"call": 1}, 200, kept))
    assert [rates.request("rates", "GET", "/rates/eur").status for _ in range(3)] == [404, 200, 200]
    assert len(upstream.seen) == 2


def test_a_stale_answer_stands_in_for_a_failure(upstream: Upstream, rates: Served) -> None:
    upstream.answers(JSONResponse({"call": 1}, 200, {"Cache-Control": "max-age=5", "Age": "6"}))
    assert read(rates, 1) == [1]
    upstream.answers(*[503] * 20)
    assert read(rates, 2) == [1, 1]


def test_an_answer_that_must_not_be_stale_is_not(upstream: Upstream, rates: Served) -> None:
    kept = {"Cache-Control": "max-age=5, must-revalidate", "Age": "6"}
    upstream.answers(JSONResponse({"call": 1}, 200, kept), *[503] * 20)
    assert read(rates, 1) == [1]
    assert rates.request("rates", "GET", "/rates/eur").status == 503


def test_the_plan_says_what_holds(rates: Served) -> None:
    (adapter,) = rates.capability.plan.adapters
    lines = adapter.routes[0].operations[0].operation.plan.explain()  # type: ignore[union-attr]  # REST
    text = "\n".join(lines)
    for name in ("timeout: 2 s", "deadline", "retry", "rate limit", "circuit", "bulkhead", "cache"):
        assert name in text, text
