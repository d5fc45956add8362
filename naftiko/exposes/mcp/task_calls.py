"""MCP tasks as clients of both protocol eras see them: tools/call -> a task; tasks/*.

2025-11-25 has them in the protocol: the caller asks for a task (`params.task`), polls `tasks/get`
and takes the answer from `tasks/result`. For 2026-07-28 they are the extension
`io.modelcontextprotocol/tasks`: the server makes a task of every call of such a tool whose client
knows the extension, and `tasks/get` holds the answer. (SEP-1686, SEP-2663.)

A task of the first belongs to its session and ends with it. The second has no sessions: whoever the
adapter lets in and who knows the id has the task, so there is no list of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import (
    MCP_NAME_HEADER,
    InboundLadderRejection,
    decode_header_value,
)
from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    SERVER_INFO_META_KEY,
    CancelTaskRequestParams,
    GetTaskPayloadRequestParams,
    GetTaskRequestParams,
    PaginatedRequestParams,
    RequestParams,
    ServerCapabilities,
    ServerTasksCapability,
    ServerTasksRequestsCapability,
    TasksCallCapability,
    TasksCancelCapability,
    TasksListCapability,
    TasksToolsCapability,
)
from mcp_types.jsonrpc import HEADER_MISMATCH
from mcp_types.methods import serialize_server_result, validate_client_request
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from naftiko.errors import RunError
from naftiko.exposes.mcp.calls import ToolCaller
from naftiko.exposes.mcp.paging import page
from naftiko.exposes.mcp.peer import (
    Context,
    Dialogue,
    LegacyAsk,
    Peer,
    capabilities_of,
    connection_of,
)
from naftiko.exposes.mcp.questions import request
from naftiko.exposes.mcp.task import OpenQuestion, Task
from naftiko.exposes.mcp.task_voices import RELATED, LegacyVoice, Voice
from naftiko.exposes.mcp.tasks import TaskTable, json_size
from naftiko.exposes.mcp.wire import Wire
from naftiko.plan.capability import TaskServing
from naftiko.plan.masking import Masker

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult
    from mcp.server.lowlevel import Server

EXTENSION = "io.modelcontextprotocol/tasks"
LEGACY = "2025-11-25"
"""The one revision that has tasks in the protocol itself."""
NO_TASK = ("forbidden", "any")
"""Calls of 2026-07-28 that the server makes no task of; "any" is a `call-tool` of such a tool."""
NAMED = frozenset({"tasks/get", "tasks/update", "tasks/cancel"})
"""Methods whose `Mcp-Name` header is the task's id (SEP-2663, Routing Headers)."""


class UpdateTaskRequestParams(RequestParams):
    """Parameters of `tasks/update`, which the SDK has no model for."""

    task_id: str
    input_responses: dict[str, Any]


class Tasks:
    """The tasks of one adapter. As middleware of the SDK's server it stands before tools/call."""

    def __init__(
        self,
        server: Server[Any],
        caller: ToolCaller,
        options: TaskServing,
        *,
        masker: Masker,
        page_size: int,
        levels: Mapping[Any, str],
    ) -> None:
        """Add the handlers and the middleware to the server."""
        self.table = TaskTable(options, masker)
        self._server = server
        self._caller = caller
        self._masker = masker
        self._page_size = page_size
        self._levels = levels
        self._owners: WeakKeyDictionary[Any, object] = WeakKeyDictionary()
        add = server.add_request_handler
        add("tasks/get", GetTaskRequestParams, self._get)
        add("tasks/cancel", CancelTaskRequestParams, self._cancel)
        add("tasks/result", GetTaskPayloadRequestParams, self._result)
        add("tasks/list", PaginatedRequestParams, self._list)
        add("tasks/update", UpdateTaskRequestParams, self._update)
        server.middleware.append(self)

    def declare(self, capabilities: ServerCapabilities, protocol_version: str | None) -> None:
        """Say in a server's capabilities that there are tasks; None is the handshake."""
        if protocol_version in MODERN_PROTOCOL_VERSIONS:
            capabilities.extensions = {**(capabilities.extensions or {}), EXTENSION: {}}
            return
        capabilities.tasks = ServerTasksCapability(
            list=TasksListCapability(),
            cancel=TasksCancelCapability(),
            requests=ServerTasksRequestsCapability(
                tools=TasksToolsCapability(call=TasksCallCapability())
            ),
        )

    # ----------------------------------------------------------------- tools/call

    async def __call__(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        """Make a task of a call, or let it go on."""
        params = ctx.params
        if ctx.method != "tools/call" or not params or not _is_open(ctx):
            return await call_next(ctx)
        if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            support = self._support(params)
            if support in NO_TASK or "requestState" in params:
                return await call_next(ctx)
            validate_client_request("tools/call", ctx.protocol_version, params)
            created = self.of_modern(params)
            if created is None:
                return await call_next(ctx)
            return {**created, "_meta": {SERVER_INFO_META_KEY: self._server.server_info_stamp}}
        created = self._of_legacy(ctx, params)
        return await call_next(ctx) if created is None else created

    def of_modern(self, params: Mapping[str, Any]) -> Wire | None:
        """Return a task for a checked call of 2026-07-28, None where the call goes on as it is.

        Raises: MCPError: -32021 for a tool that has to be a task, and a client without tasks.
        """
        support = self._support(params)
        if support in NO_TASK:
            return None
        capabilities = _declared(params)
        if not _knows_tasks(capabilities):
            if support == "required":
                raise _not_declared()
            return None
        task = self.table.open(None, None, json_size(params.get("arguments")))
        voice = Voice(task=task, masker=self._masker, capabilities=capabilities)
        peer = Peer(
            progress=voice.progress,
            log=voice.log,
            ask=voice.ask,
            dialogue=Dialogue(capabilities, {}),  # who cannot be asked gets this era's error
            in_task=True,
            cancel_asked=lambda: task.unwanted,
        )
        self._start(task, params, peer)
        return {"resultType": "task", **self._modern(task)}

    def _of_legacy(self, ctx: Context, params: Mapping[str, Any]) -> Wire | None:
        support = self._support(params)
        wanted = params.get("task") if ctx.protocol_version == LEGACY else None
        if wanted is None:
            if support == "required":
                raise _wrong_way(params, "is called as a task only: give `task` in the parameters")
            return None
        validate_client_request("tools/call", ctx.protocol_version, params)
        if self._caller.tools.get(params["name"]) is None:
            return None  # the call itself says so
        if support == "forbidden":
            raise _wrong_way(params, "cannot be called as a task")
        ttl_ms = wanted.get("ttl")
        most_ms = self.table.options.max_ttl_s * 1000  # an integer may be too long to divide
        ttl_s = None if ttl_ms is None else min(ttl_ms, most_ms) / 1000
        task = self.table.open(self._owner(ctx), ttl_s, json_size(params.get("arguments")))
        connection: Any = connection_of(ctx)
        voice = LegacyVoice(
            task=task,
            masker=self._masker,
            capabilities=capabilities_of(ctx),
            connection=connection,
            levels=self._levels,
            token=(ctx.meta or {}).get("progress_token"),
        )

        async def changed(task: Task) -> None:
            await connection.notify("notifications/tasks/status", self._legacy(task))

        task.on_change = changed
        peer = Peer(
            progress=voice.progress,
            log=voice.log,
            ask=voice.ask,
            in_task=True,
            cancel_asked=lambda: task.unwanted,
        )
        self._start(task, params, peer)
        return {"task": self._legacy(task)}

    def _start(self, task: Task, params: Mapping[str, Any], peer: Peer) -> None:
        name, arguments = params["name"], params.get("arguments")
        self.table.start(task, lambda: self._caller.call(name, arguments, peer))

    def _support(self, params: Mapping[str, Any]) -> str:
        return self._caller.tools.task_support(str(params.get("name")), params.get("arguments"))

    def mismatched_name(
        self, method: str, params: Mapping[str, Any], headers: Mapping[str, str]
    ) -> InboundLadderRejection | None:
        """Return why a request's `Mcp-Name` header does not name its task, None if it does."""
        if method not in NAMED or not isinstance(id_ := params.get("taskId"), str):
            return None
        if decode_header_value(headers.get(MCP_NAME_HEADER)) == id_:
            return None
        return InboundLadderRejection(
            code=HEADER_MISMATCH,
            message=f"{MCP_NAME_HEADER} header does not match the request body's 'taskId'",
        )

    # ----------------------------------------------------------------- tasks/*

    async def _get(self, ctx: Context, params: GetTaskRequestParams) -> Wire:
        if _is_modern(ctx):
            return self._detailed(self.table.find(params.task_id, None))
        return self._legacy(self.table.find(params.task_id, self._owner(ctx)))

    async def _cancel(self, ctx: Context, params: CancelTaskRequestParams) -> Wire:
        if _is_modern(ctx):
            self.table.cancel(self.table.find(params.task_id, None), "cancelled by its caller")
            return {}
        task = self.table.find(params.task_id, self._owner(ctx))
        if not self.table.cancel(task, "cancelled by its caller"):
            message = f"the task has ended: it is {self._legacy(task)['status']}"
            raise MCPError(code=INVALID_PARAMS, message=message)
        return self._legacy(task)

    async def _list(self, ctx: Context, params: PaginatedRequestParams) -> Wire:
        _refuse_modern(ctx)
        tasks = self.table.of(self._owner(ctx))
        shown, following = page(tasks, params.cursor, self._page_size)
        listed: Wire = {"tasks": [self._legacy(task) for task in shown]}
        return {**listed, "nextCursor": following} if following else listed

    async def _update(self, ctx: Context, params: UpdateTaskRequestParams) -> Wire:
        if not _is_modern(ctx):
            raise _no_method(ctx)
        self.table.find(params.task_id, None).answer(params.input_responses)
        return {}

    async def _result(self, ctx: Context, params: GetTaskPayloadRequestParams) -> Wire:
        """Wait for the end; what the task asks meanwhile is asked here."""
        _refuse_modern(ctx)
        task = self.table.find(params.task_id, self._owner(ctx))
        related = {RELATED: {"taskId": task.id}}
        while not task.has_ended:
            question = task.next_question()
            if question is None:
                await task.changed()
            else:
                await _put(question, task, LegacyAsk(ctx, self._masker, related))
        outcome = task.outcome
        if isinstance(outcome, MCPError):
            raise MCPError.from_error_data(outcome.error)  # one of its own: tracebacks grow
        assert outcome is not None
        try:
            result = serialize_server_result("tools/call", ctx.protocol_version, outcome)
        except ValidationError:
            message = "Handler returned an invalid result"
            raise MCPError(code=INTERNAL_ERROR, message=message) from None
        return {**result, "_meta": {**(result.get("_meta") or {}), **related}}

    # ----------------------------------------------------------------- shapes

    def _legacy(self, task: Task) -> Wire:
        """Return a task as 2025-11-25 has it: a tool's failure is the task's."""
        status = _failed_or(task, "completed")
        if isinstance(task.outcome, dict) and task.outcome.get("isError"):
            status = "failed"
        return {
            **self._common(task, status),
            "ttl": round(task.ttl_s * 1000),
            "pollInterval": round(self.table.options.poll_s * 1000),
        }

    def _modern(self, task: Task) -> Wire:
        """Return a task as the extension has it: only an error of the protocol is a failure."""
        return {
            **self._common(task, _failed_or(task, "completed")),
            "ttlMs": round(task.ttl_s * 1000),
            "pollIntervalMs": round(self.table.options.poll_s * 1000),
        }

    def _detailed(self, task: Task) -> Wire:
        shown = self._modern(task)
        if shown["status"] == "completed":
            shown["result"] = task.outcome
        elif shown["status"] == "failed" and isinstance(task.outcome, MCPError):
            shown["error"] = task.outcome.error.model_dump(exclude_none=True)
        elif shown["status"] == "input_required":
            shown["inputRequests"] = {
                key: request(item.question, self._masker) for key, item in task.questions.items()
            }
        return shown

    def _common(self, task: Task, status: str) -> Wire:
        shown = {"taskId": task.id, "status": status}
        if task.message:
            shown["statusMessage"] = self._masker(task.message)
        return {**shown, "createdAt": task.created, "lastUpdatedAt": task.updated}

    def _owner(self, ctx: Context) -> object:
        """Return what stands for the caller's session; its tasks end with it."""
        connection: Any = connection_of(ctx)
        owner = self._owners.get(connection)
        if owner is None:
            owner = self._owners[connection] = object()
            connection.exit_stack.callback(self.table.end_owner, owner)
        return owner


async def _put(item: OpenQuestion, task: Task, asker: LegacyAsk) -> None:
    """Ask one question, unless its time is over first."""
    item.taken = True
    asking = asyncio.ensure_future(asker.one(item.name, item.question))
    try:
        await asyncio.wait({asking, item.answer}, return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            return
        try:
            task.settle(item, asking.result())
        except RunError as error:
            task.settle(item, error)
    finally:
        asking.cancel()
        task.release(item)


def _is_modern(ctx: Context) -> bool:
    """Tell the era of a request for a task of either.

    Raises: MCPError: its revision has no tasks, or its client has not said that it knows them.
    """
    if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        if ctx.protocol_version != LEGACY:
            raise _no_method(ctx)
        return False
    if not _knows_tasks(_declared(ctx.params or {})):
        raise _not_declared()
    return True


def _refuse_modern(ctx: Context) -> None:
    if ctx.protocol_version != LEGACY:
        raise _no_method(ctx)


def _is_open(ctx: Context) -> bool:
    """Whether the handshake is over, where there is one."""
    connection: Any = connection_of(ctx)
    return bool(connection.initialize_accepted)


def _declared(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the capabilities that a modern client sent along."""
    meta = params.get("_meta")
    found = meta.get(CLIENT_CAPABILITIES_META_KEY) if isinstance(meta, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _knows_tasks(capabilities: Mapping[str, Any]) -> bool:
    extensions = capabilities.get("extensions")
    return isinstance(extensions, Mapping) and extensions.get(EXTENSION) is not None


def _failed_or(task: Task, done: str) -> str:
    if task.status != "ended":
        return task.status
    return "failed" if isinstance(task.outcome, MCPError) else done


def _not_declared() -> MCPError:
    return MCPError(
        code=MISSING_REQUIRED_CLIENT_CAPABILITY,
        message="this needs a client that knows tasks",
        data={"requiredCapabilities": {"extensions": {EXTENSION: {}}}},
    )


def _wrong_way(params: Mapping[str, Any], why: str) -> MCPError:
    return MCPError(code=METHOD_NOT_FOUND, message=f"the tool `{params.get('name')}` {why}")


def _no_method(ctx: Context) -> MCPError:
    return MCPError(code=METHOD_NOT_FOUND, message="Method not found", data=ctx.method)
