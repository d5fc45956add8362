"""A connection: bytes out, bytes in through llhttp, one exchange at a time.

What an answer may make us keep is bounded: its head, its trailers and what surrounds its chunks by
64 KiB, its body by a limit or, where it is passed on, by making the peer wait. What could be read
in two ways is refused or ends the connection, so that nobody can put an answer in the place of
another's.

Source: RFC 9112, sections 6 and 9.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections import deque
from contextlib import suppress
from typing import Final, cast

import httptools

from naftiko.consumes.exchange.request import Origin
from naftiko.consumes.transport_errors import (
    BadResponseError,
    ConnectionBrokenError,
    ResponseTooLargeError,
    TimedOutError,
    TransportError,
)

MAX_HEAD_BYTES: Final = 64 * 1024
MAX_HEADERS: Final = 200
HIGH_WATER: Final = 256 * 1024
"""How much of an answer waits to be taken before the peer is made to wait."""

_NO_BODY = frozenset({204, 304})
_FRAMING = frozenset({"content-length", "transfer-encoding"})


class Connection(asyncio.Protocol):
    """A connection and the one exchange that it carries at a time."""

    def __init__(self, origin: Origin) -> None:
        """Start without an exchange."""
        self.origin = origin
        self.closed = False
        self.idle_since = 0.0
        self.status = 0
        self.pairs: list[tuple[str, str]] = []
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._keep = False
        self._is_head = False
        self._head_bytes = 0
        self._bytes_since_body = 0
        self._is_framed = False
        self._is_chunked = False
        self._headed = False
        self._done = True
        self._to_eof = False
        self._has_goodbye = False
        self._error: TransportError | None = None
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._waiting = 0
        self._limit: int | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._wakes_early = False
        self._paused = False
        self._writable: asyncio.Future[None] | None = None

    # ------------------------------------------------------------- what the owner does

    def begin(self, head: bytes, *, is_head: bool, limit: int | None, streams: bool) -> None:
        """Send the head (and a body that is complete) and expect an answer."""
        assert self._transport is not None  # it is connected
        self._parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.pairs = []
        self._is_head = is_head
        self._keep = self._is_framed = self._is_chunked = False
        self._headed = self._done = self._to_eof = False
        self._error = None
        self._chunks.clear()
        self._head_bytes = self._bytes_since_body = self._size = self._waiting = 0
        self._limit = limit
        self._wakes_early = streams
        self._transport.write(head)

    def write(self, data: bytes) -> bool:
        """Send a part of the body; False where the peer has to take some of it first.

        Raises: TransportError.
        """
        if self.closed or self._transport is None:
            raise self._broken()
        self._transport.write(data)
        return self._writable is None

    async def writable(self) -> None:
        """Wait until the peer has taken what was written.

        Raises: TransportError.
        """
        if self._writable is not None:
            await self._writable
        if self.closed:
            raise self._broken()

    async def head(self) -> None:
        """Wait for the status and the headers.

        Raises: TransportError.
        """
        while not self._headed and self._error is None:
            await self._wait()
        if self._error is not None:
            raise self._error

    async def whole(self) -> bytes:
        """Wait for the whole answer and return its body.

        Raises: TransportError.
        """
        while not self._done and self._error is None:
            await self._wait()
        if self._error is not None:
            raise self._error
        chunks = self._chunks
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        return body

    async def chunk(self) -> bytes:
        """Wait for the next part of the body; b"" at its end.

        Raises: TransportError.
        """
        while not self._chunks and not self._done and self._error is None:
            await self._wait()
        if self._chunks:
            data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
            self._chunks.clear()
            self._waiting = 0
            if self._paused and self._transport is not None:
                self._paused = False
                if not self._transport.is_closing():
                    self._transport.resume_reading()
            return data
        if self._error is not None:
            raise self._error
        return b""

    def fail(self, error: TransportError) -> None:
        """End the exchange with an error, and the connection with it."""
        if self._error is None and not self._done:
            self._error = error
            self._wake()
        self.abort()

    def expire(self) -> None:
        """End the exchange because its time is up."""
        self.fail(TimedOutError(self.origin.address, "no answer in time", self._phase))

    def stall(self) -> None:
        """End the exchange because the peer takes nothing of the request."""
        self.fail(TimedOutError(self.origin.address, "the body was not taken", self._phase))

    def abort(self) -> None:
        """Close the connection at once, whatever it carries; TLS waits for no goodbye."""
        self._keep = False
        if self._transport is not None and not self.closed:
            self._transport.abort()

    @property
    def is_done(self) -> bool:
        """Whether the whole answer is here."""
        return self._done and self._error is None

    def is_reusable(self) -> bool:
        """Tell whether it may carry another exchange: all was sent, and all that came was taken."""
        transport = self._transport
        return (
            self._keep  # it ended, without an error
            and not self._chunks
            and not self._paused
            and transport is not None
            and not transport.get_write_buffer_size()
        )

    def is_usable(self) -> bool:
        """Tell whether it still is so after it was idle: the peer sent nothing and did not end."""
        transport = self._transport
        if self.closed or transport is None or transport.is_closing():
            return False
        sock = transport.get_extra_info("socket")
        if sock is None:
            return True
        with suppress(OSError, ValueError):
            return not _is_readable(sock.fileno())
        return False

    # ------------------------------------------------------------- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        parser = self._parser
        if self._done or parser is None:
            self.abort()  # nothing was asked
            return
        self._bytes_since_body += len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._bad("it changes the protocol")
        except httptools.HttpParserError as error:
            self._bad(str(error) or type(error).__name__)
        if self._bytes_since_body > MAX_HEAD_BYTES and not self._done:
            self._bad("message head is too large")

    def eof_received(self) -> None:
        """Note whether TLS ended by its goodbye: else somebody may have cut the answer short.

        asyncio calls this at either end, uvloop only after a goodbye. Source: RFC 9112, 9.8.
        """
        if not self._to_eof or self._transport is None:
            return
        secured = self._transport.get_extra_info("ssl_object")
        if secured is not None:
            try:
                self._has_goodbye = secured.read(1) == b""
            except ssl.SSLError as error:
                self._has_goodbye = isinstance(error, ssl.SSLZeroReturnError)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the exchange: well where the answer goes on until here, else as broken."""
        self.closed = True
        self._keep = False
        if not self._done and self._error is None:
            if self._to_eof and exc is None and (self._has_goodbye or not self.origin.tls):
                self._done = True
            else:
                self._error = self._broken()
            self._wake()
        self._parser = None  # it refers back to here
        self.resume_writing()

    def pause_writing(self) -> None:
        """Make writers wait."""
        if self._writable is None:
            self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Let writers go on."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    # ------------------------------------------------------------- what the parser calls

    def on_message_begin(self) -> None:
        """Refuse a second answer: it would be taken for that of the next request."""
        if self._done:
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; what follows the body (a trailer) is none."""
        if self._done or self._error is not None:
            return
        pairs = self.pairs
        self._head_bytes = size = self._head_bytes + len(name) + len(value)
        if size > MAX_HEAD_BYTES or len(pairs) >= MAX_HEADERS:
            self._bad("message head is too large")
        elif not self._headed:
            key, text = name.decode("latin-1").lower(), value.rstrip().decode("latin-1")
            pairs.append((key, text))
            if key in _FRAMING:
                self._note_framing(key, text)

    def on_headers_complete(self) -> None:
        """Note the status; an interim answer (1xx) is not the answer."""
        if self._done or self._error is not None:
            return
        parser = self._parser
        assert parser is not None  # it calls
        status = parser.get_status_code()
        if status < 200:
            if status < 100 or status == 101:
                self._bad("its status is no answer to what was asked")
            self.pairs = []
            self._is_framed = self._is_chunked = False
            return
        self.status = status
        self._headed = True
        self._to_eof = not self._is_framed and not self._is_head and status not in _NO_BODY
        if self._is_head:
            self._complete(parser)
        elif self._wakes_early:
            self._wake()

    def on_body(self, data: bytes) -> None:
        """Keep a part of the body."""
        if self._done:
            self.abort()  # HEAD has none; the rest of it would be taken for an answer
            return
        if self._error is not None:
            return
        self._bytes_since_body = 0
        self._size += len(data)
        self._waiting += len(data)
        if self._limit is not None and self._size > self._limit:
            self.fail(ResponseTooLargeError(self.origin.address, self._limit))
            return
        self._chunks.append(data)
        if self._wakes_early:
            if self._waiting > HIGH_WATER and not self._paused and self._transport is not None:
                self._paused = True
                self._transport.pause_reading()
            self._wake()

    def on_message_complete(self) -> None:
        """End the exchange."""
        if self._headed and not self._done and self._error is None:
            assert self._parser is not None  # it calls
            self._complete(self._parser)

    # ------------------------------------------------------------- own

    def _note_framing(self, key: str, text: str) -> None:
        if key == "transfer-encoding":
            if self._is_chunked or text.lower() != "chunked":
                self._bad("its transfer encoding was not asked for")
            self._is_chunked = True
        self._is_framed = True

    def _complete(self, parser: httptools.HttpResponseParser) -> None:
        self._done = True
        # What HTTP/1.0 says of chunks is not to be trusted: RFC 9112, 6.1.
        is_odd = self._is_chunked and parser.get_http_version() != "1.1"
        self._keep = not is_odd and parser.should_keep_alive()
        self._wake()

    def _bad(self, reason: str) -> None:
        if self._done:
            self.abort()  # more than an answer came; what it was is of no account
            return
        self.fail(BadResponseError(self.origin.address, reason))

    @property
    def _phase(self) -> str:
        return "body" if self._headed else "response"

    def _broken(self) -> TransportError:
        reason = "connection closed before message completed"
        return self._error or ConnectionBrokenError(self.origin.address, reason, self._phase)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter


def _is_readable(fd: int) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poller.poll(0))
