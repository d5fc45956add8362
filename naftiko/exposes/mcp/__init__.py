"""`exposes: mcp`: a McpAdapterPlan served by the official SDK over HTTP and stdio.

`import mcp` takes 0.6 s, so nothing here imports it before a server is built.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
    from collections.abc import Awaitable, Callable, Iterable

    from mcp.server.lowlevel import Server

    from naftiko.exposes.mcp.app import McpApp
    from naftiko.model.capability import Info
    from naftiko.plan.capability import McpAdapterPlan
    from naftiko.plan.masking import Masker

__all__ = ["mcp_app", "mcp_server", "serve_stdio"]


def mcp_server(plan: McpAdapterPlan, *, info: Info, masker: Masker) -> Server[dict[str, object]]:
    """Return the SDK's lowlevel server with the plan's tools registered.

    It can be run by any transport of the SDK, and takes further handlers and middleware.
    """
    from naftiko.exposes.mcp.server import build_server

    return build_server(plan, info=info, masker=masker).server


def mcp_app(
    plan: McpAdapterPlan,
    *,
    info: Info,
    masker: Masker,
    host: str | None = None,
    allowed_hosts: Iterable[str] = (),
    allowed_origins: Iterable[str] = (),
) -> McpApp:
    """Return an ASGI app that serves Streamable HTTP at `/mcp` and at `/`.

    `host` is the address it listens on (`plan.address` where None); `allowed_hosts` and
    `allowed_origins` are further names callers may use in Host and Origin: "mcp.example.com",
    "https://app.example.com". It can be mounted: its lifespan is run when a server runs it, and
    started with the first request that needs it otherwise.
    """
    from naftiko.exposes.mcp.app import build_app

    return build_app(
        plan,
        info=info,
        masker=masker,
        host=host,
        allowed_hosts=tuple(allowed_hosts),
        allowed_origins=tuple(allowed_origins),
    )


async def serve_stdio(
    plan: McpAdapterPlan,
    *,
    info: Info,
    masker: Masker,
    ready: Callable[[], Awaitable[object]] | None = None,
) -> signal.Signals | None:
    """Serve one client over stdin and stdout until it closes stdin, once it is `ready`.

    Returns the signal that ended it (SIGINT, SIGTERM), None when the client left.
    """
    # What was started before goes on meanwhile, such as looking for tools.
    await asyncio.to_thread(import_module, "naftiko.exposes.mcp.server")
    from naftiko.exposes.mcp.server import build_server
    from naftiko.exposes.mcp.stdio import serve

    server = build_server(plan, info=info, masker=masker).server
    try:
        return await serve(server, ready)
    finally:
        if server.tasks is not None:
            await server.tasks.table.stop()
