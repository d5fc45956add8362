"""Exchanges through a proxy, by pyreqwest."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn

from naftiko.consumes.exchange.request import BODY_METHODS, OF_THE_CONNECTION
from naftiko.consumes.transport_errors import (
    BadResponseError,
    ConnectError,
    ConnectionBrokenError,
    HttpResponse,
    InvalidRequestError,
    ResponseTooLargeError,
    TimedOutError,
    TransportError,
    address_of,
)
from naftiko.errors import StartError

if TYPE_CHECKING:
    from pyreqwest.client import Client
    from pyreqwest.exceptions import PyreqwestError
    from pyreqwest.proxy import ProxyBuilder
    from pyreqwest.request import StreamRequest
    from pyreqwest.response import Response

ALWAYS_DIRECT = "localhost,127.0.0.0/8,::1"
"""Loopback is never reached through a proxy: the proxy's loopback is another machine's."""
_EMPTY_BODY = ("Content-Length", "0")
_LONG = timedelta(hours=24)


async def send_proxied(
    client: Client,
    method: str,
    url: str,
    headers: Sequence[tuple[str, str]],
    body: bytes | None,
    *,
    timeout_s: float,
    max_body_bytes: int,
) -> HttpResponse:
    """Send a request and read its whole answer.

    Raises: TransportError.
    """
    from pyreqwest.exceptions import PyreqwestError

    try:
        builder = client.request(method, url).timeout(_duration(timeout_s))
        if body:
            builder = builder.body_bytes(body)
        elif method in BODY_METHODS:
            headers = [*headers, _EMPTY_BODY]
        request = builder.headers(headers).build_streamed()
    except (ValueError, TypeError) as error:
        raise InvalidRequestError(address_of(url), str(error)) from error
    answered = False
    try:
        async with request as response:
            answered = True
            read_chunk = response.body_reader.read_chunk
            chunks: list[bytes] = []
            room = max_body_bytes
            while (chunk := await read_chunk()) is not None:
                room -= len(chunk)
                if room < 0:
                    raise ResponseTooLargeError(address_of(url), max_body_bytes)
                chunks.append(chunk.to_bytes())
            content = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            return HttpResponse(response.status, response.headers, content)
    except PyreqwestError as error:
        _raise_known(error, url, answered=answered)


async def stream_proxied(
    client: Client,
    method: str,
    url: str,
    headers: Sequence[tuple[str, str]],
    body: bytes | AsyncIterable[bytes] | None,
    *,
    length: int | None,
    timeout_s: float,
    idle_timeout_s: float,
    max_body_bytes: int | None = None,
) -> ProxiedStream:
    """Send a request and return its answer once its head is there.

    Raises: TransportError; and what reading `body` raises.
    """
    from pyreqwest.exceptions import PyreqwestError

    headers = [item for item in headers if item[0].lower() not in OF_THE_CONNECTION]
    given = {name.lower() for name, _ in headers}
    upload = None if body is None or isinstance(body, bytes) else _Upload(body, length)
    sent = [*headers, *([] if "accept-encoding" in given else [("Accept-Encoding", "identity")])]
    try:
        # Without a buffer the answer is here with its head, not with its first 64 KiB.
        builder = client.request(method, url).timeout(_LONG).streamed_read_buffer_limit(0)
        if isinstance(body, bytes):
            builder = builder.body_bytes(body)
        elif upload is not None:
            builder = builder.body_stream(upload.parts())
            if length is not None:
                sent.append(("Content-Length", str(length)))
        request = builder.headers(sent).build_streamed()
    except (ValueError, TypeError) as error:
        raise InvalidRequestError("the URL", str(error)) from error
    try:
        async with asyncio.timeout(timeout_s):
            response = await request.__aenter__()
    except TimeoutError as error:
        raise TimedOutError("the proxy", "no answer in time", "response") from error
    except PyreqwestError as error:
        if upload is not None and upload.error is not None:
            raise upload.error from None
        raise _known(error) from error
    return ProxiedStream(request, response, idle_timeout_s, max_body_bytes)


class _Upload:
    """A body that comes in parts; keeps what went wrong, of which pyreqwest tells nothing."""

    def __init__(self, body: AsyncIterable[bytes], length: int | None) -> None:
        self.error: Exception | None = None
        self._body = body
        self._length = length

    async def parts(self) -> AsyncIterator[bytes]:
        left = self._length
        try:
            async for data in self._body:
                if left is not None:
                    left -= len(data)
                    if left < 0:
                        break
                yield data
            if left:
                message = f"its body has not the announced {self._length} bytes"
                raise InvalidRequestError("the proxy", message)
        except Exception as error:
            self.error = error
            raise


class ProxiedStream:
    """An answer while it comes in."""

    def __init__(
        self,
        request: StreamRequest,
        response: Response,
        idle_timeout_s: float,
        max_body_bytes: int | None,
    ) -> None:
        """Keep both: the request closes the answer."""
        self._request = request
        self._response = response
        self._idle_timeout_s = idle_timeout_s
        self._limit = max_body_bytes
        self._size = 0
        self.status = response.status
        self.headers: Sequence[tuple[str, str]] = [
            (name.lower(), value) for name, value in response.headers.items()
        ]

    async def chunk(self) -> bytes:
        """Return the next part of the body, b"" at its end.

        Raises: TransportError.
        """
        from pyreqwest.exceptions import PyreqwestError

        try:
            async with asyncio.timeout(self._idle_timeout_s):
                data = await self._response.body_reader.read_chunk()
        except PyreqwestError as error:
            raise _known(error) from error
        except TimeoutError as error:
            raise TimedOutError("the proxy", "no answer in time", "body") from error
        if data is None:
            return b""
        self._size += len(data)
        if self._limit is not None and self._size > self._limit:
            raise ResponseTooLargeError("the proxy", self._limit)
        return data.to_bytes()

    async def close(self) -> None:
        """End the exchange."""
        await self._request.__aexit__(None, None, None)


def _known(error: PyreqwestError) -> TransportError:
    details = getattr(error, "details", None)
    found = details.get("causes") if isinstance(details, dict) else None
    causes: list[str] = [cause["message"] for cause in found or []]
    reason = causes[-1].split(" for url (", 1)[0] if causes else "it failed"
    if "client error (Connect)" in causes:
        return ConnectError("the proxy", reason, "other")
    if isinstance(error, TimeoutError):
        return TimedOutError("the proxy", reason, "response")
    if "connection" in reason:
        return ConnectionBrokenError("the proxy", reason, "body")
    return BadResponseError("the proxy", reason)


@lru_cache(maxsize=256)
def _duration(seconds: float) -> timedelta:
    return timedelta(seconds=max(seconds, 0.001))


def load_pyreqwest() -> None:
    """Import pyreqwest on a thread that lasts as long as the process.

    The allocator inside of it (mimalloc) takes the thread that loads it for the main one. If that
    thread ends, the next one to call pyreqwest crashes the process (pyreqwest 0.15.1, Linux).
    """
    is_lasting = threading.current_thread() is threading.main_thread()
    if is_lasting or "pyreqwest" in sys.modules:
        return
    loaded = threading.Event()

    def load() -> None:
        try:
            import pyreqwest.client  # noqa: F401  # loading it here is all that is wanted
        finally:
            loaded.set()
        threading.Event().wait()

    threading.Thread(target=load, name="naftiko holds pyreqwest", daemon=True).start()
    loaded.wait()


def proxies(environment: Mapping[str, str]) -> list[ProxyBuilder]:
    """Return what the environment says of proxies.

    Raises: StartError.
    """
    from pyreqwest.proxy import ProxyBuilder

    direct = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    direct = f"{direct},{ALWAYS_DIRECT}" if direct else ALWAYS_DIRECT
    found: list[ProxyBuilder] = []
    for make, names in (
        (ProxyBuilder.https, ("https_proxy", "HTTPS_PROXY")),
        (ProxyBuilder.http, ("http_proxy", "HTTP_PROXY")),
        (ProxyBuilder.all, ("all_proxy", "ALL_PROXY")),
    ):
        named = [(name, environment[name]) for name in names if environment.get(name)]
        if not named or direct.split(",")[0].strip() == "*":
            continue
        name, url = named[0]
        try:
            found.append(make(url if "://" in url else f"http://{url}").no_proxy(direct))
        except ValueError as error:
            message = f"{name} is not the URL of a proxy"
            raise StartError(message, hint="write it as http://host:port") from error
    return found


def _raise_known(error: PyreqwestError, url: str, *, answered: bool) -> NoReturn:
    """Raise our error for pyreqwest's, which names its classes more boldly than it knows.

    Its ConnectError and ConnectTimeoutError also stand for requests that were sent; only the chain
    of causes tells: "client error (Connect)" is in it while no connection was made.
    """
    address, causes = address_of(url), _causes(error)
    reason = _strip_url(causes[-1]) if causes else str(error.message)
    connecting = "client error (Connect)" in causes
    if isinstance(error, TimeoutError):
        phase = "connect" if connecting else "body" if answered or "body" in error.message else ""
        raise TimedOutError(address, "no answer in time", phase or "response") from error
    if connecting:
        raise ConnectError(address, reason, _connect_kind(causes)) from error
    if _is_cut(causes):
        phase = "body" if answered or "body" in error.message else "response"
        raise ConnectionBrokenError(address, reason, phase) from error
    raise BadResponseError(address, reason) from error


def _is_cut(causes: Sequence[str]) -> bool:
    signs = (
        "connection closed before message completed",
        "connection error",
        "error reading a body from connection",
        "end of file before message length reached",
        "client error (SendRequest)",
    )
    parsing = ("invalid HTTP", "message head is too large", "invalid chunk")
    if any(sign in cause for cause in causes for sign in parsing):
        return False
    return any(sign in cause for cause in causes for sign in signs)


def _connect_kind(causes: Sequence[str]) -> str:
    text = " ".join(causes).lower()
    if "dns error" in text:
        return "dns"
    if "refused" in text:
        return "refused"
    tls = ("certificate", "tls", "handshake", "invalidcontenttype", "alert", "corrupt message")
    return "tls" if any(sign in text for sign in tls) else "other"


def _causes(error: BaseException) -> list[str]:
    details = getattr(error, "details", None)
    causes = details.get("causes") if isinstance(details, dict) else None
    return [cause["message"] for cause in causes or []]


def reason_of(error: BaseException) -> str:
    """Return the innermost cause."""
    causes = _causes(error)
    return causes[-1] if causes else str(error)


def _strip_url(reason: str) -> str:
    # A query may hold a secret; the address is told apart from it.
    return reason.split(" for url (", 1)[0]
