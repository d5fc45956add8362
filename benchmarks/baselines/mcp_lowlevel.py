"""The MCP SDK's low-level server with one tool written by hand, on the prepared call."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import jsonschema_rs
import mcp_types as types
import orjson
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import (
    StreamableHTTPASGIApp,
    StreamableHTTPSessionManager,
)
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.routing import Route

from benchmarks.baselines.prepared import Prepared, convert_machines, iso, make_client
from benchmarks.serving import serve

NAME = "list-state-machines"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "maxResults": {"type": "integer", "minimum": 0, "maximum": 1000},
        "nextToken": {"type": "string", "minLength": 1, "maxLength": 1024},
    },
    "additionalProperties": False,
}
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)
TOOL = types.Tool(name=NAME, description="List all state machines", input_schema=SCHEMA)

list_machines = Prepared("ListStateMachines", client=make_client())

Context = ServerRequestContext[Any, Any]


async def on_list_tools(
    _ctx: Context, _params: types.PaginatedRequestParams | None
) -> types.ListToolsResult:
    """List the one tool."""
    return types.ListToolsResult(tools=[TOOL])


async def on_call_tool(_ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
    """Check, call, answer with text and structured content."""
    arguments = params.arguments or {}
    if params.name != NAME or not VALIDATOR.is_valid(arguments):
        refused = types.TextContent(text="invalid arguments")
        return types.CallToolResult(content=[refused], is_error=True)
    value = convert_machines(await list_machines(arguments), iso)
    text = types.TextContent(text=orjson.dumps(value).decode())
    return types.CallToolResult(content=[text], structured_content=value)


def main() -> None:
    """Serve the one tool."""
    server: Server[Any] = Server(
        "baseline",
        on_list_tools=on_list_tools,
        on_call_tool=on_call_tool,
        get_tool_input_schema=lambda name: SCHEMA if name == NAME else None,
    )
    serve_mcp(server)


def serve_mcp(server: Server[Any]) -> None:
    """Serve at /mcp, stateless and with plain JSON answers, the cheapest the SDK has."""
    security = TransportSecuritySettings(
        allowed_hosts=["127.0.0.1", "127.0.0.1:*"], allowed_origins=["http://127.0.0.1:*"]
    )
    manager = StreamableHTTPSessionManager(
        server, json_response=True, stateless=True, security_settings=security
    )

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with manager.run():
            yield

    routes = [Route("/mcp", endpoint=StreamableHTTPASGIApp(manager))]
    serve("baseline", Starlette(routes=routes, lifespan=lifespan))
