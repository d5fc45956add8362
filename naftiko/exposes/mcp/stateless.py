"""Protocol 2026-07-28 over HTTP: one POST, one answer, nothing kept between them.

The SDK's own entry answers either always as JSON, where progress is lost and a caller that hangs
up does not stop the call, or always through a stream machinery that doubles the cost. Here each
answer takes the form it needs (exchange.py). Everything that has a meaning (the envelope and
header rules, dispatch, validation, the shape of results) is the SDK's public code.
"""

from __future__ import annotations

from typing import Any

from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.runner import modern_error_data, serve_one
from mcp.server.session import ServerSession
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    MCP_PROTOCOL_VERSION_HEADER,
    InboundLadderRejection,
    InboundModernRoute,
    classify_inbound_request,
    unsupported_protocol_version_rejection,
    validate_mcp_param_headers,
)
from mcp_types import INVALID_REQUEST, LOG_LEVEL_META_KEY, SERVER_INFO_META_KEY
from mcp_types.methods import validate_client_request

from naftiko.exposes.mcp.asgi import Inbound, send_body
from naftiko.exposes.mcp.exchange import PING_INTERVAL_S, Exchange
from naftiko.exposes.mcp.jsonrpc import (
    Message,
    RequestId,
    error_body,
    kept_result_body,
    result_body,
)
from naftiko.exposes.mcp.kept import KeptPages
from naftiko.exposes.mcp.peer import LEVELS, Dialogue, Peer
from naftiko.exposes.mcp.server import BuiltServer
from naftiko.plan.masking import mask_json
from naftiko.plan.run import Log
from naftiko.values import JsonValue


class Stateless:
    """Serves the 2026-07-28 protocol for one adapter."""

    def __init__(self, built: BuiltServer, *, ping_interval_s: float = PING_INTERVAL_S) -> None:
        """Keep the server and what every answer carries."""
        self._ping_interval_s = ping_interval_s
        self._server = built.server
        self._caller = built.caller
        self._boundary = built.boundary
        self._masker = built.masker
        self._stamp = {SERVER_INFO_META_KEY: built.server.server_info_stamp}
        self._tasks = built.server.tasks
        self._pages = KeptPages(built.caller.tools)
        self._lists = built.server.get_request_handler("tools/list")

    async def serve(self, inbound: Inbound) -> None:
        """Answer one request or notification."""
        message = inbound.message
        if message.id is None:
            await _acknowledge(inbound)
            return
        if not message.method:
            fault = error_body(INVALID_REQUEST, "this protocol has no responses from clients")
            await send_body(inbound.send, 400, fault)
            return
        route = classify_inbound_request(message.body, headers=inbound.headers)
        if isinstance(route, InboundModernRoute):
            if message.method == "subscriptions/listen" and not inbound.streams:
                text = "the answer is an event stream; `Accept` must allow text/event-stream"
                await send_body(inbound.send, 406, error_body(INVALID_REQUEST, text, message.id))
                return
            rejection = self._mismatched_parameter(inbound)
            if rejection is None:
                await self._answer(inbound, message.id, route)
                return
            route = rejection
        await _reject(inbound, route)

    def _mismatched_parameter(self, inbound: Inbound) -> InboundLadderRejection | None:
        message = inbound.message
        params = message.params or {}
        if self._tasks is not None:
            rejection = self._tasks.mismatched_name(message.method, params, inbound.headers)
            if rejection is not None:
                return rejection
        name = params.get("name")
        if message.method != "tools/call" or not isinstance(name, str):
            return None
        schema = self._caller.tools.input_schema(name)
        arguments = params.get("arguments") or {}
        if schema is None or not isinstance(arguments, dict):
            return None
        return validate_mcp_param_headers(schema, arguments, inbound.headers)

    async def _answer(
        self, inbound: Inbound, request_id: RequestId, route: InboundModernRoute
    ) -> None:
        exchange = Exchange(inbound, request_id, self._ping_interval_s)
        with exchange:
            try:
                body = await self._result(inbound.message, request_id, exchange, route)
            except Exception as error:  # noqa: BLE001  # the SDK's ladder logs what it does not know
                fault = modern_error_data(error)
                status = ERROR_CODE_HTTP_STATUS.get(fault.code, 200)
                body = error_body(fault.code, fault.message, request_id, fault.data)
            else:
                status = 200
            await exchange.finish(status, body)

    async def _result(
        self,
        message: Message,
        request_id: RequestId,
        exchange: Exchange,
        route: InboundModernRoute,
    ) -> bytes:
        """Return the response, of a list of tools as it was written before where that holds."""
        params = message.params or {}
        is_list = message.method == "tools/list" and self._lists_itself(params)
        if is_list:
            kept = self._pages.get(route.protocol_version, params)
            if kept is not None:
                return kept_result_body(request_id, kept)
        listed = self._pages.listed
        result = await self._run(message, exchange, route)
        if is_list:
            self._pages.keep(route.protocol_version, params, result, listed)
        return result_body(request_id, result)

    def _lists_itself(self, params: dict[str, Any]) -> bool:
        """Whether nothing but the tools makes the list, and no handler that a user put there."""
        own = self._server.get_request_handler("tools/list") is self._lists
        return own and self._is_short(params)

    async def _run(
        self, message: Message, exchange: Exchange, route: InboundModernRoute
    ) -> dict[str, Any]:
        if message.method == "tools/call" and self._is_short(message.params or {}):
            return await self._call_tool(message, exchange, route)
        return await serve_one(
            self._server,
            exchange,
            message.method,
            message.params,
            connection=Connection.from_envelope(
                route.protocol_version, route.client_info, route.client_capabilities
            ),
            lifespan_state={},
        )

    def _is_short(self, params: dict[str, Any]) -> bool:
        """Whether nothing but the call itself is between the request and its answer.

        What a client brings back is unsealed by the SDK's middleware, and a user's is run.
        """
        if "requestState" in params or "inputResponses" in params:
            return False
        ours = (self._boundary, self._tasks)
        return all(any(one is own for own in ours) for one in self._server.middleware)

    async def _call_tool(
        self, message: Message, exchange: Exchange, route: InboundModernRoute
    ) -> dict[str, Any]:
        """Call a tool without the SDK's dispatch, which costs more than most calls.

        The same validation on the way in; the same wire form on the way out, because `ToolCaller`
        builds no other. A test holds both ways to the same answers.
        """
        params = message.params or {}
        validate_client_request("tools/call", route.protocol_version, params)
        if self._tasks is not None and (task := self._tasks.of_modern(params)) is not None:
            return {**task, "_meta": self._stamp}
        talk = Dialogue(route.client_capabilities, {})
        level = params["_meta"].get(LOG_LEVEL_META_KEY)
        peer = Peer(
            progress=None if exchange.progress_token is None else exchange.progress,
            log=None if level is None else self._log(level, exchange),
            ask=talk.ask,
            dialogue=talk,
        )
        result = await self._caller.call(params["name"], params.get("arguments"), peer)
        if result["resultType"] == "input_required":
            result = await self._sealed(params, exchange, route, result)
        result["_meta"] = self._stamp
        return result

    def _log(self, level: str, exchange: Exchange) -> Log:
        """Return what sends log messages from a level on; the SDK knows the level for one."""
        wanted = frozenset(LEVELS[LEVELS.index(level) :])

        async def log(level: str, data: JsonValue, logger: str) -> None:
            if level in wanted:
                shown: dict[str, Any] = {"level": level, "data": mask_json(data, self._masker)}
                if logger:
                    shown["logger"] = logger
                await exchange.notify("notifications/message", shown)

        return log

    async def _sealed(
        self,
        params: dict[str, Any],
        exchange: Exchange,
        route: InboundModernRoute,
        result: dict[str, Any],
    ) -> dict[str, Any]:
        """Seal the state of a first round; later rounds come the SDK's way."""
        connection = Connection.from_envelope(
            route.protocol_version, route.client_info, route.client_capabilities
        )
        ctx: ServerRequestContext[Any, Any] = ServerRequestContext(
            session=ServerSession(exchange, connection),
            lifespan_context={},
            protocol_version=route.protocol_version,
            method="tools/call",
            params=params,
        )

        async def answered(_ctx: object) -> dict[str, Any]:
            return result

        sealed = await self._boundary(ctx, answered)
        assert isinstance(sealed, dict)
        return sealed


async def _acknowledge(inbound: Inbound) -> None:
    """Take a notification and drop it: this protocol has none that would change anything."""
    version = inbound.headers.get(MCP_PROTOCOL_VERSION_HEADER, "")
    rejection = unsupported_protocol_version_rejection(version)
    if rejection is not None:
        await _reject(inbound, rejection)
        return
    await send_body(inbound.send, 202, b"")


async def _reject(inbound: Inbound, rejection: InboundLadderRejection) -> None:
    status = ERROR_CODE_HTTP_STATUS.get(rejection.code, 400)
    body = error_body(rejection.code, rejection.message, inbound.message.id, rejection.data)
    await send_body(inbound.send, status, body)
