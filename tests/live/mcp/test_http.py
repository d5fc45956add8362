"""What arrives over HTTP besides good requests, and how answers go back."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from naftiko.errors import StartError
from naftiko.exposes.mcp import mcp_app
from naftiko.plan.capability import ServerAuth
from tests.live.mcp.mcp_demo import CALLS, INFO, SECRET, demo_plan, masker, serving

VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}
BOTH = "application/json, text/event-stream"


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def events(self) -> list[Any]:
        lines = self.text.splitlines()
        return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


@dataclass
class Caller:
    """Sends requests to one port."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)

    def send(
        self, method: str, path: str = "/mcp", body: bytes | None = None, **headers: str
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {**self.headers, **{name.replace("_", "-"): text for name, text in headers.items()}}
        try:
            connection.request(method, path, body, {k: v for k, v in sent.items() if v})
            response = connection.getresponse()
            text = response.read().decode()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, names, text)
        finally:
            connection.close()

    def post(self, body: bytes, path: str = "/mcp", **headers: str) -> Reply:
        sent = {"content_type": "application/json", "accept": BOTH, **headers}
        return self.send("POST", path, body, **sent)

    def modern(self, method: str, params: dict[str, Any] | None = None, **headers: str) -> Reply:
        params = {"_meta": META, **(params or {})}
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        sent = {"mcp_protocol_version": VERSION, "mcp_method": method, **headers}
        if "name" in params:
            sent.setdefault("mcp_name", params["name"])
        return self.post(json.dumps(body).encode(), **sent)

    def tool(self, name: str, arguments: dict[str, Any] | None = None, **headers: str) -> Reply:
        return self.modern("tools/call", {"name": name, "arguments": arguments or {}}, **headers)

    def legacy(self, message: dict[str, Any], **headers: str) -> Reply:
        return self.post(json.dumps({"jsonrpc": "2.0", **message}).encode(), **headers)

    def session(self, version: str = "2025-11-25") -> str:
        opened = self.legacy(
            {
                "id": 0,
                "method": "initialize",
                "params": {
                    "protocolVersion": version,
                    "capabilities": {},
                    "clientInfo": {"name": "test", "version": "1"},
                },
            }
        )
        assert opened.status == 200
        assert opened.events[0]["result"]["protocolVersion"] == version
        session = opened.headers["mcp-session-id"]
        told = self.legacy({"method": "notifications/initialized"}, mcp_session_id=session)
        assert told.status == 202
        return session


def app(auth: ServerAuth | None = None, **options: Any) -> Any:
    return mcp_app(demo_plan(auth), info=INFO, masker=masker(), **options)


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    with serving(app()) as port:
        yield Caller(port)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until it holds; the test's time limit is the event's."""
    ticking = threading.Event()
    for _ in range(400):
        if condition():
            return
        ticking.wait(0.025)
    raise AssertionError("it never came to that")


def error_of(reply: Reply) -> tuple[int, int, str]:
    error = reply.body["error"]
    return reply.status, error["code"], error["message"]


# Bodies


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"", -32700, "empty"),
        (b"{", -32700, "line 1"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":NaN}}', -32700, "not JSON"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":1e999}}', -32700, "not JSON"),
        (b'{"jsonrpc":"2.0","id":1,"method":"p","params":{"x":"\\ud800"}}', -32700, "not JSON"),
        (b'"\xff"', -32700, "not JSON"),
        (b"[" * 5000, -32700, "not JSON"),
        (b"[]", -32600, "a list"),
        (b"7", -32600, "a plain value"),
        (b'{"id":1,"method":"ping"}', -32600, "jsonrpc"),
        (b'{"jsonrpc":"2.0","id":1}', -32600, "`method` is missing"),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600, "`method` must be"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32600, "`params`"),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, "`id`"),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600, "`id`"),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600, "`id`"),
        (b'{"jsonrpc":"2.0","id":[1],"method":"ping"}', -32600, "`id`"),
    ],
)
@pytest.mark.parametrize("version", ["", VERSION])
def test_a_bad_body_is_400(
    caller: Caller, body: bytes, code: int, words: str, version: str
) -> None:
    status, found, message = error_of(caller.post(body, mcp_protocol_version=version))
    assert (status, found) == (400, code)
    assert words in message


def test_a_body_past_4_mib_is_413(caller: Caller) -> None:
    head = (
        b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: */*\r\n"
        b"content-type: application/json\r\ncontent-length: 4194305\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", caller.port), timeout=20) as raw:
        raw.sendall(head)
        reply = raw.recv(2048)
    assert reply.startswith(b"HTTP/1.1 413")
    assert b"larger than 4 MiB" in reply


def test_a_chunked_body_past_4_mib_is_413(caller: Caller) -> None:
    head = (
        b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: */*\r\n"
        b"content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", caller.port), timeout=20) as raw:
        raw.sendall(head)
        for _ in range(5):
            raw.sendall(chunk)
        assert raw.recv(64).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "", "application/json; charset=latin-1", "application/jsonx", "x"],
)
def test_another_media_type_is_415(caller: Caller, content_type: str) -> None:
    assert caller.post(b"{}", content_type=content_type).status == 415


def test_a_compressed_body_is_415(caller: Caller) -> None:
    assert caller.post(b"{}", content_encoding="gzip").status == 415


def test_utf8_may_be_named(caller: Caller) -> None:
    reply = caller.modern("tools/list", content_type='application/json; charset="UTF-8"')
    assert reply.status == 200


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "text/event-stream"])
def test_who_takes_no_json_gets_406(caller: Caller, accept: str) -> None:
    assert caller.post(b"{}", accept=accept).status == 406


# Where requests come from


def test_another_host_is_421(caller: Caller) -> None:
    reply = caller.modern("tools/list", host="evil.example.com")
    assert reply.status == 421
    assert reply.body["error"]["data"]["code"] == "host-not-allowed"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.com",
        "null",
        "http://127.0.0.1.evil.com",
        "http://localhost:1@evil.com",
    ],
)
def test_another_origin_is_403(caller: Caller, origin: str) -> None:
    assert caller.modern("tools/list", origin=origin).status == 403


def test_a_local_page_may_call(caller: Caller) -> None:
    assert caller.modern("tools/list", origin="http://localhost:6274").status == 200


def test_further_hosts_and_origins_can_be_allowed() -> None:
    allowing = app(allowed_hosts=["mcp.example.com"], allowed_origins=["https://app.example.com"])
    with serving(allowing) as port:
        reply = Caller(port).modern(
            "tools/list", host="mcp.example.com", origin="https://app.example.com"
        )
    assert reply.status == 200


@pytest.mark.parametrize("name", ["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Host"])
def test_a_repeated_routing_header_is_400(caller: Caller, name: str) -> None:
    body = b"{}"
    head = (
        f"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"{name}: 127.0.0.1\r\n{name}: 127.0.0.1\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", caller.port), timeout=20) as raw:
        raw.sendall(head.encode() + body)
        assert raw.recv(64).startswith(b"HTTP/1.1 400")


def test_two_lengths_are_400(caller: Caller) -> None:
    head = (
        b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", caller.port), timeout=20) as raw:
        raw.sendall(head)
        assert raw.recv(64).startswith(b"HTTP/1.1 400")


# Methods and paths


@pytest.mark.parametrize("path", ["/", "/mcp", "/mcp/"])
def test_every_path_serves(caller: Caller, path: str) -> None:
    body = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
    ).encode()
    headers = {"mcp_protocol_version": VERSION, "mcp_method": "tools/list"}
    assert caller.post(body, path, **headers).status == 200


def test_another_path_is_404(caller: Caller) -> None:
    assert caller.send("GET", "/mcp/x").status == 404
    assert caller.post(b"{}", "/other").status == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
@pytest.mark.parametrize("version", ["", VERSION])
def test_another_method_is_405(caller: Caller, method: str, version: str) -> None:
    reply = caller.send(method, mcp_protocol_version=version)
    assert reply.status == 405
    assert "POST" in reply.headers["allow"]


def test_options_says_what_there_is(caller: Caller) -> None:
    reply = caller.send("OPTIONS")
    assert (reply.status, reply.headers["allow"]) == (204, "POST, GET, DELETE")


# 2026-07-28


def test_a_plain_call_is_answered_with_json(caller: Caller) -> None:
    reply = caller.tool("greet", {"name": "Ada"})
    assert reply.headers["content-type"] == "application/json"
    assert reply.body["result"]["resultType"] == "complete"
    stamp = reply.body["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]
    assert (stamp["name"], stamp["version"]) == ("demo", "3.2.1")


def test_a_call_with_progress_is_answered_with_events(caller: Caller) -> None:
    meta = {**META, "progressToken": "p-1"}
    reply = caller.modern("tools/call", {"name": "steps", "_meta": meta})
    assert reply.headers["content-type"] == "text/event-stream"
    *told, last = reply.events
    assert [event["params"]["progress"] for event in told] == [1, 2, 3]
    assert {event["params"]["progressToken"] for event in told} == {"p-1"}
    assert last["result"]["structuredContent"] == {"progress": True}


def test_who_takes_no_events_gets_json_in_any_case(caller: Caller) -> None:
    meta = {**META, "progressToken": 7}
    params = {"name": "steps", "_meta": meta}
    reply = caller.modern("tools/call", params, accept="application/json")
    assert reply.headers["content-type"] == "application/json"
    assert reply.body["result"]["structuredContent"] == {"progress": True}


def test_who_asks_for_progress_of_a_call_without_gets_json(caller: Caller) -> None:
    meta = {**META, "progressToken": 7}
    params = {"name": "greet", "arguments": {"name": "Ada"}, "_meta": meta}
    assert caller.modern("tools/call", params).headers["content-type"] == "application/json"


def test_hanging_up_cancels_the_call(caller: Caller) -> None:
    started, ended = CALLS["wait.started"], CALLS["wait.ended"]
    body = json.dumps(
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "wait", "_meta": META},
        }
    ).encode()
    head = (
        "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"accept: {BOTH}\r\nmcp-protocol-version: {VERSION}\r\nmcp-method: tools/call\r\n"
        f"mcp-name: wait\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", caller.port), timeout=20) as raw:
        raw.sendall(head.encode() + body)
        wait_for(lambda: CALLS["wait.started"] > started)
        assert caller.tool("greet", {"name": "x"}).status == 200
        assert CALLS["wait.ended"] == ended
    wait_for(lambda: CALLS["wait.ended"] > ended)


def test_a_wrong_header_is_refused(caller: Caller) -> None:
    assert error_of(caller.tool("greet", mcp_name="other"))[:2] == (400, -32020)
    assert error_of(caller.tool("greet", mcp_method="tools/list"))[:2] == (400, -32020)
    assert error_of(caller.tool("greet", mcp_method=""))[:2] == (400, -32020)
    assert error_of(caller.tool("greet", mcp_protocol_version=""))[:2] == (400, -32020)
    assert error_of(caller.tool("greet", mcp_protocol_version="2025-11-25"))[:2] == (400, -32020)


def test_mirrored_arguments_have_to_agree(caller: Caller) -> None:
    arguments = {"name": "Ada"}
    assert caller.tool("mirrored", arguments, mcp_param_name="Ada").status == 200
    assert error_of(caller.tool("mirrored", arguments, mcp_param_name="Eve"))[:2] == (400, -32020)
    assert error_of(caller.tool("mirrored", arguments))[:2] == (400, -32020)


def test_an_unknown_version_names_the_known(caller: Caller) -> None:
    meta = {**META, "io.modelcontextprotocol/protocolVersion": "2099-01-01"}
    reply = caller.modern("tools/list", {"_meta": meta}, mcp_protocol_version="2099-01-01")
    assert error_of(reply)[:2] == (400, -32022)
    assert reply.body["error"]["data"]["supported"] == [VERSION]


def test_an_unknown_method_is_404(caller: Caller) -> None:
    assert error_of(caller.modern("ping"))[:2] == (404, -32601)
    assert error_of(caller.modern("subscriptions/listen"))[:2] == (400, -32602)


@pytest.mark.parametrize(
    "params",
    [
        {"name": 7},
        {"name": None},
        {},
        {"name": "greet", "arguments": [1]},
        {"name": "greet", "arguments": "x"},
        {"name": "greet", "_meta": {**META, "io.modelcontextprotocol/clientCapabilities": 7}},
        {"name": "greet", "_meta": {**META, "io.modelcontextprotocol/clientInfo": "me"}},
    ],
)
def test_bad_parameters_are_32602(caller: Caller, params: dict[str, Any]) -> None:
    name = params.get("name")
    reply = caller.modern("tools/call", params, mcp_name=str(name) if name else "")
    assert reply.status == 400
    assert reply.body["error"]["code"] in (-32602, -32020)


def test_a_notification_is_taken_and_dropped(caller: Caller) -> None:
    body = b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}'
    assert caller.post(body, mcp_protocol_version=VERSION).status == 202
    assert error_of(caller.post(body, mcp_protocol_version="2099-01-01"))[:2] == (400, -32022)


def test_a_response_is_refused(caller: Caller) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"result":{}}'
    assert error_of(caller.post(body, mcp_protocol_version=VERSION))[:2] == (400, -32600)


# Sessions


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_every_handshake_protocol_is_served(caller: Caller, version: str) -> None:
    session = caller.session(version)
    reply = caller.legacy(
        {"id": "a", "method": "tools/call", "params": {"name": "names"}},
        mcp_session_id=session,
        mcp_protocol_version=version,
    )
    assert reply.events[0]["id"] == "a"
    assert json.loads(reply.events[0]["result"]["content"][0]["text"]) == ["a", "b"]
    assert caller.send("DELETE", mcp_session_id=session).status == 200
    gone = caller.legacy({"id": 2, "method": "ping"}, mcp_session_id=session)
    assert gone.status == 404


def test_without_a_session_a_legacy_request_is_told_how(caller: Caller) -> None:
    status, code, message = error_of(caller.legacy({"id": 1, "method": "tools/list"}))
    assert (status, code) == (400, -32600)
    assert "send `initialize` first" in message


def test_an_unknown_session_is_404(caller: Caller) -> None:
    reply = caller.legacy({"id": 1, "method": "ping"}, mcp_session_id="nope")
    assert reply.status == 404


def test_one_id_cannot_be_in_flight_twice(caller: Caller) -> None:
    session = caller.session()
    started, ended = CALLS["wait.started"], CALLS["wait.ended"]
    waiting = {"id": 5, "method": "tools/call", "params": {"name": "wait"}}
    replies: list[Reply] = []
    thread = threading.Thread(
        target=lambda: replies.append(caller.legacy(waiting, mcp_session_id=session))
    )
    thread.start()
    wait_for(lambda: CALLS["wait.started"] > started)
    for twin in (5, "5"):
        again = caller.legacy({"id": twin, "method": "ping"}, mcp_session_id=session)
        assert error_of(again)[:2] == (400, -32600)
        assert "in flight" in again.text
    other = caller.session()
    assert caller.legacy({"id": 5, "method": "ping"}, mcp_session_id=other).status == 200
    told = caller.legacy(
        {"method": "notifications/cancelled", "params": {"requestId": 5}}, mcp_session_id=session
    )
    assert told.status == 202
    thread.join(20)
    assert replies[0].events[-1]["error"]["code"] == -32800
    assert CALLS["wait.ended"] == ended + 1
    assert caller.legacy({"id": 5, "method": "ping"}, mcp_session_id=session).status == 200


def test_a_session_may_listen_and_does_not_hold_up_the_end() -> None:
    with serving(app()) as port:
        session = Caller(port).session()
        listening = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        listening.request(
            "GET", "/mcp", headers={"accept": "text/event-stream", "mcp-session-id": session}
        )
        stream = listening.getresponse()
        assert stream.status == 200
    # `serving` waited for the server to end; the stream ended in good order before it.
    assert stream.read() == b""
    listening.close()


# Authentication


@pytest.mark.parametrize(
    ("auth", "good", "scheme"),
    [
        (
            ServerAuth(type_="bearer", fields={"token": SECRET}),
            {"authorization": f"Bearer {SECRET}"},
            "Bearer",
        ),
        (
            ServerAuth(type_="apikey", fields={"key": "X-Key", "value": SECRET}),
            {"x-key": SECRET},
            "ApiKey",
        ),
        (
            ServerAuth(type_="basic", fields={"username": "ada", "password": SECRET}),
            {"authorization": "Basic " + base64.b64encode(f"ada:{SECRET}".encode()).decode()},
            "Basic",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_authentication(auth: ServerAuth, good: dict[str, str], scheme: str) -> None:
    with serving(app(auth)) as port:
        refused = Caller(port).modern("tools/list")
        assert refused.status == 401
        assert refused.headers["www-authenticate"].startswith(scheme)
        assert SECRET not in refused.text
        wrong = dict.fromkeys(good, "Bearer wrong")
        assert Caller(port, wrong).modern("tools/list").status == 401
        assert Caller(port, wrong).send("GET", mcp_session_id="x").status == 401
        listed = Caller(port, good).modern("tools/list")
        assert listed.status == 200
        assert listed.body["result"]["cacheScope"] == "private"


def test_an_empty_secret_does_not_start() -> None:
    with pytest.raises(StartError, match="empty"):
        app(ServerAuth(type_="bearer", fields={"token": ""}))


# Mounting


def test_it_can_be_mounted_without_a_lifespan() -> None:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    outer = Starlette(routes=[Mount("/tools", app=app())])
    with serving(outer) as port:
        caller = Caller(port)
        session = caller.post(
            json.dumps(
                {
                    "jsonrpc": "2.0",
                    "id": 0,
                    "method": "initialize",
                    "params": {
                        "protocolVersion": "2025-06-18",
                        "capabilities": {},
                        "clientInfo": {"name": "test", "version": "1"},
                    },
                }
            ).encode(),
            "/tools/mcp",
        )
        assert session.status == 200
        assert session.events[0]["result"]["serverInfo"]["name"] == "demo"
        for path in ("/tools/", "/tools/mcp"):
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
            headers = {"mcp_protocol_version": VERSION, "mcp_method": "tools/list"}
            assert caller.post(json.dumps(body).encode(), path, **headers).status == 200
        assert caller.send("GET", "/tools/other").status == 404


def test_an_app_can_be_served_twice_in_a_row() -> None:
    reused = app()
    for _ in range(2):
        with serving(reused) as port:
            assert Caller(port).session()
