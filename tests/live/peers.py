"""An ASGI app on a loopback port, over TLS where a test wants that."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn


class _Peer(uvicorn.Server):
    """Says when it listens, and ends at once: what is still running is cut off."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self.port = 0
        self._over = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self.port = self.servers[0].sockets[0].getsockname()[1]
        self.ready.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)  # sets the Date header
        await self._over.wait()

    async def shutdown(self, sockets: Any = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # apps hear that their callers are gone
        for task in list(self.server_state.tasks):
            task.cancel()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)
        await self.lifespan.shutdown()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._over.set)


@contextlib.contextmanager
def running_app(app: Any, **settings: Any) -> Iterator[int]:
    """Serve an app until the block ends; yields its port. `settings` are uvicorn's."""
    given = {"host": "127.0.0.1", "port": 0, "log_level": "critical", **settings}
    peer = _Peer(uvicorn.Config(app, **given))
    thread = threading.Thread(target=peer.run, name="peer")
    thread.start()
    assert peer.ready.wait(20), "the peer did not start"
    try:
        yield peer.port
    finally:
        peer.stop()
        thread.join(20)
    assert not thread.is_alive(), "the peer did not stop"
