"""JSON-RPC 2.0 messages: bytes -> one checked message; errors -> bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson
from mcp_types import INVALID_REQUEST, PARSE_ERROR, PROTOCOL_VERSION_META_KEY

from naftiko.expressions.text import exact_json

RequestId: TypeAlias = "str | int"

MAX_COMMAS = 250_000
"""About how many values a body may hold: a million empty lists take seconds to check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One request, notification or response. `id` is None for a notification.

    `method` is "" for a response, which only legacy clients send.
    """

    body: dict[str, Any]
    id: RequestId | None
    method: str

    @property
    def params(self) -> dict[str, Any] | None:
        """Return `params`, an object where present."""
        return self.body.get("params")

    @property
    def enveloped(self) -> bool:
        """Whether `params._meta` names a protocol version, as only 2026-07-28 and later do."""
        params = self.body.get("params")
        if not params:
            return False
        meta = params.get("_meta")
        return isinstance(meta, dict) and PROTOCOL_VERSION_META_KEY in meta


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A body that is not one message: the code, a sentence, and the id if it has a usable one."""

    code: int
    message: str
    id: RequestId | None = None


def read_message(body: bytes) -> Message | Fault:
    """Read one message strictly: no NaN, no lone surrogates, no batch, ids text or integer.

    b'{"jsonrpc":"2.0","id":1,"method":"ping"}' -> Message. JSON-RPC 2.0 sections 4 and 5.
    """
    if len(body) > MAX_COMMAS and body.count(b",") > MAX_COMMAS:
        return _invalid(f"the body holds more than {MAX_COMMAS} values")
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return Fault(
            code=PARSE_ERROR,
            message=f"the body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
            if body
            else "the body is empty",
        )
    return check_message(exact_json(body, decoded))


def check_message(decoded: object) -> Message | Fault:
    """Check the envelope of a decoded body."""
    if not isinstance(decoded, dict):
        found = "a list" if isinstance(decoded, list) else "a plain value"
        return _invalid(f"the body must be one JSON-RPC object, found {found}; send batches singly")
    request_id = decoded.get("id")
    if "id" in decoded and not _is_id(request_id):
        return _invalid("`id` must be a string or an integer")
    if decoded.get("jsonrpc") != "2.0":
        return _invalid('`jsonrpc` must be "2.0"', request_id)
    params = decoded.get("params")
    if params is not None and not isinstance(params, dict):
        return _invalid("`params` must be an object", request_id)
    method = decoded.get("method")
    if method is None:
        if "id" in decoded and ("result" in decoded or "error" in decoded):
            return Message(body=decoded, id=request_id, method="")
        return _invalid("`method` is missing", request_id)
    if not isinstance(method, str) or not method:
        return _invalid("`method` must be a string", request_id)
    return Message(body=decoded, id=request_id, method=method)


def _is_id(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))


def _invalid(message: str, request_id: RequestId | None = None) -> Fault:
    return Fault(code=INVALID_REQUEST, message=message, id=request_id)


def error_body(
    code: int, message: str, request_id: RequestId | None = None, data: object = None
) -> bytes:
    """Return an error response; its `id` is null where the request's could not be read."""
    error: dict[str, object] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return orjson.dumps({"jsonrpc": "2.0", "id": request_id, "error": error})


def result_body(request_id: RequestId | None, result: dict[str, Any]) -> bytes:
    """Return a result response."""
    response = {"jsonrpc": "2.0", "id": request_id, "result": result}
    try:
        return orjson.dumps(response)
    except TypeError:
        # A lone surrogate or an integer over 64 bits, from a handler that a user added.
        from json import dumps

        return dumps(response, separators=(",", ":")).encode("ascii")


def kept_result_body(request_id: RequestId, result: bytes) -> bytes:
    """Return a result response whose result is JSON already."""
    try:
        shown = orjson.dumps(request_id)
    except TypeError:  # an integer over 64 bits
        from json import dumps

        shown = dumps(request_id).encode("ascii")
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (shown, result)
