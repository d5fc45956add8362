"""RFC 9457 problem documents: the one shape of every error an HTTP adapter answers."""

from __future__ import annotations

import math
import re
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from logging import Logger
from random import getrandbits
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import orjson

from naftiko.errors import InputError, RunError
from naftiko.plan.masking import Masker, mask_json
from naftiko.values import JsonObject

if TYPE_CHECKING:
    from starlette.types import Scope, Send

PROBLEM_MEDIA_TYPE = b"application/problem+json"
SAFETY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
"""On every answer: it holds for one caller at one moment, and its media type is meant."""

MAX_INSTANCE = 256
MAX_DETAIL = 2000


_IN_PATHS = "/%:@!$&'()*+,;=-._~"
_LONE_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")
_RESERVED = frozenset(
    {
        "type",
        "title",
        "status",
        "detail",
        "instance",
        "code",
        "requestId",
        "hint",
        "errors",
        "retryable",
    }
)

RawHeaders = Sequence[tuple[bytes, bytes]]


class Answer(NamedTuple):
    """A complete HTTP answer."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


@dataclass(kw_only=True, eq=False)
class RequestError(RunError):
    """A request that no operation gets to see. `headers` go on the answer.

    `close` ends the connection after it, because what follows on it cannot be trusted.
    """

    status: int = 400
    headers: tuple[tuple[bytes, bytes], ...] = ()
    close: bool = False


def new_request_id() -> str:
    """Return an id for one request: "9f3b2c4d5e6f7081"."""
    return f"{getrandbits(64):016x}"


def request_id_from(headers: Mapping[bytes, bytes]) -> str:
    """Return the caller's `X-Request-Id` where it is a plain token of up to 64, else a new one."""
    given = headers.get(b"x-request-id")
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode("ascii")
    return new_request_id()


def bug_answer(
    error: Exception, scope: Scope, *, request_id: str, masker: Masker, logger: Logger
) -> Answer:
    """Log a mistake of the engine's own, and return an answer that says nothing of it."""
    trace = masker("".join(traceback.format_exception(error)))
    logger.error("request %s failed in the engine\n%s", request_id, trace)
    shown = RunError(
        code="internal-error",
        message="the engine failed to serve the request",
        hint=f"the log of the server says why, under `{request_id}`",
    )
    return problem_answer(shown, request_id=request_id, masker=masker, instance=instance_of(scope))


def problem_document(
    error: RunError, *, request_id: str, masker: Masker, instance: str = ""
) -> JsonObject:
    """Turn an error into a problem document, masked.

    {"type": "urn:naftiko:problem:not-found", "title": "not found", "status": 404, "detail": ...,
     "instance": "/v1/x", "code": "not-found", "requestId": "9f3b...", "hint": ...}
    and `errors`, `retryable` and the error's own details where it has them. A detail that bears
    the name of one of these goes out as `upstream<Name>`.
    """
    document: JsonObject = {
        "type": f"urn:naftiko:problem:{error.code}",
        "title": error.code.replace("-", " "),
        "status": answer_status(error),
        "detail": _detail(error)[:MAX_DETAIL],
        "code": error.code,
        "requestId": request_id,
    }
    if instance:
        document["instance"] = instance
    if error.hint:
        document["hint"] = error.hint
    if isinstance(error, InputError) and error.fields:
        document["errors"] = [field.to_json() for field in error.fields]
    if error.retryable:
        document["retryable"] = True
    for name, value in error.details.items():
        document[_free_name(masker(name))] = value
    return {name: mask_json(value, masker) for name, value in document.items()}


def problem_answer(
    error: RunError, *, request_id: str, masker: Masker, instance: str = ""
) -> Answer:
    """Return the answer for an error: its document, its headers, `Retry-After` if it has one."""
    document = problem_document(error, request_id=request_id, masker=masker, instance=instance)
    body = _dump(document)
    headers = [
        (b"content-type", PROBLEM_MEDIA_TYPE),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", request_id.encode("ascii")),
        *SAFETY_HEADERS,
    ]
    if error.retry_after_s is not None and math.isfinite(error.retry_after_s):
        headers.append((b"retry-after", b"%d" % max(0, math.ceil(error.retry_after_s))))
    if isinstance(error, RequestError):
        headers += error.headers
        if error.close:
            headers.append((b"connection", b"close"))
    return Answer(answer_status(error), headers, body)


async def send_answer(send: Send, answer: Answer, *, head: bool = False) -> None:
    """Send the answer; without its body where HEAD asked for it."""
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": b"" if head else answer.body})


async def refuse(scope: Scope, send: Send, error: RequestError, masker: Masker) -> None:
    """Answer an error from in front of an adapter (the guard, authentication)."""
    answer = problem_answer(
        error,
        request_id=request_id_from(dict(scope["headers"])),
        masker=masker,
        instance=instance_of(scope),
    )
    await send_answer(send, answer, head=scope["method"] == "HEAD")


def instance_of(scope: Scope) -> str:
    """Return the request's path as it was sent, without the query, which may hold a key."""
    raw = scope.get("raw_path")
    return uri_reference(raw if isinstance(raw, bytes) else str(scope.get("path", "")).encode())


def uri_reference(raw_path: bytes) -> str:
    """Return a raw path as a URI reference of limited length, whatever bytes it holds.

    b"/a%20b/%zz<" -> "/a%20b/%25zz%3C"
    """
    text = quote(_LONE_PERCENT.sub(b"%25", raw_path[:MAX_INSTANCE]), safe=_IN_PATHS)
    return "/" + text.lstrip("/")


def answer_status(error: RunError) -> int:
    """Return the error's status, or 500 where it is none that an error can have."""
    return error.status if 400 <= error.status <= 599 else 500


def _detail(error: RunError) -> str:
    if not isinstance(error, InputError) or not error.fields or error.message != InputError.message:
        return error.message
    if len(error.fields) == 1:
        return error.fields[0].message
    names = dict.fromkeys(f"`{field.name}`" for field in error.fields)
    return f"{len(error.fields)} inputs are wrong: {', '.join(names)}"


def _free_name(name: str) -> str:
    return f"upstream{name[:1].upper()}{name[1:]}" if name in _RESERVED else name


def _dump(document: JsonObject) -> bytes:
    try:
        return orjson.dumps(document)
    except TypeError:
        # A lone surrogate in a caller's text, or an integer past 64 bits.
        from json import dumps

        return dumps(document, separators=(",", ":")).encode("ascii")
