"""Exchanges with peers that lie, stall and send too much, and with callers who go away."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import socket
import ssl
import threading
import zlib
from collections.abc import AsyncIterator

import pytest
import uvloop

from naftiko.consumes.exchange.exchanges import Exchanges
from naftiko.consumes.exchange.pool import Pool
from naftiko.consumes.transport import (
    BadResponseError,
    ConnectError,
    ConnectionBrokenError,
    InvalidRequestError,
    TimedOutError,
    Transport,
)
from tests.live.http.raw_peer import OK, Peer, run, serving
from tests.live.http.test_mtls import Authority, pem

HEAD = b"HTTP/1.1 200 OK\r\n"
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
ON_BOTH_LOOPS = pytest.mark.parametrize("on_uvloop", [False, True], ids=["asyncio", "uvloop"])


# ------------------------------------------------------------------ one answer, one request


@pytest.mark.parametrize(
    ("method", "first"),
    [
        ("HEAD", HEAD + b"Content-Length: 43\r\n\r\n" + EVIL),
        ("HEAD", HEAD + b"Content-Length: 43\r\n\r\n" + EVIL[:20]),
        ("GET", b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n" + EVIL),
        ("GET", b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 No\r\nContent-Length: 43\r\n\r\n" + EVIL),
        ("GET", OK + b"x"),
        ("GET", OK + EVIL + EVIL),
        ("GET", CHUNKED + b"2\r\nok\r\n0\r\n\r\n" + EVIL),
        ("GET", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + CHUNKED[17:] + b"0\r\n\r\n"),
        ("GET", HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\nok"),
        ("GET", b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ],
)
def test_a_connection_is_not_kept_after(method: str, first: bytes) -> None:
    async def work() -> None:
        peer = Peer(first, OK)
        async with peer.running() as (url, transport):
            await transport.send(method, url, [], None, timeout_s=5)
            second = await transport.send("GET", url, [], None, timeout_s=5)
        assert (second.body, peer.connections) == (b"ok", 2)

    run(work)


def test_an_answer_that_nobody_asked_for_is_read_by_nobody() -> None:
    async def work() -> None:
        writers: list[asyncio.StreamWriter] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    await reader.readuntil(b"\r\n\r\n")
                    writer.write(OK)

        async with serving(serve) as (url, transport):
            await transport.send("GET", url, [], None, timeout_s=5)
            writers[0].write(EVIL)
            await writers[0].drain()
            second = await transport.send("GET", url, [], None, timeout_s=5)
            assert (second.body, len(writers)) == (b"ok", 2)

    run(work)


@ON_BOTH_LOOPS
def test_an_answer_before_the_request_was_taken(on_uvloop: bool) -> None:
    async def work() -> None:
        seen: list[bytes] = []
        gate = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(OK)
            await gate.wait()

        async with serving(serve) as (url, transport):
            first = await transport.send("POST", url, [], b"x" * 30_000_000, timeout_s=5)
            second = await transport.send("GET", url, [], None, timeout_s=5)
            assert (first.body, second.body, len(seen)) == (b"ok", b"ok", 2)
            gate.set()

    run(work, on_uvloop=on_uvloop)


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\nok",
        HEAD + b"Transfer-Encoding: xchunked\r\n\r\nok",
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        HEAD + b"Content-Length: +2\r\n\r\nok",
        HEAD + b"Content-Length : 2\r\n\r\nok",
        HEAD + b"X-A: a\r\n folded\r\nContent-Length: 2\r\n\r\nok",
        HEAD + b"X-A: a\x00b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 000 Zero\r\n\r\n" + OK,
        b"HTTP/1.1 099 Less\r\n\r\n" + OK,
        b"HTTP/1.1 101 Switching\r\n\r\n" + OK,
        b"HTTP/1.1 103 Early\r\nContent-Length: 5\r\n\r\nhello" + OK,
        b"HTTP/1.1 100 Go on\r\n\r\n" * 40_000 + OK,
        b"HTTP/1.1 103 Early\r\nLink: "
        + b"x" * 40_000
        + b"\r\n\r\n"
        + HEAD
        + b"X: "
        + b"y" * 40_000,
        HEAD + b"A: b\r\n" * 300 + b"\r\n",
        HEAD + b"A: " + b"b" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n",
        CHUNKED + b"0\r\nA: " + b"b" * 3_000_000,
        CHUNKED + b"0\r\n" + b"A: b\r\n" * 300_000,
        CHUNKED + b"2;" + b"b" * 3_000_000,
        CHUNKED + b"-2\r\nok\r\n0\r\n\r\n",
        CHUNKED + b"2\nok\n0\n\n",
        CHUNKED + b"FFFFFFFFFFFFFFFFF\r\nok",
    ],
)
@ON_BOTH_LOOPS
def test_answers_that_are_refused(answer: bytes, on_uvloop: bool) -> None:
    async def work() -> None:
        async with Peer(answer).running() as (url, transport):
            with pytest.raises(BadResponseError) as caught:
                await transport.send("GET", url, [], None, timeout_s=15)
            assert len(str(caught.value)) < 200

    run(work, on_uvloop=on_uvloop)


def test_what_is_no_header_becomes_none() -> None:
    answer = (
        b"HTTP/1.1 100 Go on\r\nX-Interim: 1\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nX-A: 1 \t\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\n"
        b"Content-Encoding: gzip\r\nX-Trailer: 1\r\n\r\n"
    )

    async def work() -> None:
        peer = Peer(answer, OK)
        async with peer.running() as (url, transport):
            first = await transport.send("GET", url, [], None, timeout_s=5)
            await transport.send("GET", url, [], None, timeout_s=5)
        assert (first.body, first.headers["x-a"], peer.connections) == (b"ok", "1", 1)
        assert set(first.headers) == {"x-a", "upgrade", "connection", "transfer-encoding"}

    run(work)


# ------------------------------------------------------------------ decompression


def encoded(content: bytes, coding: str = "gzip") -> bytes:
    head = f"Content-Encoding: {coding}\r\nContent-Length: {len(content)}\r\n\r\n"
    return HEAD + head.encode() + content


RAW = zlib.compressobj(wbits=-15)
BARE = RAW.compress(b"ok") + RAW.flush()


@pytest.mark.parametrize(
    "answer",
    [
        encoded(gzip.compress(b"ok", mtime=0)),
        encoded(
            gzip.compress(b"o", mtime=0)
            + gzip.compress(b"", mtime=0)
            + gzip.compress(b"k", mtime=0)
        ),
        encoded(zlib.compress(b"ok"), "deflate"),
        encoded(BARE, "deflate"),
        encoded(b"ok", "identity"),
    ],
)
def test_what_is_decompressed(answer: bytes) -> None:
    async def work() -> None:
        async with Peer(answer).running() as (url, transport):
            assert (await transport.send("GET", url, [], None, timeout_s=5)).body == b"ok"

    run(work)


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(b"0" * 5000, mtime=0)[:-9],
        gzip.compress(b"ok", mtime=0) + b"garbage",
        gzip.compress(b"ok", mtime=0)[:-8] + b"\0" * 8,
        b"\x1f\x8b",
    ],
)
def test_broken_gzip(content: bytes) -> None:
    async def work() -> None:
        async with Peer(encoded(content)).running() as (url, transport):
            with pytest.raises(BadResponseError):
                await transport.send("GET", url, [], None, timeout_s=5)

    run(work)


def test_a_body_of_a_million_empty_members() -> None:
    async def work() -> None:
        empty = gzip.compress(b"", mtime=0)
        async with Peer(encoded(empty * 1_000_000)).running() as (url, transport):
            with pytest.raises(BadResponseError, match="members"):
                await transport.send(
                    "GET", url, [], None, timeout_s=15, max_body_bytes=32 * 1024 * 1024
                )

    run(work)


# ------------------------------------------------------------------ bodies that go out in parts


async def parts(*items: bytes) -> AsyncIterator[bytes]:
    for item in items:
        yield item


@pytest.mark.parametrize("items", [(b"abc", b"def"), (b"abc",)])
def test_a_body_of_another_length_than_announced(items: tuple[bytes, ...]) -> None:
    async def work() -> None:
        peer = Peer()
        async with peer.running() as (url, transport):
            with pytest.raises(InvalidRequestError):
                await transport.stream(
                    "POST", url, [], parts(*items), length=5, timeout_s=5, idle_timeout_s=5
                )
            await peer.ended.wait()
        assert len(peer.rest) <= 5

    run(work)


@ON_BOTH_LOOPS
def test_a_peer_that_takes_nothing(on_uvloop: bool) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000_000

    async def work() -> None:
        gate = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(HEAD + b"Content-Length: 1000\r\n\r\n")
            await gate.wait()

        async with serving(serve) as (url, transport):
            streamed = await transport.stream(
                "POST", url, [], endless(), timeout_s=5, idle_timeout_s=0.2
            )
            with pytest.raises(TimedOutError):
                await streamed.chunk()
            await streamed.close()
            gate.set()

    run(work, on_uvloop=on_uvloop)


async def turns() -> None:
    """Let the loop look at its sockets many times."""
    for _ in range(500):
        await asyncio.sleep(0)


@ON_BOTH_LOOPS
def test_a_stream_that_was_paused_is_not_used_again(on_uvloop: bool) -> None:
    async def work() -> None:
        size = 600_000
        peer = Peer(HEAD + b"Content-Length: %d\r\n\r\n" % size + b"x" * size, OK)
        async with peer.running() as (url, transport):
            streamed = await transport.stream("GET", url, [], None, timeout_s=5, idle_timeout_s=5)
            await turns()  # more than is taken comes in
            await streamed.close()
            second = await transport.send("GET", url, [], None, timeout_s=5)
        assert second.body == b"ok"

    run(work, on_uvloop=on_uvloop)


@ON_BOTH_LOOPS
def test_a_stream_that_is_reset_while_it_is_paused(on_uvloop: bool) -> None:
    async def work() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(HEAD + b"Content-Length: 90000000\r\n\r\n" + b"x" * 900_000)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            linger = b"\1\0\0\0\0\0\0\0"
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()

        async with serving(serve) as (url, transport):
            streamed = await transport.stream("GET", url, [], None, timeout_s=5, idle_timeout_s=5)
            await turns()
            with pytest.raises(ConnectionBrokenError):  # noqa: PT012  # with any part
                while await streamed.chunk():
                    pass
            await streamed.close()

    run(work, on_uvloop=on_uvloop)


# ------------------------------------------------------------------ time


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("streams", [False, True])
@ON_BOTH_LOOPS
def test_a_timeout_holds_in_every_phase(scheme: str, streams: bool, on_uvloop: bool) -> None:
    async def work() -> None:
        ended = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while await reader.read(1000):
                    pass
            ended.set()

        async with serving(serve) as (url, transport):
            url = url.replace("http", scheme)
            with pytest.raises(TimedOutError) as caught:  # noqa: PT012  # either way
                if streams:
                    await transport.stream("GET", url, [], None, timeout_s=0.1, idle_timeout_s=60)
                else:
                    await transport.send("GET", url, [], None, timeout_s=0.1)
            assert caught.value.phase == ("response" if scheme == "http" else "connect")
            await ended.wait()

    run(work, on_uvloop=on_uvloop)


@pytest.mark.parametrize("head", [HEAD, HEAD + b"Content-Length: 9999\r\n\r\n"])
def test_an_answer_drop_by_drop(head: bytes) -> None:
    async def work() -> None:
        drip = b"X-A: 1\r\n" * 9999

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(head)
            with contextlib.suppress(ConnectionError):
                for at in range(len(drip)):
                    writer.write(drip[at : at + 1])
                    await writer.drain()
                    await asyncio.sleep(0.01)

        async with serving(serve) as (url, transport):
            with pytest.raises(TimedOutError):
                await transport.send("GET", url, [], None, timeout_s=0.2)

    run(work)


# ------------------------------------------------------------------ TLS


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    folder = tmp_path_factory.mktemp("exchange")
    authority = Authority("test root")
    certificate, key = authority.issue("server")
    (folder / "server.pem").write_bytes(certificate + pem(key))
    bundle = folder / "ca.pem"
    bundle.write_bytes("# Főtanúsítvány\n".encode() + authority.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context, str(bundle)


@ON_BOTH_LOOPS
def test_a_peer_is_who_it_says(tls: tuple[ssl.SSLContext, str], on_uvloop: bool) -> None:
    async def work() -> None:
        peer = Peer(OK, OK)
        peer.tls, peer.ca_bundle = tls
        asked: list[str | None] = []
        peer.tls.sni_callback = lambda _socket, name, _context: asked.append(name)
        async with peer.running() as (url, transport):
            assert (await transport.send("GET", url, [], None, timeout_s=5)).body == b"ok"
            other = url.replace("127.0.0.1", "localhost")
            with pytest.raises(ConnectError) as caught:
                await transport.send("GET", other, [], None, timeout_s=5)
            assert (caught.value.kind, asked) == ("tls", [None, "localhost"])
            stranger = Transport(proxy_environment={})
            with pytest.raises(ConnectError) as caught:
                await stranger.send("GET", url, [], None, timeout_s=5)
            assert caught.value.kind == "tls"
        peer.tls.sni_callback = None

    run(work, on_uvloop=on_uvloop)


@pytest.mark.parametrize("says_goodbye", [True, False])
@ON_BOTH_LOOPS
def test_an_answer_that_ends_with_the_connection(
    tls: tuple[ssl.SSLContext, str], says_goodbye: bool, on_uvloop: bool
) -> None:
    async def work() -> None:
        context, bundle = tls
        listener = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            raw, _ = listener.accept()
            with context.wrap_socket(raw, server_side=True) as secured:
                secured.recv(65536)
                secured.sendall(HEAD + b"\r\nok")
                if says_goodbye:
                    with contextlib.suppress(OSError):
                        secured.unwrap().close()

        thread = threading.Thread(target=serve)
        thread.start()
        transport = Transport(proxy_environment={}, ca_bundle=bundle)
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        if says_goodbye:
            assert (await transport.send("GET", url, [], None, timeout_s=5)).body == b"ok"
        else:
            with pytest.raises(ConnectionBrokenError):
                await transport.send("GET", url, [], None, timeout_s=5)
        await transport.close()
        await asyncio.to_thread(thread.join)
        listener.close()

    run(work, on_uvloop=on_uvloop)


# ------------------------------------------------------------------ who goes away


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("streams", [False, True])
@ON_BOTH_LOOPS
def test_cancelling_at_any_moment_leaves_nothing(
    tls: tuple[ssl.SSLContext, str], secure: bool, streams: bool, on_uvloop: bool
) -> None:
    """Cancel after 0, 1, 2, ... rounds of the loop, until the exchange is quicker."""

    async def exchange(url: str, transport: Transport) -> None:
        if not streams:
            await transport.send("POST", url, [], b"abc", timeout_s=5)
            return
        streamed = await transport.stream(
            "POST", url, [], parts(b"a", b"bc"), timeout_s=5, idle_timeout_s=5
        )
        try:
            while await streamed.chunk():
                pass
        finally:
            await streamed.close()

    async def work() -> None:
        peer = Peer(*[OK] * 10_000)
        if secure:
            peer.tls, peer.ca_bundle = tls
        async with peer.running() as (url, transport):
            for rounds in range(400):
                if rounds % 2:
                    await transport.close()  # the next one connects
                task = asyncio.create_task(exchange(url, transport))
                for _ in range(rounds // 2):
                    await asyncio.sleep(0)
                done = task.done()
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                if done and rounds % 2:
                    break
            await transport.close()
            await asyncio.wait(peer.serving)  # every connection has ended
            assert len(asyncio.all_tasks()) == 1

    run(work, on_uvloop=on_uvloop)
    gc.collect()


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_connections_end_with_their_loop(runner: object) -> None:
    """Neither does anybody close the transport, nor does anything warn (warnings are errors)."""
    transport = Transport(proxy_environment={})
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)
    ends: list[bytes] = []

    def serve() -> None:
        for _ in range(4):
            client, _ = listener.accept()
            with client:
                client.settimeout(10)
                client.recv(65536)
                client.sendall(OK)
                ends.append(client.recv(65536))

    async def work() -> None:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        await transport.send("GET", url, [], None, timeout_s=5)

    def serve_and_call() -> None:
        runner(work())  # type: ignore[operator]  # either run

    server = threading.Thread(target=serve)
    server.start()
    callers = [threading.Thread(target=serve_and_call) for _ in range(3)]
    for caller in callers:
        caller.start()
        caller.join()
    serve_and_call()
    server.join()
    listener.close()
    gc.collect()
    assert ends == [b""] * 4
    pools: Exchanges = transport._exchanges
    assert pools._pools._of == {}


def test_a_pool_is_found_while_other_threads_open_theirs() -> None:
    transport = Transport(proxy_environment={})
    exchanges = transport._exchanges
    found: list[Pool] = []

    async def work() -> None:
        found.append(exchanges._pools.current())
        await asyncio.sleep(0)
        assert exchanges._pools.current() is found[-1] or len(found) > 1

    def many() -> None:
        for _ in range(30):
            asyncio.run(work())

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(found), exchanges._pools._of) == (120, {})


# ------------------------------------------------------------------ what cannot be sent


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("http://127.0.0.1/a\r\nX-B: c", []),
        ("http://127.0.0.1/a\tb", []),
        ("http://127.0.0.1/a\0", []),
        ("http://a@127.0.0.1/", []),
        ("http://127.0.0.1\\@h/", []),
        ("http://127.0.0.1\\.h/", []),
        ("http://127.0.0.1:0/", []),
        ("http://[fe80::1%25eth0]/", []),
        ("http://fa\u00df.example/", []),
        ("http://a\u200db.example/", []),
        ("ftp://127.0.0.1/", []),
        ("http://127.0.0.1/", [("X-A", "b\nc")]),
        ("http://127.0.0.1/", [("X-A", "b\0c")]),
        ("http://127.0.0.1/", [("X-A", "\u20ac")]),
        ("http://127.0.0.1/", [("X A", "b")]),
        ("http://127.0.0.1/", [("X-A: b\r\nX-B", "c")]),
        ("http://127.0.0.1/", [("Host", "a"), ("host", "b")]),
    ],
)
def test_requests_that_are_none(url: str, headers: list[tuple[str, str]]) -> None:
    async def work() -> None:
        transport = Transport(proxy_environment={})
        with pytest.raises(InvalidRequestError):
            await transport.send("GET", url, headers, None, timeout_s=5)

    run(work)


def test_what_frames_the_request_is_ours() -> None:
    async def work() -> None:
        peer = Peer(OK)
        async with peer.running() as (url, transport):
            headers = [("Content-Length", "9"), ("transfer-Encoding", "chunked")]
            headers += [("Connection", "close"), ("X-A", "b")]
            await transport.send("POST", f"{url}/?a=%2e&b=c+d", headers, b"ok", timeout_s=5)
        head = peer.heads[0].lower()
        assert head.startswith(b"post /?a=%2e&b=c+d http/1.1\r\n")
        assert head.count(b"content-length: 2\r\n") == head.count(b"content-length") == 1
        assert b"chunked" not in head
        assert b"close" not in head

    run(work)
