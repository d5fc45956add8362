"""One HTTP/1.1 exchange over a pooled connection of asyncio's, which ends with who awaits it.

pyreqwest 0.15 lets go of a cancelled request without closing its connection (it drops the
runtime's join handle), and neither a closed client, nor a middleware that raises, nor a dropped
request changes that: only an answer whose body has begun is given up. A caller who hangs up, a
cancelled tool and a forwarded stream must stop the exchange at once, so they go this way: bytes in
and out through a protocol of asyncio's, parsed by llhttp (httptools).
"""

from __future__ import annotations

import asyncio
import re
import select
import socket
import ssl
import zlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeAlias, cast
from urllib.parse import quote, urlsplit

import httptools

from naftiko.consumes.transport_errors import (
    BadResponseError,
    ConnectError,
    ConnectionBrokenError,
    InvalidRequestError,
    ResponseTooLargeError,
    TimedOutError,
    TransportError,
)

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 200
HIGH_WATER = 256 * 1024
"""How much of an answer waits to be taken before the peer is made to wait."""
KEPT_PER_HOST = 100
SWEEP_EVERY_S = 5.0

_TARGET = re.compile(r"[!-~]+")
_UNSAFE = re.compile(r"[\"<>\\^`{|}]")
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_METHOD = re.compile(r"[A-Z-]{1,32}")
_HOST = re.compile(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+")
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
_NO_BODY = frozenset({204, 304})
_JOINED = frozenset({"link", "www-authenticate", "cache-control", "vary", "allow"})

Headers = Sequence[tuple[str, str]]
Body = bytes | AsyncIterable[bytes] | None


class AnyCase(dict[str, str]):
    """Headers by lower-case name, found in any case."""

    __slots__ = ()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]  # texts only
        """Return a header."""
        return super().get(name.lower(), default)

    def __getitem__(self, name: str) -> str:
        """Return a header."""
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        """Tell whether it is there."""
        return isinstance(name, str) and super().__contains__(name.lower())


class Origin(NamedTuple):
    """Where a connection leads."""

    host: str
    port: int
    tls: bool

    @property
    def address(self) -> str:
        """Return "host:port"."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Connection(asyncio.Protocol):
    """A connection and the one exchange that it carries at a time."""

    def __init__(self, origin: Origin) -> None:
        """Start without an exchange."""
        self.origin = origin
        self.closed = False
        self.idle_since = 0.0
        self.status = 0
        self.pairs: list[tuple[str, str]] = []
        self.keep = False
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._is_head = False
        self._head_size = 0
        self._headed = False
        self._done = True
        self._to_eof = False
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
        self.keep = False
        self._is_head = is_head
        self._head_size = 0
        self._headed = self._done = self._to_eof = False
        self._error = None
        self._chunks.clear()
        self._size = self._waiting = 0
        self._limit = limit
        self._wakes_early = streams
        self._transport.write(head)

    async def write(self, data: bytes) -> None:
        """Send a part of the body, as fast as the peer takes it."""
        if self.closed or self._transport is None:
            raise self._broken()
        self._transport.write(data)
        if self._writable is not None:
            await self._writable
            if self.closed:
                raise self._broken()

    async def head(self) -> None:
        """Wait for the status and the headers."""
        while not self._headed and self._error is None:
            await self._wait()
        if self._error is not None:
            raise self._error

    async def whole(self) -> bytes:
        """Wait for the whole answer and return its body."""
        while not self._done and self._error is None:
            await self._wait()
        if self._error is not None:
            raise self._error
        chunks = self._chunks
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        return body

    async def chunk(self) -> bytes:
        """Wait for the next part of the body; b"" at its end."""
        while not self._chunks and not self._done and self._error is None:
            await self._wait()
        if self._chunks:
            data = self._chunks.popleft() if len(self._chunks) == 1 else b"".join(self._chunks)
            self._chunks.clear()
            self._waiting = 0
            if self._paused and self._transport is not None:
                self._paused = False
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
        phase = "body" if self._headed else "response"
        self.fail(TimedOutError(self.origin.address, "no answer in time", phase))

    def abort(self) -> None:
        """Close the connection at once, whatever it carries."""
        self.keep = False
        if self._transport is not None and not self.closed:
            self._transport.abort()

    def close(self) -> None:
        """Close the connection, which carries nothing."""
        if self._transport is not None and not self.closed:
            self._transport.close()

    @property
    def is_done(self) -> bool:
        """Whether the whole answer is here."""
        return self._done and self._error is None

    def is_usable(self) -> bool:
        """Tell whether an idle connection may carry another exchange: the peer sent nothing."""
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

    def connection_lost(self, exc: Exception | None) -> None:
        """End the exchange: well where the answer goes on until here, else as broken."""
        self.closed = True
        self.keep = False
        if not self._done and self._error is None:
            if self._to_eof and exc is None:
                self._done = True
            else:
                self._error = self._broken()
            self._wake()
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self._done or self._parser is None:
            self.abort()  # nothing was asked
            return
        if not self._headed:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._bad("it changes the protocol")
        except httptools.HttpParserError as error:
            self._bad(str(error) or type(error).__name__)
        if not self._headed and self._head_size > MAX_HEAD_BYTES:
            self._bad("message head is too large")

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
        """Keep a header."""
        if self._done:
            return
        if len(self.pairs) < MAX_HEADERS:
            self.pairs.append((name.decode("latin-1").lower(), value.decode("latin-1")))
        elif not self._headed:
            self._bad("message head is too large")

    def on_headers_complete(self) -> None:
        """Note the status; an interim answer (1xx) is not the answer."""
        parser = self._parser
        assert parser is not None
        status = parser.get_status_code()
        if status < 200 and not self._done:
            self.pairs = []
            self._head_size = 0
            return
        if self._done or self._error is not None:
            return
        self.status = status
        self._headed = True
        empty = self._is_head or status in _NO_BODY
        self._to_eof = not empty and not any(
            name in ("content-length", "transfer-encoding") for name, _ in self.pairs
        )
        if self._is_head:
            self._complete(keep=parser.should_keep_alive())
        elif self._wakes_early:
            self._wake()

    def on_body(self, data: bytes) -> None:
        """Keep a part of the body."""
        if self._done or self._error is not None:
            return
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
        if self._headed and not self._done:
            assert self._parser is not None
            self._complete(keep=self._parser.should_keep_alive())

    # ------------------------------------------------------------- own

    def _complete(self, *, keep: bool) -> None:
        self._done = True
        self.keep = keep and self._error is None
        self._wake()

    def _bad(self, reason: str) -> None:
        if self._done:
            self.abort()  # more than an answer came; what it was is of no account
            return
        self.fail(BadResponseError(self.origin.address, reason))

    def _broken(self) -> TransportError:
        phase = "body" if self._headed else "response"
        reason = "connection closed before message completed"
        return self._error or ConnectionBrokenError(self.origin.address, reason, phase)

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


class _Pool:
    """The idle connections of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, idle_s: float) -> None:
        self.loop = loop
        self._idle_s = idle_s
        self._idle: dict[Origin, list[Connection]] = {}
        self._sweeping = False
        self.end: AsyncGenerator[None] | None = None

    def take(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if self.loop.time() - connection.idle_since < self._idle_s and connection.is_usable():
                return connection
            connection.close()
        return None

    def give(self, connection: Connection) -> None:
        idle = self._idle.setdefault(connection.origin, [])
        if len(idle) >= KEPT_PER_HOST:
            connection.close()
            return
        connection.idle_since = self.loop.time()
        idle.append(connection)
        if not self._sweeping:
            self._sweeping = True
            self.loop.call_later(SWEEP_EVERY_S, self._sweep)

    def _sweep(self) -> None:
        since = self.loop.time() - self._idle_s
        for origin, idle in list(self._idle.items()):
            for connection in [item for item in idle if item.idle_since <= since]:
                idle.remove(connection)
                connection.close()
            if not idle:
                del self._idle[origin]
        self._sweeping = bool(self._idle)
        if self._sweeping:
            self.loop.call_later(SWEEP_EVERY_S, self._sweep)

    def close(self) -> None:
        idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.abort()  # TLS would wait for the peer's goodbye


_Pools: TypeAlias = dict[asyncio.AbstractEventLoop, _Pool]


async def _at_the_end_of_the_loop(
    pools: _Pools, loop: asyncio.AbstractEventLoop
) -> AsyncGenerator[None]:
    """Close the loop's pool when `asyncio.run` shuts its generators down: nobody else may do it."""
    try:
        yield
    finally:
        pool = pools.pop(loop, None)
        if pool is not None:
            pool.close()


class Exchanges:
    """Makes exchanges over pooled connections. `tls` returns what HTTPS trusts when it is asked."""

    def __init__(
        self,
        *,
        connect_timeout_s: float,
        pool_idle_s: float,
        tls: Callable[[], ssl.SSLContext],
        user_agent: str,
        decompress: bool = True,
    ) -> None:
        """Keep the settings; nothing is opened before the first request."""
        self._connect_timeout_s = connect_timeout_s
        self._pool_idle_s = pool_idle_s
        self._tls = tls
        self._user_agent = user_agent
        self._decompress = decompress
        self._pools: _Pools = {}

    async def send(
        self,
        method: str,
        url: str,
        headers: Headers,
        body: bytes | None,
        *,
        timeout_s: float,
        max_body_bytes: int,
    ) -> tuple[int, AnyCase, bytes]:
        """Send a request and read its whole answer; cancelling it closes the connection.

        Raises: TransportError.
        """
        origin, target, host = split_url(url)
        coding = "gzip, deflate" if self._decompress else "identity"
        head = self._head(method, target, host, origin, headers, body, len(body or b""), coding)
        pool = self._pool()
        ends = pool.loop.time() + timeout_s
        connection = pool.take(origin) or await self._connect(origin, timeout_s)
        timer = pool.loop.call_at(ends, connection.expire)
        try:
            data = head + body if body else head
            is_head = method == "HEAD"
            connection.begin(data, is_head=is_head, limit=max_body_bytes, streams=False)
            content = await connection.whole()
        except BaseException:
            connection.abort()
            raise
        finally:
            timer.cancel()
        found = _headers(connection.pairs)
        if connection.keep:
            pool.give(connection)
        else:
            connection.close()
        if self._decompress and "content-encoding" in found:
            content = _decompressed(content, found, origin.address, max_body_bytes)
        return connection.status, found, content

    async def stream(
        self,
        method: str,
        url: str,
        headers: Headers,
        body: Body,
        *,
        length: int | None,
        head_timeout_s: float,
        idle_timeout_s: float,
        max_body_bytes: int | None = None,
    ) -> StreamedResponse:
        """Send a request and return its answer as soon as its head is there, not decompressed.

        `body` may come in parts; `length` is its size where that is known, else it goes out in
        chunks. The answer may begin before the body has ended. Close the answer.

        Raises: TransportError; and whatever reading `body` raises.
        """
        origin, target, host = split_url(url)
        head = self._head(method, target, host, origin, headers, body, length, "identity")
        pool = self._pool()
        connection = pool.take(origin) or await self._connect(origin, head_timeout_s)
        response = StreamedResponse(connection, pool, idle_timeout_s)
        whole = head + body if isinstance(body, bytes) else head
        try:
            connection.begin(whole, is_head=method == "HEAD", limit=max_body_bytes, streams=True)
            if body is not None and not isinstance(body, bytes):
                response.upload(body, length)
            await response.head(head_timeout_s)
        except BaseException:
            await response.close()
            raise
        return response

    def close(self) -> None:
        """Close what is idle. Later requests open new connections."""
        pools = dict(self._pools)
        try:
            running: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        for loop, pool in pools.items():
            if loop is running:
                pool.close()
            elif not loop.is_closed():
                with suppress(RuntimeError):  # it ended just now
                    loop.call_soon_threadsafe(pool.close)

    def _pool(self) -> _Pool:
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            for other in [item for item in self._pools if item.is_closed()]:
                del self._pools[other]
            pool = self._pools[loop] = _Pool(loop, self._pool_idle_s)
            pool.end = _at_the_end_of_the_loop(self._pools, loop)
            with suppress(StopIteration):  # it runs to its `yield`
                anext(pool.end).__await__().send(None)
        return pool

    async def _connect(self, origin: Origin, timeout_s: float) -> Connection:
        address = origin.address
        loop = asyncio.get_running_loop()
        tls = self._tls() if origin.tls else None
        try:
            async with asyncio.timeout(min(timeout_s, self._connect_timeout_s)):
                _, connection = await loop.create_connection(
                    lambda: Connection(origin), origin.host, origin.port, ssl=tls
                )
        except TimeoutError as error:
            raise TimedOutError(address, "no connection in time", "connect") from error
        except socket.gaierror as error:
            raise ConnectError(address, _reason(error), "dns") from error
        except ssl.SSLError as error:
            raise ConnectError(address, _reason(error), "tls") from error
        except UnicodeError as error:
            raise InvalidRequestError(address, str(error)) from error
        except OSError as error:
            kind = "refused" if isinstance(error, ConnectionRefusedError) else "other"
            if origin.tls and isinstance(error, ConnectionResetError):
                kind = "tls"
            raise ConnectError(address, _reason(error), kind) from error
        return connection

    def _head(
        self,
        method: str,
        target: str,
        host: str,
        origin: Origin,
        headers: Headers,
        body: Body,
        length: int | None,
        coding: str,
    ) -> bytes:
        if not _METHOD.fullmatch(method):
            raise InvalidRequestError(origin.address, "the method is none")
        lines = [f"{method} {target} HTTP/1.1"]
        own = {"host": host, "user-agent": self._user_agent, "accept": "*/*"}
        own["accept-encoding"] = coding
        for name, value in headers:
            lower = name.lower()
            if lower in ("content-length", "transfer-encoding", "connection"):
                continue
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise InvalidRequestError(origin.address, f"the header `{name[:80]!r}` is none")
            own.pop(lower, None)
            lines.append(f"{name}: {value}")
        lines += [f"{name}: {value}" for name, value in own.items()]
        if body is None or length == 0:
            if method in _BODY_METHODS:
                lines.append("content-length: 0")
        elif length is None:
            lines.append("transfer-encoding: chunked")
        else:
            lines.append(f"content-length: {length}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


class StreamedResponse:
    """An answer while it comes in. `headers` are pairs, names in lower case."""

    def __init__(self, connection: Connection, pool: _Pool, idle_timeout_s: float) -> None:
        """Keep what carries it."""
        self._connection = connection
        self._pool = pool
        self._idle_timeout_s = idle_timeout_s
        self._uploading: asyncio.Task[None] | None = None
        self._upload_error: BaseException | None = None
        self._closed = False

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._connection.status

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """The headers as they came."""
        return self._connection.pairs

    def upload(self, body: AsyncIterable[bytes], length: int | None) -> None:
        """Begin to send a body that comes in parts."""
        self._uploading = asyncio.get_running_loop().create_task(self._upload(body, length))

    async def head(self, timeout_s: float) -> None:
        """Wait for the head.

        Raises: TransportError, and what reading the body raised.
        """
        timer = self._pool.loop.call_later(timeout_s, self._connection.expire)
        try:
            await self._connection.head()
        except TransportError:
            if self._upload_error is not None:
                raise self._upload_error from None
            raise
        finally:
            timer.cancel()

    async def chunk(self) -> bytes:
        """Return the next part of the body, b"" at its end.

        Raises: TransportError.
        """
        timer = self._pool.loop.call_later(self._idle_timeout_s, self._connection.expire)
        try:
            return await self._connection.chunk()
        finally:
            timer.cancel()

    async def close(self) -> None:
        """Give the connection back; close it where the exchange has not ended."""
        if self._closed:
            return
        self._closed = True
        connection, uploading = self._connection, self._uploading
        whole = uploading is None or (uploading.done() and self._upload_error is None)
        if connection.keep and whole and connection.is_done:
            self._pool.give(connection)
        else:
            connection.abort()
        if uploading is not None and not uploading.done():
            uploading.cancel()
            await asyncio.wait([uploading])

    async def _upload(self, body: AsyncIterable[bytes], length: int | None) -> None:
        sent = 0
        try:
            async for data in body:
                if not data:
                    continue
                sent += len(data)
                if length is None:
                    data = b"%x\r\n%b\r\n" % (len(data), data)
                await self._connection.write(data)
            if length is None:
                await self._connection.write(b"0\r\n\r\n")
            elif sent != length:
                self._connection.abort()
        except TransportError:
            return  # the answer may be there all the same; who reads it meets the error
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # raised by `head`
            self._upload_error = error
            self._connection.abort()


def split_url(url: str) -> tuple[Origin, str, str]:
    """Return where a URL leads, the request target, and the value of `Host`.

    Raises: InvalidRequestError.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidRequestError("the URL", str(error)) from error
    host = parts.hostname or ""
    tls = parts.scheme == "https"
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        raise InvalidRequestError("the URL", "it is not one to call")
    shown = f"[{host}]" if ":" in host else host
    if not shown.isascii():
        try:
            shown = host = host.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise InvalidRequestError("the URL", str(error)) from error
    if not _HOST.fullmatch(shown):
        raise InvalidRequestError("the URL", "its host is none")
    origin = Origin(host, port or (443 if tls else 80), tls)
    path = parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    if not _TARGET.fullmatch(target) or _UNSAFE.search(target):
        target = quote(target, safe="/%:?#[]@!$&'()*+,;=-._~")
    return origin, target, shown if port is None else f"{shown}:{port}"


def _headers(pairs: Sequence[tuple[str, str]]) -> AnyCase:
    found = AnyCase()
    for name, value in pairs:
        if name not in found:
            dict.__setitem__(found, name, value)
        elif name in _JOINED:
            dict.__setitem__(found, name, f"{found[name]}, {value}")
    return found


def _decompressed(content: bytes, headers: AnyCase, address: str, limit: int) -> bytes:
    coding = headers["content-encoding"].strip().lower()
    if coding in ("", "identity") or not content:
        return content
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise BadResponseError(address, f"its content encoding `{coding[:40]}` was not asked for")
    try:
        out = _inflated(content, zlib.MAX_WBITS | 32, limit)
    except zlib.error as error:
        if coding != "deflate":
            raise BadResponseError(address, f"its body cannot be decompressed: {error}") from error
        try:
            out = _inflated(content, -zlib.MAX_WBITS, limit)
        except zlib.error:
            raise BadResponseError(address, "its body cannot be decompressed") from error
    if len(out) > limit:
        raise ResponseTooLargeError(address, limit)
    headers.pop("content-encoding", None)
    headers.pop("content-length", None)
    return out


def _inflated(content: bytes, bits: int, limit: int) -> bytes:
    parts: list[bytes] = []
    room = limit + 1
    while content and room > 0:
        stream = zlib.decompressobj(bits)
        part = stream.decompress(content, room)
        if not stream.eof and len(part) < room:
            raise zlib.error("it ends early")
        parts.append(part)
        room -= len(part)
        content = stream.unused_data
    return b"".join(parts)


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
