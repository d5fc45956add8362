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
from collections.abc import AsyncIterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypedDict, Unpack

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
from naftiko.version import __version__

if TYPE_CHECKING:
    from ssl import SSLContext

    from pyreqwest.client import Client, ClientBuilder
    from pyreqwest.client.types import TlsVersion

    from naftiko.consumes.exchange.exchanges import Exchanges
    from naftiko.plan.meter import Meter

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
    "make_transport",
]

Headers = Sequence[tuple[str, str]]

DEFAULT_CONNECT_TIMEOUT_S = 5.0
DEFAULT_MAX_BODY_BYTES = 32 * 1024 * 1024
POOL_IDLE_TIMEOUT_S = 20.0
"""Kept short: reusing a connection the peer has just closed is the common way to break a call."""

CA_BUNDLE_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


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
            context.load_verify_locations(cadata=self.ca_pem.decode("ascii", "ignore"))
        if self.identity_pem is not None:
            _load_identity(context, self.identity_pem)
        if self.min_version is not None:
            from ssl import TLSVersion

            newest = self.min_version == "TLSv1.3"
            context.minimum_version = TLSVersion.TLSv1_3 if newest else TLSVersion.TLSv1_2


class TransportOptions(TypedDict, total=False):
    """The settings of a transport; `Transport` says what they are."""

    connect_timeout_s: float
    max_body_bytes: int
    ca_bundle: str | None
    tls: Tls | None
    proxy_environment: Mapping[str, str] | None
    user_agent: str
    decompress: bool


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
                client,
                method,
                url,
                headers,
                body,
                length=size,
                timeout_s=timeout_s,
                idle_timeout_s=idle_timeout_s,
                max_body_bytes=max_body_bytes,
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
        from naftiko.consumes.proxied import send_proxied

        client = self._client or self._open()
        return await send_proxied(
            client, method, url, headers, body, timeout_s=timeout_s, max_body_bytes=max_body_bytes
        )

    def _check_scheme(self, url: str) -> None:
        if self._own_tls.required and not url.startswith("https:"):
            raise InvalidRequestError(address_of(url), "only HTTPS may be used with it")

    @cached_property
    def _is_proxied(self) -> bool:
        return _proxied(self._environment)

    @cached_property
    def _exchanges(self) -> Exchanges:
        from naftiko.consumes.exchange.exchanges import Exchanges

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
                # Comments between the certificates may name their owners in any letters.
                tls.load_verify_locations(cadata=bundle.decode("ascii", "ignore"))
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
        from naftiko.consumes.proxied import load_pyreqwest, proxies, reason_of

        load_pyreqwest()
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
        for proxy in proxies(self._environment):
            builder = builder.proxy(proxy)
        try:
            self._client = self._own_tls.of(builder).build()
        except ValueError as error:
            message = f"the TLS settings cannot be used: {reason_of(error)}"
            raise StartError(message, hint=f"check {', '.join(CA_BUNDLE_VARIABLES)}") from error
        return self._client

    def _ca_bundles(self) -> list[bytes]:
        named = [("the CA bundle", self._ca_bundle)]
        named += [(name, self._environment.get(name)) for name in CA_BUNDLE_VARIABLES]
        return [_read_bundle(name, path) for name, path in named if path]


def make_transport(meter: Meter | None, **options: Unpack[TransportOptions]) -> Transport:
    """Return a transport, one that counts what it sends where there is a meter."""
    if meter is None:
        return Transport(**options)
    from naftiko.consumes.metered import MeteredTransport

    return MeteredTransport(meter, **options)


def is_sendable_path(path: str) -> bool:
    """Tell whether a path keeps its segments on the wire.

    URLs lose `.` and `..` segments, also as `%2e`, and turn a backslash into `/` (WHATWG, 4.4):
    "/a/%2E%2e/b" would be sent as "/b", which a signature or an access rule did not see.
    """
    return "\\" not in path and all(map(is_sendable_segment, path.split("/")))


def is_sendable_segment(segment: str) -> bool:
    """Tell whether one path segment is sent as it stands; "." and ".." in any spelling are not."""
    return segment.lower().replace("%2e", ".") not in {".", ".."}


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
