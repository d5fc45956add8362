"""`forward` between a caller and an API that both write what they like, byte by byte."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.live.serving import Served, serving

FILE = """
naftiko: "1.0.0-alpha3"
capability:
  consumes:
    - {{namespace: api, type: http, baseUri: "http://127.0.0.1:{port}/base"}}
  exposes:
    - type: rest
      namespace: rest
      port: 8080
      resources:
        - path: "/x/{{path}}"
          name: x
          forward: {{targetNamespace: api, trustedHeaders: [x-trace, x-other, accept]}}
"""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TIMEOUT_S = 20.0


class Api:
    """Answers each connection with the same bytes once it has seen a request's head."""

    def __init__(self) -> None:
        self.answer = OK
        self.requests: list[bytes] = []
        self.ended = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        while True:
            client, _ = self.listener.accept()
            client.settimeout(TIMEOUT_S)
            with client, contextlib.suppress(OSError):
                if not self._answer(client):
                    return

    def _answer(self, client: socket.socket) -> bool:
        request = b""
        while b"\r\n\r\n" not in request:
            data = client.recv(65536)
            if not data:
                return False
            request += data
        self.requests.append(request)
        at = len(self.requests) - 1
        client.sendall(self.answer)
        client.shutdown(socket.SHUT_WR)
        while data := client.recv(65536):
            self.requests[at] += data
        self.ended.set()
        return True

    def stop(self) -> None:
        with socket.create_connection(self.listener.getsockname()):
            pass
        self.thread.join(TIMEOUT_S)
        self.listener.close()


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    api = Api()
    api.thread.start()
    yield api
    api.stop()


@pytest.fixture(scope="module")
def served(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    file = tmp_path_factory.mktemp("forward") / "c.yaml"
    file.write_text(FILE.format(port=api.listener.getsockname()[1]), "utf-8")
    with serving(file) as found:
        yield found


def exchange(served: Served, request: bytes, *, half: bool = False) -> bytes:
    """Send bytes; return all that comes until the connection ends."""
    port = urlsplit(served.urls["rest"]).port
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        connection.sendall(request)
        if half:
            return connection.recv(65536)
        got = b""
        while data := connection.recv(65536):
            got += data
        return got


def request(path: str = "a", *lines: str, method: str = "GET", body: bytes = b"") -> bytes:
    head = [f"{method} /x/{path} HTTP/1.1", "Host: localhost", *lines, "Connection: close", "", ""]
    return "\r\n".join(head).encode() + body


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 304 Not\r\nContent-Length: 9\r\nETag: a\r\n\r\n", b"304"),
        (b"HTTP/1.1 204 No\r\nContent-Length: 9\r\n\r\n", b"204"),
        (b"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nno", b"502"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", b"502"),
        (b"HTTP/1.1 200 OK\r\nX: a\r\n b: c\r\nContent-Length: 2\r\n\r\nok", b"502"),
        (b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n" + OK, b"200"),
        (b"HTTP/1.1 200 OK\r\nETag: a\tb\r\nContent-Length: 2\r\n\r\nok" + OK, b"200"),
    ],
)
def test_what_an_api_answers(served: Served, api: Api, answer: bytes, status: bytes) -> None:
    api.answer = answer
    got = exchange(served, request())
    assert got.split(b" ")[1] == status
    assert got.count(b"HTTP/1.1") == 1


def test_an_answer_that_breaks_off_is_seen_to(served: Served, api: Api) -> None:
    api.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"
    got = exchange(served, request())
    assert got.startswith(b"HTTP/1.1 200")
    assert not got.endswith(b"0\r\n\r\n")


def test_headers_of_the_connection_stay_with_it(served: Served, api: Api) -> None:
    api.answer = OK
    named = ("Connection: X-Trace", "Connection: keep-alive", "X-Trace: 1", "X-Other: 2", "TE: x")
    exchange(served, request("a", *named))
    head = api.requests[-1].lower()
    assert b"x-other: 2" in head
    for absent in (b"x-trace", b"te: x", b"connection:"):
        assert absent not in head


def test_a_body_is_framed_anew(served: Served, api: Api) -> None:
    api.answer = OK
    body = b"3;x=y\r\nabc\r\n0\r\nX-Trace: smuggled\r\n\r\n"
    lines = ("Transfer-Encoding: chunked", "Content-Type: text/plain", "Expect: 100-continue")
    got = exchange(served, request("a", *lines, method="POST", body=body))
    assert b" 200 OK" in got
    api.ended.wait(TIMEOUT_S)
    head, _, rest = api.requests[-1].lower().partition(b"\r\n\r\n")
    assert head.count(b"transfer-encoding: chunked") == 1
    assert b"expect" not in head
    assert b"3\r\nabc\r\n0\r\n\r\n".startswith(rest)  # the answer may end the upload


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 3", "Transfer-Encoding: chunked"),
        ("Content-Length: 3", "Content-Length: 4"),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding : chunked",),
        ("X-A: a\nX-B: b",),
    ],
)
def test_requests_that_could_be_read_in_two_ways(
    served: Served, api: Api, lines: tuple[str, ...]
) -> None:
    count = len(api.requests)
    assert b" 400 " in exchange(served, request("a", *lines, method="POST", body=b"abc"))
    assert len(api.requests) == count


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ("a?x=%2e%2E&&y=+%00#", "/base/a?x=%2e%2E&&y=+%00"),
        ("a%2Fb//c;v=1?q='(é)", None),
        ("a%2Fb//c;v=1?q='()", "/base/a%2Fb//c;v=1?q='()"),
    ],
)
def test_paths_and_queries_go_on_as_they_are(
    served: Served, api: Api, target: str, sent: str | None
) -> None:
    api.answer = OK
    count = len(api.requests)
    got = exchange(served, request(target))
    if sent is None:
        assert b" 200 " in got or len(api.requests) == count
        return
    assert api.requests[-1].decode().split(" ")[1] == sent


def test_a_caller_that_hangs_up_while_it_uploads(served: Served, api: Api) -> None:
    api.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin"
    api.ended.clear()
    exchange(served, request("a", "Content-Length: 9999", method="POST", body=b"abc"), half=True)
    assert api.ended.wait(TIMEOUT_S)
    assert api.requests[-1].endswith(b"abc")
