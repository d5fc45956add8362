"""uvicorn's httptools protocol with the bounds that httptools itself lacks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from naftiko.exposes.guard import MAX_HEADER_BYTES, MAX_HEADERS
from naftiko.exposes.problem import RequestError, new_request_id, problem_answer, uri_reference
from naftiko.plan.masking import Masker

if TYPE_CHECKING:
    from typing import Any

    from uvicorn import Config
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
    from uvicorn.server import ServerState

HEAD_DEADLINE_S: Final = 30.0
"""How long the head of a request may take to arrive, counted from its first bytes."""

LINGER_S: Final = 1.0
"""How long a refused sender is read out, so that closing does not destroy the answer unread."""

MAX_OFFERS: Final = 8
"""How many requests that arrive together may each offer to upgrade; each is parsed twice."""

_STATUS_TEXT = {
    400: b"Bad Request",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
}


class GuardedHttpProtocol(HttpToolsProtocol):
    """Bounds what a caller can make the server keep before any application code runs.

    llhttp, the parser in httptools, has no limits: a request line or a header without an end is
    collected for as long as bytes arrive, any number of headers is handed on, and a head that
    trickles in keeps its connection for ever. Here:

    - request line and headers past 64 KiB, or more than 100 headers, are answered 431;
    - a head that is not complete 30 s after its first bytes is answered 408;
    - what surrounds a chunked body (extensions, trailers) is bounded alike, and trailers are
      dropped: uvicorn would add them to the headers of a request that is already being served;
    - what does not parse is answered with the problem document all other errors have;
    - a connection that sends nothing at all for as long is closed;
    - a caller who takes nothing of an answer for 30 s, once the connection is due to be closed, is
      cut off, so that it does not hold the answer in memory;
    - an offer to upgrade to another protocol is ignored, and does not cost the request its body.

    A refused connection is closed after the answer.
    """

    head_deadline_s = HEAD_DEADLINE_S

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # uvicorn's type for the lifespan state
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Start with no request under way."""
        super().__init__(config, server_state, app_state, _loop)
        self._in_message = False
        self._in_head = False
        self._target = b""
        self._head_bytes = 0
        self._pending_bytes = 0
        self._body_arrived = False
        self._offered = False
        self._refusal: RequestError | None = None
        self._closing = False
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's
        """Wait for the first bytes only so long."""
        super().connection_made(transport)
        self._watch_head()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, and do not wait for ever for its caller to take the rest."""
        super().timeout_keep_alive_handler()
        self._watch_rest()

    def data_received(self, data: bytes) -> None:
        """Parse, then count what has arrived without finishing a head or adding to a body."""
        if self._closing:
            return
        self._unset_keepalive_if_required()
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self.send_400_response("")
            return
        if not self._in_message or self._closing:
            return
        if self._body_arrived:
            self._body_arrived = False
            self._pending_bytes = 0
            return
        self._pending_bytes += len(data)
        if self._in_head:
            self._watch_head()
        if self._pending_bytes > MAX_HEADER_BYTES:
            self._refusal = _too_large(f"more than {MAX_HEADER_BYTES} bytes")
            self.send_400_response("")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_head_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Count from here on."""
        self._stop_head_timer()
        self._target = b""
        self._in_message = self._in_head = True
        self._head_bytes = self._pending_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count the request line."""
        self._count(len(url))
        super().on_url(url)
        self._target = self.url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count the header; drop it if it is a trailer."""
        self._count(len(name) + len(value) + 4)
        if not self._in_head:
            return
        if len(self.headers) >= MAX_HEADERS:
            self._refuse(_too_large(f"more than {MAX_HEADERS} headers"))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request on."""
        self._in_head = False
        self._head_bytes = self._pending_bytes = 0
        self._stop_head_timer()
        self._offered = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if not self._offered:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Note that the body grows; the application bounds its size."""
        self._body_arrived = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop counting."""
        self._in_message = False
        if not self._offered:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer a request that cannot be served with a problem document, and close."""
        error = self._refusal or RequestError(
            code="bad-request",
            message="the request is not valid HTTP/1.1",
            status=400,
        )
        self._closing = True
        self._stop_head_timer()
        if self.transport.is_closing():
            return
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started:
                # A second answer behind half a first one would be taken for its body.
                self.transport.close()
                return
            # It is the body of this request that is broken: the application hears of a disconnect.
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.write(_wire(error, self._target))
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.loop.call_later(LINGER_S, self.transport.close)
        else:
            self.transport.close()

    def _parse(self, data: bytes) -> None:
        """Feed the parser.

        Raises: HttpParserError.
        """
        for _ in range(MAX_OFFERS):
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = self._head_without_offer() + data[offer.args[0] :]
            else:
                return
        message = "too many offers to upgrade at once"
        raise httptools.HttpParserError(message)

    def _head_without_offer(self) -> bytes:
        """Return the head of the request without its offer to upgrade, for a new parser.

        A server may ignore the offer (RFC 9110, section 7.8), and Java's client makes one for
        HTTP/2 with every request; but httptools then takes the body for the other protocol's.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version()
        lines = [b"%s %s HTTP/%s" % (method, self.url, version.encode("ascii"))]
        for name, value in self.headers:
            if name == b"connection" and b"close" in value.lower():
                lines.append(b"connection: close")
            elif name not in (b"connection", b"upgrade", b"http2-settings"):
                lines.append(b"%s: %s" % (name, value))
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return b"\r\n".join([*lines, b"", b""])

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEADER_BYTES:
            self._refuse(_too_large(f"more than {MAX_HEADER_BYTES} bytes"))

    def _refuse(self, error: RequestError) -> None:
        """Stop the parser: it turns what a callback raises into its own error."""
        self._refusal = error
        raise error

    def _watch_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_deadline_s, self._head_is_late)

    def _watch_rest(self) -> None:
        left = self.transport.get_write_buffer_size()
        if left:
            self.loop.call_later(self.head_deadline_s, self._end_if_stalled, left)

    def _end_if_stalled(self, before: int) -> None:
        if self.transport.get_write_buffer_size() < before:
            self._watch_rest()
        else:
            self.transport.abort()

    def _head_is_late(self) -> None:
        if not self._in_message:
            # Nothing was asked, so there is nothing to answer.
            self._closing = True
            self.transport.close()
            return
        self._refusal = RequestError(
            code="request-timeout",
            message=f"the head of the request did not arrive within {self.head_deadline_s:g} s",
            status=408,
        )
        self.send_400_response("")

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def _too_large(found: str) -> RequestError:
    return RequestError(
        code="headers-too-large",
        message=f"the head of the request has {found}",
        status=431,
    )


def _wire(error: RequestError, target: bytes) -> bytes:
    error.close = True
    path = uri_reference(target.partition(b"?")[0])
    answer = problem_answer(error, request_id=new_request_id(), masker=Masker(), instance=path)
    head = [b"HTTP/1.1 %d %s\r\n" % (answer.status, _STATUS_TEXT[answer.status])]
    head += [b"%s: %s\r\n" % header for header in answer.headers]
    return b"".join([*head, b"\r\n", answer.body])
