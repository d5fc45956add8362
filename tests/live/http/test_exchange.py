"""Exchanges over kept connections, byte by byte: what is read, kept, and ended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from naftiko.consumes.transport import (
    BadResponseError,
    ConnectionBrokenError,
    ResponseTooLargeError,
    TimedOutError,
)
from tests.live.http.raw_peer import OK, Peer, run


@pytest.mark.parametrize(
    ("method", "answer", "body"),
    [
        ("GET", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK, b"ok"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 204 No\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 304 Not\r\nContent-Length: 9\r\n\r\n", b""),
        (
            "GET",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\nok\r\n3\r\n!!!\r\n0\r\n\r\n",
            b"ok!!!",
        ),
    ],
)
def test_a_connection_is_kept_after(method: str, answer: bytes, body: bytes) -> None:
    async def work() -> None:
        peer = Peer(answer, OK)
        async with peer.running() as (url, transport):
            first = await transport.send(method, url, [], None, timeout_s=5)
            second = await transport.send("GET", url, [], None, timeout_s=5)
        assert (first.body, second.body, peer.connections) == (body, b"ok", 1)

    run(work)


def test_a_connection_that_the_peer_ended_is_not_used() -> None:
    async def work() -> None:
        peer = Peer(OK, OK, close_after=True)
        async with peer.running() as (url, transport):
            await transport.send("POST", url, [], b"1", timeout_s=5)
            await peer.ended.wait()
            await transport.send("POST", url, [], b"2", timeout_s=5)
        assert peer.connections == 2

    run(work)


def test_more_than_the_answer_ends_the_connection() -> None:
    async def work() -> None:
        peer = Peer(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", OK)
        async with peer.running() as (url, transport):
            first = await transport.send("GET", url, [], None, timeout_s=5)
            second = await transport.send("GET", url, [], None, timeout_s=5)
        assert (first.body, second.body, peer.connections) == (b"ok", b"ok", 2)

    run(work)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
def test_answers_that_could_be_read_in_two_ways(answer: bytes) -> None:
    async def work() -> None:
        async with Peer(answer).running() as (url, transport):
            with pytest.raises(BadResponseError):
                await transport.send("GET", url, [], None, timeout_s=5)

    run(work)


def test_cancelling_ends_the_exchange() -> None:
    async def work() -> None:
        peer = Peer()
        async with peer.running() as (url, transport):
            task = asyncio.create_task(transport.send("GET", url, [], None, timeout_s=60))
            await peer.asked.wait()
            task.cancel()
            await peer.ended.wait()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(work)


def test_a_streamed_answer_that_is_closed_early_ends() -> None:
    async def work() -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"
        peer = Peer(head)
        async with peer.running() as (url, transport):
            answer = await transport.stream("GET", url, [], None, timeout_s=5, idle_timeout_s=5)
            assert (answer.status, await answer.chunk()) == (200, b"abc")
            await answer.close()
            await peer.ended.wait()

    run(work)


def test_a_body_in_parts_and_an_answer_before_its_end() -> None:
    async def work() -> None:
        gate = asyncio.Event()

        async def parts() -> AsyncIterator[bytes]:
            yield b"one"
            await gate.wait()
            yield b"never"

        peer = Peer(b"HTTP/1.1 413 Too\r\nContent-Length: 2\r\n\r\nno")
        async with peer.running() as (url, transport):
            answer = await transport.stream("POST", url, [], parts(), timeout_s=5, idle_timeout_s=5)
            assert (answer.status, await answer.chunk(), await answer.chunk()) == (413, b"no", b"")
            await answer.close()
            await peer.ended.wait()
        assert b"transfer-encoding: chunked" in peer.heads[0]

    run(work)


def test_a_body_that_fails_while_it_is_sent() -> None:
    async def work() -> None:
        async def parts() -> AsyncIterator[bytes]:
            yield b"one"
            raise ValueError("the caller is gone")

        peer = Peer()
        async with peer.running() as (url, transport):
            with pytest.raises(ValueError, match="gone"):
                await transport.stream("POST", url, [], parts(), timeout_s=5, idle_timeout_s=5)
            await peer.ended.wait()
        assert b"0\r\n\r\n" not in peer.rest

    run(work)


@pytest.mark.parametrize(
    ("answer", "limit", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", None, TimedOutError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabcdefghi", 4, ResponseTooLargeError),
    ],
)
def test_streams_are_bounded(answer: bytes, limit: int | None, error: type[Exception]) -> None:
    async def work() -> None:
        async with Peer(answer).running() as (url, transport):
            with pytest.raises(error):  # noqa: PT012  # it may come with any part
                streamed = await transport.stream(
                    "GET", url, [], None, timeout_s=5, idle_timeout_s=0.2, max_body_bytes=limit
                )
                while await streamed.chunk():
                    pass
            with contextlib.suppress(UnboundLocalError):
                await streamed.close()

    run(work)


def test_a_stream_that_breaks_off() -> None:
    async def work() -> None:
        peer = Peer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", close_after=True)
        async with peer.running() as (url, transport):
            streamed = await transport.stream("GET", url, [], None, timeout_s=5, idle_timeout_s=5)
            assert await streamed.chunk() == b"ab"
            with pytest.raises(ConnectionBrokenError):
                await streamed.chunk()
            await streamed.close()

    run(work)
