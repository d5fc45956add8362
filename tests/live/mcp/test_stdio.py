"""stdio: a subprocess, its lines, and how it ends. The client's view is in test_client.py."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from mcp.shared.message import SessionMessage
from mcp_types.jsonrpc import jsonrpc_message_adapter

from naftiko.exposes.mcp.stdio import _Unanswered

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


class Server:
    """The demo over pipes."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.live.mcp.mcp_demo", "stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def send(self, *lines: bytes | dict[str, Any]) -> None:
        assert self.process.stdin is not None
        for line in lines:
            data = line if isinstance(line, bytes) else json.dumps(line).encode()
            self.process.stdin.write(data + b"\n")
        self.process.stdin.flush()

    def read(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def end(self) -> tuple[str, str]:
        out, err = self.process.communicate(timeout=20)
        return out.decode(), err.decode()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.process.kill()
    server.process.communicate()


def test_a_session_from_hello_to_the_end_of_input(server: Server) -> None:
    server.send(INITIALIZE)
    assert server.read()["result"]["serverInfo"]["name"] == "demo"
    server.send({"jsonrpc": "2.0", "method": "notifications/initialized"}, b"", b"  ")
    server.send({"jsonrpc": "2.0", "id": "x", "method": "tools/call", "params": {"name": "names"}})
    answer = server.read()
    assert (answer["id"], answer["result"]["structuredContent"]) == ("x", {"result": ["a", "b"]})
    out, err = server.end()
    assert out == ""
    assert err == "ended by None\n"
    assert server.process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quietly_while_a_call_runs(server: Server, number: signal.Signals) -> None:
    server.send(INITIALIZE)
    server.read()
    server.send(
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "wait"}},
        {"jsonrpc": "2.0", "id": 3, "method": "ping"},
    )
    assert server.read() == {"jsonrpc": "2.0", "id": 3, "result": {}}
    server.process.send_signal(number)
    # stdin stays open: the end must not wait for the client.
    assert server.process.wait(20) == 0
    _, err = server.end()
    assert err.splitlines() == [f"ended by {number!s}"]


BAD_LINES: list[tuple[bytes, int, int | None]] = [
    (b"{", -32700, None),
    (b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":NaN}}', -32700, None),
    (b"[]", -32600, None),
    (b'{"jsonrpc":"2.0","id":true,"method":"x"}', -32600, None),
    (b'{"jsonrpc":"2.0","id":4,"method":""}', -32600, 4),
    (b'{"jsonrpc":"2.0","id":4,"error":7}', -32600, 4),
    (b'"' + b"x" * (4 * 2**20) + b'"', -32600, None),
]


def test_bad_lines_are_answered_and_the_next_ones_served(server: Server) -> None:
    for line, code, request_id in BAD_LINES:
        server.send(line)
        refused = server.read()
        assert (refused["error"]["code"], refused["id"]) == (code, request_id), line[:80]
    server.send(INITIALIZE)
    assert server.read()["id"] == 1


def test_a_notification_cancels(server: Server) -> None:
    server.send(
        INITIALIZE,
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "wait"}},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}},
        {"jsonrpc": "2.0", "id": 3, "method": "ping"},
    )
    assert server.read()["id"] == 1
    assert {server.read()["id"]} == {3}


def test_the_end_waits_for_no_call_that_was_cancelled() -> None:
    def sent(**body: Any) -> SessionMessage:
        return SessionMessage(jsonrpc_message_adapter.validate_python({"jsonrpc": "2.0", **body}))

    async def story() -> None:
        unanswered = _Unanswered()
        for number in (1, "two"):
            unanswered.asked(sent(id=number, method="tools/call", params={"name": "wait"}))
        for number in (1, "two", "unknown", None):
            params = {"requestId": number}
            unanswered.asked(sent(method="notifications/cancelled", params=params))
        with anyio.fail_after(20):
            await unanswered.none()

    anyio.run(story)


def test_prints_do_not_reach_the_wire() -> None:
    program = """
import asyncio, os
from naftiko.exposes.mcp import serve_stdio
from naftiko.plan.ports import Result
from tests.live.mcp.mcp_demo import INFO, adapter, masker, tool

async def noisy(run):
    print("printed")
    os.write(1, b"written\\n")
    return Result(value="fine")

asyncio.run(serve_stdio(adapter(tool("noisy", noisy)), info=INFO, masker=masker()))
"""
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "noisy"}}
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    lines = "".join(json.dumps(line) + "\n" for line in (INITIALIZE, note, call))
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(lines)
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(2)]
        out, err = process.communicate(timeout=20)
    assert answers[1]["result"]["content"][0]["text"] == "fine"
    assert out == ""
    assert "printed" in err
    assert "written" in err
