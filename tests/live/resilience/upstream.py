"""An upstream that answers as a test tells it, and notes what it was asked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.live.peers import running_app

Handler = Callable[[Request], Response]


def empty(request: Request) -> Response:
    return JSONResponse({"path": request.url.path})


@dataclass
class Upstream:
    """`handler` answers; `seen` holds the requests."""

    port: int = 0
    handler: Handler = empty
    seen: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def targets(self) -> list[str]:
        return [f"{r.url.path}?{r.url.query}" if r.url.query else r.url.path for r in self.seen]

    def answers(self, *outcomes: int | Response) -> None:
        """Answer with these in turn, then 200 for ever."""
        left = list(outcomes)

        def handler(request: Request) -> Response:
            outcome = left.pop(0) if left else 200
            if isinstance(outcome, int):
                return JSONResponse({"status": outcome, "call": len(self.seen)}, outcome)
            return outcome

        self.handler = handler

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        await request.body()
        self.seen.append(request)
        await self.handler(request)(scope, receive, send)


@contextlib.contextmanager
def upstream_running() -> Iterator[Upstream]:
    upstream = Upstream()
    with running_app(
        upstream.app, lifespan="off", server_header=False, interface="asgi3"
    ) as upstream.port:
        yield upstream
