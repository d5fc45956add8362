"""A streamed exchange through a proxy, by pyreqwest."""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from naftiko.consumes.transport_errors import (
    BadResponseError,
    InvalidRequestError,
    TimedOutError,
    TransportError,
)

if TYPE_CHECKING:
    from pyreqwest.client import Client
    from pyreqwest.exceptions import PyreqwestError
    from pyreqwest.request import StreamRequest
    from pyreqwest.response import Response

_LONG = timedelta(hours=24)


async def stream_proxied(
    client: Client,
    method: str,
    url: str,
    headers: Sequence[tuple[str, str]],
    body: bytes | AsyncIterable[bytes] | None,
    *,
    length: int | None,
    timeout_s: float,
) -> ProxiedStream:
    """Send a request and return its answer once its head is there.

    Raises: TransportError.
    """
    import asyncio

    from pyreqwest.exceptions import PyreqwestError

    given = {name.lower() for name, _ in headers}
    sent = [*headers, *([] if "accept-encoding" in given else [("Accept-Encoding", "identity")])]
    try:
        builder = client.request(method, url).timeout(_LONG)
        if isinstance(body, bytes):
            builder = builder.body_bytes(body)
        elif body is not None:
            builder = builder.body_stream(body)
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
        raise _known(error) from error
    return ProxiedStream(request, response)


class ProxiedStream:
    """An answer while it comes in."""

    def __init__(self, request: StreamRequest, response: Response) -> None:
        """Keep both: the request closes the answer."""
        self._request = request
        self._response = response
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
            data = await self._response.body_reader.read_chunk()
        except PyreqwestError as error:
            raise _known(error) from error
        return b"" if data is None else data.to_bytes()

    async def close(self) -> None:
        """End the exchange."""
        await self._request.__aexit__(None, None, None)


def _known(error: PyreqwestError) -> TransportError:
    from naftiko.consumes.transport_errors import ConnectError, ConnectionBrokenError

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
