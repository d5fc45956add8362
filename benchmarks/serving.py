"""How the programs that are compared say where they listen, and how the baselines are served."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp

BACKLOG = 4096


def announce(name: str, port: int) -> None:
    """Print the line that `processes.Server` waits for."""
    sys.stderr.write(f"  {name} http://127.0.0.1:{port}\n")
    sys.stderr.flush()


def serve(name: str, app: ASGIApp) -> None:
    """Serve an ASGI app as fast as uvicorn can, on a free port of 127.0.0.1."""
    import uvicorn

    listening = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        proxy_headers=False,
        log_level="error",
    )
    # The kernel takes connections from here on; they are answered as soon as the app is up.
    announce(name, listening.getsockname()[1])
    uvicorn.Server(config).run(sockets=[listening])
