"""Streams by pyreqwest, as they go through a proxy: bounded like the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from naftiko.consumes.proxied import ProxiedStream, stream_proxied
from naftiko.consumes.transport import (
    InvalidRequestError,
    ResponseTooLargeError,
    TimedOutError,
    Transport,
)
from tests.live.http.raw_peer import OK, run, serving


async def parts(*items: bytes | Exception) -> AsyncIterator[bytes]:
    for item in items:
        if isinstance(item, Exception):
            raise item
        yield item


async def stream(
    url: str, transport: Transport, body: AsyncIterator[bytes] | None = None, **settings: float
) -> ProxiedStream:
    return await stream_proxied(
        transport._open(),
        "GET" if body is None else "POST",
        url,
        [("Connection", "x"), ("Content-Length", "1")],
        body,
        length=settings.get("length"),  # type: ignore[arg-type]  # a whole number
        timeout_s=5,
        idle_timeout_s=settings.get("idle_timeout_s", 5),
        max_body_bytes=settings.get("max_body_bytes"),  # type: ignore[arg-type]  # the same
    )


@pytest.mark.parametrize(
    ("settings", "error"),
    [({"idle_timeout_s": 0.2}, TimedOutError), ({"max_body_bytes": 2}, ResponseTooLargeError)],
)
def test_an_answer_is_bounded(settings: dict[str, float], error: type[Exception]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        await reader.read()

    async def work() -> None:
        async with serving(serve) as (url, transport):
            streamed = await stream(url, transport, **settings)
            with pytest.raises(error):  # noqa: PT012  # with any part
                while await streamed.chunk():
                    pass
            await streamed.close()

    run(work)


@pytest.mark.parametrize(
    ("body", "length", "error"),
    [
        ((b"abc", ValueError("gone")), None, ValueError),
        ((b"abc",), 5, InvalidRequestError),
    ],
)
def test_a_body_that_fails(
    body: tuple[bytes | Exception, ...], length: int | None, error: type[Exception]
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.write(OK)

    async def work() -> None:
        async with serving(serve) as (url, transport):
            settings = {} if length is None else {"length": length}
            with pytest.raises(error):
                await stream(url, transport, parts(*body), **settings)

    run(work)
