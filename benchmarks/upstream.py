"""A stand-in for AWS that costs next to nothing: canned answers by X-Amz-Target.

`python -m benchmarks.upstream` listens on a free port of 127.0.0.1 and prints it. Checks no
signature. `GET /waiting` tells how many answers are being delayed.
"""

from __future__ import annotations

import asyncio
import json
from typing import cast

import uvloop

from benchmarks.samples import (
    FINISHED,
    MACHINES,
    NO_TASK,
    POLL_S,
    STARTED,
    SYNC_EXECUTION_S,
)
from benchmarks.serving import announce

_HEAD = (
    "HTTP/1.1 {status}\r\n"
    "x-amzn-RequestId: 00000000-0000-4000-8000-000000000000\r\n"
    "Content-Type: application/x-amz-json-1.0\r\n"
    "Content-Length: {length}\r\n\r\n"
)


def _answer(value: object, status: str = "200 OK") -> bytes:
    body = json.dumps(value, separators=(",", ":")).encode()
    return _HEAD.format(status=status, length=len(body)).encode() + body


ANSWERS = {
    b"awsstepfunctions.liststatemachines": (0.0, _answer(MACHINES)),
    b"awsstepfunctions.startexecution": (0.0, _answer(STARTED)),
    b"awsstepfunctions.startsyncexecution": (SYNC_EXECUTION_S, _answer(FINISHED)),
    b"awsstepfunctions.getactivitytask": (POLL_S, _answer(NO_TASK)),
}
UNKNOWN = _answer({"__type": "UnknownOperationException", "message": "not here"}, "400 Bad Request")


class Upstream(asyncio.Protocol):
    """One connection. Requests are answered one after another, as HTTP/1.1 clients send them."""

    waiting = 0

    def __init__(self) -> None:
        """Start with an empty buffer."""
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transport is one by what it can do, not by its class.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of it."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            total = end + 4 + int(_header(head, b"content-length") or b"0")
            if len(self._buffer) < total:
                return
            self._buffer = self._buffer[total:]
            self._reply(head)

    def _reply(self, head: bytes) -> None:
        if head.startswith(b"get /waiting "):
            self._write(_answer(Upstream.waiting))
            return
        delay_s, answer = ANSWERS.get(_header(head, b"x-amz-target"), (0.0, UNKNOWN))
        if not delay_s:
            self._write(answer)
            return
        Upstream.waiting += 1
        asyncio.get_running_loop().call_later(delay_s, self._write_late, answer)

    def _write_late(self, answer: bytes) -> None:
        Upstream.waiting -= 1
        self._write(answer)

    def _write(self, answer: bytes) -> None:
        if self._transport is not None:
            self._transport.write(answer)


def _header(head: bytes, name: bytes) -> bytes:
    start = head.find(b"\r\n" + name + b":")
    if start < 0:
        return b""
    start += len(name) + 3
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else len(head)].strip()


async def main() -> None:
    """Serve for ever."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", 0, backlog=4096)
    announce("upstream", server.sockets[0].getsockname()[1])
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
