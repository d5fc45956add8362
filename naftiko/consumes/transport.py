"""One pooled async HTTP client for every consumed adapter: bytes out, bytes in, honest errors.

Built on pyreqwest. Every request goes through `build_streamed()`, not `build().send()`: measured
on loopback both cost the same (within 5 %: 25-30 us of CPU for a 3 KB answer), because pyreqwest
reads up to 64 KiB before it hands the response over, and only the streamed form lets a limit on
the body hold without believing `Content-Length`, also after decompression.

TLS trusts the system's certificate store (rustls with the platform verifier) plus the bundle that
is named here or in AWS_CA_BUNDLE, REQUESTS_CA_BUNDLE or SSL_CERT_FILE. No cookies are kept, no
redirect is followed, no Referer is sent.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
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
    from pyreqwest.client import Client
    from pyreqwest.exceptions import PyreqwestError
    from pyreqwest.proxy import ProxyBuilder

    from naftiko.consumes.polling import Poller

__all__ = [
    "BadResponseError",
    "ConnectError",
    "ConnectionBrokenError",
    "HttpResponse",
    "InvalidRequestError",
    "ResponseTooLargeError",
    "TimedOutError",
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


class Transport:
    """Sends requests over pooled connections; made lazily, usable from one loop after another.

    The connections live on pyreqwest's own runtime thread, so neither an event loop nor a Python
    thread is held while an answer is awaited.
    """

    def __init__(
        self,
        *,
        connect_timeout_s: float = DEFAULT_CONNECT_TIMEOUT_S,
        max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
        ca_bundle: str | None = None,
        client_cert_pem: bytes | None = None,
        proxy_environment: Mapping[str, str] | None = None,
        user_agent: str = f"naftiko/{__version__}",
        decompress: bool = True,
    ) -> None:
        """Keep the settings; nothing is opened before the first request.

        `proxy_environment` is where HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY and the CA bundle
        variables are read from; None stands for the process environment. `ca_bundle` is a path.
        """
        self._connect_timeout_s = connect_timeout_s
        self._max_body_bytes = max_body_bytes
        self._environment = os.environ if proxy_environment is None else proxy_environment
        self._ca_bundle = ca_bundle
        self._client_cert_pem = client_cert_pem
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
    ) -> HttpResponse:
        """Send one request and read its whole answer, within `timeout_s` seconds in all.

        The path goes out as given, but see `is_sendable_path` for what a URL cannot carry.
        When the awaiting task is cancelled it stops waiting at once, but pyreqwest leaves the
        request under way until its timeout: use `poll` where the peer must know.

        Raises: TransportError, StartError (a CA bundle or proxy that cannot be used).
        """
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
                room = self._max_body_bytes
                while (chunk := await read_chunk()) is not None:
                    room -= len(chunk)
                    if room < 0:
                        raise ResponseTooLargeError(_address(url), self._max_body_bytes)
                    chunks.append(chunk.to_bytes())
                content = chunks[0] if len(chunks) == 1 else b"".join(chunks)
                return HttpResponse(response.status, response.headers, content)
        except _pyreqwest_error() as error:
            _raise_known(error, url, answered=answered)

    async def poll(
        self, method: str, url: str, headers: Headers, body: bytes, *, timeout_s: float
    ) -> HttpResponse:
        """Send one request that ends at once when the awaiting task is cancelled.

        It has a connection of its own. Through a proxy, it is sent like any other.

        Raises: TransportError, StartError.
        """
        if _proxied(self._environment):
            return await self.send(method, url, headers, body, timeout_s=timeout_s)
        return await self._poller.send(method, url, headers, body, timeout_s=timeout_s)

    @cached_property
    def _poller(self) -> Poller:
        import ssl

        from naftiko.consumes.polling import Poller

        tls = ssl.create_default_context()
        for bundle in self._ca_bundles():
            try:
                tls.load_verify_locations(cadata=bundle.decode("ascii"))
            except (ssl.SSLError, ValueError) as error:
                message = f"the TLS settings cannot be used: {error}"
                raise StartError(message, hint=f"check {', '.join(CA_BUNDLE_VARIABLES)}") from error
        return Poller(
            connect_timeout_s=self._connect_timeout_s,
            max_body_bytes=self._max_body_bytes,
            tls=tls,
            user_agent=self._user_agent,
        )

    async def close(self) -> None:
        """Close every connection. Later requests open new ones."""
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
        if self._client_cert_pem is not None:
            builder = builder.identity_pem(self._client_cert_pem)
        for proxy in _proxies(self._environment):
            builder = builder.proxy(proxy)
        try:
            self._client = builder.build()
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
