"""The guide's example over a real upstream: resources, prompts, completion, content, ask."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError
from mcp_types import ElicitResult, PromptReference, ResourceTemplateReference
from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002  # Starlette reads the annotation
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.live.mcp.clients import connect
from tests.live.mcp.mcp_demo import serving as serving_app
from tests.live.serving import serving

EXAMPLES = Path(__file__).parents[3] / "docs/examples"
PNG = (EXAMPLES / "library/stamp.png").read_bytes()
TITLES = {"1": "Emma", "2": "Ulysses", "3": "Emil"}
MODES = ("legacy", "2026-07-28")


class Library:
    """The upstream: books, and a count that never ends until its caller goes away."""

    def __init__(self) -> None:
        self.removed: list[str] = []
        self.reads: list[str] = []
        self.counting = threading.Event()
        self.left = threading.Event()
        self.endless = False

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/books", self._search),
                Route("/books/{id}", self._book, methods=["GET", "DELETE"]),
                Route("/books/{id}/cover", self._cover),
                Route("/inventory", self._count),
            ]
        )

    async def _search(self, request: Request) -> Response:
        typed = request.query_params.get("title", "").lower()
        found = [
            {"id": number, "title": title}
            for number, title in TITLES.items()
            if typed in title.lower() or typed == number
        ]
        return JSONResponse({"books": found})

    async def _book(self, request: Request) -> Response:
        number = request.path_params["id"]
        if number not in TITLES:
            return JSONResponse({"message": "no such book"}, 404)
        if request.method == "DELETE":
            self.removed.append(number)
            return Response(status_code=204)
        self.reads.append(number)
        book = {"title": TITLES[number]}
        if number == "1":
            book["stamp"] = base64.b64encode(PNG).decode()
        return JSONResponse(book)

    async def _cover(self, _request: Request) -> Response:
        return Response(PNG, media_type="image/png")

    async def _count(self, request: Request) -> Response:
        self.counting.set()
        while self.endless:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                self.left.set()
                break
        return JSONResponse({"books": 3})


@pytest.fixture(scope="module")
def library() -> Library:
    return Library()


@pytest.fixture(scope="module")
def url(library: Library) -> Iterator[str]:
    with (
        serving_app(library.app()) as port,
        serving(
            EXAMPLES / "library.yaml",
            environment={"LIBRARY_URL": f"http://127.0.0.1:{port}"},
        ) as served,
    ):
        yield served.urls["reading-room"] + "/mcp"


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _answering(sure: bool | None, asked: list[str]) -> Any:
    async def elicited(_context: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        if sure is None:
            return ElicitResult(action="decline")
        return ElicitResult(action="accept", content={"sure": sure})

    return elicited


def test_content_out_of_steps_and_result(url: str, mode: str) -> None:
    async def story() -> None:
        async with connect(url, mode) as client:
            shown = await client.call_tool("show-book", {"id": "1"})
            kinds = [block.type for block in shown.content]
            assert kinds == ["text", "image", "resource_link", "resource"]
            assert shown.content[0].text == "Emma, number 1"
            assert base64.b64decode(shown.content[1].data) == PNG
            assert (str(shown.content[2].uri), shown.content[2].name) == ("books://1", "Emma")
            assert shown.content[3].resource.text.startswith("# House rules")
            assert shown.structured_content["title"] == "Emma"
            without = await client.call_tool("show-book", {"id": "2"})
            assert [block.type for block in without.content] == [
                "text",
                "resource_link",
                "resource",
            ]
            picture = (await client.call_tool("cover", {"id": "1"})).content[0]
            assert (picture.type, base64.b64decode(picture.data)) == ("image", PNG)

    asyncio.run(story())


@pytest.mark.parametrize(("sure", "gone"), [(True, True), (False, False), (None, False)])
def test_a_tool_asks_before_it_acts(
    url: str, mode: str, library: Library, sure: bool | None, gone: bool
) -> None:
    library.removed.clear()
    library.reads.clear()
    asked: list[str] = []

    async def story() -> Any:
        elicited = _answering(sure, asked)
        async with connect(url, mode, elicitation_callback=elicited) as client:
            return await client.call_tool("remove-book", {"id": "2"})

    result = asyncio.run(story())
    assert asked == ["Remove Ulysses?"]
    assert library.reads == ["2"]  # in the second round it is remembered, not read again
    assert library.removed == (["2"] if gone else [])
    assert result.is_error is not gone
    assert ("is gone" if gone else "Ulysses stays") in result.content[0].text


def test_dynamic_resources(url: str, mode: str) -> None:
    async def story() -> None:
        async with connect(url, mode) as client:
            book = (await client.read_resource("books://2")).contents[0]
            assert (book.mime_type, book.text) == ("application/json", '{"title":"Ulysses"}')
            sign = (await client.read_resource("sign://Ann?lang=en")).contents[0]
            assert (sign.mime_type, sign.text) == ("text/plain", "Welcome, Ann (en)!")
            sign = (await client.read_resource("sign://Ann")).contents[0]
            assert sign.text == "Welcome, Ann!"
            with pytest.raises(MCPError, match="unknown resource") as caught:
                await client.read_resource("books://9")
            assert caught.value.error.data["uri"] == "books://9"
            papers = [str(item.uri) for item in (await client.list_resources()).resources]
            assert papers == [
                "rules://house",
                "papers://library/recommend.txt",
                "papers://library/rules.md",
                "papers://library/stamp.png",
            ]

    asyncio.run(story())


def test_prompts_of_a_file_and_of_a_call(url: str, mode: str) -> None:
    async def story() -> None:
        async with connect(url, mode) as client:
            got = await client.get_prompt("recommend", {"title": "{{count}}", "count": "3"})
            assert got.messages[0].content.text == (
                "You are a librarian. Recommend 3 books like {{count}}; keep the JSON "
                '{"books": []} as it is.'
            )
            with pytest.raises(MCPError, match="count"):
                await client.get_prompt("recommend", {"title": "x", "count": "4"})
            talk = await client.get_prompt("discuss", {"id": "3"})
            assert [(item.role, item.content.type) for item in talk.messages] == [
                ("assistant", "text"),
                ("user", "text"),
                ("user", "image"),
            ]
            assert talk.messages[0].content.text == "I have read Emil."
            assert talk.messages[1].content.text == "What is it about? 3"
            with pytest.raises(MCPError) as caught:
                await client.get_prompt("discuss", {"id": "9"})
            assert caught.value.error.code == -32603

    asyncio.run(story())


def test_completion_asks_the_api(url: str, mode: str) -> None:
    async def story() -> None:
        async with connect(url, mode) as client:
            prompt = PromptReference(name="recommend")
            found = await client.complete(prompt, {"name": "title", "value": "em"})
            assert found.completion.values == ["Emma", "Emil"]
            found = await client.complete(prompt, {"name": "count", "value": ""})
            assert found.completion.values == ["3", "5"]
            template = ResourceTemplateReference(uri="books://{id}")
            found = await client.complete(template, {"name": "id", "value": "2"})
            assert found.completion.values == ["2"]

    asyncio.run(story())


def test_a_call_that_is_cancelled_ends_upstream(url: str, mode: str, library: Library) -> None:
    library.counting.clear()
    library.left.clear()
    library.endless = True

    async def story() -> None:
        async with connect(url, mode) as client:
            call = asyncio.create_task(client.call_tool("take-inventory"))
            await asyncio.to_thread(library.counting.wait, 20)
            call.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await call
            assert await asyncio.to_thread(library.left.wait, 20)

    try:
        asyncio.run(story())
    finally:
        library.endless = False


def test_progress_and_logs_of_steps(url: str, mode: str) -> None:
    heard: list[Any] = []
    done: list[float] = []

    async def on_log(params: Any) -> None:
        heard.append((params.level, params.data))

    async def on_progress(progress: float, _total: float | None, _message: str | None) -> None:
        done.append(progress)

    async def story() -> None:
        level: Any = {} if mode == "legacy" else {"log_level": "debug"}
        async with connect(url, mode, logging_callback=on_log, **level) as client:
            counted = await client.call_tool("take-inventory", progress_callback=on_progress)
            assert counted.structured_content == {"books": 3}

    asyncio.run(story())
    assert heard == [("notice", {"message": "the count has begun"})]
    assert done == [0, 1]
