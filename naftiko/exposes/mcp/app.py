"""McpAdapterPlan -> an ASGI app: Streamable HTTP at `/mcp` and at `/`, every protocol revision.

request -> guard -> authentication -> method, media type, size -> one strict JSON-RPC message
-> stateless.py (2026-07-28) or sessions.py (before)
"""

from __future__ import annotations

import asyncio
from functools import lru_cache

from mcp.server.streamable_http import MCP_SESSION_ID_HEADER
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp_types import INVALID_REQUEST
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from naftiko.exposes.auth import authenticator, challenge
from naftiko.exposes.guard import PASSED, Guard, is_loopback
from naftiko.exposes.mcp.asgi import Inbound, RawHeaders, Receive, Scope, Send, send_body
from naftiko.exposes.mcp.jsonrpc import Fault, Message, error_body, read_message
from naftiko.exposes.mcp.server import BuiltServer, build_server
from naftiko.exposes.mcp.sessions import Sessions
from naftiko.exposes.mcp.stateless import Stateless
from naftiko.exposes.problem import RequestError
from naftiko.model.capability import Info
from naftiko.plan.capability import McpAdapterPlan, ServerAuth
from naftiko.plan.masking import Masker

MAX_BODY_BYTES = 4 * 1024 * 1024
BODY_TIMEOUT_S = 30.0
"""How long a body may take to arrive."""

_PATHS = frozenset({"", "/", "/mcp", "/mcp/"})
_ALLOW: RawHeaders = ((b"allow", b"POST"),)
_ALLOW_LEGACY: RawHeaders = ((b"allow", b"POST, GET, DELETE"),)
_CLOSE: RawHeaders = ((b"connection", b"close"),)


def build_app(
    plan: McpAdapterPlan,
    *,
    info: Info,
    masker: Masker,
    host: str | None,
    allowed_hosts: tuple[str, ...],
    allowed_origins: tuple[str, ...],
) -> McpApp:
    """Build the app; what it refuses depends on whether it listens on this machine only.

    Raises: StartError where the expected credential is missing.
    """
    address = host or plan.address or "127.0.0.1"
    guard = Guard(
        _nothing,
        loopback=is_loopback(address),
        allowed_hosts=allowed_hosts,
        allowed_origins=allowed_origins,
        masker=masker,
    )
    return McpApp(build_server(plan, info=info, masker=masker), guard=guard, auth=plan.auth)


class McpApp:
    """The ASGI app of one adapter.

    A server that runs it starts and stops it through the lifespan protocol; mounted in another
    app it starts with the first request that needs it, and may be stopped with `stop`.
    """

    def __init__(self, built: BuiltServer, *, guard: Guard, auth: ServerAuth | None) -> None:
        """Compile the checks; nothing runs yet."""
        self.server = built.server
        self.built = built
        self._guard = guard
        self._passes = authenticator(auth)
        wanted = challenge(auth, built.server.name) if auth else ""
        self._challenge: RawHeaders = ((b"www-authenticate", wanted.encode("latin-1")),)
        self._stateless = Stateless(built)
        self._sessions = Sessions(built)

    async def start(self) -> None:
        """Start what legacy sessions need, and looking for tools. It is no error to start twice."""
        if self.built.discovered is not None:
            self.built.discovered.start()
        await self._sessions.start()

    def drain(self) -> None:
        """End idle event streams and tasks: to be called on the signal, before connections end."""
        if self.server.tasks is not None:
            self.server.tasks.table.close()
        self.built.changes.close()
        self._sessions.drain()

    async def stop(self) -> None:
        """End all sessions and tasks. The app may be started again."""
        self.built.changes.close()
        await self._sessions.stop()
        if self.server.tasks is not None:
            await self.server.tasks.table.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif await self._refused(scope, send):
            return
        elif scope["method"] == "POST":
            await self._post(scope, receive, send)
        else:
            await self._other_method(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _refused(self, scope: Scope, send: Send) -> bool:
        # Mounted in another program nothing stands before it; a host's guard is as strict.
        error = None if PASSED in scope else self._guard.refusal(scope)
        if error is not None:
            await _refuse_request(send, error)
            return True
        if not self._passes(scope["headers"], scope["query_string"]):
            text = "the request carries no credentials that are accepted here"
            await send_body(send, 401, error_body(INVALID_REQUEST, text), self._challenge)
            return True
        if _route_path(scope) not in _PATHS:
            text = "there is nothing here; the MCP endpoint is `/mcp`"
            await send_body(send, 404, error_body(INVALID_REQUEST, text))
            return True
        return False

    async def _other_method(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _text_headers(scope)
        version = headers.get(MCP_PROTOCOL_VERSION_HEADER)
        in_session = MCP_SESSION_ID_HEADER in headers and _is_legacy(version)
        method = scope["method"]
        if method == "GET" and in_session:
            await self._sessions.listen(scope, receive, send)
        elif method == "DELETE" and in_session:
            await self._sessions.delete(scope, receive, send)
        elif method == "OPTIONS":
            await send_body(send, 204, b"", _ALLOW_LEGACY)
        else:
            allow = _ALLOW_LEGACY if in_session else _ALLOW
            text = "this is an MCP endpoint: POST a JSON-RPC message to it"
            await send_body(send, 405, error_body(INVALID_REQUEST, text), allow)

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _text_headers(scope)
        takes_json, takes_stream = accepted(headers.get("accept"))
        if not takes_json:
            await _refuse(send, 406, "the answer is application/json; `Accept` must allow it")
            return
        if not _is_json(headers):
            await _refuse(send, 415, "the body must be application/json in UTF-8")
            return
        body = await _read_body(headers, receive, send)
        if body is None:
            return
        message = read_message(body)
        if isinstance(message, Fault):
            await send_body(send, 400, error_body(message.code, message.message, message.id))
            return
        inbound = Inbound(
            scope=scope,
            headers=headers,
            body=body,
            message=message,
            streams=takes_stream,
            receive=receive,
            send=send,
        )
        if _is_stateless(headers.get(MCP_PROTOCOL_VERSION_HEADER), message):
            await self._stateless.serve(inbound)
        else:
            await self._sessions.post(inbound)


def _is_legacy(version: str | None) -> bool:
    return version is None or version in HANDSHAKE_PROTOCOL_VERSIONS


def _is_stateless(version: str | None, message: Message) -> bool:
    """Choose the protocol era: the header decides, or else an envelope only one of them has.

    An enveloped request without a fitting header goes where it is told so. `initialize` does not
    exist in 2026-07-28, so an envelope on it means nothing.
    """
    if not _is_legacy(version):
        return True
    return message.enveloped and message.method != "initialize"


def _text_headers(scope: Scope) -> dict[str, str]:
    """Return the headers by name; white space after a value is no part of it (RFC 9110 5.5)."""
    return {
        name.decode("latin-1"): value.decode("latin-1").strip(" \t")
        for name, value in scope["headers"]
    }


def _route_path(scope: Scope) -> str:
    """Return the path below the place the app is mounted at."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and path.startswith(root) and path[len(root) :][:1] in ("", "/"):
        return path[len(root) :]
    return path


@lru_cache(maxsize=128)
def accepted(accept: str | None) -> tuple[bool, bool]:
    """Say whether an `Accept` value takes JSON and whether it takes an event stream.

    No header takes anything (RFC 9110 section 12.5.1), but who sends none reads no stream.
    """
    if accept is None:
        return True, False
    types = {
        part.partition(";")[0].strip().lower()
        for part in accept.split(",")
        if not _is_refused(part)
    }
    any_type = "*/*" in types
    takes_json = any_type or not types.isdisjoint({"application/json", "application/*"})
    takes_stream = any_type or not types.isdisjoint({"text/event-stream", "text/*"})
    return takes_json, takes_stream


def _is_refused(part: str) -> bool:
    parameters = part.replace(" ", "").lower().split(";")[1:]
    return any(item in ("q=0", "q=0.0", "q=0.00", "q=0.000") for item in parameters)


def _is_json(headers: dict[str, str]) -> bool:
    if headers.get("content-encoding", "identity").lower() != "identity":
        return False
    return _is_json_type(headers.get("content-type", ""))


@lru_cache(maxsize=128)
def _is_json_type(content_type: str) -> bool:
    media_type, _, parameters = content_type.partition(";")
    if media_type.strip().lower() != "application/json":
        return False
    name, _, charset = parameters.partition("=")
    if name.strip().lower() != "charset":
        return True
    return charset.strip().strip('"').lower() in ("utf-8", "utf8", "us-ascii")


async def _read_body(headers: dict[str, str], receive: Receive, send: Send) -> bytes | None:
    """Return the body, or None where the request was answered or its sender has gone."""
    declared = headers.get("content-length", "0")
    if len(declared) > 15 or (declared.isdigit() and int(declared) > MAX_BODY_BYTES):
        await _too_large(send)
        return None
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            body = await _collect(receive)
    except TimeoutError:
        await _refuse(send, 408, "the body took too long to arrive", _CLOSE)
        return None
    if body is not None and len(body) > MAX_BODY_BYTES:
        await _too_large(send)
        return None
    return body


async def _collect(receive: Receive) -> bytes | None:
    """Return the body, somewhat more than the limit if it is too large, None if it is cut off."""
    message = await receive()
    if message["type"] != "http.request":
        return None
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body
    parts, size = [body], len(body)
    while message.get("more_body") and size <= MAX_BODY_BYTES:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    return b"".join(parts)


async def _too_large(send: Send) -> None:
    limit = MAX_BODY_BYTES // 2**20
    await _refuse(send, 413, f"the body is larger than {limit} MiB", _CLOSE)


async def _refuse(send: Send, status: int, text: str, headers: RawHeaders = ()) -> None:
    await send_body(send, status, error_body(INVALID_REQUEST, text), headers)


async def _refuse_request(send: Send, error: RequestError) -> None:
    data = {"code": error.code, "hint": error.hint} if error.hint else {"code": error.code}
    headers = (*error.headers, *_CLOSE) if error.close else error.headers
    body = error_body(INVALID_REQUEST, error.message, data=data)
    await send_body(send, error.status, body, headers)


async def _nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Stand behind the guard, of which only the check is used."""
