"""`forward`: requests passed on as they are, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.types import Receive, Scope, Send  # noqa: TC002  # the server is needed anyway

from tests.live.peers import running_app
from tests.live.serving import Served, serving

EXAMPLE = Path("docs/examples/forward.yaml")
TIMEOUT_S = 20


class Upstream:
    """Answers with what it was sent; notes when a caller goes away."""

    def __init__(self) -> None:
        self.port = 0
        self.seen: list[dict[str, Any]] = []
        self.gone = threading.Event()
        self.asked = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["raw_path"].decode()
        if path.endswith("/stuck"):
            await self._stuck(receive)
            return
        if path.endswith("/endless"):
            await self._endless(receive, send)
            return
        body = bytearray()
        sizes: list[int] = []
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            sizes.append(len(message.get("body", b"")))
            more = message.get("more_body", False)
        seen = {
            "method": scope["method"],
            "path": path,
            "query": scope["query_string"].decode(),
            "headers": {name.decode(): value.decode() for name, value in scope["headers"]},
            "size": len(body),
            "parts": len(sizes),
        }
        self.seen.append(seen)
        content = json.dumps(seen).encode()
        status = int(path.rpartition("/")[2]) if "/status/" in path else 200
        headers = [
            (b"content-type", b"application/vnd.seen+json"),
            (b"etag", b'"1"'),
            (b"set-cookie", b"a=b"),
            (b"x-internal", b"secret"),
            (b"www-authenticate", b"Basic"),
            (b"location", f"http://127.0.0.1:{self.port}/base/made/7?x=1".encode()),
        ]
        if status not in (204, 304):
            headers.append((b"content-length", b"%d" % len(content)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if status in (204, 304) else content})

    async def _stuck(self, receive: Receive) -> None:
        self.asked.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone.set()

    async def _endless(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        waiting = asyncio.ensure_future(self._stuck(receive))
        while not waiting.done():
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            await asyncio.sleep(0)


@contextlib.contextmanager
def running() -> Iterator[Upstream]:
    upstream = Upstream()
    with running_app(upstream, lifespan="off") as upstream.port:
        yield upstream


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running() as found:
        yield found


@pytest.fixture(scope="module")
def served(upstream: Upstream) -> Iterator[Served]:
    environment = {
        "ORDERS_URL": f"http://127.0.0.1:{upstream.port}/base",
        "ORDERS_TOKEN": "canary-token",
    }
    with serving(EXAMPLE, environment=environment) as found:
        yield found


def call(served: Served, method: str, path: str, body: Any = None, **headers: str) -> Any:
    parts = urlsplit(served.urls["orders-rest"])
    connection = HTTPConnection("127.0.0.1", parts.port or 0, timeout=TIMEOUT_S)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body, headers=sent)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return response.status, found, response.read()
    finally:
        connection.close()


def test_a_request_goes_on_with_what_may_go_on(served: Served) -> None:
    status, headers, body = call(
        served,
        "GET",
        "/api/a%20b/c?x=1&y=%2F",
        Authorization="Bearer caller",
        Cookie="s=1",
        X_Trace="t",
        X_Other="no",
        Accept="text/csv",
    )
    seen = json.loads(body)
    assert (status, seen["path"], seen["query"]) == (200, "/base/a%20b/c", "x=1&y=%2F")
    sent = seen["headers"]
    assert sent["authorization"] == "Bearer canary-token"
    assert (sent["x-client"], sent["x-trace"], sent["accept"]) == ("naftiko", "t", "text/csv")
    assert "cookie" not in sent
    assert "x-other" not in sent
    assert headers["content-type"] == "application/vnd.seen+json"
    assert headers["etag"] == '"1"'
    assert headers["location"] == "/api/made/7?x=1"
    assert headers["x-content-type-options"] == "nosniff"
    for name in ("set-cookie", "x-internal", "www-authenticate"):
        assert name not in headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_goes_on(served: Served, method: str) -> None:
    status, _, body = call(served, method, "/api/x", b"abc", Content_Type="text/plain")
    seen = json.loads(body)
    assert (status, seen["method"], seen["size"]) == (200, method, 3)
    assert seen["headers"]["content-type"] == "text/plain"


def test_head_goes_on(served: Served, upstream: Upstream) -> None:
    status, headers, body = call(served, "HEAD", "/api/x")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0
    assert upstream.seen[-1]["method"] == "HEAD"


def test_operations_go_first(served: Served) -> None:
    assert json.loads(call(served, "GET", "/orders")[2])["path"] == "/base/orders"
    status, _, body = call(served, "POST", "/orders", b"{}", Content_Type="application/json")
    assert (status, json.loads(body)["path"]) == (200, "/base")


@pytest.mark.parametrize("status", [201, 204, 304, 404, 500])
def test_statuses_come_back(served: Served, status: int) -> None:
    assert call(served, "GET", f"/api/status/{status}")[0] == status


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "a/../../b",
        "%2e%2e/b",
        "a/%2E./b",
        "a%2F..%2F..%2Fb",
        "..%5Cb",
        "..;x/b",
        "%252e%252e/b",
        "%25252e%25252e%252Fb",
        "a%00",
    ],
)
def test_no_path_leads_out_of_the_base(served: Served, upstream: Upstream, path: str) -> None:
    count = len(upstream.seen)
    status, _, body = call(served, "GET", f"/api/{path}")
    assert (status, json.loads(body)["code"]) == (400, "invalid-path")
    assert len(upstream.seen) == count


def test_a_large_body_streams_through(served: Served) -> None:
    parts = [b"x" * 100_000 for _ in range(100)]
    _, _, body = call(served, "POST", "/api/x", iter(parts))
    seen = json.loads(body)
    assert seen["size"] == 10_000_000
    assert seen["headers"]["transfer-encoding"] == "chunked"
    _, _, body = call(served, "POST", "/api/x", b"y" * 5_000_000)
    assert json.loads(body)["headers"]["content-length"] == "5000000"


@pytest.mark.parametrize("path", ["/api/stuck", "/api/endless"])
def test_the_upstream_call_ends_with_the_caller(
    served: Served, upstream: Upstream, path: str
) -> None:
    upstream.gone.clear()
    upstream.asked.clear()
    port = urlsplit(served.urls["orders-rest"]).port
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        connection.sendall(request.encode())
        assert upstream.asked.wait(TIMEOUT_S)
    assert upstream.gone.wait(TIMEOUT_S)


def test_an_operation_ends_with_the_caller_too(tmp_path: Path, upstream: Upstream) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        f"""
naftiko: "1.0.0-alpha3"
capability:
  consumes:
    - namespace: api
      type: http
      baseUri: http://127.0.0.1:{upstream.port}
      resources: [{{name: s, path: /stuck, operations: [{{name: wait, method: GET}}]}}]
  exposes:
    - type: rest
      namespace: orders-rest
      port: 8080
      resources: [{{path: /wait, operations: [{{name: wait, method: GET, call: api.wait}}]}}]
""",
        encoding="utf-8",
    )
    upstream.gone.clear()
    upstream.asked.clear()
    with serving(file) as found:
        port = urlsplit(found.urls["orders-rest"]).port
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
            connection.sendall(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert upstream.asked.wait(TIMEOUT_S)
        assert upstream.gone.wait(TIMEOUT_S)


def test_an_upstream_that_is_not_there() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        environment = {"ORDERS_URL": f"http://127.0.0.1:{port}", "ORDERS_TOKEN": "t"}
        with serving(EXAMPLE, environment=environment) as found:
            status, _, body = call(found, "GET", "/api/x")
            assert (status, json.loads(body)["code"]) == (502, "unreachable")


def test_openapi_tells_of_it(served: Served) -> None:
    document = json.loads(call(served, "GET", "/openapi.json")[2])
    item = document["paths"]["/api/{path}"]
    assert set(item) >= {"get", "post", "put", "patch", "delete"}
    assert "call" not in document["paths"]["/orders"]["post"]
