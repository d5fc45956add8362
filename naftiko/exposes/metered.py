"""An ASGI app that counts the requests to the app inside it."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from naftiko.plan.meter import Meter

UNKNOWN = "unknown"
"""The operation of a request that no route has."""
GONE = "499"
"""The status of a request whose caller went away before it was answered, as nginx logs it."""


class Metered:
    """Counts by operation and status. `name_of` returns an operation's name, from the plan alone.

    The time runs until the answer is out, streams included.
    """

    def __init__(
        self,
        app: ASGIApp,
        meter: Meter,
        *,
        kind: str,
        name_of: Callable[[Scope], str | None],
    ) -> None:
        """Keep what counts."""
        self._app = app
        self._meter = meter
        self._kind = kind
        self._name_of = name_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, then count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = GONE
        start = perf_counter()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            seconds = perf_counter() - start
            name = self._name_of(scope) or UNKNOWN
            error = status if status >= "400" else ""
            self._meter.request(self._kind, name, status, seconds, error)
