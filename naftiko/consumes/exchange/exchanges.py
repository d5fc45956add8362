"""Requests and their answers over pooled connections."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from naftiko.consumes.exchange.connecting import connect
from naftiko.consumes.exchange.connection import Connection
from naftiko.consumes.exchange.content_coding import ACCEPTED, decompressed
from naftiko.consumes.exchange.headers import AnyCase, by_name
from naftiko.consumes.exchange.pool import Pools
from naftiko.consumes.exchange.request import Body, Headers, Origin, request_head, split_url
from naftiko.consumes.exchange.streamed import StreamedResponse


class Exchanges:
    """Makes exchanges over pooled connections. `tls` returns what HTTPS trusts when it is asked."""

    def __init__(
        self,
        *,
        connect_timeout_s: float,
        pool_idle_s: float,
        tls: Callable[[], ssl.SSLContext],
        user_agent: str,
        decompress: bool = True,
    ) -> None:
        """Keep the settings; nothing is opened before the first request."""
        self._connect_timeout_s = connect_timeout_s
        self._tls = tls
        self._user_agent = user_agent
        self._decompress = decompress
        self._pools = Pools(pool_idle_s)

    async def send(
        self,
        method: str,
        url: str,
        headers: Headers,
        body: bytes | None,
        *,
        timeout_s: float,
        max_body_bytes: int,
    ) -> tuple[int, AnyCase, bytes]:
        """Send a request and read its whole answer; cancelling it closes the connection.

        Raises: TransportError.
        """
        target = split_url(url)
        origin = target.origin
        head = request_head(
            method,
            target,
            headers,
            user_agent=self._user_agent,
            accept_encoding=ACCEPTED if self._decompress else "identity",
            body=body,
            length=len(body or b""),
        )
        pool = self._pools.current()
        ends = pool.loop.time() + timeout_s
        connection = pool.take(origin) or await self._connect(origin, timeout_s)
        timer = pool.loop.call_at(ends, connection.expire)
        try:
            data = head + body if body else head
            is_head = method == "HEAD"
            connection.begin(data, is_head=is_head, limit=max_body_bytes, streams=False)
            content = await connection.whole()
        except BaseException:
            connection.abort()
            raise
        finally:
            timer.cancel()
        pool.give(connection)
        found = by_name(connection.pairs)
        if self._decompress and "content-encoding" in found:
            content = decompressed(content, found, origin.address, max_body_bytes)
        return connection.status, found, content

    async def stream(
        self,
        method: str,
        url: str,
        headers: Headers,
        body: Body,
        *,
        length: int | None,
        head_timeout_s: float,
        idle_timeout_s: float,
        max_body_bytes: int | None = None,
    ) -> StreamedResponse:
        """Send a request and return its answer as soon as its head is there, not decompressed.

        `body` may come in parts; `length` is its size where that is known, else it goes out in
        chunks. The answer may begin before the body has ended. Close the answer.

        Raises: TransportError; and whatever reading `body` raises.
        """
        target = split_url(url)
        head = request_head(
            method,
            target,
            headers,
            user_agent=self._user_agent,
            accept_encoding="identity",
            body=body,
            length=length,
        )
        pool = self._pools.current()
        ends = pool.loop.time() + head_timeout_s
        connection = pool.take(target.origin) or await self._connect(target.origin, head_timeout_s)
        response = StreamedResponse(connection, pool, idle_timeout_s)
        whole = head + body if isinstance(body, bytes) else head
        try:
            connection.begin(whole, is_head=method == "HEAD", limit=max_body_bytes, streams=True)
            if body is not None and not isinstance(body, bytes):
                response.upload(body, length)
            await response.head(ends)
        except BaseException:
            await response.close()
            raise
        return response

    def close(self) -> None:
        """Close what is idle. Later requests open new connections."""
        self._pools.close()

    async def _connect(self, origin: Origin, timeout_s: float) -> Connection:
        return await connect(origin, min(timeout_s, self._connect_timeout_s), self._tls)
