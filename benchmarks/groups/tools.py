"""State machines as tools: ours against the published server, and against tools made by hand.

Over stdio both servers are started and asked by the official MCP client, as an MCP client does it;
over HTTP the other side is the SDK's low-level server.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, TextIO

import uvloop
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from benchmarks import load
from benchmarks.groups.mcp_tools import request
from benchmarks.groups.rest import CONNECTIONS, cpu_of
from benchmarks.measure import Row, Settings, bound_row, interleave, ratio_row
from benchmarks.processes import (
    CORES,
    NAFTIKO,
    ROOT,
    TOOLS,
    TOOLS_CAPABILITY,
    Server,
    aws_environment,
    start_baseline,
    start_tools,
    start_upstream,
)
from benchmarks.samples import FINISHED, PAGE, TOOL_ARGUMENTS, tool_names

PUBLISHED = "awslabs.stepfunctions-tool-mcp-server"
AGAINST = f"{PUBLISHED[8:]} 0.2.1"
STARTED_TOOLS = PAGE
"""One page of ListStateMachines: the published server reads no further."""
DESCRIBE_S = 0.005
AT_ONCE = 16
LISTS = 20

MANY_TOOLS = 250
LIST_CALLS, TOOL_CALLS, WARM_UP = 320, 2000, 160
REFRESH_S = 1
WINDOW_S = 10.0
START_TIMEOUT_S = 60.0

LIST = request("tools/list")
CALL = request("tools/call", tool_names(1)[0], arguments=TOOL_ARGUMENTS)
WAITING = load.request("GET", "/waiting")
LISTINGS = load.request("GET", "/asked/liststatemachines")


def rows(settings: Settings) -> Iterator[Row]:
    """Measure starts and parallel calls over stdio, then lists, calls and refreshes over HTTP."""
    delays = ("--delay", f"DescribeStateMachine={DESCRIBE_S}")
    with (
        Path(os.devnull).open("w", encoding="utf-8") as log,
        start_upstream("--machines", str(STARTED_TOOLS), *delays) as upstream,
    ):
        programs = _programs(upstream, log)
        yield _starts(programs, settings)
        yield from uvloop.run(_at_once(programs, upstream, settings))
    with start_upstream(
        "--machines", str(MANY_TOOLS), "--delay", "StartSyncExecution=0"
    ) as upstream:
        yield from _over_http(upstream, settings)


# ---------------------------------------------------------------------- stdio


Connect = Callable[[], AbstractAsyncContextManager[Client]]


def _programs(upstream: Server, log: TextIO) -> dict[str, Connect]:
    """Return what starts each program and connects; the published one logs each of its steps."""
    # StartSyncExecution would go to `sync-127.0.0.1`, which is no host; boto3 has this setting for
    # such endpoints, and ours leaves the prefix out by itself.
    environment = aws_environment(upstream.ports["upstream"])
    environment["AWS_DISABLE_HOST_PREFIX_INJECTION"] = "true"
    published = Path(sys.executable).with_name(PUBLISHED)
    if not published.exists():
        raise RuntimeError(f"{PUBLISHED} is not installed: it is the extra `compat`")
    ours = ["run", TOOLS_CAPABILITY, "--stdio", TOOLS]
    programs = {
        "ours": StdioServerParameters(command=NAFTIKO, args=ours, env=environment, cwd=ROOT),
        "published": StdioServerParameters(command=str(published), env=environment, cwd=ROOT),
    }
    return {name: partial(_connected, program, log) for name, program in programs.items()}


@contextlib.asynccontextmanager
async def _connected(program: StdioServerParameters, log: TextIO) -> AsyncIterator[Client]:
    """Start a program and connect as clients do by default; nothing is cached on this side."""
    async with Client(_pinned(program, log), cache=None) as client:
        yield client


@contextlib.asynccontextmanager
async def _pinned(program: StdioServerParameters, log: TextIO) -> AsyncIterator[Any]:
    """Start it on the core of what is tested; what it prints is not kept."""
    async with contextlib.AsyncExitStack() as stack:
        with CORES.spawning(tested=True):
            streams = await stack.enter_async_context(stdio_client(program, errlog=log))
        yield streams


async def _names(client: Client) -> set[str]:
    listed = await client.list_tools()
    if listed.next_cursor is not None:
        raise RuntimeError("a list of tools has several pages: more than one request is measured")
    return {tool.name for tool in listed.tools}


def _starts(programs: Mapping[str, Connect], settings: Settings) -> Row:
    expected = set(tool_names(STARTED_TOOLS))

    async def start(connect: Connect) -> float:
        started_at = time.perf_counter()
        async with connect() as client, asyncio.timeout(START_TIMEOUT_S):
            while not expected <= await _names(client):
                pass
            return (time.perf_counter() - started_at) * 1000

    def side(connect: Connect) -> Callable[[], float]:
        return lambda: uvloop.run(start(connect))

    sides = {name: side(connect) for name, connect in programs.items()}
    for measure in sides.values():
        measure()
    samples = interleave(sides, settings)
    return ratio_row(
        f"start to first list of {STARTED_TOOLS} discovered tools, wall",
        AGAINST,
        "ms",
        ours=samples["ours"],
        baseline=samples["published"],
        target=1,
    )


async def _at_once(
    programs: Mapping[str, Connect], upstream: Server, settings: Settings
) -> list[Row]:
    wall: dict[str, list[float]] = {name: [] for name in programs}
    beside: dict[str, list[float]] = {name: [] for name in programs}
    idle: list[float] = []
    control = await load.connect(upstream.ports["upstream"])
    async with contextlib.AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(connect()) for name, connect in programs.items()
        }
        for client in clients.values():
            await _names(client)  # what the client has to know to check results
            await _burst(client)
        for number in range(settings.rounds):
            for name in (list(clients), list(reversed(clients)))[number % 2]:
                client = clients[name]
                wall[name].append(await _burst(client))
                # The published server sends the next call when the last one is answered.
                in_flight = AT_ONCE if name == "ours" else 1
                lists = LISTS // 4 if name == "ours" else 1
                found = [await _list_beside(client, control, in_flight) for _ in range(lists)]
                beside[name].append(median(found))
            idle.append(median([await _list_ms(clients["ours"]) for _ in range(LISTS)]))
    control.close()
    calls = f"{AT_ONCE} Express calls of 100 ms at once"
    listed = f"tools/list ({STARTED_TOOLS}) beside {AT_ONCE} such calls"
    return [
        ratio_row(
            f"{calls}, wall",
            AGAINST,
            "ms",
            ours=wall["ours"],
            baseline=wall["published"],
            target=0.1,
        ),
        ratio_row(
            listed, "the same without them", "ms", ours=beside["ours"], baseline=idle, target=3
        ),
        ratio_row(
            listed, AGAINST, "ms", ours=beside["ours"], baseline=beside["published"], target=None
        ),
    ]


async def _burst(client: Client) -> float:
    """Return the milliseconds that all the calls take together."""
    start = time.perf_counter()
    await asyncio.gather(*_calls(client))
    return (time.perf_counter() - start) * 1000


def _calls(client: Client) -> list[asyncio.Task[None]]:
    names = tool_names(AT_ONCE)
    return [asyncio.create_task(_call(client, name)) for name in names]


async def _call(client: Client, name: str) -> None:
    answer = await client.call_tool(name, TOOL_ARGUMENTS)
    text = getattr(answer.content[0], "text", "")
    if answer.is_error or not text.endswith(f" returned: {FINISHED['output']}"):
        raise RuntimeError(f"a tool did not do its work: {text[:500]}")


async def _list_beside(client: Client, control: load.Connection, in_flight: int) -> float:
    calls = _calls(client)
    while int((await control.send(WAITING)).rsplit(b"\r\n", 1)[1]) < in_flight:  # noqa: ASYNC110 - asks another process
        await asyncio.sleep(0.001)
    listed_ms = await _list_ms(client)
    await asyncio.gather(*calls)
    return listed_ms


async def _list_ms(client: Client) -> float:
    start = time.perf_counter()
    await _names(client)
    return (time.perf_counter() - start) * 1000


# ----------------------------------------------------------------------- HTTP


def _over_http(upstream: Server, settings: Settings) -> Iterator[Row]:
    with (
        start_tools(upstream, EXECUTION_TOOLS="none") as ours,
        start_baseline("mcp_lowlevel_tools", upstream) as lowlevel,
    ):
        ports = {
            "ours": (ours, ours.ports["mcp"]),
            "lowlevel": (lowlevel, lowlevel.ports["baseline"]),
        }
        for server, port in ports.values():
            _until_listed(port)
            server.settle()
            _check_call(load.send_once(port, CALL))
        listed = f"tools/list ({MANY_TOOLS} discovered), {CONNECTIONS} clients"
        against = f"the SDK's low-level server, {MANY_TOOLS} tools"
        for kind, measured in (("wall", _wall_us), ("CPU", cpu_of)):
            calls = settings.calls(LIST_CALLS)
            yield _http_row(
                f"{listed}, {kind} a call",
                against,
                _sides(ports, measured, LIST, calls),
                settings,
                1,
            )
        yield _http_row(
            f"tools/call of a discovered Express tool, {CONNECTIONS} clients, CPU a call",
            "the SDK's low-level server, by hand",
            _sides(ports, cpu_of, CALL, settings.calls(TOOL_CALLS)),
            settings,
            2.5,
        )
        yield _refresh(ours, settings)


Measured = Callable[[Server, int, bytes, int], Callable[[], float]]


def _sides(
    ports: Mapping[str, tuple[Server, int]], measured: Measured, raw: bytes, calls: int
) -> dict[str, Callable[[], float]]:
    for _, port in ports.values():
        load.load(port, raw, calls=min(calls, WARM_UP), connections=CONNECTIONS)
    return {name: measured(server, port, raw, calls) for name, (server, port) in ports.items()}


def _wall_us(_server: Server, port: int, raw: bytes, calls: int) -> Callable[[], float]:
    """Return a measurement: the time from one answer to the next, the inverse of the rate."""
    rounded = max(calls // CONNECTIONS, 1) * CONNECTIONS
    return lambda: load.load(port, raw, calls=rounded, connections=CONNECTIONS) / rounded * 1e6


def _http_row(
    work: str,
    against: str,
    sides: Mapping[str, Callable[[], float]],
    settings: Settings,
    target: float,
) -> Row:
    samples = interleave(sides, settings)
    return ratio_row(
        work, against, "us", ours=samples["ours"], baseline=samples["lowlevel"], target=target
    )


def _until_listed(port: int) -> None:
    """Wait for all tools: descriptions beyond 200 come at AWS's rate of 20 a second."""
    expected = tool_names(MANY_TOOLS)
    until = time.monotonic() + START_TIMEOUT_S
    while True:
        result = load.send_once(port, LIST)["result"]
        if [tool["name"] for tool in result["tools"]] == expected:
            return
        if time.monotonic() > until:
            raise RuntimeError(f"{len(result['tools'])} of {MANY_TOOLS} tools are listed")
        time.sleep(0.5)


def _check_call(answer: Any) -> None:
    result = answer["result"]
    text = result["content"][0]["text"]
    if result.get("isError") or not text.endswith(f" returned: {FINISHED['output']}"):
        raise RuntimeError(f"a tool did not do its work: {str(answer)[:500]}")


def _refresh(idle: Server, settings: Settings) -> Row:
    """Measure a server that refreshes each second, less what one that does not takes meanwhile."""
    pages = -(-MANY_TOOLS // PAGE)
    window_s = WINDOW_S / 5 if settings.quick else WINDOW_S
    samples: list[float] = []
    with (
        start_upstream("--machines", str(MANY_TOOLS)) as upstream,
        start_tools(upstream, EXECUTION_TOOLS="none", DISCOVERY_REFRESH=f"{REFRESH_S}s") as busy,
    ):
        _until_listed(busy.ports["mcp"])
        idle.settle()
        for _ in range(settings.rounds):
            asked, before, idle_before = _listings(upstream), busy.cpu_s, idle.cpu_s
            time.sleep(window_s)
            spent_s = (busy.cpu_s - before) - (idle.cpu_s - idle_before)
            samples.append(spent_s * 1000 / ((_listings(upstream) - asked) / pages))
    return bound_row(
        f"refresh of {MANY_TOOLS} unchanged state machines, CPU", "ms", ours=samples, target=None
    )


def _listings(upstream: Server) -> int:
    answer = load.send_once(upstream.ports["upstream"], LISTINGS)
    assert isinstance(answer, int)
    return answer
