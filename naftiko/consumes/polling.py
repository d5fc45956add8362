"""One request over a connection of its own, which ends with the task that awaits it.

For long polls that hand something out (GetActivityTask, ReceiveMessage): when the caller goes
away, AWS must see the connection close, or it gives a task to nobody. pyreqwest 0.15 lets go of a
cancelled request without closing its connection (it drops the runtime's join handle), so these
few calls go through asyncio and h11, which uvicorn brings. Opening a connection is nothing beside
a poll of a minute; all other calls use the pool.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

from naftiko.consumes.transport_errors import (
    BadResponseError,
    ConnectError,
    ConnectionBrokenError,
    HttpResponse,
    InvalidRequestError,
    ResponseTooLargeError,
    TimedOutError,
)

MAX_HEAD_BYTES = 64 * 1024
READ_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Poller:
    """How polls are sent. `tls` is what HTTPS trusts."""

    connect_timeout_s: float
    max_body_bytes: int
    tls: ssl.SSLContext
    user_agent: str

    async def send(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        *,
        timeout_s: float,
    ) -> HttpResponse:
        """Send a request and read its answer; cancelling it closes the connection.

        Raises: TransportError.
        """
        parts = urlsplit(url)
        host, tls = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if tls else 80)
        address = f"{host}:{port}"
        sending = self._request_bytes(address, method, url, headers, body)
        reader, writer = await self._connect(host, port, tls=tls)
        try:
            async with asyncio.timeout(timeout_s):
                writer.write(sending[1])
                return await self._receive(sending[0], reader, address)
        except TimeoutError as error:
            raise TimedOutError(address, "no answer in time", "response") from error
        except (ConnectionError, ssl.SSLError) as error:
            raise ConnectionBrokenError(address, _reason(error), "response") from error
        finally:
            writer.transport.abort()

    def _request_bytes(
        self,
        address: str,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
    ) -> tuple[h11.Connection, bytes]:
        parts = urlsplit(url)
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        target = parts.path or "/"
        own = [
            ("Host", parts.netloc.rpartition("@")[2]),
            ("User-Agent", self.user_agent),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
            ("Content-Length", str(len(body))),
        ]
        try:
            request = h11.Request(
                method=method,
                target=f"{target}?{parts.query}" if parts.query else target,
                headers=[*own, *headers],
            )
            data = connection.send(request) or b""
            data += connection.send(h11.Data(data=body)) or b""
            data += connection.send(h11.EndOfMessage()) or b""
        except (h11.LocalProtocolError, UnicodeEncodeError) as error:
            raise InvalidRequestError(address, str(error)) from error
        return connection, data

    async def _connect(
        self, host: str, port: int, *, tls: bool
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        address = f"{host}:{port}"
        try:
            async with asyncio.timeout(self.connect_timeout_s):
                return await asyncio.open_connection(host, port, ssl=self.tls if tls else None)
        except TimeoutError as error:
            raise TimedOutError(address, "no connection in time", "connect") from error
        except socket.gaierror as error:
            raise ConnectError(address, _reason(error), "dns") from error
        except ssl.SSLError as error:
            raise ConnectError(address, _reason(error), "tls") from error
        except OSError as error:
            refused = isinstance(error, ConnectionRefusedError)
            raise ConnectError(
                address, _reason(error), "refused" if refused else "other"
            ) from error

    async def _receive(
        self, connection: h11.Connection, reader: asyncio.StreamReader, address: str
    ) -> HttpResponse:
        status, headers = 0, dict[str, str]()
        content = bytearray()
        while True:
            try:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(await reader.read(READ_BYTES))
            except h11.RemoteProtocolError as error:
                if reader.at_eof():
                    phase = "body" if status else "response"
                    raise ConnectionBrokenError(address, str(error), phase) from error
                raise BadResponseError(address, str(error)) from error
            if isinstance(event, h11.Response):
                status = event.status_code
                headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
            elif isinstance(event, h11.Data):
                content += event.data
                if len(content) > self.max_body_bytes:
                    raise ResponseTooLargeError(address, self.max_body_bytes)
            elif isinstance(event, h11.EndOfMessage):
                return HttpResponse(status, _AnyCase(headers), bytes(content))
            elif isinstance(event, h11.ConnectionClosed):
                raise ConnectionBrokenError(address, "closed without an answer", "response")


class _AnyCase(dict[str, str]):
    """Headers by lower-case name, found in any case."""

    __slots__ = ()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]  # texts only
        return super().get(name.lower(), default)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
