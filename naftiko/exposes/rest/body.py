"""The body of a request -> a JSON value, within limits of size, time and depth."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import orjson

from naftiko.exposes.problem import RequestError
from naftiko.expressions.text import exact_json
from naftiko.values import MISSING, JsonValue, Missing

if TYPE_CHECKING:
    from starlette.types import Receive

MAX_BODY_BYTES = 4 * 1024 * 1024
"""A state machine's definition may have 1 MiB, and JSON inside JSON grows when it is escaped."""
MAX_DEPTH = 128
MAX_VALUES = 250_000
"""Members of objects and lists. A body of 1,400,000 empty lists takes seconds to check."""
DRAIN_FACTOR = 4
"""A body up to this many times too large is read to its end before it is refused, because a sender
that is cut off mid-way often sees a broken connection instead of the answer."""

_KEY = re.compile(rb'"\s*:')
_JSON_TYPE = re.compile(rb"application/(?:[a-z0-9!#$&^_.-]+\+)?json", re.IGNORECASE)
_CHARSET = re.compile(rb";\s*charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)


class DisconnectedError(Exception):
    """The caller is gone; there is no one to answer."""


def has_body(headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether a request announces a body."""
    length = headers.get(b"content-length")
    return b"transfer-encoding" in headers if length is None else length != b"0"


async def read_json(
    headers: Mapping[bytes, bytes], receive: Receive, *, max_bytes: int = MAX_BODY_BYTES
) -> JsonValue | Missing:
    """Read a JSON body; MISSING where it is empty.

    Raises: RequestError (400, 413, 415), DisconnectedError.
    """
    length = headers.get(b"content-length", b"")
    limit = _Limit(max_bytes)
    # No server accepts more digits; int() itself refuses thousands of them.
    announced = int(length[:18]) if length.isdigit() else 0
    too_large = announced > max_bytes
    if announced > max_bytes * DRAIN_FACTOR:
        raise limit.error(close=True)
    body = await _collect(receive, limit, keep=not too_large)
    if not body:
        return MISSING
    _check_media_type(headers)
    return parse_json(body)


def parse_json(body: bytes) -> JsonValue:
    """Parse strict JSON: UTF-8, no NaN, no repeated field names, bounded depth.

    Raises: RequestError[invalid-json], with line and column where there is one.
    """
    try:
        value: JsonValue = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise RequestError(
            code="invalid-json",
            message=message,
            details={"line": error.lineno, "column": error.colno},
        ) from None
    value = exact_json(body, value)
    fields, depth, values = _measure(value)
    if values > MAX_VALUES:
        message = f"the body holds more than {MAX_VALUES} values"
        raise RequestError(code="body-too-large", message=message, status=413)
    if depth > MAX_DEPTH:
        message = f"the body nests deeper than {MAX_DEPTH} levels"
        raise RequestError(code="invalid-json", message=message)
    # Every field name is found by the pattern, so equal counts leave no room for a repeated one;
    # a text that looks like a field only makes them differ without cause.
    if len(_KEY.findall(body)) != fields:
        _refuse_repeated(body)
    return value


class _Limit:
    """How large a body may be."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes

    def error(self, *, close: bool) -> RequestError:
        return RequestError(
            code="body-too-large",
            message=f"the body has more than {self.max_bytes} bytes",
            status=413,
            close=close,
        )


async def _collect(receive: Receive, limit: _Limit, *, keep: bool) -> bytes:
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        chunk: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(chunk)
        keep = keep and size <= limit.max_bytes
        if size > limit.max_bytes * DRAIN_FACTOR:
            raise limit.error(close=True)
        if keep:
            chunks.append(chunk)
        else:
            chunks.clear()
    if not keep:
        raise limit.error(close=False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _check_media_type(headers: Mapping[bytes, bytes]) -> None:
    coding = headers.get(b"content-encoding", b"identity").lower()
    if coding != b"identity":
        shown = coding[:100].decode("latin-1")
        raise RequestError(
            code="unsupported-media-type",
            message=f"the body must not be compressed, found content encoding `{shown}`",
            status=415,
            headers=((b"accept-encoding", b"identity"),),
        )
    content_type = headers.get(b"content-type", b"")
    media_type = content_type.partition(b";")[0].strip()
    charset = _CHARSET.search(content_type)
    utf8 = charset is None or charset[1].lower() in (b"utf-8", b"utf8", b"us-ascii")
    if utf8 and (media_type == b"application/json" or _JSON_TYPE.fullmatch(media_type)):
        return
    shown = content_type[:100].decode("latin-1") or "none"
    raise RequestError(
        code="unsupported-media-type",
        message=f"the body must be JSON in UTF-8, found content type `{shown}`",
        status=415,
        hint="send the header `Content-Type: application/json`",
        headers=((b"accept-post", b"application/json"),),
    )


def _measure(value: JsonValue) -> tuple[int, int, int]:
    """Return the number of object members, the depth, and the number of values in a value.

    Counting ends with the level that has too many values.
    """
    fields = depth = values = 0
    level: list[JsonValue] = [value] if isinstance(value, (dict, list)) else []
    while level:
        depth += 1
        values += sum(map(len, level))  # type: ignore[arg-type]  # only objects and lists get in
        if values > MAX_VALUES:
            break
        below: list[JsonValue] = []
        for item in level:
            if isinstance(item, dict):
                fields += len(item)
                members: list[JsonValue] = list(item.values())
            else:
                members = item if isinstance(item, list) else []
            below += [member for member in members if isinstance(member, (dict, list))]
        level = below
    return fields, depth, values


def _refuse_repeated(body: bytes) -> None:
    """Parse again, slowly, and refuse a field that an object names twice."""
    import json

    def unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
        members: dict[str, JsonValue] = {}
        for name, value in pairs:
            if name in members:
                message = f"the body names the field `{name[:100]}` twice"
                raise RequestError(code="invalid-json", message=message)
            members[name] = value
        return members

    # Numbers stay text: only names matter here, and an integer of 5,000 digits is no int to Python.
    json.loads(body, object_pairs_hook=unique, parse_int=str, parse_float=str)
