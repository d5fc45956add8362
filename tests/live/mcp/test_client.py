"""The official client against the demo: over HTTP and stdio, in both protocol eras."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from mcp import Client, MCPError, StdioServerParameters

from naftiko.exposes.mcp import mcp_app
from tests.live.mcp.mcp_demo import INFO, MACHINES, PNG, SECRET, demo_plan, masker, serving

MODES = ("legacy", "2026-07-28", "auto")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(mcp_app(demo_plan(), info=INFO, masker=masker())) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(params=["http", "http at the root", "stdio"])
def server(request: pytest.FixtureRequest, url: str) -> Any:
    if request.param == "http":
        return f"{url}/mcp"
    if request.param == "http at the root":
        return f"{url}/"
    return StdioServerParameters(
        command=sys.executable, args=["-m", "tests.live.mcp.mcp_demo", "stdio"]
    )


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_lists_and_calls_over_every_transport(server: Any, mode: str) -> None:
    async def story() -> None:
        async with Client(server, mode=mode) as client:
            assert client.server_info is None or client.server_info.version == "3.2.1"
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert tools["greet"].input_schema["required"] == ["name"]
            result = await client.call_tool("greet", {"name": "Ada", "tone": "good evening"})
            assert result.structured_content == {"greeting": "good evening Ada"}
            assert not result.is_error

    asyncio.run(story())


def test_negotiates_the_newest_protocol(url: str) -> None:
    async def story() -> tuple[str, str, str | None]:
        async with (
            Client(f"{url}/mcp", mode="auto") as modern,
            Client(f"{url}/mcp", mode="legacy") as legacy,
        ):
            assert modern.instructions == legacy.instructions
            return modern.protocol_version, legacy.protocol_version, modern.instructions

    assert asyncio.run(story()) == ("2026-07-28", "2025-11-25", "Ask the demo for anything.")


def test_a_tool_comes_out_with_all_it_has(url: str, mode: str) -> None:
    async def story() -> dict[str, Any]:
        async with Client(f"{url}/mcp", mode=mode) as client:
            listed = await client.list_tools()
            return {tool.name: tool for tool in listed.tools}

    tools = asyncio.run(story())
    machines = tools["list-machines"]
    assert machines.title == "List machines"
    assert machines.annotations.read_only_hint is True
    assert machines.annotations.open_world_hint is False
    assert machines.annotations.destructive_hint is None
    assert machines.output_schema["type"] == "object"
    assert machines.input_schema["additionalProperties"] is False
    greet = tools["greet"].input_schema["properties"]
    assert greet["tone"]["enum"] == ["hello", "good evening"]
    assert greet["tone"]["default"] == "hello"
    assert greet["name"]["description"] == "Whom"
    assert tools["names"].output_schema["required"] == ["result"]
    assert tools["text"].output_schema is None
    assert tools["steps"].annotations.read_only_hint is True
    assert tools["wait"].annotations is None
    assert all(tool.description for tool in tools.values())


def call(url: str, mode: str, name: str, arguments: dict[str, Any] | None = None) -> Any:
    async def story() -> Any:
        async with Client(f"{url}/mcp", mode=mode) as client:
            return await client.call_tool(name, arguments or {})

    return asyncio.run(story())


def test_an_object_is_structured_and_text(url: str, mode: str) -> None:
    result = call(url, mode, "list-machines", {"maxResults": 3})
    assert result.structured_content == MACHINES
    assert json.loads(result.content[0].text) == MACHINES


def test_a_list_is_wrapped(url: str, mode: str) -> None:
    result = call(url, mode, "names")
    assert result.structured_content == {"result": ["a", "b"]}
    assert result.content[0].text == '["a","b"]'


def test_bytes_keep_their_kind(url: str, mode: str) -> None:
    assert call(url, mode, "text").content[0].text == "café"
    picture = call(url, mode, "picture").content[0]
    assert picture.mime_type == "image/png"
    assert base64.b64decode(picture.data) == PNG
    archive = call(url, mode, "archive").content[0].resource
    assert archive.mime_type == "application/zip"
    assert base64.b64decode(archive.blob) == b"PK\x03\x04"


def test_bad_arguments_are_a_result_the_model_can_act_on(url: str, mode: str) -> None:
    result = call(url, mode, "greet", {"tone": "helo", "nmae": "Ada"})
    assert result.is_error
    text = result.content[0].text
    assert "code: invalid-input" in text
    assert "- `name` is required" in text
    assert "`tone` must be one of" in text
    assert "did you mean `name`?" in text
    assert text.endswith("retryable: no, change the arguments first")
    fields = result.structured_content["error"]["fields"]
    assert {field["name"] for field in fields} == {"name", "tone", "nmae"}


def test_an_api_error_says_what_to_do_and_no_secret(url: str, mode: str) -> None:
    result = call(url, mode, "throttled")
    assert result.is_error
    text = result.content[0].text
    assert "code: throttled" in text
    assert "awsCode: ThrottlingException" in text
    assert "retryable: yes, after 3 s" in text
    assert result.structured_content["error"]["retryAfter"] == 3
    assert SECRET not in result.model_dump_json()
    assert "hint: ask for less\nretryable: yes" in call(url, mode, "late").content[0].text


def test_failed_work_is_an_error_with_its_body(url: str, mode: str) -> None:
    result = call(url, mode, "failed")
    assert result.is_error
    assert result.structured_content == {"status": "FAILED", "cause": "bad token ***"}


def test_a_bug_shows_a_request_id_and_nothing_else(
    url: str, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    result = call(url, mode, "bug")
    assert result.is_error
    shown = result.model_dump_json()
    assert "Traceback" not in shown
    assert "ValueError" not in shown
    request_id = result.structured_content["error"]["requestId"]
    logged = next(record.getMessage() for record in caplog.records if request_id in record.message)
    assert "ValueError" in logged
    assert "***" in logged
    assert SECRET not in caplog.text


def test_an_unknown_tool_is_named_with_the_nearest(url: str, mode: str) -> None:
    async def story() -> int:
        async with Client(f"{url}/mcp", mode=mode) as client:
            with pytest.raises(MCPError, match="did you mean `greet`") as caught:
                await client.call_tool("gret", {})
            return caught.value.error.code

    assert asyncio.run(story()) == -32602


def test_progress_reaches_who_asked(server: Any, mode: str) -> None:
    seen: list[tuple[float, float | None, str | None]] = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        seen.append((done, total, message))

    async def story() -> Any:
        async with Client(server, mode=mode) as client:
            quiet = await client.call_tool("steps", {})
            return quiet, await client.call_tool("steps", {}, progress_callback=on_progress)

    quiet, told = asyncio.run(story())
    assert quiet.structured_content == {"progress": False}
    assert told.structured_content == {"progress": True}
    assert seen[:3] == [(1, 3, "step 1"), (2, 3, "step 2"), (3, 3, "step 3")]


def test_lists_are_empty_where_there_is_nothing(url: str, mode: str) -> None:
    async def story() -> None:
        async with Client(f"{url}/mcp", mode=mode) as client:
            assert (await client.list_prompts()).prompts == []
            assert (await client.list_resources()).resources == []
            assert (await client.list_resource_templates()).resource_templates == []
            with pytest.raises(MCPError, match="unknown prompt `x`"):
                await client.get_prompt("x", {})
            with pytest.raises(MCPError, match="unknown resource `file:///x`"):
                await client.read_resource("file:///x")
            with pytest.raises(MCPError, match="first page"):
                await client.list_tools(cursor="2")

    asyncio.run(story())


def test_many_callers_at_once(url: str, mode: str) -> None:
    async def story() -> list[Any]:
        async with Client(f"{url}/mcp", mode=mode) as client:
            calls = [client.call_tool("greet", {"name": str(n)}) for n in range(40)]
            return await asyncio.gather(*calls)

    results = asyncio.run(story())
    greetings = [result.structured_content["greeting"] for result in results]
    assert greetings == [f"hello {n}" for n in range(40)]
