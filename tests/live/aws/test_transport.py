"""The transport against peers that misbehave, byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from naftiko.consumes.transport import (
    BadResponseError,
    ConnectError,
    ConnectionBrokenError,
    HttpResponse,
    InvalidRequestError,
    ResponseTooLargeError,
    TimedOutError,
    Transport,
    TransportError,
    is_sendable_path,
    is_sendable_segment,
)
from naftiko.errors import StartError

Headers = list[tuple[str, str]]
OK = b"HTTP/1.1 200 OK\r\nX-One: 1\r\nContent-Length: 2\r\n\r\nok"
LIMIT = 100_000
BOTH_WAYS = pytest.mark.parametrize("poll", [False, True], ids=["direct", "proxied"])


class Peer:
    """Answers each connection with the same bytes, and keeps the first request."""

    def __init__(self, answer: bytes, *, then_wait: bool = False, read: bool = True) -> None:
        self.answer = answer
        self.then_wait = then_wait
        self.read = read
        self.request = b""
        self.connections = 0
        self._end = asyncio.Event()
        self._serving: list[asyncio.Task[None]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._serving.append(task)
        if self.read:
            self.request = await reader.read(65536)
        writer.write(self.answer)
        with contextlib.suppress(ConnectionError):  # the client had enough
            await writer.drain()
            if self.then_wait:
                await self._end.wait()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def run(self, work: Callable[[str], Awaitable[HttpResponse]]) -> HttpResponse:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        try:
            return await work(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        finally:
            self._end.set()
            server.close()
            await asyncio.gather(*self._serving)
            await server.wait_closed()


def send(
    answer: bytes,
    *,
    path: str = "/",
    method: str = "POST",
    body: bytes | None = b"{}",
    headers: Headers | None = None,
    timeout_s: float = 5,
    then_wait: bool = False,
    scheme: str = "http",
    poll: bool = False,
) -> tuple[HttpResponse, Peer]:
    async def work() -> tuple[HttpResponse, Peer]:
        peer = Peer(answer, then_wait=then_wait)
        transport = Transport(connect_timeout_s=1, max_body_bytes=LIMIT, proxy_environment={})
        try:
            way: Any = transport.send
            if poll:
                way = partial(transport._send_proxied, max_body_bytes=LIMIT)
            response: HttpResponse = await peer.run(
                lambda url: way(
                    method,
                    url.replace("http", scheme, 1) + path,
                    headers or [],
                    body,
                    timeout_s=timeout_s,
                )
            )
        finally:
            await transport.close()
        return response, peer

    return asyncio.run(work())


def failure(answer: bytes, **how: object) -> TransportError:
    with pytest.raises(TransportError) as caught:
        send(answer, path="/?token=canary", **how)  # type: ignore[arg-type]  # passed on
    assert "canary" not in str(caught.value)
    return caught.value


@BOTH_WAYS
def test_an_answer(poll: bool) -> None:
    response, peer = send(OK, headers=[("X-A", "1"), ("X-A", "2")], poll=poll)
    assert (response.status, response.body) == (200, b"ok")
    assert response.headers.get("x-ONE") == "1"
    assert response.headers.get("x-two") is None
    head = peer.request.decode().lower()
    assert head.count("x-a: ") == 2
    for absent in ("cookie", "referer"):
        assert absent not in head


@BOTH_WAYS
@pytest.mark.parametrize(
    "path",
    [
        "/a%2Fb:c",
        "/arn:aws:states:us-east-1:1:x",
        "/a//b",
        "/a%20b;v=1",
        "/?q=%27a%20b%2B",
        "/%2520",
    ],
)
def test_paths_go_out_as_given(path: str, poll: bool) -> None:
    _, peer = send(OK, path=path, poll=poll)
    assert peer.request.split(b" ")[1].decode() == path


@pytest.mark.parametrize("segment", [".", "..", "%2e", "%2E%2e", ".%2E"])
def test_segments_that_urls_lose_are_told(segment: str) -> None:
    assert not is_sendable_segment(segment)
    assert not is_sendable_path(f"/a/{segment}/b")


@pytest.mark.parametrize("segment", ["", "...", "a.", ".a", "%2e%2e%2e", "arn:x", "a%2F.."])
def test_segments_that_urls_keep(segment: str) -> None:
    assert is_sendable_segment(segment)
    assert is_sendable_path(f"/a/{segment}/b")


def test_a_post_without_body_says_so() -> None:
    _, peer = send(OK, body=None)
    assert b"content-length: 0" in peer.request.lower()


def test_redirects_are_not_followed_and_cookies_not_kept() -> None:
    moved = b"HTTP/1.1 302 F\r\nLocation: /x\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    response, peer = send(moved, method="GET", body=None)
    assert response.status == 302
    assert peer.connections == 1


def compressed(size: int) -> bytes:
    data = gzip.compress(b"0" * size)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


def test_compressed_answers_are_read() -> None:
    response, _ = send(compressed(LIMIT))
    assert response.body == b"0" * LIMIT


@pytest.mark.parametrize(
    "answer",
    [
        compressed(50_000_000),
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (LIMIT + 1),
        f"HTTP/1.1 200 OK\r\nContent-Length: {LIMIT + 1}\r\n\r\n".encode() + b"x" * (LIMIT + 1),
    ],
)
def test_bodies_past_the_limit_are_refused(answer: bytes) -> None:
    assert isinstance(failure(answer), ResponseTooLargeError)


@BOTH_WAYS
def test_a_content_length_that_lies_costs_nothing(poll: bool) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nok"
    assert isinstance(failure(answer, poll=poll), ConnectionBrokenError)


@BOTH_WAYS
@pytest.mark.parametrize(
    ("answer", "phase"),
    [
        (b"", "response"),
        (b"HTTP/1.1 200 OK\r\nX-One", "response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nabc", "body"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + b"x" * 80000, "body"),
    ],
)
def test_connections_that_end_early(answer: bytes, phase: str, poll: bool) -> None:
    error = failure(answer, poll=poll)
    assert isinstance(error, ConnectionBrokenError)
    assert (error.phase, error.sent) == (phase, True)


@pytest.mark.parametrize(
    "answer",
    [
        b"hello there\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 5000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
def test_peers_that_do_not_speak_http(answer: bytes) -> None:
    error = failure(answer)
    assert isinstance(error, BadResponseError)
    assert error.sent


@pytest.mark.parametrize(
    ("answer", "phase"),
    [(b"", "response"), (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nabc", "body")],
)
def test_slow_peers(answer: bytes, phase: str) -> None:
    error = failure(answer, timeout_s=0.2, then_wait=True)
    assert isinstance(error, TimedOutError)
    assert (error.phase, error.sent) == (phase, True)


@BOTH_WAYS
def test_tls_towards_a_peer_without(poll: bool) -> None:
    error = failure(b"HTTP/1.1 400 no\r\n\r\n", scheme="https", poll=poll)
    assert isinstance(error, ConnectError)
    assert (error.kind, error.sent) == ("tls", False)


def attempt(url: str, **options: str) -> TransportError:
    async def work() -> None:
        transport = Transport(connect_timeout_s=0.3, proxy_environment=options)
        await transport.send("POST", url, [], b"{}", timeout_s=5)

    with pytest.raises(TransportError) as caught:
        asyncio.run(work())
    return caught.value


def test_nobody_listens() -> None:
    error = attempt("http://127.0.0.1:1/")
    assert isinstance(error, ConnectError)
    assert (error.kind, error.sent, error.address) == ("refused", False, "127.0.0.1:1")


def test_a_host_that_is_not_there() -> None:
    error = attempt("http://host.invalid/")
    assert isinstance(error, ConnectError)
    assert (error.kind, error.sent) == ("dns", False)


def test_a_peer_that_accepts_nothing() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = []
        for _ in range(3):  # fills the backlog
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            waiting.append(client)
        error = attempt(f"http://127.0.0.1:{port}/")
        for client in waiting:
            client.close()
    assert isinstance(error, TimedOutError)
    assert (error.phase, error.sent) == ("connect", False)


@pytest.mark.parametrize("url", ["http://[::1/", "nonsense", "http://h:99999/"])
def test_urls_that_are_none(url: str) -> None:
    error = attempt(url)
    assert isinstance(error, InvalidRequestError)
    assert not error.sent


def test_headers_that_cannot_be_sent() -> None:
    with pytest.raises(InvalidRequestError):
        send(OK, headers=[("X-A", "b\r\nX-B: c")])


def test_a_proxy_is_used_but_not_for_loopback() -> None:
    proxy = "http://127.0.0.1:1"
    error = attempt("http://example.invalid/", HTTP_PROXY=proxy)
    assert isinstance(error, ConnectError)
    assert error.kind == "refused"
    error = attempt("http://example.invalid/", HTTP_PROXY=proxy, NO_PROXY="example.invalid")
    assert isinstance(error, ConnectError)
    assert error.kind == "dns"

    async def direct() -> int:
        transport = Transport(proxy_environment={"HTTP_PROXY": proxy, "ALL_PROXY": proxy})
        peer = Peer(OK)
        response = await peer.run(lambda url: transport.send("GET", url, [], None, timeout_s=5))
        await transport.close()
        return response.status

    assert asyncio.run(direct()) == 200


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_ca_bundle_that_cannot_be_used(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content, encoding="utf-8")

    async def work() -> None:
        transport = Transport(proxy_environment={"AWS_CA_BUNDLE": str(path)})
        await transport.send("GET", "http://127.0.0.1:1/", [], None, timeout_s=1)

    with pytest.raises(StartError) as caught:
        asyncio.run(work())
    assert "AWS_CA_BUNDLE" in str(caught.value)


def test_one_transport_serves_one_loop_after_another() -> None:
    transport = Transport(proxy_environment={})

    async def work() -> int:
        peer = Peer(OK)
        response = await peer.run(lambda url: transport.send("GET", url, [], None, timeout_s=5))
        return response.status

    assert [asyncio.run(work()), asyncio.run(work())] == [200, 200]
    asyncio.run(transport.close())
    assert asyncio.run(work()) == 200
    asyncio.run(transport.close())


def test_connections_are_kept() -> None:
    async def work() -> int:
        connections = 0

        ended = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            with contextlib.suppress(ConnectionError):
                while await reader.read(65536):
                    writer.write(OK)
                    await writer.drain()
            writer.close()
            ended.set()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        transport = Transport(proxy_environment={})
        for _ in range(5):
            await transport.send("GET", url, [], None, timeout_s=5)
        await transport.close()
        await ended.wait()  # closing the transport closes what it kept
        server.close()
        return connections

    assert asyncio.run(work()) == 1


def test_a_call_closes_its_connection_when_nobody_waits_any_more() -> None:
    async def work() -> bytes:
        asked, closed = asyncio.Event(), asyncio.Event()
        rest = b"unread"

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal rest
            await reader.readuntil(b"{}")
            asked.set()
            with contextlib.suppress(ConnectionError):
                rest = await reader.read()
            closed.set()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        transport = Transport(proxy_environment={})
        poll = asyncio.create_task(transport.send("POST", url, [], b"{}", timeout_s=60))
        await asked.wait()
        poll.cancel()
        await asyncio.wait_for(closed.wait(), 5)
        with pytest.raises(asyncio.CancelledError):
            await poll
        await transport.close()
        server.close()
        return rest

    assert asyncio.run(work()) in (b"", b"unread")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"hello there\r\n\r\n", BadResponseError),
        (b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 40000 + b"\r\n", BadResponseError),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (LIMIT + 1), ResponseTooLargeError),
    ],
)
def test_proxied_answers_are_bounded(answer: bytes, error: type[TransportError]) -> None:
    assert isinstance(failure(answer, poll=True), error)


def test_slow_peers_behind_a_proxy() -> None:
    error = failure(b"", timeout_s=0.2, then_wait=True, poll=True)
    assert isinstance(error, TimedOutError)
    assert (error.phase, error.sent) == ("response", True)
