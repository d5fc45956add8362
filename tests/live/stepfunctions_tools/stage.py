"""Where the stories play: machines on a sandbox, and the capability before them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp import StdioServerParameters
from mcp_types import LoggingMessageNotification, ToolListChangedNotification

from naftiko.sandbox import Sandbox
from tests.case_files import ROOT
from tests.live.mcp.clients import connect
from tests.live.sandbox.conftest import ROLE
from tests.live.serving import Served, serving
from tests.live.waiting import until

FILE = ROOT / "capabilities/stepfunctions-tools.yaml"
NAMESPACE = "stepfunctions-tools"
MODES = ("legacy", "2026-07-28")
COMPANIONS = {
    "get-execution",
    "list-executions",
    "get-execution-history",
    "stop-execution",
    "redrive-execution",
}
STORY_S = 60

Json = dict[str, Any]


def states(**members: Json) -> Json:
    """Return a definition of these states; the first one is where it starts."""
    return {"StartAt": next(iter(members)), "States": members}


def ends(**state: Any) -> Json:
    """Return the last state of a machine."""
    return {**state, "End": True}


FOREVER = states(Wait=ends(Type="Wait", Seconds=3600))
PASS = states(Pass=ends(Type="Pass"))


@dataclass(frozen=True)
class Aws:
    """The sandbox and a client on it."""

    sandbox: Sandbox
    client: Any = field(repr=False)

    def machine(self, name: str, definition: Json = PASS, **fields: Any) -> str:
        """Create a machine and return its ARN."""
        made = self.client.create_state_machine(
            name=name, definition=json.dumps(definition), roleArn=ROLE, **fields
        )
        return str(made["stateMachineArn"])

    def express(self, name: str, definition: Json = PASS, **fields: Any) -> str:
        """Create an Express machine and return its ARN."""
        return self.machine(name, definition, type="EXPRESS", **fields)

    def status(self, execution: str) -> str:
        """Return the status of an execution."""
        return str(self.client.describe_execution(executionArn=execution)["status"])

    def executions(self, machine: str) -> list[str]:
        """Return the ARNs of a machine's executions, newest first."""
        found = self.client.list_executions(stateMachineArn=machine)["executions"]
        return [str(item["executionArn"]) for item in found]

    def ended(self, execution: str) -> str:
        """Wait for the end of an execution and return its status."""

        def look() -> str | None:
            status = self.status(execution)
            return None if status == "RUNNING" else status

        return until(look)

    def only_execution(self, machine: str) -> str:
        """Wait for the first execution of a machine."""
        return until(lambda: next(iter(self.executions(machine)), None))

    def environment(self, prefix: str, **settings: str) -> dict[str, str]:
        """Return what the capability is started with."""
        # What discovery waits for are machines on this computer: nothing is slow, all is bounded.
        given = {"STATE_MACHINE_PREFIX": prefix, "EXECUTION_WAIT": "20s", "DISCOVERY_WAIT": "20s"}
        return {**self.sandbox.environment(), **given, **settings}

    @contextlib.contextmanager
    def serving(
        self,
        prefix: str,
        settings: Mapping[str, str] | None = None,
        *,
        read_only: bool = False,
        **more: str,
    ) -> Iterator[Served]:
        """Serve the capability over HTTP, in this process."""
        environment = self.environment(prefix, **(settings or {}), **more)
        with serving(FILE, environment=environment, sandbox=True, read_only=read_only) as served:
            yield served

    def stdio(self, prefix: str, **settings: str) -> StdioServerParameters:
        """Return the command that serves the capability over stdio."""
        return stdio(self.environment(prefix, **settings))


def stdio(environment: Mapping[str, str]) -> StdioServerParameters:
    """Return the command that serves the capability over stdio, in this environment."""
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "naftiko", "run", str(FILE), "--stdio", NAMESPACE],
        env=dict(environment),
    )


def url(served: Served) -> str:
    """Return where the tools are served."""
    return served.urls[NAMESPACE] + "/mcp"


class Heard:
    """What a server says beside its answers."""

    def __init__(self) -> None:
        self.changes = 0
        self.logs: list[tuple[str, Any]] = []
        self.progress: list[str] = []
        self._news = asyncio.Event()

    async def message(self, message: Any) -> None:
        """Take a notification."""
        if isinstance(message, ToolListChangedNotification):
            self.changes += 1
        if isinstance(message, LoggingMessageNotification):
            self.logs.append((message.params.level, message.params.data))
        self._news.set()

    async def told(self, _done: float, _total: float | None, text: str | None) -> None:
        """Take the progress of a call."""
        self.progress.append(text or "")
        self._news.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something was heard that makes this true."""
        while not holds():
            self._news.clear()
            await asyncio.wait_for(self._news.wait(), STORY_S)

    async def started(self) -> str:
        """Wait for the progress that names the execution, and return its ARN."""
        said = "Started execution "
        await self.until(lambda: any(text.startswith(said) for text in self.progress))
        found = next(text for text in self.progress if text.startswith(said))
        return found.removeprefix(said)


Story = Callable[[Any, Heard], Awaitable[None]]


def tell(server: Any, mode: str, story: Story, **more: Any) -> None:
    """Let the official client live a story."""

    async def run() -> None:
        heard = Heard()
        given = {"message_handler": heard.message, "cache": None, **more}
        async with connect(server, mode, **given) as client:
            failures = await asyncio.gather(
                asyncio.wait_for(story(client, heard), STORY_S), return_exceptions=True
            )
        # Raised here, it is not wrapped into the groups of the client's tasks.
        if isinstance(failures[0], BaseException):
            raise failures[0]

    asyncio.run(run())


async def soon(look: Callable[[], Any]) -> Any:
    """Look from a thread until there is something to see."""
    return await asyncio.to_thread(until, look)


async def names(client: Any) -> set[str]:
    """Return the names of the tools, as the server lists them now."""
    return {tool.name for tool in (await client.list_tools()).tools}


async def listed(client: Any, name: str, *, present: bool = True) -> None:
    """Wait until a tool is in the list, or is not."""
    async with asyncio.timeout(STORY_S):
        while (name in await names(client)) != present:  # noqa: ASYNC110  # nobody says when
            await asyncio.sleep(0.05)


async def use(client: Any, tool: str, /, **arguments: Any) -> Any:
    """Call a tool that must do what it is for; return its structured content."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content[0].text
    return result.structured_content


async def refused(client: Any, tool: str, /, **arguments: Any) -> str:
    """Call a tool that must refuse; return what it says."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.content[0].text
    return str(result.content[0].text)


class Worker:
    """Somebody who answers an activity's tasks, in a thread, until the block ends."""

    def __init__(self, client: Any, activity: str, answer: Callable[[Any], Any]) -> None:
        self._client, self._activity, self._answer = client, activity, answer
        self.seen: list[Any] = []
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)

    def __enter__(self) -> Worker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(STORY_S)
        assert not self._thread.is_alive()

    def _work(self) -> None:
        task = self._client.get_activity_task(activityArn=self._activity, workerName="worker")
        given = json.loads(task["input"])
        self.seen.append(given)
        output = json.dumps(self._answer(given))
        self._client.send_task_success(taskToken=task["taskToken"], output=output)
