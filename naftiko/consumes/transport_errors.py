"""What a request over HTTP gives: a whole answer, or how far it got."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


class TransportError(Exception):
    """A request that got no whole answer.

    `sent` is False where it is certain that no byte of the request reached the peer, so that
    repeating even a call that changes something is safe. `address` is `host:port`.
    """

    sent: bool = True

    def __init__(self, address: str, reason: str) -> None:
        """Keep where it was meant to go and why it did not work."""
        super().__init__(f"{address}: {reason}")
        self.address = address
        self.reason = reason


class InvalidRequestError(TransportError):
    """The URL or a header cannot be sent at all."""

    sent = False


class ConnectError(TransportError):
    """No connection: `kind` is refused, dns, tls or other."""

    sent = False

    def __init__(self, address: str, reason: str, kind: str) -> None:
        """Keep what kept the connection from being made."""
        super().__init__(address, reason)
        self.kind = kind


class TimedOutError(TransportError):
    """No answer in time: `phase` is connect, response (no answer yet) or body."""

    def __init__(self, address: str, reason: str, phase: str) -> None:
        """Keep how far it got."""
        super().__init__(address, reason)
        self.phase = phase
        self.sent = phase != "connect"


class ConnectionBrokenError(TransportError):
    """The connection ended early: `phase` is response (no whole head came) or body."""

    def __init__(self, address: str, reason: str, phase: str) -> None:
        """Keep how far it got."""
        super().__init__(address, reason)
        self.phase = phase


class BadResponseError(TransportError):
    """The peer does not speak HTTP, or its body cannot be decompressed."""


class ResponseTooLargeError(TransportError):
    """The body is larger, once decompressed, than what is read."""

    def __init__(self, address: str, limit: int) -> None:
        """Keep the limit, in bytes."""
        super().__init__(address, f"the answer is larger than {limit} bytes")
        self.limit = limit


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole answer. `headers.get` ignores case; names iterate in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def address_of(url: str) -> str:
    """Return "host:port" of a URL, nothing else of it: the rest may hold a secret."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return "the URL"
    host = parts.hostname or "the URL"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
