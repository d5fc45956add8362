"""One request of the 2026-07-28 protocol over HTTP and the way its answer goes back.

Plain JSON, unless the call reports progress to a caller that asked for it, or stays silent for
`PING_INTERVAL_S`: then the answer becomes an event stream, which pings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

import anyio
import orjson
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext
from starlette.requests import Request

from naftiko.exposes.mcp.asgi import Inbound, send_body
from naftiko.exposes.mcp.jsonrpc import Message, RequestId

if TYPE_CHECKING:
    from mcp.shared.dispatcher import CallOptions

WATCH_AFTER_S = 0.25
"""A call shorter than this is not watched for a caller that hangs up."""
PING_INTERVAL_S = 15.0
"""Silence after which the answer becomes an event stream, and between its pings."""

_EVENT_STREAM = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
_PING = b": ping\r\n\r\n"


class Exchange:
    """A request, its answer, and in between the SDK's `DispatchContext` for it.

    As a context it cancels what runs in it when the caller hangs up. The watch starts late, so
    that a short call pays for a timer and nothing else.
    """

    can_send_request = False
    """This protocol has no requests from the server to the client."""

    def __init__(
        self, inbound: Inbound, request_id: RequestId, ping_interval_s: float = PING_INTERVAL_S
    ) -> None:
        """Start with nothing sent."""
        self.request_id = request_id
        self.progress_token = _progress_token(inbound.message)
        self._inbound = inbound
        self._ping_interval_s = ping_interval_s
        self._scope = anyio.CancelScope()
        self._sending = asyncio.Lock()
        self._streaming = False
        self._timer: asyncio.TimerHandle | None = None
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        """Set the timer of the watch."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(WATCH_AFTER_S, self._start_watching)
        self._scope.__enter__()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        """Stop the watch; a caller that hung up ends here, quietly."""
        self._stop_watching()
        return self._scope.__exit__(exc_type, exc, trace)

    async def finish(self, status: int, body: bytes) -> None:
        """Send the answer: the last event of the stream if there is one, else plain JSON."""
        async with self._sending:
            self._stop_watching()
            if self._streaming:
                await self._inbound.send({"type": "http.response.body", "body": _event(body)})
            else:
                await send_body(self._inbound.send, status, body)

    @property
    def transport(self) -> TransportContext:
        """Return what the SDK wants to know of the transport."""
        return TransportContext(
            kind="streamable-http", can_send_request=False, headers=self._inbound.headers
        )

    @property
    def message_metadata(self) -> ServerMessageMetadata:
        """Return the HTTP request, for handlers a user adds."""
        return ServerMessageMetadata(request_context=Request(self._inbound.scope))

    @property
    def cancel_requested(self) -> anyio.Event:
        """Return an event that never comes: to cancel is to hang up."""
        return anyio.Event()

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Refuse: see `can_send_request`."""
        raise NoBackChannelError(method)

    async def notify(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> None:
        """Send a notification on the answer's stream, if the caller takes one."""
        if not self._inbound.streams:
            return
        notification: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            notification["params"] = dict(params)
        async with self._sending:
            await self._stream(_event(orjson.dumps(notification)))

    async def progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Report progress, if the caller asked for it."""
        if self.progress_token is None:
            return
        params: dict[str, Any] = {"progressToken": self.progress_token, "progress": progress}
        if total is not None:
            params["total"] = total
        if message:
            params["message"] = message
        await self.notify("notifications/progress", params)

    async def _stream(self, event: bytes) -> None:
        send = self._inbound.send
        if not self._streaming:
            self._streaming = True
            await send({"type": "http.response.start", "status": 200, "headers": _EVENT_STREAM})
        await send({"type": "http.response.body", "body": event, "more_body": True})

    def _start_watching(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None

    async def _watch(self) -> None:
        silence_s = max(0.0, self._ping_interval_s - WATCH_AFTER_S)
        while True:
            try:
                async with asyncio.timeout(silence_s):
                    message = await self._inbound.receive()
            except TimeoutError:
                await self._ping()
                silence_s = self._ping_interval_s
                continue
            if message["type"] == "http.disconnect":
                self._scope.cancel()
                return

    async def _ping(self) -> None:
        if not self._inbound.streams:
            return
        async with self._sending:
            try:
                await self._stream(_PING)
            except OSError:  # some servers say so when the caller is gone; `receive` says it next
                return


def _event(body: bytes) -> bytes:
    return b"event: message\r\ndata: " + body + b"\r\n\r\n"


def _progress_token(message: Message) -> RequestId | None:
    meta = (message.params or {}).get("_meta")
    token = meta.get("progressToken") if isinstance(meta, dict) else None
    if isinstance(token, (str, int)) and not isinstance(token, bool):
        return token
    return None
