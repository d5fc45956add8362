"""Keeps the tools of one MCP server in step with what is discovered, and tells its clients."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from naftiko.exposes.mcp.server import BuiltServer
    from naftiko.plan.discovery.entries import Discovered

logger = logging.getLogger("naftiko.exposes.mcp")

_telling: set[asyncio.Task[None]] = set()
"""Held until they are done: the event loop holds its tasks weakly."""


def follow(discovered: Discovered, built: BuiltServer) -> None:
    """Publish the tools anew whenever others are discovered, for as long as the server lives.

    A program may build a server for each of its own requests: none is held by what it listens to.
    """
    tools, changes = built.caller.tools, built.changes

    def changed(_server: object) -> None:
        if not tools.publish_all():
            return
        task = asyncio.get_running_loop().create_task(changes.list_changed("tools"))
        _telling.add(task)
        task.add_done_callback(_told)

    discovered.follow(built.server, changed)
    tools.publish_all()  # what came between building the table and listening


def _told(task: asyncio.Task[None]) -> None:
    _telling.discard(task)
    if not task.cancelled() and task.exception() is not None:
        logger.warning("a client could not be told of other tools: %s", task.exception())
