"""What an app answers that is no HTTP request: the lifespan protocol, a WebSocket."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

POLICY_VIOLATION = 1008


async def answer_other(scope: Scope, receive: Receive, send: Send) -> None:
    """Take part in the lifespan protocol, without anything to start; close a WebSocket.

    Source: ASGI specification 3.0, Lifespan and WebSocket.
    """
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        return
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})
