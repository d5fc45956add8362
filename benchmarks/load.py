"""HTTP load from this process: raw keep-alive connections that wait for each answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any, cast

import uvloop

from benchmarks.samples import ARN


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection, one request at a time."""

    def __init__(self) -> None:
        """Start without a request."""
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._buffer = b""
        self._total = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transport is one by what it can do, not by its class.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the request that waits."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the server hung up"))

    def data_received(self, data: bytes) -> None:
        """Gather one answer."""
        self._buffer += data
        if not self._total:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._total = end + 4 + _content_length(self._buffer[:end])
        if len(self._buffer) >= self._total:
            answer, self._buffer, self._total = self._buffer, b"", 0
            assert self._answer is not None
            self._answer.set_result(answer)

    async def send(self, request: bytes) -> bytes:
        """Send a whole request, return the whole answer, which must be a 200."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        answer = await self._answer
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"unexpected answer: {answer[:2000].decode(errors='replace')}")
        return answer

    def close(self) -> None:
        """Close it."""
        if self._transport is not None:
            self._transport.close()


async def connect(port: int) -> Connection:
    """Open a connection to 127.0.0.1."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
    return connection


def request(
    method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
) -> bytes:
    """Return the bytes of a request with a JSON body."""
    content = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: */*"]
    if content:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


def send_once(port: int, raw: bytes) -> Any:
    """Send one request; return its answer as JSON."""

    async def once() -> bytes:
        connection = await connect(port)
        try:
            return await connection.send(raw)
        finally:
            connection.close()

    return json.loads(uvloop.run(once()).split(b"\r\n\r\n", 1)[1])


def load(port: int, raw: bytes, *, calls: int, connections: int) -> float:
    """Send about that many requests over that many connections; return the seconds it took."""

    async def worker(connection: Connection) -> None:
        for _ in range(calls // connections):
            await connection.send(raw)

    async def run() -> float:
        opened = [await connect(port) for _ in range(connections)]
        start = time.perf_counter()
        await asyncio.gather(*map(worker, opened))
        seconds = time.perf_counter() - start
        for connection in opened:
            connection.close()
        return seconds

    return uvloop.run(run())


def machine_names(answer: Any) -> list[str]:
    """Return the names in an answer about state machines, to see that both sides did the work."""
    machines = answer["stateMachines"]
    if not all(item["stateMachineArn"].startswith(ARN) for item in machines):
        raise RuntimeError("an answer holds other state machines than the upstream's")
    return [item["name"] for item in machines]


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    raise RuntimeError(f"an answer without Content-Length: {head.decode(errors='replace')}")
