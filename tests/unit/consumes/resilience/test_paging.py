"""Pages of APIs of every kind, from requests to the collected result, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from naftiko.consumes.http.paging import paged
from naftiko.consumes.http.paging_rules import read_paging
from naftiko.consumes.http.request import HttpRequest
from naftiko.document.reader import parse_document
from naftiko.errors import Problems, RunError
from naftiko.plan.ports import Result
from naftiko.plan.run import Run
from naftiko.values import JsonValue
from tests.unit.consumes.http.apis import api

ITEMS: list[JsonValue] = list(range(7))
Answer = Callable[[dict[str, str], Any], JsonValue]


def collected(
    block: str, answer: Answer, *, operation: str = "method: GET", **arguments: JsonValue
) -> tuple[Result, list[HttpRequest]]:
    document = parse_document(f"paginate: {block}", "x.yaml")
    node = document.root.get("paginate")
    assert node is not None
    problems = Problems()
    paging = read_paging(node, problems)
    assert problems.sorted() == ()
    assert paging is not None
    sent: list[HttpRequest] = []

    async def fetch(request: HttpRequest, run: Run) -> Result:
        sent.append(request)
        query = {name: values[-1] for name, values in parse_qs(urlsplit(request.url).query).items()}
        body = orjson.loads(request.body) if request.body else None
        return Result(value=answer(query, body), raw=b"x", received={})

    made = paged(api(operation).http(), paging, fetch, ())
    return asyncio.run(made.call(arguments, Run(inputs={}))), sent


def slices(query: dict[str, str], body: Any) -> JsonValue:
    start, size = int(query["offset"]), int(query.get("limit", 3))
    return ITEMS[start : start + size]


def test_offsets() -> None:
    result, sent = collected("{type: offset, size: {parameter: limit, value: 3}}", slices)
    assert result.value == ITEMS
    assert [request.url.partition("?")[2] for request in sent] == [
        "limit=3&offset=0",
        "limit=3&offset=3",
        "limit=3&offset=6",
    ]


def test_without_a_size_an_empty_page_is_the_last() -> None:
    result, sent = collected("{type: offset}", slices)
    assert (result.value, len(sent)) == (ITEMS, 4)


@pytest.mark.parametrize(
    ("limit", "pages", "cut"), [(5, 2, True), (6, 2, True), (7, 3, False), (2, 1, True)]
)
def test_the_limit_cuts_and_says_so(limit: int, pages: int, cut: bool) -> None:
    block = f"{{type: offset, size: {{parameter: limit, value: 3}}, limit: {limit}}}"
    result, sent = collected(block, slices)
    assert (result.value, len(sent)) == (ITEMS[:limit], pages)
    assert (("x-truncated", "true") in result.headers) is cut


def test_the_number_of_pages_is_limited() -> None:
    result, sent = collected("{type: offset, maxPages: 2}", slices)
    assert (result.value, len(sent)) == (ITEMS[:6], 2)
    assert ("x-truncated", "true") in result.headers


def test_a_token_in_the_body_and_what_the_last_page_says_of_it() -> None:
    def answer(query: dict[str, str], body: Any) -> JsonValue:
        start = int(body["variables"].get("after", 0))
        more = start + 3 < len(ITEMS)
        info: JsonValue = {"end": str(start + 3), "hasNext": more}
        return {"data": {"list": {"nodes": ITEMS[start : start + 3], "info": info}}}

    result, sent = collected(
        "{type: cursor, in: body, parameter: variables.after, next: $.data.list.info.end, "
        "hasMore: $.data.list.info.hasNext, items: $.data.list.nodes}",
        answer,
        operation="method: POST, body: {type: json, data: {query: q, variables: {n: 3}}}",
    )
    assert isinstance(result.value, dict)
    assert result.value["data"] == {
        "list": {"nodes": ITEMS, "info": {"end": "9", "hasNext": False}}
    }
    assert [orjson.loads(request.body or b"")["variables"] for request in sent] == [
        {"n": 3},
        {"n": 3, "after": "3"},
        {"n": 3, "after": "6"},
    ]


def test_a_token_in_a_header() -> None:
    _, sent = collected(
        "{type: cursor, in: header, parameter: X-After, next: $.n, items: $.i}",
        lambda query, body: {"i": [1], "n": None},
    )
    assert [item for item in sent[0].headers if item[0] == "X-After"] == []


@pytest.mark.parametrize("end", [None, "", False])
def test_what_ends_a_row_of_tokens(end: JsonValue) -> None:
    result, sent = collected(
        "{type: cursor, parameter: c, next: $.n, items: $.i}",
        lambda query, body: {"i": [1], "n": end if "c" in query else "t"},
    )
    assert len(sent) == 2
    assert result.value == {"i": [1, 1], "n": end}


@pytest.mark.parametrize(
    ("block", "answer", "code"),
    [
        ("{next: $.n, parameter: c, items: $.i}", {"i": [1], "n": "same"}, "pagination-loop"),
        ("{nextUrl: $.n, items: $.i}", {"i": [1], "n": "https://b.example/"}, "foreign-page"),
        ("{type: page}", [1], "pagination-loop"),
        ("{type: page}", {"i": [1]}, "output-error"),
        ("{type: page, items: $.i}", {}, "output-error"),
    ],
)
def test_what_is_refused(block: str, answer: JsonValue, code: str) -> None:
    with pytest.raises(RunError) as caught:
        collected(block, lambda query, body: answer)
    assert caught.value.code == code


def test_a_caller_who_pages_gets_that_page() -> None:
    result, sent = collected(
        "{type: offset, size: {parameter: limit, value: 3}}",
        slices,
        operation="method: GET, inputParameters: [{name: offset, in: query}, "
        "{name: limit, in: query}]",
        offset=2,
        limit=2,
    )
    assert (result.value, len(sent)) == ([2, 3], 1)


def test_every_digit_of_a_token_is_sent() -> None:
    tokens: list[JsonValue] = [12345678901234567891, 1503435956.000247, 2e3]

    def answer(query: dict[str, str], body: Any) -> JsonValue:
        at = 0 if "after" not in query else ["12345678901234567891", "1503435956.000247", "2000"]
        number = 0 if at == 0 else at.index(query["after"]) + 1
        return {"items": [number], "next": tokens[number] if number < len(tokens) else None}

    block = "{type: cursor, parameter: after, next: $.next, items: $.items}"
    result, _ = collected(block, answer)
    assert result.value == {"items": [0, 1, 2, 3], "next": None}


def test_more_is_said_by_the_last_page() -> None:
    def answer(query: dict[str, str], body: Any) -> JsonValue:
        page = int(query["page"])
        return {"items": [page], "info": {"more": page < 3}}

    block = "{type: page, items: $.items, hasMore: $.info.more}"
    result, _ = collected(block, answer)
    assert result.value == {"items": [1, 2, 3], "info": {"more": False}}
    assert ("x-truncated", "true") not in result.headers


def test_a_first_page_without_what_has_more_names_may_be_cut(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def answer(query: dict[str, str], body: Any) -> JsonValue:
        return {"items": [1], "more": True}

    result, sent = collected("{type: page, items: $.items, hasMore: $.mor}", answer)
    assert (len(sent), ("x-truncated", "true") in result.headers) == (1, True)
    assert "has nothing at `$.mor`, so its first page counts as the last" in caplog.text


def test_flags_and_totals_may_be_text() -> None:
    def by_flag(query: dict[str, str], body: Any) -> JsonValue:
        return {"items": [query["page"]], "more": "true" if query["page"] == "1" else "False"}

    result, sent = collected("{type: page, items: $.items, hasMore: $.more}", by_flag)
    assert (result.value, len(sent)) == ({"items": ["1", "2"], "more": "False"}, 2)

    def by_total(query: dict[str, str], body: Any) -> JsonValue:
        return {"items": [query["page"]], "total": "2"}

    result, sent = collected("{type: page, items: $.items, total: $.total}", by_total)
    assert (result.value, len(sent)) == ({"items": ["1", "2"], "total": "2"}, 2)


@pytest.mark.parametrize("member", ["next: $.next, parameter: after", "nextUrl: $.next"])
def test_what_is_no_token_is_an_error(member: str) -> None:
    def answer(query: dict[str, str], body: Any) -> JsonValue:
        return {"items": [1], "next": {"token": "x"}}

    with pytest.raises(RunError, match="holds no token or URL at"):
        collected(f"{{type: cursor, {member}, items: $.items}}", answer)


def test_a_body_that_paging_makes_says_what_it_is() -> None:
    def answer(query: dict[str, str], body: Any) -> JsonValue:
        return [body["page"]] if body["page"] < 3 else []

    result, sent = collected("{type: page, in: body}", answer, operation="method: POST")
    assert result.value == [1, 2]
    assert {dict(request.headers)["Content-Type"] for request in sent} == {"application/json"}
