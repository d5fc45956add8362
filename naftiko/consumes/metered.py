"""A transport that counts what it sends, for capabilities whose control port shows it."""

from __future__ import annotations

from collections.abc import AsyncIterable
from time import perf_counter
from typing import TYPE_CHECKING, Unpack
from urllib.parse import urlsplit

from naftiko.consumes.transport import (
    Headers,
    HttpResponse,
    Streamed,
    Transport,
    TransportOptions,
)

if TYPE_CHECKING:
    from naftiko.plan.meter import Meter

TRANSPORT = "transport"
"""What failed where no answer came."""


class MeteredTransport(Transport):
    """Sends as a transport does, and tells a meter: method, server, status, time."""

    def __init__(self, meter: Meter, **options: Unpack[TransportOptions]) -> None:
        """Keep the meter and the settings."""
        super().__init__(**options)
        self._meter = meter

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
        """Send and count; a request that is given up by its caller counts as well."""
        start = perf_counter()
        status, error = "", TRANSPORT
        try:
            response = await super().send(
                method, url, headers, body, timeout_s=timeout_s, max_body_bytes=max_body_bytes
            )
            status, error = str(response.status), ""
            return response
        finally:
            self._meter.call(method, _server(url), status, error, perf_counter() - start)

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
        """Send and count, with the time until the answer begins."""
        start = perf_counter()
        status, error = "", TRANSPORT
        try:
            streamed = await super().stream(
                method,
                url,
                headers,
                body,
                length=length,
                timeout_s=timeout_s,
                idle_timeout_s=idle_timeout_s,
                max_body_bytes=max_body_bytes,
            )
            status, error = str(streamed.status), ""
            return streamed
        finally:
            self._meter.call(method, _server(url), status, error, perf_counter() - start)


def _server(url: str) -> str:
    """Return the host of a URL, without user, port, path and query: none of those is a label."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
