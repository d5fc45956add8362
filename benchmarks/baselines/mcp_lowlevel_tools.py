"""The MCP SDK's low-level server with 250 tools written by hand, each an Express state machine."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import mcp_types as types
import orjson
from mcp.server.lowlevel import Server

from benchmarks.baselines.mcp_lowlevel import Context, serve_mcp
from benchmarks.baselines.prepared import Prepared, make_client
from benchmarks.samples import described, express_machines, tool_names

COUNT = 250
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "parameters": {"type": "object", "additionalProperties": True},
        "idempotencyKey": {
            "type": "string",
            "description": "The name of the execution. A repeated call runs the workflow again.",
            "pattern": "^[A-Za-z0-9_-]{1,80}$",
        },
    },
    "required": ["parameters"],
}
OUTPUT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "result": {"type": "string"},
        "status": {"type": "string"},
        "error": {"type": "string"},
        "cause": {"type": "string"},
        "executionArn": {"type": "string"},
    },
    "required": ["result"],
}
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)
MACHINES = dict(zip(tool_names(COUNT), express_machines(COUNT), strict=True))

start_sync = Prepared("StartSyncExecution", client=make_client())


def _tool(name: str, machine: dict[str, Any]) -> types.Tool:
    details = described(machine)
    comment = orjson.loads(str(details["definition"]))["Comment"]
    return types.Tool(
        name=name,
        description=f"{details['description']}\n\nWorkflow Description: {comment}",
        input_schema=SCHEMA,
        output_schema=OUTPUT_SCHEMA,
        annotations=types.ToolAnnotations(read_only_hint=False, open_world_hint=True),
    )


TOOLS = [_tool(name, machine) for name, machine in MACHINES.items()]


async def on_list_tools(
    _ctx: Context, _params: types.PaginatedRequestParams | None
) -> types.ListToolsResult:
    """List them on one page."""
    return types.ListToolsResult(tools=TOOLS)


async def on_call_tool(_ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
    """Check, run the state machine, answer with text and structured content."""
    machine = MACHINES.get(params.name)
    arguments = params.arguments or {}
    if machine is None or not VALIDATOR.is_valid(arguments):
        refused = types.TextContent(text="invalid arguments")
        return types.CallToolResult(content=[refused], is_error=True)
    execution = await start_sync(
        {
            "stateMachineArn": machine["stateMachineArn"],
            "input": orjson.dumps(arguments["parameters"]).decode(),
        }
    )
    failed = execution["status"] != "SUCCEEDED"
    if failed:
        text = f"Express state machine {machine['name']} failed: {execution['status']}"
    else:
        output = orjson.dumps(orjson.loads(execution["output"]), option=orjson.OPT_INDENT_2)
        text = f"State machine {machine['name']} returned: {output.decode()}"
    value = {
        "result": text,
        "status": execution["status"],
        "executionArn": execution["executionArn"],
    }
    return types.CallToolResult(
        content=[types.TextContent(text=text)], structured_content=value, is_error=failed
    )


def main() -> None:
    """Serve them as `mcp_lowlevel` serves its one tool."""
    server: Server[Any] = Server(
        "baseline",
        on_list_tools=on_list_tools,
        on_call_tool=on_call_tool,
        get_tool_input_schema=lambda name: SCHEMA if name in MACHINES else None,
    )
    serve_mcp(server)
