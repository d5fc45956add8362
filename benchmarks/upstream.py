"""A stand-in for AWS that costs next to nothing: canned answers by X-Amz-Target.

`python -m benchmarks.upstream` listens on a free port of 127.0.0.1 and prints it. Checks no
signature. `GET /waiting` tells how many answers are being delayed, `GET /asked/OPERATION` how many
requests of an operation there were.

    --machines N                  that many Express state machines, in pages of 100 as AWS has them
    --delay OPERATION=SECONDS     how long the answers of an operation take
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import ClassVar, cast

import uvloop

from benchmarks.samples import (
    ACCOUNT,
    FINISHED,
    MACHINES,
    NO_TASK,
    PAGE,
    POLL_S,
    STARTED,
    SYNC_EXECUTION_S,
    described,
    express_machines,
)
from benchmarks.serving import announce

_IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    f"<GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:root</Arn><UserId>{ACCOUNT}</UserId>"
    f"<Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
).encode()
_HEAD = (
    "HTTP/1.1 {status}\r\n"
    "x-amzn-RequestId: 00000000-0000-4000-8000-000000000000\r\n"
    "Content-Type: application/x-amz-json-1.0\r\n"
    "Content-Length: {length}\r\n\r\n"
)


def _answer(value: object, status: str = "200 OK") -> bytes:
    return _framed(json.dumps(value, separators=(",", ":")).encode(), status)


def _framed(body: bytes, status: str = "200 OK") -> bytes:
    return _HEAD.format(status=status, length=len(body)).encode() + body


Pick = Callable[[bytes], bytes]
"""What answers a request, by its body."""


def _always(value: object) -> Pick:
    answer = _answer(value)
    return lambda _body: answer


def _by(member: str, values: Mapping[str, object]) -> Pick:
    """Answer by a text member of the body; "" stands for a body without it."""
    pattern = re.compile(rb'"%b":\s*"([^"]*)"' % member.encode())
    answers = {text.encode(): _answer(value) for text, value in values.items()}

    def pick(body: bytes) -> bytes:
        found = pattern.search(body)
        return answers.get(found[1] if found is not None else b"", UNKNOWN)

    return pick


def _pages(machines: list[dict[str, object]]) -> dict[str, object]:
    """Return each page by the token that asks for it."""
    pages: dict[str, object] = {}
    for start in range(0, len(machines), PAGE):
        page: dict[str, object] = {"stateMachines": machines[start : start + PAGE]}
        if start + PAGE < len(machines):
            page["nextToken"] = f"from-{start + PAGE}"
        pages[f"from-{start}" if start else ""] = page
    return pages


UNKNOWN = _answer({"__type": "UnknownOperationException", "message": "not here"}, "400 Bad Request")
DELAYS_S = {"startsyncexecution": SYNC_EXECUTION_S, "getactivitytask": POLL_S}


def _answers(machines: int) -> dict[str, Pick]:
    """Return what answers each operation; without `machines` the 20 of most groups."""
    answers = {
        "liststatemachines": _always(MACHINES),
        "startexecution": _always(STARTED),
        "startsyncexecution": _always(FINISHED),
        "getactivitytask": _always(NO_TASK),
    }
    if machines:
        listed = express_machines(machines)
        by_arn = {str(item["stateMachineArn"]): described(item) for item in listed}
        answers["liststatemachines"] = _by("nextToken", _pages(listed))
        answers["describestatemachine"] = _by("stateMachineArn", by_arn)
        answers["listtagsforresource"] = _always({"tags": [{"key": "team", "value": "orders"}]})
    return answers


class Upstream(asyncio.Protocol):
    """One connection. Requests are answered one after another, as HTTP/1.1 clients send them."""

    answers: Mapping[bytes, tuple[float, Pick]]
    waiting = 0
    asked: ClassVar[Counter[bytes]] = Counter()

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
            body, self._buffer = self._buffer[end + 4 : total], self._buffer[total:]
            self._reply(head, body)

    def _reply(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"get /waiting "):
            self._write(_answer(Upstream.waiting))
            return
        if head.startswith(b"get /asked/"):
            self._write(_answer(Upstream.asked[head[11 : head.index(b" ", 11)]]))
            return
        if body.startswith(b"Action=GetCallerIdentity"):
            self._write(_framed(_IDENTITY))
            return
        operation = _header(head, b"x-amz-target").rpartition(b".")[2]
        Upstream.asked[operation] += 1
        delay_s, pick = Upstream.answers.get(operation, (0.0, _refuse))
        answer = pick(body)
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


def _refuse(_body: bytes) -> bytes:
    return UNKNOWN


def _header(head: bytes, name: bytes) -> bytes:
    start = head.find(b"\r\n" + name + b":")
    if start < 0:
        return b""
    start += len(name) + 3
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else len(head)].strip()


async def main(machines: int, delays_s: Mapping[str, float]) -> None:
    """Serve for ever."""
    Upstream.answers = {
        operation.encode(): (delays_s.get(operation, 0.0), pick)
        for operation, pick in _answers(machines).items()
    }
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", 0, backlog=4096)
    announce("upstream", server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _delay(text: str) -> tuple[str, float]:
    operation, _, seconds = text.partition("=")
    return operation.lower(), float(seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.upstream")
    parser.add_argument("--machines", type=int, default=0)
    parser.add_argument("--delay", type=_delay, action="append", default=[])
    given = parser.parse_args()
    uvloop.run(main(given.machines, DELAYS_S | dict(given.delay)))
