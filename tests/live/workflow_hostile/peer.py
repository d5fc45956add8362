"""An upstream that speaks AWS's four protocols, byte by byte: its answers may be anything.

A server of its own rather than an ASGI app: it cuts bodies short, says 1xx, and answers no HTTP.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.unit.workflow.vm.worlds import Json


@dataclass(frozen=True)
class Asked:
    """A request as it came: `operation`, and its members as the protocol writes them.

    `refused`: it was told that its credentials have ended, by a 4xx.
    """

    operation: str
    members: Json
    refused: bool = False


@dataclass(frozen=True)
class Raw:
    """An answer: whole bytes of HTTP. `stays`: the connection is kept open after them."""

    data: bytes
    stays: bool = True
    hangs: bool = False


Answer = Callable[[Asked], Raw]


def http(
    body: bytes,
    status: str = "200 OK",
    kind: str = "text/xml",
    length: int | None = None,
    **more: str,
) -> Raw:
    """Return an answer; with a wrong `length` the connection is closed after it."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "x-amzn-RequestId: r-1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    return Raw("\r\n".join([*lines, "", ""]).encode() + body, stays=length is None)


@dataclass
class Peer:
    """`answer` says what is answered; `asked` is the log."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answer: Answer = lambda _: http(b"")
    identity: Raw | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                asked = _asked(head, await reader.readexactly(_length(head)))
                if asked.operation == "GetCallerIdentity":
                    found = self.identity or http(IDENTITY)
                else:
                    found = self.answer(asked)
                    refused = EXPIRED in found.data and found.data[9:10] == b"4"
                    self.asked.append(replace(asked, refused=refused))
                writer.write(found.data)
                await writer.drain()
                if found.hangs:
                    await reader.read()
                if not found.stays or found.hangs:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


EXPIRED = b"ExpiredToken"
IDENTITY = (
    b"<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account>"
    b"<Arn>arn:aws:iam::123456789012:root</Arn><UserId>A</UserId></GetCallerIdentityResult>"
    b"</GetCallerIdentityResponse>"
)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0


def _asked(head: bytes, body: bytes) -> Asked:
    lines = head.decode("latin-1").split("\r\n")
    _, target, _ = lines[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    if "x-amz-target" in headers:
        return Asked(headers["x-amz-target"].rpartition(".")[2], json.loads(body))
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        form: Json = dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
        del form["Version"]
        return Asked(form.pop("Action"), form)
    path = unquote(urlsplit(target).path)
    if path.endswith("/configuration"):
        return Asked("GetFunctionConfiguration", {"FunctionName": path.split("/")[3]})
    return Asked("TagResource", {"Resource": path.split("/", 3)[3], **json.loads(body)})


@asynccontextmanager
async def listening(peer: Peer) -> AsyncIterator[Peer]:
    """Serve until the block ends."""
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0, limit=2**22)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield peer
    finally:
        server.close()


def on_the_wire(operation: str, members: Json) -> Json:
    """Return members as the protocol of their operation writes them."""
    if operation == "CreateTags":
        found: Json = {f"ResourceId.{n}": one for n, one in enumerate(members["Resources"], 1)}
        for n, tag in enumerate(members["Tags"], 1):
            found.update({f"Tag.{n}.{name}": value for name, value in tag.items()})
        return found
    return members


def same(asked: Asked, operation: str, members: Json) -> bool:
    """Tell whether what came is what the machine sent, byte by byte."""
    expected: Any = on_the_wire(operation, members)
    return (asked.operation, asked.members) == (operation, expected)
