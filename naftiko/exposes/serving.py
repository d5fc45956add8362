"""One ASGI app on uvicorn, over sockets that listen already. Importing it imports uvicorn."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

import uvicorn

from naftiko.errors import StartError
from naftiko.exposes.guard import MAX_HEADER_BYTES
from naftiko.exposes.problem import RequestError, refuse
from naftiko.plan.masking import Masker

if TYPE_CHECKING:
    import socket

    from starlette.types import ASGIApp, Receive, Scope, Send

KEEP_ALIVE_S = 65
"""Longer than the idle time of common load balancers (60 s), so that we are not first to close."""
TICK_S = 0.1
TICKS_A_DAY = 864_000
SETTLE_S = 1.0
"""How long cancelled requests may take to send their last answer."""


class AppServer(uvicorn.Server):
    """A uvicorn server whose signals, sockets and logs belong to the host."""

    def __init__(self, app: ASGIApp, *, sockets: Sequence[socket.socket], masker: Masker) -> None:
        """Configure it; nothing runs yet."""
        self._last_word = _LastWord(app, masker)
        self._listening = list(sockets)
        self.started_event = asyncio.Event()
        self._stop_asked = asyncio.Event()
        super().__init__(
            uvicorn.Config(
                self._last_word,
                http=_http_protocol(),
                ws="none",
                loop="none",
                lifespan="on",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                # Forwarded addresses are nobody's business here, and anyone can write them.
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            )
        )

    async def run(self) -> None:  # type: ignore[override]  # uvicorn's starts a loop of its own
        """Serve until told to stop.

        Raises: StartError where the app's lifespan fails.
        """
        await self.serve(sockets=self._listening)
        await self._settle()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        try:
            await super().startup(sockets)
        except SystemExit as error:
            message = "an adapter could not be started"
            raise StartError(message, hint="the log says why") from error
        self.started_event.set()

    async def main_loop(self) -> None:
        """Tick as uvicorn does, but end at once when told to stop."""
        ticks = 0
        while not await self.on_tick(ticks):
            ticks = (ticks + 1) % TICKS_A_DAY
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._stop_asked.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain as uvicorn does; where nothing is in flight there is nothing to wait for."""
        await asyncio.sleep(0)  # idle connections have been closed, and go with the next turn
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
            return
        for server in self.servers:
            server.close()
        with suppress(TimeoutError):  # one that was being accepted just now; `_settle` closes it
            async with asyncio.timeout(SETTLE_S):
                await asyncio.gather(*(server.wait_closed() for server in self.servers))
        for listening in sockets or ():
            listening.close()
        await self.lifespan.shutdown()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the host: there are several servers, and one of it."""
        yield

    def begin_stop(self, drain_s: float) -> None:
        """Accept nothing more; requests in flight have that many seconds."""
        self._last_word.stopping = True
        # uvicorn says whole seconds, and passes them to asyncio, which takes fractions.
        self.config.timeout_graceful_shutdown = drain_s  # type: ignore[assignment]  # floats work as well
        self.should_exit = True
        self._stop_asked.set()
        # uvicorn does it too, at its next tick; no answer until then should promise more.
        for connection in list(self.server_state.connections):
            connection.shutdown()

    def end_now(self) -> None:
        """End what is still running, without a last answer."""
        for task in self.server_state.tasks:
            task.cancel()
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    async def _settle(self) -> None:
        """Let cancelled requests answer, then close what is left."""
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=SETTLE_S)
        for connection in list(self.server_state.connections):
            connection.transport.close()


class _LastWord:
    """Answers 503 for a request that is cancelled because the server stops.

    It must be outermost, right behind uvicorn: only uvicorn may lose a cancellation.
    """

    def __init__(self, app: ASGIApp, masker: Masker) -> None:
        self.stopping = False
        self._app = app
        self._masker = masker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not self.stopping or scope["type"] != "http":
                raise
            error = RequestError(
                code="stopping",
                message="the server is stopping and could not finish the request",
                status=503,
                hint="try again shortly",
                retryable=True,
                close=True,
            )
            # uvicorn raises it where an answer has begun, such as a stream: there is no last word.
            with suppress(RuntimeError):
                await refuse(scope, send, error, self._masker)


def _http_protocol() -> type[asyncio.Protocol] | str:
    if find_spec("httptools") is None:
        return "h11"
    from naftiko.exposes.protocol import GuardedHttpProtocol

    return GuardedHttpProtocol


_NOT_WORTH_SAYING = (
    "Cancel ",  # requests that outlive the drain: the host asked for it
    "ASGI callable returned without completing response",  # streams, then
    "Invalid HTTP request received",  # any caller could fill the log with it
)


class _Forwarder(logging.Handler):
    """Passes records of uvicorn's logger on to another."""

    def __init__(self, target: logging.Logger, masker: Masker) -> None:
        super().__init__(logging.WARNING)
        self._target = target
        self._masker = masker

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text.startswith(_NOT_WORTH_SAYING):
            return
        if record.exc_info is not None and record.exc_info[1] is not None:
            text += "\n" + "".join(traceback.format_exception(record.exc_info[1]))
        self._target.log(record.levelno, "%s", self._masker(text.strip()))


@contextmanager
def uvicorn_logs_to(target: logging.Logger, masker: Masker) -> Iterator[None]:
    """Route what uvicorn logs from warning level on to another logger, for as long as it lasts."""
    source = logging.getLogger("uvicorn.error")
    level, propagate = source.level, source.propagate
    forwarder = _Forwarder(target, masker)
    source.addHandler(forwarder)
    source.setLevel(logging.WARNING)
    source.propagate = False
    try:
        yield
    finally:
        source.removeHandler(forwarder)
        source.setLevel(level)
        source.propagate = propagate
