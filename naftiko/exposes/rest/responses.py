"""The result of a run -> an HTTP answer."""

from __future__ import annotations

import re

import orjson

from naftiko.errors import ConsumedError, ShapingError
from naftiko.exposes.problem import SAFETY_HEADERS, Answer
from naftiko.plan.masking import Masker
from naftiko.plan.ports import Result
from naftiko.values import MISSING, JsonValue

_JSON_HEADERS = ((b"content-type", b"application/json"), *SAFETY_HEADERS)
_PASSED_HEADERS = (*SAFETY_HEADERS, (b"content-security-policy", b"sandbox; default-src 'none'"))
"""On bytes that pass through: an upstream's page must not run as ours in a browser."""

_NO_BODY = frozenset({204, 205, 304})
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_NOT_PASSED = frozenset(
    {
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-content-type-options",
        "x-request-id",
    }
)
"""Headers a result cannot set: those of one connection, and those every answer has already."""


def result_answer(result: Result, request_id: str) -> Answer:
    """Return the answer for a result: JSON, bytes that pass through, or 204 for nothing.

    Raises: ShapingError where the result has a status that no final answer can have.
    """
    status = result.status
    if not 200 <= status <= 599:
        raise ShapingError(message=f"the answer has the status {status}, which cannot be passed on")
    request_id_header = (b"x-request-id", request_id.encode("ascii"))
    if result.raw is not None:
        body = result.raw
        media_type = _header_value(result.media_type) or b"application/octet-stream"
        headers = [(b"content-type", media_type), *_PASSED_HEADERS, request_id_header]
    elif result.value is MISSING:
        return _empty(204 if status == 200 else status, result, request_id_header)
    else:
        body = dump(result.value)
        headers = [*_JSON_HEADERS, request_id_header]
    if status in _NO_BODY:
        return _empty(status, result, request_id_header)
    headers.append((b"content-length", b"%d" % len(body)))
    if result.headers:
        headers += passed_headers(result)
    return Answer(status, headers, body)


async def failure_of(name: str, result: Result) -> ConsumedError:
    """Return the error for an answer that came in good order and that `isError` calls a failure.

    The answer is its `result`.
    """
    value = await result.decoded()
    return ConsumedError(
        code="call-failed",
        message=f"`{name}` answered with a failure",
        details={} if value is MISSING else {"result": value},
    )


def mask_answer(answer: Answer, masker: Masker) -> Answer:
    """Mask what is no good answer: careless APIs repeat the credentials they were sent.

    They do so in headers too: in the `Location` of a redirect, say.
    """
    text = answer.body.decode("utf-8", "surrogateescape")
    masked = masker(text)
    shown = [
        (name, masker(value.decode("latin-1")).encode("latin-1")) for name, value in answer.headers
    ]
    if masked == text:
        return Answer(answer.status, shown, answer.body)
    body = masked.encode("utf-8", "surrogateescape")
    headers = [item for item in shown if item[0] != b"content-length"]
    return Answer(answer.status, [*headers, (b"content-length", b"%d" % len(body))], body)


def dump(value: JsonValue) -> bytes:
    """Return a value as JSON text.

    orjson refuses integers past 64 bits and lone surrogates, which JSON allows; json writes them.

    Raises: ShapingError for some hundred levels of nesting.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        from json import dumps

        try:
            return dumps(value, separators=(",", ":")).encode("ascii")
        except RecursionError:
            raise ShapingError(message="the answer nests too deep to be passed on") from None


def _empty(status: int, result: Result, request_id_header: tuple[bytes, bytes]) -> Answer:
    headers = [*SAFETY_HEADERS, request_id_header, *passed_headers(result)]
    if status not in (204, 304):
        headers.append((b"content-length", b"0"))
    return Answer(status, headers, b"")


def passed_headers(result: Result) -> list[tuple[bytes, bytes]]:
    """Return the result's own headers, without any that would break the answer or split it."""
    passed: list[tuple[bytes, bytes]] = []
    for name, text in result.headers:
        value = _header_value(text)
        if value is None or not _HEADER_NAME.fullmatch(name) or name.lower() in _NOT_PASSED:
            continue
        passed.append((name.lower().encode("ascii"), value))
    return passed


def _header_value(text: str) -> bytes | None:
    return text.encode("latin-1") if text and _HEADER_VALUE.fullmatch(text) else None
