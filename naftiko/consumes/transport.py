"""One pooled async HTTP client for every consumed adapter: bytes out, bytes in, honest errors.

Requests go over connections of the event loop (`naftiko.consumes.exchange`), which end with the
task that awaits them: 26-29 us of CPU for a 3 KB answer on loopback. Through a proxy they go by
pyreqwest (27-31 us), which cannot give a request up: ADR 8. There every request goes through
`build_streamed()`, so that a limit on the body holds without believing `Content-Length`.

TLS trusts the system's certificate store plus the bundle that is named here or in AWS_CA_BUNDLE,
REQUESTS_CA_BUNDLE or SSL_CERT_FILE. No cookies are kept, no redirect is followed, no Referer is
sent.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import AsyncIterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol
from urllib.parse import urlsplit

from naftiko.consumes.transport_errors import (
    BadResponseError,
    ConnectError,
    ConnectionBrokenError,
    HttpResponse,
    InvalidRequestError,
    ResponseTooLargeError,
    TimedOutError,
    TransportError,
)
from naftiko.errors import StartError
from naftiko.version import __version__

if TYPE_CHECKING:
    from ssl import SSLContext

    from pyreqwest.client import Client, ClientBuilder
    from pyreqwest.client.types import TlsVersion
    from pyreqwest.exceptions import PyreqwestError
    from pyreqwest.proxy import ProxyBuilder

    from naftiko.consumes.exchange import Exchanges

__all__ = [
    "BadResponseError",
    "ConnectError",
    "ConnectionBrokenError",
    "HttpResponse",
    "InvalidRequestError",
    "ResponseTooLargeError",
    "Streamed",
    "TimedOutError",
    "Tls",
    "Transport",
    "TransportError",
    "is_sendable_path",
    "is_sendable_segment",
]

Headers = Sequence[tuple[str, str]]

DEFAULT_CONNECT_TIMEOUT_S = 5.0
DEFAULT_MAX_BODY_BYTES = 32 * 1024 * 1024
POOL_IDLE_TIMEOUT_S = 20.0
"""Kept short: reusing a connection the peer has just closed is the common way to break a call."""

CA_BUNDLE_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
ALWAYS_DIRECT = "localhost,127.0.0.0/8,::1"
"""Loopback is never reached through a proxy: the proxy's loopback is another machine's."""

_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
_EMPTY_BODY = ("Content-Length", "0")


class Streamed(Protocol):
    """An answer while it comes in; not decompressed. Close it."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """The headers as they came, names in lower case."""
        ...

    async def chunk(self) -> bytes:
        """Return the next part of the body, b"" at its end.

        Raises: TransportError.
        """
        ...

    async def close(self) -> None:
        """Give the connection back; end the exchange where it is still under way."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """What the connections of one API need beside what holds for all.

    `identity_pem` is the client's certificate, its chain and its key; `ca_pem` are roots that are
    trusted as well. With `required` nothing goes out over plain HTTP. `min_version` is "TLSv1.3".
    """

    identity_pem: bytes | None = field(default=None, repr=False)
    ca_pem: bytes | None = None
    min_version: TlsVersion | None = None
    required: bool = False

    def of(self, builder: ClientBuilder) -> ClientBuilder:
        """Return the builder with these settings.

        Raises: ValueError where the PEM cannot be used.
        """
        if self.ca_pem is not None:
            builder = builder.add_root_certificate_pem(self.ca_pem)
        if self.identity_pem is not None:
            builder = builder.identity_pem(self.identity_pem)
        if self.min_version is not None:
            builder = builder.min_tls_version(self.min_version)
        return builder.https_only(True) if self.required else builder

    def load_into(self, context: SSLContext) -> None:
        """Set these settings on a context of `ssl`.

        Raises: ValueError, ssl.SSLError where the PEM cannot be used.
        """
        if self.ca_pem is not None:
            context.load_verify_locations(cadata=self.ca_pem.decode("ascii"))
        if self.identity_pem is not None:
            _load_identity(context, self.identity_pem)
        if self.min_version is not None:
            from ssl import TLSVersion

            newest = self.min_version == "TLSv1.3"
            context.minimum_version = TLSVersion.TLSv1_3 if newest else TLSVersion.TLSv1_2


class Transport:
    """Sends requests over pooled connections; made lazily, usable from one loop after another."""

    def __init__(
        self,
        *,
        connect_timeout_s: float = DEFAULT_CONNECT_TIMEOUT_S,
        max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
        ca_bundle: str | None = None,
        tls: Tls | None = None,
        proxy_environment: Mapping[str, str] | None = None,
        user_agent: str = f"naftiko/{__version__}",
        decompress: bool = True,
    ) -> None:
        """Keep the settings; nothing is opened before the first request.

        `proxy_environment` is where HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY and the CA bundle
        variables are read from; None stands for the process environment. `ca_bundle` is a path.
        `tls` is what holds for these connections alone, so that a transport is a pool for it.
        """
        self._connect_timeout_s = connect_timeout_s
        self._max_body_bytes = max_body_bytes
        self._environment = os.environ if proxy_environment is None else proxy_environment
        self._ca_bundle = ca_bundle
        self._own_tls = tls or Tls()
        self._user_agent = user_agent
        self._decompress = decompress
        self._client: Client | None = None

    async def send(
        self,
        method: str,
        url: str,
        headers: Headers,
        body: bytes | None,
        *,
        timeout_s: float,
        max_body_bytes: int | None = None,
    ) -> HttpResponse:
        """Send one request and read its whole answer, within `timeout_s` seconds in all.

        `max_body_bytes` is the largest answer, where it is not that of the whole API.
        The path goes out as given, but see `is_sendable_path` for what a URL cannot carry.
        When the awaiting task is cancelled the connection closes at once, so that the peer can
        notice; through a proxy the request stays under way until its timeout.

        Raises: TransportError, StartError (a CA bundle or proxy that cannot be used).
        """
        limit = self._max_body_bytes if max_body_bytes is None else max_body_bytes
        if self._is_proxied:
            return await self._send_proxied(
                method, url, headers, body, timeout_s=timeout_s, max_body_bytes=limit
            )
        self._check_scheme(url)
        return HttpResponse(
            *await self._exchanges.send(
                method,
                url,
                headers,
                body,
                timeout_s=timeout_s,
                max_body_bytes=limit,
            )
        )

    async def stream(
        self,
        method: str,
        url: str,
        headers: Headers,
        body: bytes | AsyncIterable[bytes] | None,
        *,
        length: int | None = None,
        timeout_s: float,
        idle_timeout_s: float,
        max_body_bytes: int | None = None,
    ) -> Streamed:
        """Send one request, whose body may come in parts, and return its answer once it begins.

        `length` is the size of the body where it is known. The head of the answer must be there
        within `timeout_s`, each part of its body within `idle_timeout_s`. Close the answer;
        closing it early, or cancelling this, ends the exchange.

        Raises: TransportError, StartError; and what reading `body` raises.
        """
        size = len(body) if isinstance(body, bytes) else length
        if self._is_proxied:
            from naftiko.consumes.proxied import stream_proxied

            client = self._client or self._open()
            return await stream_proxied(
                client, method, url, headers, body, length=size, timeout_s=timeout_s
            )
        self._check_scheme(url)
        return await self._exchanges.stream(
            method,
            url,
            headers,
            body,
            length=size,
            head_timeout_s=timeout_s,
            idle_timeout_s=idle_timeout_s,
            max_body_bytes=max_body_bytes,
        )

    async def _send_proxied(
        self,
        method: str,
        url: str,
        headers: Headers,
        body: bytes | None,
        *,
        timeout_s: float,
        max_body_bytes: int,
    ) -> HttpResponse:
        client = self._client or self._open()
        try:
            builder = client.request(method, url).timeout(_duration(timeout_s))
            if body:
                builder = builder.body_bytes(body)
            elif method in _BODY_METHODS:
                headers = [*headers, _EMPTY_BODY]
            request = builder.headers(headers).build_streamed()
        except (ValueError, TypeError) as error:
            raise InvalidRequestError(_address(url), str(error)) from error
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
                        raise ResponseTooLargeError(_address(url), max_body_bytes)
                    chunks.append(chunk.to_bytes())
                content = chunks[0] if len(chunks) == 1 else b"".join(chunks)
                return HttpResponse(response.status, response.headers, content)
        except _pyreqwest_error() as error:
            _raise_known(error, url, answered=answered)

    def _check_scheme(self, url: str) -> None:
        if self._own_tls.required and not url.startswith("https:"):
            raise InvalidRequestError(_address(url), "only HTTPS may be used with it")

    @cached_property
    def _is_proxied(self) -> bool:
        return _proxied(self._environment)

    @cached_property
    def _exchanges(self) -> Exchanges:
        from naftiko.consumes.exchange import Exchanges

        self._ca_bundles()  # one that cannot be used is told before anything is sent
        return Exchanges(
            connect_timeout_s=self._connect_timeout_s,
            pool_idle_s=POOL_IDLE_TIMEOUT_S,
            tls=lambda: self._tls,
            user_agent=self._user_agent,
            decompress=self._decompress,
        )

    @cached_property
    def _tls(self) -> SSLContext:
        import ssl

        tls = ssl.create_default_context()
        tls.set_alpn_protocols(["http/1.1"])
        try:
            for bundle in self._ca_bundles():
                tls.load_verify_locations(cadata=bundle.decode("ascii"))
            self._own_tls.load_into(tls)
        except (ssl.SSLError, ValueError) as error:
            message = f"the TLS settings cannot be used: {error}"
            raise StartError(message, hint=f"check {', '.join(CA_BUNDLE_VARIABLES)}") from error
        return tls

    def check(self) -> None:
        """Find out now whether the settings can be used.

        Raises: StartError.
        """
        if self._is_proxied:
            self._client or self._open()
        else:
            _ = self._tls

    async def close(self) -> None:
        """Close every connection. Later requests open new ones."""
        exchanges: Exchanges | None = self.__dict__.get("_exchanges")
        if exchanges is not None:
            exchanges.close()
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _open(self) -> Client:
        _load_pyreqwest()
        from pyreqwest.client import ClientBuilder

        builder = (
            ClientBuilder()
            .connect_timeout(timedelta(seconds=self._connect_timeout_s))
            .pool_idle_timeout(timedelta(seconds=POOL_IDLE_TIMEOUT_S))
            .follow_redirects(False)
            .referer(False)
            .user_agent(self._user_agent)
            .no_proxy()
        )
        if not self._decompress:
            builder = builder.gzip(False).brotli(False).zstd(False).deflate(False)
        for bundle in self._ca_bundles():
            builder = builder.add_root_certificate_pem(bundle)
        for proxy in _proxies(self._environment):
            builder = builder.proxy(proxy)
        try:
            self._client = self._own_tls.of(builder).build()
        except ValueError as error:
            message = f"the TLS settings cannot be used: {_reason(error)}"
            raise StartError(message, hint=f"check {', '.join(CA_BUNDLE_VARIABLES)}") from error
        return self._client

    def _ca_bundles(self) -> list[bytes]:
        named = [("the CA bundle", self._ca_bundle)]
        named += [(name, self._environment.get(name)) for name in CA_BUNDLE_VARIABLES]
        return [_read_bundle(name, path) for name, path in named if path]


def is_sendable_path(path: str) -> bool:
    """Tell whether a path keeps its segments on the wire.

    URLs lose `.` and `..` segments, also as `%2e`, and turn a backslash into `/` (WHATWG, 4.4):
    "/a/%2E%2e/b" would be sent as "/b", which a signature or an access rule did not see.
    """
    return "\\" not in path and all(map(is_sendable_segment, path.split("/")))


def is_sendable_segment(segment: str) -> bool:
    """Tell whether one path segment is sent as it stands; "." and ".." in any spelling are not."""
    return segment.lower().replace("%2e", ".") not in {".", ".."}


@lru_cache(maxsize=256)
def _duration(seconds: float) -> timedelta:
    return timedelta(seconds=max(seconds, 0.001))


def _load_pyreqwest() -> None:
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


def _pyreqwest_error() -> type[PyreqwestError]:
    from pyreqwest.exceptions import PyreqwestError

    return PyreqwestError


def _raise_known(error: PyreqwestError, url: str, *, answered: bool) -> NoReturn:
    """Raise our error for pyreqwest's, which names its classes more boldly than it knows.

    Its ConnectError and ConnectTimeoutError also stand for requests that were sent; only the chain
    of causes tells: "client error (Connect)" is in it while no connection was made.
    """
    address, causes = _address(url), _causes(error)
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


def _reason(error: BaseException) -> str:
    causes = _causes(error)
    return causes[-1] if causes else str(error)


def _strip_url(reason: str) -> str:
    # A query may hold a secret; the address is told apart from it.
    return reason.split(" for url (", 1)[0]


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return "the URL"
    host = parts.hostname or "the URL"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _read_bundle(name: str, path: str) -> bytes:
    try:
        pem = Path(path).read_bytes()
    except OSError as error:
        message = f"{name} names `{path}`, which cannot be read: {error.strerror}"
        raise StartError(message, hint="name a file of PEM certificates, or unset it") from error
    if b"-----BEGIN" not in pem:
        message = f"{name} names `{path}`, which holds no PEM certificate"
        raise StartError(message, hint="name a file of PEM certificates, or unset it")
    return pem


def _load_identity(tls: SSLContext, pem: bytes) -> None:
    """Load a client certificate with its key; `ssl` reads them from files only."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="naftiko-") as folder:  # only we may enter it
        path = Path(folder) / "identity.pem"
        path.write_bytes(pem)
        tls.load_cert_chain(path)


PROXY_VARIABLES = ("https_proxy", "http_proxy", "all_proxy")


def _proxied(environment: Mapping[str, str]) -> bool:
    names = (*PROXY_VARIABLES, *map(str.upper, PROXY_VARIABLES))
    return any(environment.get(name) for name in names)


def _proxies(environment: Mapping[str, str]) -> list[ProxyBuilder]:
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
