"""A peer that writes the bytes it is told to, and what runs against it on both event loops."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import uvloop

from naftiko.consumes.transport import Transport

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """Answers each request head with what `answers` say in turn; counts its connections."""

    def __init__(self, *answers: bytes, close_after: bool = False) -> None:
        self.answers = list(answers)
        self.close_after = close_after
        self.tls: ssl.SSLContext | None = None
        self.ca_bundle: str | None = None
        self.connections = 0
        self.heads: list[bytes] = []
        self.rest = b""
        self.serving: list[asyncio.Task[None]] = []
        self.ended = asyncio.Event()
        self.asked = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.serving.append(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        finally:
            writer.close()
            self.ended.set()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            self.asked.set()
            if not self.answers:
                self.rest = await reader.read()
                return
            writer.write(self.answers.pop(0))
            await writer.drain()
            if self.close_after:
                return

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[str, Transport]]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=self.tls)
        transport = Transport(
            proxy_environment={}, max_body_bytes=100_000, ca_bundle=self.ca_bundle
        )
        scheme = "http" if self.tls is None else "https"
        try:
            yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}", transport
        finally:
            await transport.close()
            server.close()
            await asyncio.gather(*self.serving)
            await asyncio.sleep(0)  # what was closed is told so


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[tuple[str, Transport]]:
    """Serve each connection with a function until the block ends; closes what it left open."""
    tasks: list[asyncio.Task[None]] = []

    async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(tracked, "127.0.0.1", 0)
    transport = Transport(proxy_environment={})
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", transport
    finally:
        await transport.close()
        server.close()
        await asyncio.gather(*tasks)
        await asyncio.sleep(0)  # what was closed is told so


def run(work: Callable[[], Awaitable[None]], *, on_uvloop: bool = False) -> None:
    """Run a story on a new loop, within 20 s."""

    async def bounded() -> None:
        async with asyncio.timeout(20):
            await work()

    if on_uvloop:
        uvloop.run(bounded())
    else:
        asyncio.run(bounded())
