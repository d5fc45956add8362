"""The ASGI shapes both protocol eras use: one inbound request, one complete response."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from naftiko.exposes.mcp.jsonrpc import Message

Scope: TypeAlias = MutableMapping[str, Any]
AsgiMessage: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[AsgiMessage]]
Send: TypeAlias = Callable[[AsgiMessage], Awaitable[None]]
RawHeaders: TypeAlias = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """One POST that passed the guard, its body read and checked.

    `headers` are by lower-case name; `streams` says whether the caller takes an event stream.
    """

    scope: Scope
    headers: Mapping[str, str]
    body: bytes
    message: Message
    streams: bool
    receive: Receive
    send: Send


async def send_body(send: Send, status: int, body: bytes, headers: RawHeaders = ()) -> None:
    """Send one complete JSON response, or one without a body."""
    head = [(b"content-length", str(len(body)).encode()), *headers]
    if body:
        head.append((b"content-type", b"application/json"))
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
