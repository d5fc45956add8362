"""Requests that no well-behaved client sends, byte for byte."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator

import pytest

from naftiko.exposes.rest.adapter import rest_app
from naftiko.plan.masking import Masker
from tests.live.rest.servers import Client, Reply, client_of, read_reply
from tests.unit.exposes.rest.plans import INFO, adapter, operation, route, text

GET = b"GET /v1/things HTTP/1.1\r\n"
HOST = b"Host: localhost\r\n"
POST = b"POST /v1/things HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    things = route(
        "/v1/things",
        GET=operation("list", text("x-first", "header")),
        POST=operation("create", text("name", "body"), text("x-first", "header")),
    )
    with client_of(rest_app(adapter(things), info=INFO, masker=Masker())) as made:
        yield made


def is_closed(connection: socket.socket) -> bool:
    return connection.recv(1) == b""


def refused(client: Client, request: bytes) -> Reply:
    """Send bytes that end the connection; return the answer before it."""
    with client.connect() as connection:
        connection.sendall(request)
        reply = read_reply(connection)
        assert is_closed(connection)
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["connection"] == "close"
    assert reply.json["requestId"] == reply.headers["x-request-id"]
    return reply


@pytest.mark.parametrize(
    "request_",
    [
        (GET + HOST + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n") * 20,
        GET + HOST + HOST + b"\r\n",
        GET + HOST + b"Host: evil.example\r\n\r\n",
        GET + b"\r\n",
        POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        POST + b"Content-Length: 2, 2\r\n\r\n{}",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"nonsense\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nx: a\r\n b\r\n\r\n",
        b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_ambiguous_and_broken_requests_are_400(client: Client, request_: bytes) -> None:
    assert refused(client, request_).status == 400


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /" + b"x" * 70_000,
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        GET + HOST + b"x-long: " + b"x" * 70_000,
        GET + HOST + b"x-long: " + b"x" * 70_000 + b"\r\n\r\n",
        GET + HOST + b"x" * 70_000,
        GET + HOST + b"".join(b"x-%d: %s\r\n" % (n, b"x" * 2000) for n in range(40)) + b"\r\n",
        GET + HOST + b"".join(b"x-%d: x\r\n" % n for n in range(200)) + b"\r\n",
    ],
)
def test_oversized_heads_are_431(client: Client, request_: bytes) -> None:
    assert refused(client, request_).status == 431


def test_a_head_just_below_the_limit_is_served(client: Client) -> None:
    assert client.raw(GET + HOST + b"x-long: " + b"x" * 65_000 + b"\r\n\r\n").status == 200


def test_a_large_body_right_behind_the_head_is_no_large_head(client: Client) -> None:
    body = b'{"name": "%s"}' % (b"x" * 200_000)
    reply = client.raw(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert reply.status == 200


def test_trailers_never_become_headers(client: Client) -> None:
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    with client.connect() as connection:
        connection.sendall(head + b"2\r\n{}\r\n0\r\nx-first: late\r\n\r\n")
        assert read_reply(connection).json == {}
        connection.sendall(GET + HOST + b"\r\n")
        assert read_reply(connection).json == {}


@pytest.mark.parametrize(
    "flood",
    [
        [b"2\r\n{}\r\n0\r\nx: ", *[b"x" * 10_000] * 30],
        [b"2;", *[b"x" * 10_000] * 30],
        [b"2\r\n{}\r\n0\r\n", *[b"x: y\r\n" * 1000] * 30],
    ],
)
def test_endless_trailers_and_chunk_extensions_end(client: Client, flood: list[bytes]) -> None:
    with client.connect() as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            for piece in flood:
                connection.sendall(piece)
        except ConnectionError:
            return
        assert read_reply(connection).status in (400, 431)


def test_pipelined_requests_are_answered_in_order(client: Client) -> None:
    with client.connect() as connection:
        connection.sendall(b"".join(GET + HOST + b"x-first: %d\r\n\r\n" % n for n in range(3)))
        stream = connection.makefile("rb")
        found = []
        for _ in range(3):
            length = 0
            while (line := stream.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            found.append(stream.read(length))
    assert found == [b'{"x-first":"0"}', b'{"x-first":"1"}', b'{"x-first":"2"}']


def test_broken_requests_do_not_fill_the_log(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="naftiko"):
        client.raw(b"nonsense\r\n\r\n")
        client.raw(GET + HOST + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert caplog.records == []


def test_absolute_targets_are_paths(client: Client) -> None:
    request = b"GET http://localhost/v1/things HTTP/1.1\r\n" + HOST + b"\r\n"
    assert client.raw(request).status == 200


def test_http_1_0_is_served(client: Client) -> None:
    reply = client.raw(b"GET /v1/things HTTP/1.0\r\n\r\n")
    assert (reply.status, reply.headers["connection"]) == (200, "close")


def test_pages_of_other_sites_are_kept_out(client: Client) -> None:
    rebound = client.get("/v1/things", Host="evil.example")
    assert (rebound.status, rebound.json["code"]) == (421, "host-not-allowed")
    foreign = client.get("/v1/things", Origin="https://evil.example")
    assert (foreign.status, foreign.json["code"]) == (403, "origin-not-allowed")
    assert client.get("/v1/things", Origin="http://localhost:3000").status == 200
