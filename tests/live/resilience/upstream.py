"""An upstream that answers as a test tells it, and notes what it was asked."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

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
    ready = threading.Event()

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            upstream.port = self.servers[0].sockets[0].getsockname()[1]
            ready.set()

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    config = uvicorn.Config(
        upstream.app,
        host="127.0.0.1",
        port=0,
        log_level="critical",
        lifespan="off",
        server_header=False,
        interface="asgi3",
    )
    server = Announcing(config)
    thread = threading.Thread(target=server.run, name="upstream")
    thread.start()
    try:
        assert ready.wait(30)
        yield upstream
    finally:
        server.should_exit = True
        thread.join(30)
