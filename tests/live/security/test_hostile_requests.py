"""One request must not hold up the others, whatever it carries."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from naftiko.exposes.protocol import GuardedHttpProtocol
from tests.live.rest.servers import Client
from tests.live.serving import Served, serving

CAPABILITY = """
naftiko: "1.0.0-alpha3"
info: { label: Hostile requests }
binds: [{ namespace: env, keys: { REGION: CANARY_REGION } }]
capability:
  consumes:
    - type: http
      namespace: up
      baseUri: "http://127.0.0.1:1"
      resources: [{ name: r, path: /r, operations: [{ name: op, method: POST }] }]
  exposes:
    - type: rest
      port: 8080
      namespace: api
      resources:
        - name: r
          path: /r
          operations:
            - name: op
              method: POST
              call: up.op
              inputParameters:
                - { name: words, in: body, type: array, items: { type: string } }
                - { name: text, in: body, type: string, pattern: "(?=a.*b.*c.*d)x" }
                - { name: size, in: body, type: integer }
    - type: mcp
      port: 8081
      namespace: tools
      tools: [{ name: op, description: d, call: up.op }]
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("requests")
    file = folder / "requests.yaml"
    file.write_text(CAPABILITY)
    environment = {"CANARY_REGION": "us-east-1"}
    with serving(file, environment=environment, workspace=folder) as running:
        yield running


@pytest.fixture
def client(served: Served) -> Client:
    return Client(int(served.urls["api"].rpartition(":")[2]))


def test_a_body_of_too_many_values(client: Client) -> None:
    """It took 30 s, for each of two million wrong items made an error."""
    body = b'{"words":[' + b"1," * 300_000 + b"1]}"
    reply = client.send("POST", "/r", body, {"Content-Type": "application/json"})
    assert (reply.status, reply.json["code"]) == (413, "body-too-large")


def test_the_faults_of_a_large_input_are_not_listed(client: Client) -> None:
    reply = client.post("/r", {"words": [1] * 200_000, "size": "big", "more": 1})
    assert reply.status == 400
    named = {error["name"] for error in reply.json["errors"]}
    assert named == {"words", "size", "more"}


def test_a_large_input_that_fits_is_not_blamed(client: Client) -> None:
    reply = client.post("/r", {"words": ["a"] * 200_000, "size": "big"})
    assert [error["name"] for error in reply.json["errors"]] == ["size"]


def test_a_pattern_with_look_ahead_is_not_tried_on_a_long_text(client: Client) -> None:
    """Its time grows with the square of the text: four megabytes would take hours."""
    reply = client.post("/r", {"text": "a" * 3_000_000})
    assert reply.status == 400
    assert "at most 10000 characters" in reply.json["errors"][0]["message"]


def test_mcp_bounds_values_too(served: Served) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "x", "params": {"l": [[]] * 300_000}}
    reply = served.request("tools", "POST", "/mcp", message, accept="application/json")
    assert reply.status == 400
    assert "250000 values" in reply.body["error"]["message"]


@pytest.mark.parametrize("coding", ["identity, chunked", "gzip, chunked", "chunked, chunked"])
def test_a_transfer_coding_that_readers_may_take_differently(client: Client, coding: str) -> None:
    request = f"POST /r HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n"
    assert client.raw(request.encode()).status == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Origin": "http://evil.example", "Content-Type": "application/json"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_what_a_web_page_can_send(client: Client, headers: dict[str, str], status: int) -> None:
    assert client.send("POST", "/r", json.dumps({}), headers).status == status


def test_a_connection_that_says_nothing_is_closed(
    served: Served, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GuardedHttpProtocol, "head_deadline_s", 0.2)
    with client.connect() as connection:
        assert connection.recv(1) == b""


def test_blank_lines_do_not_keep_a_connection_open(
    served: Served, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GuardedHttpProtocol, "head_deadline_s", 0.2)
    with client.connect() as connection:
        connection.sendall(b"\r\n")
        connection.settimeout(20)
        assert connection.recv(1) == b""


def test_a_head_may_follow_a_connection_after_a_while(client: Client) -> None:
    with client.connect() as connection:
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\n")
        connection.sendall(b"Host: localhost\r\nConnection: close\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"
        connection.shutdown(socket.SHUT_WR)
