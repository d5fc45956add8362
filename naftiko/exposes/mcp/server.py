"""McpAdapterPlan -> the SDK's lowlevel server, with both protocol eras behind the same handlers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from mcp.server.caching import CacheHint
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp_types import (
    CallToolRequestParams,
    CompleteRequestParams,
    CompleteResult,
    EmptyResult,
    GetPromptRequestParams,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    NotificationParams,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    ServerCapabilities,
    SetLevelRequestParams,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    UnsubscribeRequestParams,
)

from naftiko.exposes.mcp.calls import ToolCaller
from naftiko.exposes.mcp.changes import Changes
from naftiko.exposes.mcp.completion import Completer
from naftiko.exposes.mcp.paging import page
from naftiko.exposes.mcp.peer import Context, Peer, connection_of, peer_of
from naftiko.exposes.mcp.prompts import PromptTable
from naftiko.exposes.mcp.resources import ResourceTable
from naftiko.exposes.mcp.tools import ToolTable
from naftiko.exposes.mcp.wire import Wire
from naftiko.model.capability import Info
from naftiko.plan.capability import McpAdapterPlan, McpServing
from naftiko.plan.masking import Masker
from naftiko.version import __version__

if TYPE_CHECKING:
    from mcp.server.models import InitializationOptions

    from naftiko.exposes.mcp.task_calls import Tasks
    from naftiko.plan.discovery.entries import Discovered

LIST_TTL_MS = 60_000
"""How long a client may keep a list: it changes with the file only."""
CHANGING_TTL_MS = 5_000
"""The same where tools are discovered, for clients that do not listen."""
STATE_TTL_S = 3_600.0
"""How long a modern client has to come back with answers."""

_LISTS = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")


class NaftikoServer(Server[Any]):
    """The SDK's server, which tells clients whether lists can change and calls become tasks."""

    changing_lists = False
    tasks: Tasks | None = None

    def get_capabilities(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
        *,
        protocol_version: str | None = None,
    ) -> ServerCapabilities:
        """Return what is offered. The SDK takes whoever serves listen streams to change lists."""
        found = super().get_capabilities(
            notification_options,
            experimental_capabilities,
            extensions,
            protocol_version=protocol_version,
        )
        if not self.changing_lists:
            for offered in (found.tools, found.prompts, found.resources):
                if offered is not None:
                    offered.list_changed = False
        if self.tasks is not None:
            self.tasks.declare(found, protocol_version)
        return found

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """Return the options of a handshake."""
        changing = self.changing_lists
        return super().create_initialization_options(
            notification_options
            or NotificationOptions(
                prompts_changed=changing, resources_changed=changing, tools_changed=changing
            ),
            experimental_capabilities,
            extensions,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltServer:
    """The SDK's server and what stands behind its handlers.

    `boundary` seals what a modern client has to bring back. The tables can be published anew while
    the server runs, and `changes` then tells the clients.
    """

    server: NaftikoServer
    caller: ToolCaller
    prompts: PromptTable
    resources: ResourceTable
    changes: Changes
    boundary: RequestStateBoundary
    options: McpServing
    masker: Masker
    discovered: Discovered | None = None
    levels: WeakKeyDictionary[Any, str] = field(default_factory=WeakKeyDictionary)

    def peer(self, ctx: Context) -> Peer:
        """Return the caller behind a request."""
        return peer_of(ctx, self.levels, self.masker)


def build_server(
    plan: McpAdapterPlan, *, info: Info, masker: Masker, changing_lists: bool = False
) -> BuiltServer:
    """Build the server: handlers, lists, instructions, name and version.

    `changing_lists` says that tables will be published anew. The SDK's tracing middleware stays
    only where a tracer is configured, because it costs a good part of a call even if nothing
    listens.
    """
    tools = ToolTable(plan, masker)
    resources = ResourceTable(plan, masker)
    server = NaftikoServer(
        plan.namespace,
        version=info.version or __version__,
        title=masker(info.label) or None,
        description=masker(info.description) or None,
        instructions=masker(plan.description) or None,
        get_tool_input_schema=tools.input_schema,
        cache_hints=_cache_hints(plan),
    )
    changing_lists = changing_lists or plan.discovered is not None
    server.changing_lists = changing_lists
    if not _is_traced():
        server.middleware.clear()
    boundary = RequestStateBoundary(
        RequestStateSecurity.ephemeral(ttl=STATE_TTL_S), default_audience=plan.namespace
    )
    server.middleware.append(boundary)
    built = BuiltServer(
        server=server,
        caller=_caller(plan, tools, masker),
        prompts=PromptTable(plan, masker),
        resources=resources,
        changes=Changes(resources),
        boundary=boundary,
        options=plan.options,
        masker=masker,
        discovered=plan.discovered,
    )
    _add_tools(built)
    _add_tasks(built)
    _add_prompts(built)
    _add_resources(built)
    _add_logging(built)
    if len(built.prompts) or resources.templates:
        _add_completion(built)
    if changing_lists or resources.changing():
        _add_changes(built)
    if plan.discovered is not None:
        from naftiko.exposes.mcp.discovered import follow

        follow(plan.discovered, built)
    return built


def _caller(plan: McpAdapterPlan, tools: ToolTable, masker: Masker) -> ToolCaller:
    caller = _plain_caller(plan, tools, masker)
    if tools.search is None or not tools.search.calls:
        return caller
    from naftiko.exposes.mcp.tool_search_calls import SearchedToolCaller

    return SearchedToolCaller(caller, tools.search, masker)


def _plain_caller(plan: McpAdapterPlan, tools: ToolTable, masker: Masker) -> ToolCaller:
    if plan.meter is None:
        return ToolCaller(tools, masker)
    from naftiko.exposes.mcp.metered import MeteredToolCaller

    return MeteredToolCaller(tools, masker, plan.meter)


def _cache_hints(plan: McpAdapterPlan) -> dict[Any, CacheHint]:
    """Lists may be kept; what is read only where the file says so."""
    given = plan.options.cache_scope
    scope = given or ("private" if plan.auth else "public")
    ttl_ms = plan.options.ttl_ms
    default_ms = LIST_TTL_MS if plan.discovered is None else CHANGING_TTL_MS
    hints: dict[Any, CacheHint] = dict.fromkeys(
        _LISTS, CacheHint(ttl_ms=default_ms if ttl_ms is None else ttl_ms, scope=scope)
    )
    if ttl_ms is None and any(resource.list_ is not None for resource in plan.resources):
        hints["resources/list"] = CacheHint(ttl_ms=CHANGING_TTL_MS, scope=scope)
    if ttl_ms is not None:
        read = CacheHint(ttl_ms=ttl_ms, scope=given or "private")
        hints |= {"resources/read": read, "server/discover": read}
    return hints


def _add_tools(built: BuiltServer) -> None:
    caller, size = built.caller, built.options.page_size

    async def list_tools(_ctx: Context, params: PaginatedRequestParams) -> ListToolsResult:
        shown, following = page(caller.tools.definitions, params.cursor, size)
        return ListToolsResult(tools=shown, next_cursor=following)

    async def call_tool(ctx: Context, params: CallToolRequestParams) -> Wire:
        with _closing_stream(ctx, built.options.close_after_s):
            return await caller.call(params.name, params.arguments, built.peer(ctx))

    built.server.add_request_handler("tools/list", PaginatedRequestParams, list_tools)
    built.server.add_request_handler("tools/call", CallToolRequestParams, call_tool)


def _add_tasks(built: BuiltServer) -> None:
    if built.options.tasks is None:
        return  # most files have none, and the import costs
    from naftiko.exposes.mcp.task_calls import Tasks

    built.server.tasks = Tasks(
        built.server,
        built.caller,
        built.options.tasks,
        masker=built.masker,
        page_size=built.options.page_size,
        levels=built.levels,
    )


def _add_prompts(built: BuiltServer) -> None:
    """Prompts are answered for without any too: clients ask unasked, and take no error well."""
    prompts, size = built.prompts, built.options.page_size

    async def list_prompts(_ctx: Context, params: PaginatedRequestParams) -> ListPromptsResult:
        shown, following = page(prompts.definitions, params.cursor, size)
        return ListPromptsResult(prompts=shown, next_cursor=following)

    async def get_prompt(ctx: Context, params: GetPromptRequestParams) -> Wire:
        return await prompts.get(params.name, params.arguments, built.peer(ctx))

    built.server.add_request_handler("prompts/list", PaginatedRequestParams, list_prompts)
    built.server.add_request_handler("prompts/get", GetPromptRequestParams, get_prompt)


def _add_resources(built: BuiltServer) -> None:
    resources, size = built.resources, built.options.page_size

    async def list_resources(_ctx: Context, params: PaginatedRequestParams) -> ListResourcesResult:
        shown, following = page(await resources.listed(), params.cursor, size)
        return ListResourcesResult(resources=shown, next_cursor=following)

    async def list_templates(
        _ctx: Context, params: PaginatedRequestParams
    ) -> ListResourceTemplatesResult:
        shown, following = page(resources.templates, params.cursor, size)
        return ListResourceTemplatesResult(resource_templates=shown, next_cursor=following)

    async def read_resource(
        ctx: Context, params: ReadResourceRequestParams
    ) -> ReadResourceResult | Wire:
        return await resources.read(str(params.uri), built.peer(ctx))

    add = built.server.add_request_handler
    add("resources/list", PaginatedRequestParams, list_resources)
    add("resources/templates/list", PaginatedRequestParams, list_templates)
    add("resources/read", ReadResourceRequestParams, read_resource)


def _add_logging(built: BuiltServer) -> None:
    async def set_level(ctx: Context, params: SetLevelRequestParams) -> EmptyResult:
        built.levels[connection_of(ctx)] = params.level
        return EmptyResult()

    built.server.add_request_handler("logging/setLevel", SetLevelRequestParams, set_level)


def _add_completion(built: BuiltServer) -> None:
    completer = Completer(built.prompts, built.resources, built.masker)

    async def complete(_ctx: Context, params: CompleteRequestParams) -> CompleteResult:
        return await completer.complete(params)

    built.server.add_request_handler("completion/complete", CompleteRequestParams, complete)


def _add_changes(built: BuiltServer) -> None:
    changes, server = built.changes, built.server
    server.add_request_handler(
        "subscriptions/listen", SubscriptionsListenRequestParams, changes.listen
    )
    server.add_request_handler("resources/subscribe", SubscribeRequestParams, changes.subscribe)
    server.add_request_handler(
        "resources/unsubscribe", UnsubscribeRequestParams, changes.unsubscribe
    )
    server.add_notification_handler(
        "notifications/initialized", NotificationParams, changes.initialized
    )


@contextlib.contextmanager
def _closing_stream(ctx: Context, after_s: float | None) -> Iterator[None]:
    """End the event stream of a long call; its client comes back for the answer (SEP-1699)."""
    close = ctx.close_sse_stream
    if after_s is None or close is None:
        yield
        return
    loop = asyncio.get_running_loop()
    pending: list[asyncio.Future[None]] = []
    timer = loop.call_later(after_s, lambda: pending.append(asyncio.ensure_future(close())))
    try:
        yield
    finally:
        timer.cancel()


def _is_traced() -> bool:
    """Whether the process has set up OpenTelemetry (which the SDK depends on) before now."""
    from opentelemetry.trace import ProxyTracerProvider, get_tracer_provider

    return not isinstance(get_tracer_provider(), ProxyTracerProvider)
