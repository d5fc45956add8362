"""McpAdapterPlan -> the SDK's lowlevel server, with both protocol eras behind the same handlers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    GetPromptRequestParams,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
)

from naftiko.exposes.mcp.calls import ToolCaller
from naftiko.exposes.mcp.responses import Wire
from naftiko.exposes.mcp.tools import MAX_SHOWN, ToolTable
from naftiko.model.capability import Info
from naftiko.plan.capability import McpAdapterPlan
from naftiko.plan.masking import Masker
from naftiko.version import __version__

LIST_TTL_MS = 60_000
"""How long a client may keep a list: it changes with the file only."""

Context: TypeAlias = ServerRequestContext[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltServer:
    """The SDK's server and the caller behind its tools."""

    server: Server[Any]
    caller: ToolCaller


def build_server(plan: McpAdapterPlan, *, info: Info, masker: Masker) -> BuiltServer:
    """Build the server: handlers, the tool list, instructions, name and version.

    The SDK's tracing middleware stays only where a tracer is configured, because it costs a good
    part of a call even if nothing listens.
    """
    tools = ToolTable(plan, masker)
    caller = ToolCaller(tools, masker)
    hint = CacheHint(ttl_ms=LIST_TTL_MS, scope="private" if plan.auth else "public")
    server: Server[Any] = Server(
        plan.namespace,
        version=info.version or __version__,
        title=masker(info.label) or None,
        description=masker(info.description) or None,
        instructions=masker(plan.description) or None,
        get_tool_input_schema=tools.input_schema,
        cache_hints={
            "tools/list": hint,
            "prompts/list": hint,
            "resources/list": hint,
            "resources/templates/list": hint,
        },
    )
    if not _is_traced():
        server.middleware.clear()
    _add_tools(server, caller)
    _add_empty_lists(server)
    return BuiltServer(server=server, caller=caller)


def _add_tools(server: Server[Any], caller: ToolCaller) -> None:
    listed = ListToolsResult(tools=caller.tools.definitions)

    async def list_tools(_ctx: Context, params: PaginatedRequestParams) -> ListToolsResult:
        _refuse_cursor(params)
        return listed

    async def call_tool(ctx: Context, params: CallToolRequestParams) -> Wire:
        wants_progress = ctx.meta is not None and "progress_token" in ctx.meta
        progress = ctx.session.report_progress if wants_progress else None
        return await caller.call(params.name, params.arguments, progress)

    server.add_request_handler("tools/list", PaginatedRequestParams, list_tools)
    server.add_request_handler("tools/call", CallToolRequestParams, call_tool)


def _add_empty_lists(server: Server[Any]) -> None:
    """Answer what clients ask unasked: an empty list serves them better than an error."""

    async def list_prompts(_ctx: Context, params: PaginatedRequestParams) -> ListPromptsResult:
        _refuse_cursor(params)
        return ListPromptsResult(prompts=[])

    async def list_resources(_ctx: Context, params: PaginatedRequestParams) -> ListResourcesResult:
        _refuse_cursor(params)
        return ListResourcesResult(resources=[])

    async def list_templates(
        _ctx: Context, params: PaginatedRequestParams
    ) -> ListResourceTemplatesResult:
        _refuse_cursor(params)
        return ListResourceTemplatesResult(resource_templates=[])

    async def get_prompt(_ctx: Context, params: GetPromptRequestParams) -> NoReturn:
        message = f"unknown prompt `{params.name[:MAX_SHOWN]}`; there are none here"
        raise MCPError(code=INVALID_PARAMS, message=message)

    async def read_resource(_ctx: Context, params: ReadResourceRequestParams) -> NoReturn:
        uri = str(params.uri)[:MAX_SHOWN]
        message = f"unknown resource `{uri}`; there are none here"
        raise MCPError(code=INVALID_PARAMS, message=message, data={"uri": str(params.uri)})

    server.add_request_handler("prompts/list", PaginatedRequestParams, list_prompts)
    server.add_request_handler("prompts/get", GetPromptRequestParams, get_prompt)
    server.add_request_handler("resources/list", PaginatedRequestParams, list_resources)
    server.add_request_handler("resources/templates/list", PaginatedRequestParams, list_templates)
    server.add_request_handler("resources/read", ReadResourceRequestParams, read_resource)


def _refuse_cursor(params: PaginatedRequestParams) -> None:
    if params.cursor is not None:
        message = "unknown cursor; the list has one page, ask without a cursor"
        raise MCPError(code=INVALID_PARAMS, message=message)


def _is_traced() -> bool:
    """Whether the process has set up OpenTelemetry (which the SDK depends on) before now."""
    from opentelemetry.trace import ProxyTracerProvider, get_tracer_provider

    return not isinstance(get_tracer_provider(), ProxyTracerProvider)
