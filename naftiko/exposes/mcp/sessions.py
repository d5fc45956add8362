"""The legacy protocols over HTTP (2024-11-05 to 2025-11-25): handshake, sessions, event streams.

The SDK's session manager serves them; around it stand its lifetime, which must not depend on who
mounts the app, and what it leaves open: two requests in flight with one id, and streams that would
hold up a shutdown for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from mcp.server.streamable_http import MCP_SESSION_ID_HEADER, EventStore
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import INVALID_REQUEST

from naftiko.exposes.mcp.asgi import AsgiMessage, Inbound, Receive, Scope, Send, send_body
from naftiko.exposes.mcp.jsonrpc import error_body
from naftiko.exposes.mcp.server import BuiltServer
from naftiko.exposes.mcp.streams import RecentEvents

MAX_SESSIONS = 2_000
"""Sessions open at once; one more is refused with 503."""
SESSION_IDLE_S = 30 * 60.0
"""A session without a request or open stream for so long ends, and its id answers 404."""
MAX_PENDING = 20_000
"""Requests in flight over all sessions."""


class SessionManager(StreamableHTTPSessionManager):
    """The SDK's session manager, which gives each session events of its own.

    The SDK reads `event_store` once for every session it makes, and would share one among all.
    """

    recent: RecentEvents | None = None

    @property
    def event_store(self) -> EventStore | None:
        """Return a store for a session that is being made."""
        return None if self.recent is None else self.recent.for_session()

    @event_store.setter
    def event_store(self, store: EventStore | None) -> None:
        """Take no notice of the one that the SDK would share."""


class Sessions:
    """Serves the handshake protocols for one adapter."""

    def __init__(self, built: BuiltServer) -> None:
        """Start nothing yet."""
        self._server = built.server
        self._retry_ms = built.options.retry_ms
        self._pending: set[tuple[str, str]] = set()
        self._draining = asyncio.Event()
        self._stopping = asyncio.Event()
        self._manager: StreamableHTTPSessionManager | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the session manager in a task of its own, unless it runs already.

        A manager lives once and in one event loop, so each start makes a new one.
        """
        if self._is_running():
            return
        self._draining, self._stopping = asyncio.Event(), asyncio.Event()
        self._pending = set()
        retry_ms = self._retry_ms
        manager = SessionManager(
            self._server,
            session_idle_timeout=SESSION_IDLE_S,
            max_sessions=MAX_SESSIONS,
            retry_interval=retry_ms,
        )
        manager.recent = None if retry_ms is None else RecentEvents()
        ready = asyncio.Event()
        self._task = asyncio.create_task(_keep(manager, ready, self._stopping))
        self._manager = manager
        await ready.wait()

    def _is_running(self) -> bool:
        task = self._task
        return (
            task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop()
        )

    def drain(self) -> None:
        """End the streams that only wait for news, so that a shutdown need not wait for them."""
        self._draining.set()

    async def stop(self) -> None:
        """End every session and what runs in it."""
        self.drain()
        self._stopping.set()
        if self._task is not None and self._is_running():
            await asyncio.wait([self._task])
        self._task = None

    async def post(self, inbound: Inbound) -> None:
        """Serve a POST whose body was read and checked."""
        message = inbound.message
        session = inbound.headers.get(MCP_SESSION_ID_HEADER)
        if session is None and message.method != "initialize":
            await _refuse(
                inbound,
                "the `Mcp-Session-Id` header is missing; send `initialize` first, or use protocol"
                " version 2026-07-28, which has no sessions",
            )
            return
        if session is None or message.id is None or not message.method:
            await self._pass(inbound, inbound.send)
            return
        key = (session, str(message.id))
        if key in self._pending or len(self._pending) >= MAX_PENDING:
            await _refuse(inbound, f"a request with id `{key[1][:80]}` is in flight already")
            return
        self._pending.add(key)

        async def send(message: AsgiMessage) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self._pending.discard(key)
            await inbound.send(message)

        try:
            await self._pass(inbound, send)
        finally:
            self._pending.discard(key)

    async def listen(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a GET, which waits for news until the client leaves or the server drains."""
        manager = await self._running()
        open_stream = False
        ended = False

        async def watched_send(message: AsgiMessage) -> None:
            nonlocal open_stream, ended
            open_stream = True
            ended = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        await manager.handle_request(scope, _until(receive, self._draining), watched_send)
        if open_stream and not ended:
            with contextlib.suppress(OSError):  # the client may be the one who left
                await send({"type": "http.response.body", "body": b""})

    async def delete(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a DELETE, which ends a session."""
        manager = await self._running()
        await manager.handle_request(scope, receive, send)

    async def _pass(self, inbound: Inbound, send: Send) -> None:
        manager = await self._running()
        await manager.handle_request(inbound.scope, _replay(inbound.body, inbound.receive), send)

    async def _running(self) -> StreamableHTTPSessionManager:
        await self.start()
        assert self._manager is not None
        return self._manager


async def _keep(
    manager: StreamableHTTPSessionManager, ready: asyncio.Event, stopping: asyncio.Event
) -> None:
    async with manager.run():
        ready.set()
        await stopping.wait()


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hand the body that was read out once more, then what follows."""
    waiting: list[AsgiMessage] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> AsgiMessage:
        return waiting.pop() if waiting else await receive()

    return replayed


def _until(receive: Receive, event: asyncio.Event) -> Receive:
    """Say that the client left once the event is set."""

    async def received() -> AsgiMessage:
        done = await _first(receive, event.wait)
        return done if isinstance(done, dict) else {"type": "http.disconnect"}

    return received


async def _first(*choices: Callable[[], Awaitable[object]]) -> object:
    """Return what the first of them to finish returns; the others are cancelled."""
    tasks = [asyncio.ensure_future(choice()) for choice in choices]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    return next(task.result() for task in tasks if task in done)


async def _refuse(inbound: Inbound, text: str) -> None:
    body = error_body(INVALID_REQUEST, text, inbound.message.id)
    await send_body(inbound.send, 400, body)
