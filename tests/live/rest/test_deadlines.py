"""Heads that trickle in."""

from __future__ import annotations

import asyncio

from uvicorn import Config
from uvicorn.server import ServerState

from naftiko.exposes.protocol import GuardedHttpProtocol
from tests.unit.exposes.test_host import hello


class Impatient(GuardedHttpProtocol):
    head_deadline_s = 0.05


async def exchange(*pieces: bytes) -> bytes:
    """Send pieces, each once the last answer or nothing came; return all that is answered."""
    config = Config(hello, log_config=None, access_log=False, ws="none", lifespan="off")
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Impatient(config, ServerState(), {}), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    return answer


def test_a_head_that_does_not_arrive_is_408() -> None:
    answer = asyncio.run(exchange(b"GET / HTTP/1.1\r\nHost: loc"))
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"connection: close" in answer
    assert b'"code":"request-timeout"' in answer


def test_the_next_head_on_a_connection_is_bounded_too() -> None:
    answer = asyncio.run(exchange(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HT"))
    first, _, second = answer.partition(b"hello")
    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert second.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
