"""A small shop on a loopback port, which the examples about reuse call; and calls of tools."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002  # the server is needed anyway
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.live.corpus_calls import META, VERSION
from tests.live.rest.servers import listener
from tests.live.rest.servers import serving as serving_apps
from tests.live.serving import Served

ORDERS = {"o-1": "open", "o-2": "sent", "o-3": "open", "o-4": "open"}


async def _search(request: Request) -> Response:
    state, limit = request.query_params.get("state"), int(request.query_params.get("limit", "99"))
    found = [{"id": name, "state": now} for name, now in ORDERS.items() if now == state]
    return JSONResponse({"orders": found[:limit], "limit": limit})


async def _order(request: Request) -> Response:
    name = request.path_params["id"]
    if name not in ORDERS:
        return JSONResponse({"message": f"no order {name}"}, 404)
    if request.method == "GET":
        return JSONResponse({"id": name, "state": ORDERS[name]})
    if ORDERS[name] == "sent":
        return JSONResponse({"state": "sent"}, 409)
    return JSONResponse({"state": "cancelled"})


async def _stock(request: Request) -> Response:
    item = request.path_params["item"]
    body = json.loads(await request.body() or b"null")
    return JSONResponse({"item": item, "method": request.method, "body": body})


async def _photo(request: Request) -> Response:
    if request.path_params["id"] == "lost":
        return JSONResponse({"message": "lost"}, 404)
    return Response(b"\xff\xd8jpeg", media_type="application/octet-stream")


async def _echo(request: Request) -> Response:
    body = json.loads(await request.body() or b"null")
    return JSONResponse(
        {"path": request.url.path, "query": dict(request.query_params), "body": body}
    )


@contextlib.contextmanager
def running_shop() -> Iterator[str]:
    """Serve the shop until the block ends; yields its base URL."""
    app = Starlette(
        routes=[
            Route("/orders", _search),
            Route("/orders/{id}", _order, methods=["GET", "DELETE"]),
            Route("/stock/{item}", _stock, methods=["GET", "PUT"]),
            Route("/photos/{id}", _photo),
            Route("/echo/{path:path}", _echo, methods=["GET", "POST", "PUT", "DELETE"]),
        ]
    )
    with serving_apps(listener(app, "shop")) as running:
        yield f"http://127.0.0.1:{running.host.addresses['shop'][1]}"


def call_tool(
    served: Served, namespace: str, name: str, arguments: dict[str, Any]
) -> tuple[bool, str]:
    """Call a tool; returns whether it failed, and its text."""
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": VERSION,
        "mcp-method": "tools/call",
        "mcp-name": name,
    }
    params = {"name": name, "arguments": arguments, "_meta": META}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    answer = served.request(namespace, "POST", "/mcp", message, **headers)
    assert answer.status == 200, answer.body
    result = answer.body["result"]
    return bool(result.get("isError")), result["content"][0]["text"]


def list_tools(served: Served, namespace: str) -> dict[str, Any]:
    """Return the tools of an adapter by name."""
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": VERSION,
        "mcp-method": "tools/list",
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
    answer = served.request(namespace, "POST", "/mcp", message, **headers)
    return {tool["name"]: tool for tool in answer.body["result"]["tools"]}
