"""What no adapter should see: ambiguous requests, oversized heads, pages of other sites.

This is the part that works on any ASGI server. The HTTP parser in front of it has a guard of its
own, `naftiko.exposes.protocol`, because httptools bounds neither the size of a head nor the time
it may take to arrive.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

from naftiko.exposes.problem import RawHeaders, RequestError, refuse
from naftiko.plan.masking import Masker

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

MAX_HEADERS = 100
MAX_HEADER_BYTES = 64 * 1024

PASSED = "naftiko.guard"
"""Marks the scope of a request that a guard let through; no request can set it itself."""

SINGLE_HEADERS = frozenset(
    {
        b"authorization",
        b"content-length",
        b"content-type",
        b"host",
        b"mcp-method",
        b"mcp-name",
        b"mcp-protocol-version",
        b"mcp-session-id",
        b"origin",
        b"transfer-encoding",
    }
)
"""Headers that decide where a request goes; given twice, two readers may choose differently."""

_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?")
_ORIGIN = re.compile(r"(https?)://(.+)", re.IGNORECASE)
_DEFAULT_PORTS = {"http": "80", "https": "443"}


class Guard:
    """An ASGI app in front of another that refuses what is malformed or comes from elsewhere.

    On a loopback listener the `Host` must name this machine (`localhost`, 127.0.0.1, [::1]) or one
    of `allowed_hosts`, so that a page which rebinds its own name to 127.0.0.1 gets nowhere; and a
    request that a page of another site makes (`Origin`, `Sec-Fetch-Site`) is refused. Elsewhere
    `Host` is held to `allowed_hosts` if there are any, and `Origin` must be the host itself or one
    of `allowed_origins`. Hosts are written as "api.example.com" (any port) or
    "api.example.com:8443", origins as "https://app.example.com", "*" for all.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        loopback: bool,
        allowed_hosts: Iterable[str] = (),
        allowed_origins: Iterable[str] = (),
        masker: Masker | None = None,
    ) -> None:
        """Keep the rules; what they say about a host or an origin is remembered."""
        self._app = app
        self._loopback = loopback
        self._hosts = frozenset(host.lower() for host in allowed_hosts)
        self._origins = frozenset(origin.lower().rstrip("/") for origin in allowed_origins)
        self._masker = masker or Masker()
        # Bounded: the keys are what callers send.
        self._host_allowed = lru_cache(maxsize=256)(self._decide_host)
        self._origin_allowed = lru_cache(maxsize=256)(self._decide_origin)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        error = None if scope["type"] == "lifespan" else self.refusal(scope)
        if error is None:
            scope[PASSED] = True
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await refuse(scope, send, error, self._masker)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def refusal(self, scope: Scope) -> RequestError | None:
        """Return why the request may not pass, or None."""
        pairs: RawHeaders = scope["headers"]
        headers = dict(pairs)
        return (
            _malformed(pairs, headers)
            or self._foreign_host(headers.get(b"host"), scope)
            or self._foreign_page(headers)
        )

    def _foreign_host(self, host: bytes | None, scope: Scope) -> RequestError | None:
        if host is None:
            # HTTP/1.0 knows no Host, and no browser speaks it.
            return None if scope["http_version"] == "1.0" else _bad("the request has no `Host`")
        if self._host_allowed(host):
            return None
        return RequestError(
            code="host-not-allowed",
            message="the `Host` of the request is not one that is served here",
            status=421,
            hint="call the address that was printed at start, or allow the host name",
        )

    def _decide_host(self, host: bytes) -> bool:
        parts = _authority(host.decode("latin-1"))
        if parts is None:
            return False
        name, port = parts
        if name in self._hosts or f"{name}:{port}" in self._hosts:
            return True
        return is_loopback(name) if self._loopback else not self._hosts

    def _foreign_page(self, headers: Mapping[bytes, bytes]) -> RequestError | None:
        origin = headers.get(b"origin")
        if origin is not None:
            passes = self._origin_allowed(origin, headers.get(b"host", b""))
        else:
            passes = not (self._loopback and headers.get(b"sec-fetch-site") == b"cross-site")
        if passes:
            return None
        return RequestError(
            code="origin-not-allowed",
            message="the request comes from a page of another site",
            status=403,
            hint="allow the origin of the page, or call from outside a browser",
        )

    def _decide_origin(self, origin: bytes, host: bytes) -> bool:
        text = origin.decode("latin-1").lower()
        if text in self._origins or "*" in self._origins:
            return True
        match = _ORIGIN.fullmatch(text)
        parts = _authority(match[2]) if match else None
        if match is None or parts is None:
            return False
        if self._loopback:
            return is_loopback(parts[0])
        return _same_authority(parts, _authority(host.decode("latin-1")), match[1])


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine: "localhost", "127.0.0.1", "::1"."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _malformed(pairs: RawHeaders, headers: Mapping[bytes, bytes]) -> RequestError | None:
    if len(pairs) > MAX_HEADERS:
        return _too_large(f"the request has more than {MAX_HEADERS} headers")
    if sum(len(name) + len(value) for name, value in pairs) > MAX_HEADER_BYTES:
        return _too_large(f"the headers take more than {MAX_HEADER_BYTES} bytes")
    if len(headers) != len(pairs):
        repeated = _repeated(pairs)
        if repeated is not None:
            return _bad(f"the request has more than one `{repeated.decode('ascii')}` header")
    if b"transfer-encoding" in headers and b"content-length" in headers:
        return _bad("the request has both `Content-Length` and `Transfer-Encoding`")
    coding = headers.get(b"transfer-encoding")
    if coding is not None and coding.strip().lower() != b"chunked":
        return _bad("the request has a `Transfer-Encoding` other than `chunked`")
    return None


def _repeated(pairs: RawHeaders) -> bytes | None:
    seen: set[bytes] = set()
    for name, _ in pairs:
        if name in seen and name in SINGLE_HEADERS:
            return name
        seen.add(name)
    return None


def _bad(message: str) -> RequestError:
    return RequestError(code="bad-request", message=message, status=400, close=True)


def _too_large(message: str) -> RequestError:
    return RequestError(code="headers-too-large", message=message, status=431, close=True)


def _authority(text: str) -> tuple[str, str] | None:
    """Split "name:port" into a lower-case name and the port, "" without one."""
    match = _AUTHORITY.fullmatch(text)
    return (match[1].lower().rstrip("."), match[2] or "") if match else None


def _same_authority(origin: tuple[str, str], host: tuple[str, str] | None, scheme: str) -> bool:
    """Compare an origin with the `Host`, each with or without its default port.

    The scheme is left out: behind a proxy that ends TLS, the page says https and we see http.
    """
    default = _DEFAULT_PORTS[scheme]
    return host is not None and (origin[0], origin[1] or default) == (host[0], host[1] or default)
