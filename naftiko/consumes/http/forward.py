"""Requests that callers send, passed on to an HTTP API: `forward`. Bodies stream both ways.

Everything the API's entry says of every call holds here too: its parameters, its authentication,
its TLS and its timeout. The same request plan renders them.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from urllib.parse import urljoin, urlsplit

from naftiko.consumes.http.authenticator import Authenticator
from naftiko.consumes.http.faults import run_error, settings_error
from naftiko.consumes.http.operation import HttpOperation
from naftiko.consumes.http.request import HttpRequest
from naftiko.consumes.http.source import OperationSource
from naftiko.consumes.transport import (
    ConnectionBrokenError,
    HttpResponse,
    Streamed,
    TransportError,
)
from naftiko.document.nodes import Scalar
from naftiko.errors import DeadlineError, RunError, StartError
from naftiko.model.consumes import ConsumedHttpOperation, ConsumedHttpResource, ConsumesHttp
from naftiko.plan.ports import ClientOperation, ForwardRequest
from naftiko.plan.run import Run

IDLE_TIMEOUT_S = 60.0
"""How long either side may be silent within a body."""
MAX_PROVEN_BODY = 4 * 1024 * 1024
"""A body that is part of the proof of who calls (a signature, a repeated request) is held whole."""

FORWARD = "forward"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def forward_source(consumes: ConsumesHttp) -> OperationSource:
    """Return the operation that stands for every forwarded request: what holds for all calls."""
    empty = Scalar("", "", consumes.location)
    operation = ConsumedHttpOperation(
        name=FORWARD, method="GET", location=consumes.location, output_raw_format="binary"
    )
    resource = ConsumedHttpResource(
        name=FORWARD, path=empty, operations=(operation,), location=consumes.location
    )
    return OperationSource(consumes=consumes, resource=resource, operation=operation)


@dataclass(frozen=True, slots=True)
class HttpForwarder:
    """Forwards to one API. `operation` renders what each request carries."""

    operation: HttpOperation
    timeout_s: float

    def explain(self) -> Sequence[str]:
        """Return where requests go."""
        lines = self.operation.explain()
        text = self.operation.request.text
        shown = [line for line in lines[1:] if not line.startswith(("body:", "reads:"))]
        return [f"to {text}/...", *shown]

    async def forward(self, request: ForwardRequest, run: Run) -> HttpForwarded:
        """Send a request and return the answer once its head is there.

        Raises: ConsumedError, DeadlineError; and what reading the body raises.
        """
        own = self.operation.request.render({})
        base, _, own_query = own.url.partition("?")
        base = base.rstrip("/")
        url = base if request.path is None else f"{base}/{request.path}"
        query = "&".join(part for part in (request.query, own_query) if part)
        url = f"{url}?{query}" if query else url
        ours = {name.lower() for name, _ in own.headers}
        passed = tuple(item for item in request.headers if item[0].lower() not in ours)
        ready = HttpRequest(request.method, url, (*passed, *own.headers), None)
        authenticator = self.operation.authenticator
        if authenticator is None:
            streamed = await self._send(ready, request.body, request.length, run)
        else:
            streamed = await self._send_proven(ready, request, authenticator, run)
        return HttpForwarded(self, streamed, request.method, url, base)

    async def _send_proven(
        self, ready: HttpRequest, request: ForwardRequest, authenticator: Authenticator, run: Run
    ) -> Streamed:
        """Send with proof of who calls; again where the API asks for another and it is possible."""
        body: AsyncIterable[bytes] | bytes | None = request.body
        if request.body is not None and not authenticator.follows_redirects:
            body = await _whole(request.body)
            ready = replace(ready, body=body)
        proven = await authenticator.apply(ready)
        streamed = await self._send(proven, body, request.length, run)
        if streamed.status != 401 or not (body is None or isinstance(body, bytes)):
            return streamed
        head = HttpResponse(streamed.status, _headers(streamed), b"")
        again = await authenticator.challenge(head, proven)
        if again is None:
            return streamed
        await streamed.close()
        return await self._send(again, body, request.length, run)

    async def _send(
        self,
        request: HttpRequest,
        body: AsyncIterable[bytes] | bytes | None,
        length: int | None,
        run: Run,
    ) -> Streamed:
        timeout_s, address = self.timeout_s, self.operation.address
        remaining_s = run.remaining_s()
        if remaining_s is not None:
            if remaining_s <= 0:
                raise DeadlineError(message=f"no time was left to call `{address}`")
            timeout_s = min(timeout_s, remaining_s)
        send = partial(
            self.operation.transport.stream,
            request.method,
            request.url,
            request.headers,
            length=length,
            idle_timeout_s=IDLE_TIMEOUT_S,
        )
        ends = monotonic() + timeout_s
        try:
            try:
                return await send(body, timeout_s=timeout_s)
            except ConnectionBrokenError:
                # A kept connection may just have ended. Nothing is lost by reading twice.
                left_s = ends - monotonic()
                if body is not None or request.method not in _READING or left_s <= 0:
                    raise
                return await send(None, timeout_s=left_s)
        except TransportError as error:
            raise self.known(error, request.method, timeout_s) from error
        except StartError as error:
            raise settings_error(error) from error

    def known(self, error: TransportError, method: str, timeout_s: float) -> RunError:
        """Return the error a caller sees."""
        return run_error(error, self.operation.address, timeout_s, method=method)


@dataclass(frozen=True, slots=True)
class RefusedForwarder:
    """Stands for an API that cannot be called as the file stands: every request says why."""

    operation: ClientOperation

    def explain(self) -> Sequence[str]:
        """Return why it is refused."""
        return self.operation.explain()

    async def forward(self, request: ForwardRequest, run: Run) -> HttpForwarded:
        """Refuse.

        Raises: ConsumedError.
        """
        await self.operation.call({}, run)
        raise AssertionError("it is refused")


class HttpForwarded:
    """An answer while it comes in."""

    def __init__(
        self, forwarder: HttpForwarder, streamed: Streamed, method: str, url: str, base: str
    ) -> None:
        """Keep what it answers."""
        self._forwarder = forwarder
        self._streamed = streamed
        self._method = method
        self._url = url
        self._base = base

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._streamed.status

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """The headers as they came."""
        return self._streamed.headers

    @property
    def moved_below(self) -> str | None:
        """What `Location` names below the base path, with its query."""
        location = _headers(self._streamed).get("location")
        if not location:
            return None
        try:
            target = urljoin(self._url, location)
            if urlsplit(target).netloc != urlsplit(self._base).netloc:
                return None
        except ValueError:
            return None
        if target == self._base:
            return ""
        return target[len(self._base) + 1 :] if target.startswith(self._base + "/") else None

    async def chunk(self) -> bytes:
        """Return the next part of the body, b"" at its end.

        Raises: ConsumedError, DeadlineError.
        """
        try:
            return await self._streamed.chunk()
        except TransportError as error:
            raise self._forwarder.known(error, self._method, IDLE_TIMEOUT_S) from error

    async def close(self) -> None:
        """End the exchange, if it has not ended."""
        await self._streamed.close()


def _headers(streamed: Streamed) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, value in streamed.headers:
        found.setdefault(name, value)
    return found


async def _whole(body: AsyncIterable[bytes]) -> bytes:
    """Read a body that has to be known before it is sent.

    Raises: RunError[body-too-large].
    """
    parts: list[bytes] = []
    size = 0
    async for part in body:
        size += len(part)
        if size > MAX_PROVEN_BODY:
            raise RunError(
                code="body-too-large",
                message=f"the body has more than {MAX_PROVEN_BODY} bytes, which is the most that "
                "can be signed",
                status=413,
            )
        parts.append(part)
    return b"".join(parts)
