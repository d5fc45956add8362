"""Bodies over real HTTP: size, time, form."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from naftiko.exposes.rest.adapter import RestOptions, rest_app
from naftiko.plan.masking import Masker
from tests.live.rest.servers import Client, client_of, read_reply
from tests.unit.exposes.rest.plans import INFO, adapter, operation, route, text

POST = b"POST /v1/things HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
MAX = 1000


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    plan = adapter(route("/v1/things", POST=operation("create", text("name", "body"))))
    options = RestOptions(max_body_bytes=MAX, body_deadline_s=0.3)
    with client_of(rest_app(plan, info=INFO, masker=Masker(), options=options)) as made:
        yield made


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def test_a_chunked_body_is_read(client: Client) -> None:
    request = POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(b'{"name": "x"}', 3)
    assert client.raw(request).json == {"name": "x"}


@pytest.mark.parametrize("size", [MAX + 1, MAX * 8, MAX * 8 + 1, MAX * 100])
def test_an_oversized_body_is_413_whether_announced_or_not(client: Client, size: int) -> None:
    body = b'"' + b"x" * (size - 2) + b'"'
    announced = client.raw(POST + b"Content-Length: %d\r\n\r\n" % size + body)
    streamed = client.raw(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(body, 500))
    for reply in (announced, streamed):
        assert (reply.status, reply.json["code"]) == (413, "body-too-large")


def test_a_connection_survives_a_body_that_was_a_little_too_large(client: Client) -> None:
    with client.connect() as connection:
        connection.sendall(POST + b"Content-Length: %d\r\n\r\n" % (MAX + 1) + b"x" * (MAX + 1))
        assert read_reply(connection).status == 413
        connection.sendall(POST + b"Content-Length: 2\r\n\r\n{}")
        assert read_reply(connection).status == 200


def test_a_caller_that_asks_first_need_not_send_a_huge_body(client: Client) -> None:
    head = POST + b"Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"
    reply = client.raw(head)
    assert reply.status == 413
    assert reply.headers["connection"] == "close"


def test_a_body_that_does_not_arrive_is_408(client: Client) -> None:
    reply = client.raw(POST + b'Content-Length: 20\r\n\r\n{"name"')
    assert (reply.status, reply.json["code"]) == (408, "request-timeout")
    assert reply.headers["connection"] == "close"


def test_a_wrong_media_type_is_415(client: Client) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = client.send("POST", "/v1/things", b"name=x", form)
    assert (reply.status, reply.json["code"]) == (415, "unsupported-media-type")
    assert reply.headers["accept-post"] == "application/json"
    assert "Content-Type: application/json" in reply.json["hint"]


def test_bad_json_is_400_with_its_place(client: Client) -> None:
    json_type = {"Content-Type": "application/json"}
    reply = client.send("POST", "/v1/things", b'{\n  "name": nope\n}', json_type)
    assert (reply.status, reply.json["code"]) == (400, "invalid-json")
    assert (reply.json["line"], reply.json["column"]) == (2, 11)


@pytest.mark.parametrize("body", [b"", b"{}", b" {} "])
def test_an_empty_body_is_an_empty_object(client: Client, body: bytes) -> None:
    json_type = {"Content-Type": "application/json"}
    assert client.send("POST", "/v1/things", body, json_type).json == {}


def test_an_offer_of_http_2_is_answered_in_http_1(client: Client) -> None:
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"
    with client.connect() as connection:
        for name in (b"a", b"b"):
            body = b'{"name": "%s"}' % name
            length = b"Content-Length: %d\r\n\r\n" % len(body)
            for piece in (POST, upgrade, length + body[:3], body[3:]):
                connection.sendall(piece)
            assert read_reply(connection).json == {"name": name.decode()}
        request = POST + upgrade + b"Transfer-Encoding: chunked\r\n\r\n"
        connection.sendall(request + chunked(b'{"name": "c"}', 4))
        assert read_reply(connection).json == {"name": "c"}
        closing = upgrade.replace(b"Upgrade,", b"close, Upgrade,")
        connection.sendall(POST + closing + b"Content-Length: 2\r\n\r\n{}")
        assert read_reply(connection).headers["connection"] == "close"
