"""An answer while it comes in, and the body that may still go out meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Sequence

from naftiko.consumes.exchange.connection import Connection
from naftiko.consumes.exchange.pool import Pool
from naftiko.consumes.transport_errors import InvalidRequestError, TransportError


class StreamedResponse:
    """An answer while it comes in. `headers` are pairs, names in lower case."""

    def __init__(self, connection: Connection, pool: Pool, idle_timeout_s: float) -> None:
        """Keep what carries it."""
        self._connection = connection
        self._pool = pool
        self._idle_timeout_s = idle_timeout_s
        self._uploading: asyncio.Task[None] | None = None
        self._upload_error: Exception | None = None
        self._is_uploaded = False
        self._closed = False

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._connection.status

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """The headers as they came."""
        return self._connection.pairs

    def upload(self, body: AsyncIterable[bytes], length: int | None) -> None:
        """Begin to send a body that comes in parts."""
        self._uploading = asyncio.get_running_loop().create_task(self._upload(body, length))

    async def head(self, ends: float) -> None:
        """Wait for the head until a time of the loop.

        Raises: TransportError, and what reading the body raised.
        """
        timer = self._pool.loop.call_at(ends, self._connection.expire)
        try:
            await self._connection.head()
        except TransportError:
            if self._upload_error is not None:
                raise self._upload_error from None
            raise
        finally:
            timer.cancel()

    async def chunk(self) -> bytes:
        """Return the next part of the body, b"" at its end.

        Raises: TransportError.
        """
        timer = self._pool.loop.call_later(self._idle_timeout_s, self._connection.expire)
        try:
            return await self._connection.chunk()
        finally:
            timer.cancel()

    async def close(self) -> None:
        """Give the connection back; close it where the exchange has not ended."""
        if self._closed:
            return
        self._closed = True
        connection, uploading = self._connection, self._uploading
        if uploading is None or self._is_uploaded:
            self._pool.give(connection)
        else:
            connection.abort()
        if uploading is not None and not uploading.done():
            uploading.cancel()
            await asyncio.wait([uploading])

    async def _upload(self, body: AsyncIterable[bytes], length: int | None) -> None:
        try:
            await self._write_all(body, length)
        except Exception as error:  # noqa: BLE001  # raised by `head`
            self._upload_error = error
            self._connection.abort()
        else:
            self._is_uploaded = True

    async def _write_all(self, body: AsyncIterable[bytes], length: int | None) -> None:
        """Write every part, in chunks where the length is not known.

        Raises: TransportError, and what reading the body raises.
        """
        left = length or 0
        async for data in body:
            if not data:
                continue
            if length is None:
                data = b"%x\r\n%b\r\n" % (len(data), data)
            else:
                left -= len(data)
                if left < 0:  # the peer would take the rest for another request
                    break
            await self._write(data)
        if length is None:
            await self._write(b"0\r\n\r\n")
        elif left:
            address = self._connection.origin.address
            raise InvalidRequestError(address, f"its body has not the announced {length} bytes")

    async def _write(self, data: bytes) -> None:
        """Write; a peer that takes nothing for too long ends the exchange."""
        connection = self._connection
        if not connection.write(data):
            timer = self._pool.loop.call_later(self._idle_timeout_s, connection.stall)
            try:
                await connection.writable()
            finally:
                timer.cancel()
