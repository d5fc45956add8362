"""Answers in any pieces: read alike however they arrive, refused alike, and never for ever."""

from __future__ import annotations

import asyncio
import socket
import zlib
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from naftiko.consumes.exchange.connection import Connection
from naftiko.consumes.exchange.content_coding import decompressed
from naftiko.consumes.exchange.headers import AnyCase
from naftiko.consumes.exchange.request import Origin, request_head, split_url
from naftiko.consumes.transport_errors import InvalidRequestError, TransportError

LIMIT = 1000
OPEN_TRAILER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
Outcome = tuple[object, ...]

BOUNDED = settings(max_examples=150, derandomize=True)

lines = st.sampled_from(
    [
        b"X-A: 1",
        b"X-Empty:",
        b"Content-Type: application/json",
        b"Connection: close",
        b"Connection: keep-alive",
        b"Upgrade: h2c",
        b"Set-Cookie: a=b; c",
        b"X-Latin: \xe9\xff",
    ]
)
bodies = st.binary(max_size=60)
statuses = st.sampled_from([b"200 OK", b"204 No", b"304 Not", b"404", b"500 \xe9", b"999 Odd"])
interims = st.lists(st.sampled_from([b"100 Go on", b"102 Busy", b"103 Early"]), max_size=2)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Return an answer that is as it should be."""
    out = [b"HTTP/1.1 %b\r\nX-Interim: 1\r\n\r\n" % status for status in draw(interims)]
    status, body = draw(statuses), draw(bodies)
    head = [b"HTTP/1.1 " + status, *draw(st.lists(lines, max_size=4))]
    how = draw(st.sampled_from(["length", "chunks", "end"]))
    if status[:3] in (b"204", b"304"):
        body, how = b"", "end"
    if how == "length":
        head.append(b"Content-Length: %d" % len(body))
    elif how == "chunks":
        head.append(b"Transfer-Encoding: chunked")
        at = draw(st.integers(0, len(body)))
        chunks = [chunk for chunk in (body[:at], body[at:]) if chunk]
        body = b"".join(b"%X;e=1\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
        body += b"0\r\nX-Trailer: 1\r\n\r\n"
    return b"".join([*out, b"\r\n".join([*head, b"", b""]), body])


def in_pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


async def outcome(pieces: Sequence[bytes], *, is_head: bool, streams: bool) -> Outcome:
    """Return what becomes of an answer that comes in pieces, after which the peer closes."""
    ours, theirs = socket.socketpair()
    origin = Origin("peer", 80, tls=False)
    _, connection = await asyncio.get_running_loop().create_connection(
        lambda: Connection(origin), sock=ours
    )
    connection.begin(b"GET", is_head=is_head, limit=LIMIT, streams=streams)
    for piece in pieces:
        connection.data_received(piece)
    theirs.recv(100)  # else closing would be a reset
    theirs.close()
    try:
        async with asyncio.timeout(10):
            if streams:
                await connection.head()
                parts = []
                while part := await connection.chunk():
                    parts.append(part)
                body = b"".join(parts)
            else:
                body = await connection.whole()
        return connection.status, connection.pairs, body
    except TransportError as error:
        return (type(error),)
    finally:
        connection.abort()
        await asyncio.sleep(0)


def outcomes(ways: Sequence[Sequence[bytes]], *, is_head: bool, streams: bool) -> list[Outcome]:
    async def work() -> list[Outcome]:
        return [await outcome(pieces, is_head=is_head, streams=streams) for pieces in ways]

    return asyncio.run(work())


@BOUNDED
@given(answers(), st.lists(st.integers(0, 500), max_size=8), st.booleans(), st.booleans())
def test_a_good_answer_is_read_alike_in_any_pieces(
    answer: bytes, cuts: list[int], is_head: bool, streams: bool
) -> None:
    each = [answer[at : at + 1] for at in range(len(answer))]
    ways = [[answer], in_pieces(answer, cuts), each]
    found = outcomes(ways, is_head=is_head, streams=streams)
    assert len(found[0]) == 3
    assert found[0] == found[1] == found[2]


tokens = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 100 Go on\r\n\r\n",
        b"HTTP/1.1 101 Other\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n",
        b"HTTP/1.1 000 No\r\n",
        b"Content-Length: 3\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Connection: upgrade\r\nUpgrade: x\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"FFFFFFFFFFFFFFFF\r\n",
        b"abc",
        b": ",
        b" ",
        b"x" * 1001,
        b"X" * 70_000,
        b"A: b\r\n" * 250,
        b"\0",
        b"\xff",
    ]
)
streams_of_bytes = st.one_of(
    st.binary(max_size=200),
    st.lists(tokens, max_size=10).map(b"".join),
    st.tuples(st.just(b"HTTP/1.1 200 OK\r\n"), st.lists(tokens, max_size=8).map(b"".join)).map(
        b"".join
    ),
)


@BOUNDED
@given(streams_of_bytes, st.lists(st.integers(0, 80_000), max_size=6), st.booleans(), st.booleans())
@example(b"HTTP/1.1 000 No\r\n\r\nabc", [], False, False)
@example(
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X" * 70_000, [], False, True
)
def test_any_bytes_give_an_answer_or_an_error(
    data: bytes, cuts: list[int], is_head: bool, streams: bool
) -> None:
    found = outcomes([[data], in_pieces(data, cuts)], is_head=is_head, streams=streams)
    if any(len(item) == 3 for item in found):
        assert found[0] == found[1]


@BOUNDED
@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "br", ""]), st.booleans())
def test_any_body_is_decompressed_or_refused(content: bytes, coding: str, packed: bool) -> None:
    headers = AnyCase({"content-encoding": coding})
    sent = zlib.compress(content, wbits=31) if packed else content
    try:
        out = decompressed(sent, headers, "peer:80", LIMIT)
    except TransportError:
        assert not (packed and coding in ("gzip", "deflate"))
        return
    assert len(out) <= max(LIMIT, len(sent))
    if packed and coding in ("gzip", "deflate"):
        assert out == content


@BOUNDED
@given(
    st.text(max_size=60).map("http://h/".__add__),
    st.lists(st.tuples(st.text(min_size=1, max_size=12), st.text(max_size=20)), max_size=4),
)
@example("http://h/a b?c", [("X-A", "b")])
def test_a_head_is_one_head(url: str, headers: list[tuple[str, str]]) -> None:
    try:
        head = request_head(
            "GET",
            split_url(url),
            headers,
            user_agent="t",
            accept_encoding="gzip",
            body=None,
            length=None,
        )
    except InvalidRequestError:
        return
    first, *rest = head.decode("latin-1").split("\r\n")
    assert first.count(" ") == 2
    assert rest[-2:] == ["", ""]
    assert all(line and "\n" not in line and "\0" not in line for line in rest[:-2])
    assert sum(line.lower().startswith("host:") for line in rest) == 1
