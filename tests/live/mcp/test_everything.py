"""The official client against a capability that has one of each thing: eras and transports."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import shutil
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError, StdioServerParameters
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp_types import (
    CreateMessageResult,
    ElicitResult,
    ListRootsResult,
    PromptReference,
    ResourceTemplateReference,
    ResourceUpdatedNotification,
    Root,
    TextContent,
)

from tests.live.mcp.clients import connect
from tests.live.serving import serving

EVERYTHING = Path(__file__).parents[2] / "cases/capabilities/mcp-everything"
MODES = ("legacy", "2026-07-28")

pytestmark = pytest.mark.filterwarnings(
    "ignore::mcp.shared.exceptions.MCPDeprecationWarning"  # logging and roots, still in use
)
assert issubclass(MCPDeprecationWarning, Warning)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, because a test writes a file in it."""
    copy = tmp_path_factory.mktemp("everything") / "capability"
    shutil.copytree(EVERYTHING, copy)
    return copy


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with serving(folder / "capability.yaml") as served:
        yield served.urls["everything"] + "/mcp"


@pytest.fixture(params=["http", "stdio"])
def server(request: pytest.FixtureRequest, url: str, folder: Path) -> Any:
    if request.param == "http":
        return url
    file = str(folder / "capability.yaml")
    return StdioServerParameters(
        command=sys.executable, args=["-m", "naftiko", "run", "--stdio", "everything", file]
    )


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def _elicited(_context: Any, params: Any) -> ElicitResult:
    names = list(params.requested_schema["properties"])
    given: dict[str, Any] = {"name": "Ada", "color": "blue", "ok": True, "context": "rain"}
    return ElicitResult(action="accept", content={name: given.get(name, "x") for name in names})


async def _sampled(_context: Any, params: Any) -> CreateMessageResult:
    asked = params.messages[0].content.text
    return CreateMessageResult(
        role="assistant", content=TextContent(text=f"<{asked}>"), model="none"
    )


async def _roots(_context: Any) -> ListRootsResult:
    return ListRootsResult(roots=[Root.model_validate({"uri": "file:///here"})])


@contextlib.asynccontextmanager
async def _client(server: Any, mode: str, **more: Any) -> Any:
    async with connect(
        server,
        mode,
        elicitation_callback=_elicited,
        sampling_callback=_sampled,
        list_roots_callback=_roots,
        **more,
    ) as client:
        yield client


class Sessions:
    """Clients that stay open for the tests of this file: a process a test takes a second."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._open: dict[tuple[str, str], Any] = {}
        self._over = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def run(
        self, server: Any, mode: str, story: Callable[[Any], Coroutine[Any, Any, None]]
    ) -> None:
        self._runner.run(self._run(server, mode, story))

    def close(self) -> None:
        self._runner.run(self._close())

    async def _run(self, server: Any, mode: str, story: Any) -> None:
        key = (repr(server), mode)
        if key not in self._open:
            opened = asyncio.get_running_loop().create_future()
            self._tasks.append(asyncio.create_task(self._hold(server, mode, opened)))
            self._open[key] = await opened
        await asyncio.wait_for(story(self._open[key]), 60)

    async def _hold(self, server: Any, mode: str, opened: asyncio.Future[Any]) -> None:
        try:
            async with _client(server, mode) as client:
                opened.set_result(client)
                await self._over.wait()
        except BaseException as error:
            if opened.done():
                raise
            opened.set_exception(error)

    async def _close(self) -> None:
        self._over.set()
        await asyncio.gather(*self._tasks)


@pytest.fixture(scope="module")
def sessions(url: str) -> Iterator[Sessions]:
    """Close before the server of `url` does."""
    with asyncio.Runner() as runner:
        held = Sessions(runner)
        yield held
        held.close()


def _text(result: Any) -> str:
    return str(result.content[0].text)


def test_content_of_every_kind(sessions: Sessions, server: Any, mode: str) -> None:
    async def story(client: Any) -> None:
        assert _text(await client.call_tool("test_simple_text")).startswith("This is a simple")
        png = (EVERYTHING / "files/red.png").read_bytes()
        image = (await client.call_tool("test_image_content")).content[0]
        assert (image.mime_type, base64.b64decode(image.data)) == ("image/png", png)
        audio = (await client.call_tool("test_audio_content")).content[0]
        assert (audio.type, audio.mime_type) == ("audio", "audio/wav")
        mixed = (await client.call_tool("test_multiple_content_types")).content
        assert [block.type for block in mixed] == ["text", "image", "resource"]
        failed = await client.call_tool("test_error_handling")
        assert failed.is_error
        assert "intentionally returns an error" in _text(failed)

    sessions.run(server, mode, story)


@pytest.mark.parametrize(
    ("tool", "text"),
    [
        ("test_input_required_result_elicitation", "Hello, Ada!"),
        ("test_input_required_result_sampling", "<What is the capital of France?>"),
        ("test_input_required_result_list_roots", 'Roots: [{"uri":"file:///here"}]'),
        ("test_input_required_result_multiple_inputs", "<Generate a greeting>, Ada"),
        ("test_input_required_result_multi_round", "Ada likes blue."),
        ("test_streaming_elicitation", "accept"),
    ],
)
def test_questions_to_the_caller(
    sessions: Sessions, server: Any, mode: str, tool: str, text: str
) -> None:
    async def story(client: Any) -> None:
        result = await client.call_tool(tool)
        assert (_text(result), result.is_error) == (text, False)

    sessions.run(server, mode, story)


def test_a_prompt_may_ask_too(sessions: Sessions, server: Any, mode: str) -> None:
    async def story(client: Any) -> None:
        prompt = await client.get_prompt("test_input_required_result_prompt")
        assert prompt.messages[0].content.text == "Use this context: rain"

    sessions.run(server, mode, story)


def test_a_client_that_cannot_be_asked_is_told(url: str, mode: str) -> None:
    async def story() -> None:
        async with connect(url, mode, elicitation_callback=_elicited) as client:
            if mode == "legacy":
                refused = await client.call_tool("test_missing_capability")
                assert refused.is_error
                assert "`sampling`" in _text(refused)
            else:
                with pytest.raises(MCPError, match="`sampling`") as caught:
                    await client.call_tool("test_missing_capability")
                assert caught.value.error.code == -32021
            # An optional question that cannot be asked is left out.
            result = await client.call_tool("test_input_required_result_capabilities")
            assert _text(result) == ", Ada"

    asyncio.run(story())


def test_state_that_was_changed_is_refused(url: str) -> None:
    async def story() -> None:
        async with _client(url, "2026-07-28") as client:
            call = client.session.call_tool
            tool = "test_input_required_result_request_state"
            first = await call(tool, {}, allow_input_required=True)
            answers = {"confirm": ElicitResult(action="accept", content={"ok": True})}
            done = await call(
                tool,
                {},
                input_responses=answers,
                request_state=first.request_state,
                allow_input_required=True,
            )
            assert _text(done) == "state-ok: true"
            for state, name in (
                (first.request_state + "x", tool),
                (first.request_state, "test_input_required_result_elicitation"),
            ):
                with pytest.raises(MCPError, match="requestState") as caught:
                    await call(
                        name,
                        {},
                        input_responses=answers,
                        request_state=state,
                        allow_input_required=True,
                    )
                assert caught.value.error.code == -32602

    asyncio.run(story())


def test_an_answer_that_does_not_fit_is_asked_for_again(url: str) -> None:
    async def story() -> None:
        async with _client(url, "2026-07-28") as client:
            again = await client.session.call_tool(
                "test_input_required_result_elicitation",
                {},
                input_responses={"user_name": ElicitResult(action="accept", content={"name": 7})},
                allow_input_required=True,
            )
            assert list(again.input_requests) == ["user_name"]

    asyncio.run(story())


def test_progress_and_log_messages(server: Any, mode: str) -> None:
    async def story() -> None:
        heard: list[tuple[str, Any]] = []
        progress: list[tuple[float, float | None]] = []

        async def on_log(params: Any) -> None:
            heard.append((params.level, params.data))

        async def on_progress(done: float, total: float | None, _message: str | None) -> None:
            progress.append((done, total))

        level: Any = {} if mode == "legacy" else {"log_level": "info"}
        async with _client(server, mode, logging_callback=on_log, **level) as client:
            await client.call_tool("test_tool_with_progress", progress_callback=on_progress)
            assert progress == [(0, 100), (50, 100), (100, 100)]
            await client.call_tool("test_tool_with_logging")
            assert [data for _, data in heard] == [
                "Tool execution started",
                "Tool processing data",
                "Tool execution completed",
            ]
            if mode == "legacy":
                heard.clear()
                await client.set_logging_level("error")
                await client.call_tool("test_logging_tool")
                assert not heard

    asyncio.run(story())


def test_resources_and_templates(sessions: Sessions, server: Any, mode: str) -> None:
    async def story(client: Any) -> None:
        listed = {str(item.uri): item for item in (await client.list_resources()).resources}
        assert list(listed) == [
            "test://static-text",
            "test://static-binary",
            "test://watched-resource",
            "test://files/red.png",
            "test://files/silence.wav",
            "test://files/static.txt",
            "test://files/watched.txt",
        ]
        assert listed["test://files/static.txt"].mime_type == "text/plain"
        templates = (await client.list_resource_templates()).resource_templates
        assert [item.uri_template for item in templates] == ["test://template/{id}/data"]
        text = (await client.read_resource("test://static-text")).contents[0]
        assert text.text == "This is the content of the static text resource."
        blob = (await client.read_resource("test://files/red.png")).contents[0]
        png = (EVERYTHING / "files/red.png").read_bytes()
        assert (base64.b64decode(blob.blob), blob.mime_type) == (png, "image/png")
        data = (await client.read_resource("test://template/a%20b/data")).contents[0]
        assert data.text == '{"id":"a b","templateTest":true,"data":"Data for ID: a b"}'
        for uri in (
            "test://nowhere",
            "test://files/../capability.yaml",
            "test://files/%2e%2e/capability.yaml",
            "test://files",
            "test://files/none.txt",
        ):
            with pytest.raises(MCPError) as caught:
                await client.read_resource(uri)
            assert caught.value.error.code == -32602
            assert caught.value.error.data["uri"].startswith("test://")

    sessions.run(server, mode, story)


def test_prompts_and_completion(sessions: Sessions, server: Any, mode: str) -> None:
    async def story(client: Any) -> None:
        listed = {item.name: item for item in (await client.list_prompts()).prompts}
        assert [item.name for item in listed["test_prompt_with_arguments"].arguments] == [
            "arg1",
            "arg2",
        ]
        filled = await client.get_prompt(
            "test_prompt_with_arguments", {"arg1": "{{arg2}}", "arg2": "{arg1}"}
        )
        # What an argument holds is never a placeholder.
        text = filled.messages[0].content.text
        assert text == "Prompt with arguments: arg1='{{arg2}}', arg2='{arg1}'"
        embedded = await client.get_prompt(
            "test_prompt_with_embedded_resource", {"resourceUri": "test://x"}
        )
        assert str(embedded.messages[0].content.resource.uri) == "test://x"
        picture = await client.get_prompt("test_prompt_with_image")
        assert picture.messages[0].content.type == "image"
        for name, arguments in (
            ("test_prompt_with_arguments", {"arg1": "x"}),
            ("test_prompt_with_arguments", {"arg1": "x", "arg2": "y", "arg3": "z"}),
            ("nobody", {}),
        ):
            with pytest.raises(MCPError) as caught:
                await client.get_prompt(name, arguments)
            assert caught.value.error.code == -32602
        reference = PromptReference(name="test_prompt_with_arguments")
        found = await client.complete(reference, {"name": "arg1", "value": "par"})
        assert found.completion.values == ["paris", "park", "party"]
        template = ResourceTemplateReference(uri="test://template/{id}/data")
        found = await client.complete(template, {"name": "id", "value": "12"})
        assert (found.completion.values, found.completion.total) == (["123", "124"], 2)

    sessions.run(server, mode, story)


def test_who_subscribed_hears_of_a_change(url: str, mode: str, folder: Path) -> None:
    uri = "test://watched-resource"

    async def story() -> None:
        changed = asyncio.Event()

        async def on_message(message: Any) -> None:
            if isinstance(message, ResourceUpdatedNotification):
                assert str(message.params.uri) == uri
                changed.set()

        async def write() -> None:
            number = 0
            while not changed.is_set():
                number += 1
                (folder / "files/watched.txt").write_text(f"{mode} {number}\n" * number)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), 0.5)

        async with _client(url, mode, message_handler=on_message) as client:
            if mode == "legacy":
                await client.subscribe_resource(uri)
                await asyncio.wait_for(write(), 20)
                await client.unsubscribe_resource(uri)
                return
            async with client.listen(resource_subscriptions=[uri]) as events:
                writing = asyncio.create_task(write())
                event = await asyncio.wait_for(anext(aiter(events)), 20)
                assert str(event.uri) == uri
                changed.set()
                await writing

    asyncio.run(story())


def test_lists_that_cannot_change_do_not_say_they_can(url: str, mode: str) -> None:
    async def story() -> None:
        async with _client(url, mode) as client:
            offered = client.server_capabilities
            if mode == "legacy":
                assert offered.resources.subscribe
                assert not offered.tools.list_changed
                assert not offered.resources.list_changed

    asyncio.run(story())
