"""The adapter the official conformance suite is run against: the fixtures its scenarios name."""

from __future__ import annotations

import asyncio
from typing import Any

from naftiko.errors import ConsumedError
from naftiko.exposes.mcp import mcp_app
from naftiko.plan.inputs import Input, InputTable
from naftiko.plan.ports import Result
from naftiko.plan.run import Run
from tests.live.mcp.mcp_demo import INFO, PNG, adapter, masker, tool

SCHEMA_2020_12: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def _constant(**result: Any) -> Any:
    async def body(_run: Run) -> Result:
        return Result(**result)

    return body


async def _fail(_run: Run) -> Result:
    raise ConsumedError(message="this tool intentionally returns an error for testing")


async def _progress(run: Run) -> Result:
    for done in (0, 50, 100):
        if run.progress is not None:
            await run.progress(done, 100, "")
        await asyncio.sleep(0.01)
    return Result(value="done")


def _mirrored(name: str, type_: str, header: str) -> Input:
    return Input(name=name, schema={"type": type_, "x-mcp-header": header})


def _plan() -> Any:
    ok = _constant(value="ok")
    return adapter(
        tool(
            "test_simple_text",
            _constant(raw=b"This is a simple text response for testing.", media_type="text/plain"),
        ),
        tool("test_image_content", _constant(raw=PNG, media_type="image/png")),
        tool("test_audio_content", _constant(raw=b"RIFF", media_type="audio/wav")),
        tool("test_embedded_resource", _constant(raw=b"PK", media_type="application/zip")),
        tool("test_error_handling", _fail),
        tool("test_tool_with_progress", _progress),
        tool("json_schema_2020_12_tool", ok, table=InputTable(verbatim=SCHEMA_2020_12)),
        tool("test_missing_capability", ok),
        tool("test_streaming_elicitation", ok),
        tool("test_logging_tool", ok),
        tool(
            "test_custom_headers",
            ok,
            _mirrored("region", "string", "Region"),
            _mirrored("priority", "integer", "Priority"),
            _mirrored("verbose", "boolean", "Verbose"),
            Input(name="query", schema={"type": "string"}),
        ),
    )


def conformance_app(*, demanding: bool) -> Any:
    """Return the app; `demanding` makes one tool refuse clients without sampling.

    No tool of a capability needs anything of its client, so a middleware stands in for one: the
    suite wants to see the error that such a tool answers with.
    """
    app = mcp_app(_plan(), info=INFO, masker=masker())
    if demanding:
        app.server.middleware.append(_needs_sampling)
    return app


async def _needs_sampling(ctx: Any, call_next: Any) -> Any:
    from mcp.shared.exceptions import MCPError
    from mcp_types import MISSING_REQUIRED_CLIENT_CAPABILITY

    called = (ctx.params or {}).get("name") if ctx.method == "tools/call" else None
    if called == "test_missing_capability" and not ctx.session.client_capabilities.sampling:
        raise MCPError(
            code=MISSING_REQUIRED_CLIENT_CAPABILITY,
            message="the tool needs sampling",
            data={"requiredCapabilities": {"sampling": {}}},
        )
    return await call_next(ctx)
