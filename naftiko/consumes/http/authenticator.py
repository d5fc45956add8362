"""Authentication that fixed headers cannot do: it signs each request, or asks a server first."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlsplit

from naftiko.consumes.http.request import HttpRequest
from naftiko.consumes.sigv4 import Signer
from naftiko.consumes.transport import HttpResponse


class Authenticator(Protocol):
    """Proves who calls, for every operation of one API."""

    @property
    def follows_redirects(self) -> bool:
        """Whether the proof also holds for another path of the same origin."""
        ...

    async def apply(self, request: HttpRequest) -> HttpRequest:
        """Return the request with the proof in it.

        Raises: ConsumedError where there is none to give; nothing may be sent then.
        """
        ...

    async def challenge(self, response: HttpResponse, request: HttpRequest) -> HttpRequest | None:
        """Return the request to send once more after this answer, None to take the answer.

        Raises: ConsumedError.
        """
        ...

    def explain(self) -> str:
        """Return what is done, without any secret."""
        ...


@dataclass(frozen=True, slots=True)
class Signing:
    """Signs each request as AWS wants it (signature version 4)."""

    signer: Signer

    @property
    def follows_redirects(self) -> bool:
        """False: a signature holds for one URL."""
        return False

    async def apply(self, request: HttpRequest) -> HttpRequest:
        """Return the signed request.

        Raises: ConsumedError where there are no credentials.
        """
        headers = await self.signer.sign(request.method, request.url, request.headers, request.body)
        return replace(request, headers=headers)

    async def challenge(self, response: HttpResponse, request: HttpRequest) -> HttpRequest | None:
        """None: a refused signature stays refused."""
        return None

    def explain(self) -> str:
        """Return what is signed for."""
        return self.signer.explain()


def with_header(request: HttpRequest, name: str, value: str) -> HttpRequest:
    """Return the request with this header in place of any other of its name."""
    return replace(request, headers=(*without(request.headers, name), (name, value)))


def without(headers: Iterable[tuple[str, str]], name: str) -> Iterable[tuple[str, str]]:
    """Yield the headers that have another name."""
    lowered = name.lower()
    return (header for header in headers if header[0].lower() != lowered)


def is_safe_to_tell(url: str) -> bool:
    """Tell whether a secret may be sent to a URL: over TLS, or without leaving this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if not host or parts.scheme not in ("http", "https"):
        return False
    return parts.scheme == "https" or is_loopback(host)


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine: "localhost", "127.0.0.1", "::1"."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
