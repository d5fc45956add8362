"""An ASGI app on a loopback port, over TLS where a test wants that."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn


@contextlib.contextmanager
def running_app(app: Any, **settings: Any) -> Iterator[int]:
    """Serve an app until the block ends; yields its port. `settings` are uvicorn's."""
    ready = threading.Event()
    ports: list[int] = []

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            ports.append(self.servers[0].sockets[0].getsockname()[1])
            ready.set()

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", **settings)
    server = Announcing(config)
    thread = threading.Thread(target=server.run, name="peer")
    thread.start()
    assert ready.wait(20), "the peer did not start"
    try:
        yield ports[0]
    finally:
        server.should_exit = True
        thread.join(20)
    assert not thread.is_alive(), "the peer did not stop"
