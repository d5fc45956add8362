"""The REST app inside other ASGI apps, and under other servers' habits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from naftiko.exposes.rest.adapter import rest_app
from naftiko.plan.masking import Masker
from tests.live.rest.servers import client_of
from tests.unit.exposes.rest.plans import INFO, adapter, operation, route, text

if TYPE_CHECKING:
    from starlette.types import Message

PLAN = adapter(
    route("/v1/executions/{arn}/describe", GET=operation("describe", text("arn", "path"))),
    route("/v1/things", GET=operation("list")),
)
APP = rest_app(PLAN, info=INFO, masker=Masker())
ARN = "arn:aws:states:us-east-1:1:mapRun:m/l:uuid"


def test_it_can_be_mounted_in_starlette() -> None:
    app = Starlette(routes=[Mount("/a b", routes=[Mount("/api", app=APP)])])
    with client_of(app) as client:
        for prefix in ("/a%20b/api", "/a%20b/%61pi"):
            assert client.get(f"{prefix}/v1/executions/{ARN}/describe").json == {"arn": ARN}
        assert client.get("/a%20b/api/v1/executions/x%2Fy/describe").json == {"arn": "x/y"}
        assert client.get("/a%20b/api/nowhere").json["code"] == "not-found"
        document = client.get("/a%20b/api/openapi.json").json
        assert document["servers"] == [{"url": "/a%20b/api"}]
        index = client.get("/a%20b/api/").json
        assert index["openapi"] == "/a%20b/api/openapi.json"


def call(scope: dict[str, Any]) -> list[Message]:
    """Call the app as a server would."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    base = {"type": "http", "method": "GET", "query_string": b"", "headers": []}
    asyncio.run(APP({**base, **scope}, receive, send))  # type: ignore[arg-type]  # a coroutine
    return sent


@pytest.mark.parametrize(
    "scope",
    [
        {"path": "/v1/things"},
        {"path": "/v1/things", "raw_path": None},
        {"path": "/v1/things", "raw_path": b"/v1/things", "root_path": ""},
        {"path": "/api/v1/things", "raw_path": b"/api/v1/things", "root_path": "/api"},
        {"path": "/api/v1/things", "raw_path": b"/api/v1/things", "root_path": "/api/"},
        {"path": "/v1/things", "raw_path": b"/v1/things", "root_path": "/api"},
    ],
)
def test_servers_differ_in_how_they_give_the_path(scope: dict[str, Any]) -> None:
    sent = call(scope)
    assert sent[0]["status"] == 200
    assert sent[1]["body"] == b"{}"


def test_the_lifespan_is_answered() -> None:
    events: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[str] = []

    async def receive() -> Message:
        return events.pop(0)

    async def send(message: Message) -> None:
        sent.append(message["type"])

    asyncio.run(APP({"type": "lifespan"}, receive, send))  # type: ignore[arg-type]  # a coroutine
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_websocket_is_closed() -> None:
    sent = call({"type": "websocket", "path": "/"})
    assert sent == [{"type": "websocket.close", "code": 1008}]
