"""A request that no operation answers -> passed on to a consumed API, streamed both ways."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from naftiko.errors import RunError
from naftiko.exposes.problem import RawHeaders, RequestError
from naftiko.exposes.rest.body import DisconnectedError, has_body
from naftiko.exposes.rest.router import decode
from naftiko.plan.forward import HOP_BY_HOP, ForwardPlan, leaves_base
from naftiko.plan.ports import ForwardedResponse, ForwardRequest

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from naftiko.plan.masking import Masker
    from naftiko.plan.run import Run

logger = logging.getLogger("naftiko.rest")

_PASSED_BACK = frozenset(
    {
        "accept-ranges",
        "age",
        "allow",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-range",
        "content-type",
        "etag",
        "expires",
        "last-modified",
        "retry-after",
        "vary",
    }
)
"""What says how to read the answer. Cookies and challenges are between the API and the engine."""
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox; default-src 'none'"),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Forwarding:
    """A plan under one route. `foreign_query` are query parameters that are not passed on."""

    plan: ForwardPlan
    foreign_query: tuple[str, ...] = ()

    def request(
        self, scope: Scope, headers: Mapping[bytes, bytes], values: Sequence[str], body: _Body
    ) -> ForwardRequest:
        """Return what is passed on.

        Raises: RequestError for a path that leads out of the API's base path.
        """
        length = headers.get(b"content-length", b"")
        return ForwardRequest(
            method=scope["method"],
            path=self._path(values),
            query=self._query(scope["query_string"]),
            headers=self._headers(scope["headers"]),
            body=body.parts() if has_body(headers) else None,
            length=int(length) if length.isdigit() else None,
        )

    def _path(self, values: Sequence[str]) -> str | None:
        if self.plan.variable is None:
            return None
        path = values[self.plan.variable]
        decode(path)  # refuses what is no percent-encoding
        if leaves_base(path):
            message = "the path leads out of what is forwarded"
            raise RequestError(code="invalid-path", message=message)
        return path

    def _query(self, query: bytes) -> str:
        text = query.decode("latin-1")
        if not self.foreign_query:
            return text
        pairs = text.split("&")
        return "&".join(
            pair for pair in pairs if unquote_plus(pair.partition("=")[0]) not in self.foreign_query
        )

    def _headers(self, pairs: RawHeaders) -> tuple[tuple[str, str], ...]:
        passed = self.plan.headers - HOP_BY_HOP
        for name, value in pairs:
            if name.lower() == b"connection":  # there may be several, and all count
                passed -= {item.strip() for item in value.decode("latin-1").lower().split(",")}
        found = ((name.decode("latin-1").lower(), value) for name, value in pairs)
        return tuple((name, value.decode("latin-1")) for name, value in found if name in passed)


class _Body:
    """The body of a request in parts, as the caller sends it; knows when it has been read."""

    def __init__(self, receive: Receive, *, expected: bool) -> None:
        self._receive = receive
        self.over = asyncio.Event()
        if not expected:
            self.over.set()

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the parts.

        Raises: DisconnectedError.
        """
        try:
            more = True
            while more:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise DisconnectedError
                more = message.get("more_body", False)
                if message.get("body"):
                    yield message["body"]
        finally:
            self.over.set()


async def forward(
    forwarding: Forwarding,
    scope: Scope,
    headers: Mapping[bytes, bytes],
    values: Sequence[str],
    receive: Receive,
    send: Send,
    run: Run,
    masker: Masker,
) -> None:
    """Pass a request on and its answer back. What fails before the answer begins is raised.

    Raises: RunError, DisconnectedError.
    """
    expected = has_body(headers)
    body = _Body(receive, expected=expected)
    request = forwarding.request(scope, headers, values, body)
    watch = _Watch(receive, body)
    watch.start()
    response: ForwardedResponse | None = None
    try:
        response = await forwarding.plan.forwarder.forward(request, run)
        await _answer(forwarding, response, scope, send, run, masker)
    except asyncio.CancelledError:
        if not watch.gone:
            raise
        watch.task.uncancel()
        raise DisconnectedError from None
    finally:
        watch.stop()
        if response is not None:
            await response.close()


async def _answer(
    forwarding: Forwarding,
    response: ForwardedResponse,
    scope: Scope,
    send: Send,
    run: Run,
    masker: Masker,
) -> None:
    status = response.status
    if status > 599:
        # RFC 9110, 15: no status at all, and to be read as a failure of the server's.
        status = 502
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": _answer_headers(forwarding, response, scope, run),
        }
    )
    try:
        while data := await response.chunk():
            await send({"type": "http.response.body", "body": data, "more_body": True})
    except RunError as error:
        # The answer has begun: the connection ends without its end, so that the caller can tell.
        reason = masker(error.message)
        logger.warning("a forwarded answer broke off: %s [%s]", reason, run.request_id)
        return
    await send({"type": "http.response.body", "body": b""})


def _answer_headers(
    forwarding: Forwarding, response: ForwardedResponse, scope: Scope, run: Run
) -> list[tuple[bytes, bytes]]:
    empty = response.status in (204, 304)
    pairs = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in response.headers
        if name in _PASSED_BACK and not (empty and name == "content-length")
    ]
    names = {name for name, _ in pairs}
    if b"cache-control" not in names:
        pairs.append((b"cache-control", b"no-store"))
    if b"content-type" not in names and not empty:
        pairs.append((b"content-type", b"application/octet-stream"))
    below = response.moved_below
    if below is not None and forwarding.plan.prefix is not None:
        location = scope.get("root_path", "") + forwarding.plan.prefix + below
        pairs.append((b"location", location.encode("latin-1", "ignore")))
    return [*pairs, *_ALWAYS, (b"x-request-id", run.request_id.encode("ascii"))]


class _Watch:
    """Waits for the caller to go, once the body has been read, then cancels who serves it."""

    def __init__(self, receive: Receive, body: _Body) -> None:
        task = asyncio.current_task()
        assert task is not None  # a coroutine on asyncio runs in a task
        self.task = task
        self.gone = False
        self._receive = receive
        self._body = body
        self._waiting: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._waiting = asyncio.get_running_loop().create_task(self._wait())

    def stop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()

    async def _wait(self) -> None:
        await self._body.over.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        self.task.cancel()
