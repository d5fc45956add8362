"""A consumed API on a loopback port: it answers with what it was sent, or misbehaves on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002  # the server is needed anyway
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.live.peers import running_app

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


@dataclass
class Upstream:
    """Where it listens, and every request it got: method, target, headers, body."""

    port: int = 0
    requests: list[dict[str, Any]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def last(self) -> dict[str, Any]:
        return self.requests[-1]

    def app(self) -> Starlette:
        routes = [
            Route("/status/{code:int}", self._status, methods=METHODS),
            Route("/typed", self._typed, methods=["POST"]),
            Route("/redirect/{code:int}", self._redirect, methods=METHODS),
            Route("/loop", self._loop, methods=METHODS),
            Route("/stuck", self._stuck, methods=METHODS),
            Route("/big", self._big, methods=METHODS),
            Route("/{path:path}", self._echo, methods=METHODS),
        ]
        # Starlette's routes match no path with a line break in it.
        return Starlette(routes=routes, exception_handlers={404: self._echo_any})

    async def _note(self, request: Request) -> dict[str, Any]:
        body = await request.body()
        target = request.scope["raw_path"].decode("ascii")
        query = request.scope["query_string"].decode("ascii")
        seen = {
            "method": request.method,
            "path": target,
            "query": query,
            "headers": dict(request.headers),
            "body": body.decode("utf-8", "replace"),
            "bytes": body,
        }
        self.requests.append(seen)
        return seen

    async def _echo(self, request: Request) -> Response:
        seen = await self._note(request)
        return JSONResponse({name: value for name, value in seen.items() if name != "bytes"})

    async def _echo_any(self, request: Request, _error: Exception) -> Response:
        return await self._echo(request)

    async def _status(self, request: Request) -> Response:
        seen = await self._note(request)
        code = request.path_params["code"]
        if code == 204:
            return Response(status_code=204)
        return JSONResponse(
            {"seen": seen["method"], "sent": seen["headers"]},
            code,
            {"Retry-After": "7", "X-Internal": "secret"},
        )

    async def _typed(self, request: Request) -> Response:
        """Answer with the body that was sent, under the media type named in a header."""
        seen = await self._note(request)
        media_type = request.headers.get("x-answer-type", "")
        response = Response(seen["body"].encode(request.headers.get("x-charset", "utf-8")))
        if media_type:
            response.headers["content-type"] = media_type
        return response

    async def _redirect(self, request: Request) -> Response:
        await self._note(request)
        return RedirectResponse(request.query_params["to"], request.path_params["code"])

    async def _loop(self, request: Request) -> Response:
        await self._note(request)
        return RedirectResponse("/loop", 302)

    async def _stuck(self, request: Request) -> Response:
        """Answer when the test is over."""
        await self._note(request)
        while not self.released.is_set():
            if await request.is_disconnected():
                break
            await asyncio.sleep(0.02)
        return JSONResponse({"late": True})

    async def _big(self, request: Request) -> Response:
        await self._note(request)

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(40):
                yield b"x" * 1024 * 1024

        return StreamingResponse(chunks(), media_type="application/json")


@contextlib.contextmanager
def running_upstream(upstream: Upstream | None = None) -> Iterator[Upstream]:
    """Serve an upstream until the block ends."""
    upstream = upstream or Upstream()
    with running_app(upstream.app()) as upstream.port:
        try:
            yield upstream
        finally:
            upstream.released.set()


@dataclass
class RawPeer:
    """A socket that answers each connection with fixed bytes, whatever it is sent."""

    port: int = 0
    connections: int = 0


@contextlib.contextmanager
def raw_peer(*answers: bytes) -> Iterator[RawPeer]:
    """Serve fixed bytes, one answer for each connection; then the connection is closed."""
    listener = socket.create_server(("127.0.0.1", 0))
    peer = RawPeer(port=listener.getsockname()[1])

    def work() -> None:
        for answer in answers:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                peer.connections += 1
                connection.recv(65536)
                connection.sendall(answer)

    thread = threading.Thread(target=work, name="raw peer")
    thread.start()
    try:
        yield peer
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(20)


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """Yield a port that nothing listens on: bound, never listening."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def decoded(text: str) -> Any:
    """Return JSON text as a value."""
    return json.loads(text)
