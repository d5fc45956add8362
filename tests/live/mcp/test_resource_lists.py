"""`list` of a resource: what a template of URIs leads to, over a real upstream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError
from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002  # Starlette reads the annotation
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.live.mcp.clients import connect
from tests.live.mcp.mcp_demo import serving as serving_app
from tests.live.serving import serving

FILE = """
naftiko: "1.0.0-alpha3"
binds:
  - namespace: env
    keys: {SHELF_URL: SHELF_URL, SHELF_TOKEN: SHELF_TOKEN}
capability:
  consumes:
    - type: http
      namespace: shelf
      baseUri: "{{env.SHELF_URL}}"
      resources:
        - name: books
          path: /books
          operations: [{name: list, method: GET, inputParameters: [{name: from, in: query}]}]
        - name: book
          path: "/books/{{id}}"
          operations: [{name: read, method: GET}]
  exposes:
    - type: mcp
      namespace: room
      port: 9090
      pageSize: 3
      resources:
        - {name: sign, description: A sign., uri: "sign://door", text: "{{env.SHELF_TOKEN}}"}
        - name: book
          label: A book
          description: One of our books.
          uri: "books://{shelf}/{id}{?lang}"
          mimeType: application/json
          call: shelf.read
          with: {id: "{{id}}"}
          list:
            as: book
            call: shelf.list
            with: {from: "{{cursor}}"}
            items: $.books
            next: $.next
            maxItems: ITEMS
            refresh: REFRESH
            filter: "{{ book.hidden is not defined }}"
            variables: {shelf: "{{book.shelf}}", id: "{{book.id}}"}
            name: "book-{{book.id}}"
            label: "{{book.title}}"
            description: "{{book.about}}"
            mimeType: "{{book.type}}"
"""
MODES = ("legacy", "2026-07-28")


def book(number: int, **more: object) -> dict[str, Any]:
    return {"shelf": "a b", "id": str(number), "title": f"No. {number}", "about": "fine", **more}


@dataclass
class Shelf:
    """The upstream: pages of books, and who asked for which."""

    pages: list[list[dict[str, Any]]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    broken: bool = False

    def app(self) -> Starlette:
        return Starlette(
            routes=[Route("/books", self._list), Route("/books/{id}", self._read, methods=["GET"])]
        )

    async def _list(self, request: Request) -> Response:
        number = int(request.query_params.get("from", "0"))
        self.asked.append(request.query_params.get("from", ""))
        if self.broken:
            return JSONResponse({"message": "no"}, 500)
        answer: dict[str, Any] = {"books": self.pages[number]}
        if number + 1 < len(self.pages):
            answer["next"] = str(number + 1)
        return JSONResponse(answer)

    async def _read(self, request: Request) -> Response:
        number = request.path_params["id"]
        if number == "404":
            return JSONResponse({"message": "no such book"}, 404)
        return JSONResponse({"id": number})


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextlib.contextmanager
def room(
    folder: Path,
    shelf: Shelf,
    refresh: str = "1h",
    *,
    uri: str = "books://{shelf}/{id}{?lang}",
    items: int = 6,
) -> Iterator[str]:
    file = folder / "room.yaml"
    text = FILE.replace("REFRESH", refresh).replace("ITEMS", str(items))
    file.write_text(text.replace("books://{shelf}/{id}{?lang}", uri), "utf-8")
    with serving_app(shelf.app()) as port:
        environment = {"SHELF_URL": f"http://127.0.0.1:{port}", "SHELF_TOKEN": "canary-4411"}
        with serving(file, environment=environment) as served:
            yield served.urls["room"] + "/mcp"


async def everything(client: Any) -> list[Any]:
    """List all pages."""
    found: list[Any] = []
    cursor: str | None = None
    while True:
        page = await client.list_resources(cursor=cursor)
        assert len(page.resources) <= 3
        found += page.resources
        cursor = page.next_cursor
        if cursor is None:
            return found


def test_each_item_is_listed_and_can_be_read(tmp_path: Path, mode: str) -> None:
    shelf = Shelf(
        [[book(1), book(2, hidden=True)], [book(3, title=None, about="canary-4411"), book(3)]]
    )

    async def story(url: str) -> None:
        async with connect(url, mode, cache=None) as client:
            found = await everything(client)
            assert [str(item.uri) for item in found] == [
                "sign://door",
                "books://a%20b/1",
                "books://a%20b/3",
            ]
            first = found[1]
            assert (first.name, first.title, first.description) == ("book-1", "No. 1", "fine")
            assert first.mime_type == "application/json"
            assert (found[2].title, found[2].description) == ("A book", "***")
            for item in found[1:]:
                contents = (await client.read_resource(str(item.uri))).contents[0]
                assert contents.text == f'{{"id":"{item.name.removeprefix("book-")}"}}'
            templates = (await client.list_resource_templates()).resource_templates
            assert [item.uri_template for item in templates] == ["books://{shelf}/{id}{?lang}"]
            with pytest.raises(MCPError) as caught:
                await client.read_resource("books://a/404")
            assert caught.value.error.code == -32602
            # All of it was had once, page by page.
            assert shelf.asked == ["", "1"]

    with room(tmp_path, shelf) as url:
        asyncio.run(story(url))


def test_a_list_has_an_end(tmp_path: Path, mode: str, caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf([[book(page * 4 + number) for number in range(4)] for page in range(9)])

    async def story(url: str) -> None:
        async with connect(url, mode, cache=None) as client:
            assert len(await everything(client)) == 1 + 6
            assert shelf.asked == ["", "1"]

    with room(tmp_path, shelf) as url:
        asyncio.run(story(url))
    assert "only the first 6 are listed" in caplog.text


@pytest.mark.parametrize(
    "odd",
    [
        {"shelf": "a"},
        {"shelf": "a", "id": ""},
        {"shelf": "a", "id": "x" * 3000},
        "text",
        None,
    ],
    ids=["no id", "empty id", "long id", "a text", "null"],
)
def test_what_cannot_be_shown_is_left_out(tmp_path: Path, odd: Any) -> None:
    shelf = Shelf([[odd, book(1)]])

    async def story(url: str) -> None:
        async with connect(url, "legacy", cache=None) as client:
            found = await everything(client)
            assert [item.name for item in found] == ["sign", "book-1"]

    with room(tmp_path, shelf) as url:
        asyncio.run(story(url))


def test_a_uri_that_leads_elsewhere_is_not_listed(tmp_path: Path) -> None:
    shelf = Shelf([[book(1, id="x-y"), book(2)]])

    async def story(url: str) -> None:
        async with connect(url, "legacy", cache=None) as client:
            assert [item.name for item in await everything(client)] == ["sign", "book-2"]

    with room(tmp_path, shelf, uri="books://{shelf}-{id}") as url:
        asyncio.run(story(url))


def test_a_uri_that_tells_a_secret_is_not_listed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf([[book(1, id="of-canary-4411"), book(2)]])

    async def story(url: str) -> None:
        async with connect(url, "legacy", cache=None) as client:
            assert [item.name for item in await everything(client)] == ["sign", "book-2"]

    with room(tmp_path, shelf) as url:
        asyncio.run(story(url))
    assert "one is left out: its URI holds a secret" in caplog.text
    assert "canary" not in caplog.text


def test_an_item_is_no_larger_than_a_list_can_bear(tmp_path: Path, mode: str) -> None:
    secret = "canary-4411"
    shelf = Shelf(
        [
            [
                book(1, title="t" * 195 + secret, about="a" * 1_000_000, type="x\r\nY: z"),
                book(2, type="text/plain;charset=utf-8"),
            ]
        ]
    )

    async def story(url: str) -> None:
        async with connect(url, mode, cache=None) as client:
            _, first, second = await everything(client)
            assert first.title == "t" * 195 + "***"
            assert len(first.description) == 10_000
            assert first.mime_type == "application/json"  # that of the file
            assert second.mime_type == "text/plain;charset=utf-8"

    with room(tmp_path, shelf) as url:
        asyncio.run(story(url))


def test_pages_without_end_are_not_followed_for_ever(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf([[book(number)] for number in range(300)])

    async def story(url: str) -> None:
        async with connect(url, "2026-07-28", cache=None) as client:
            await client.list_resources()
            assert len(shelf.asked) == 200

    with room(tmp_path, shelf, items=10_000) as url:
        asyncio.run(story(url))
    assert "only the first 200 are listed" in caplog.text


def test_the_last_good_list_stays(
    tmp_path: Path, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf([[book(1)]], broken=True)

    async def names(client: Any) -> list[str]:
        return [item.name for item in await everything(client)]

    async def until(client: Any, expected: list[str]) -> None:
        async with asyncio.timeout(20):
            while await names(client) != expected:
                pass

    async def story(url: str) -> None:
        async with connect(url, mode, cache=None) as client:
            assert await names(client) == ["sign"]
            shelf.broken = False
            await until(client, ["sign", "book-1"])
            shelf.broken = True
            asked = len(shelf.asked)
            async with asyncio.timeout(20):
                while len(shelf.asked) < asked + 2:
                    assert await names(client) == ["sign", "book-1"]
            shelf.broken, shelf.pages = False, [[book(1), book(2)]]
            await until(client, ["sign", "book-1", "book-2"])

    with room(tmp_path, shelf, refresh="100ms") as url:
        asyncio.run(story(url))
    assert "they cannot be listed: shelf.list answered with a failure (status 500)" in caplog.text
    assert "canary" not in caplog.text


def test_those_who_ask_at_once_share_one_list(tmp_path: Path) -> None:
    shelf = Shelf([[book(1)], [book(2)]])

    async def story(url: str) -> None:
        async with connect(url, "2026-07-28", cache=None) as client:
            pages = await asyncio.gather(*(client.list_resources() for _ in range(8)))
            assert len({page.model_dump_json() for page in pages}) == 1
            assert shelf.asked == ["", "1"]

    with room(tmp_path, shelf) as url:
        asyncio.run(story(url))
