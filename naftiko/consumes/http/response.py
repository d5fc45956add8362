"""The consumed API's answer -> Result: its bytes as they came, and the JSON value in them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol

import orjson

from naftiko.errors import ConsumedError
from naftiko.formats.charset import codec_of
from naftiko.plan.ports import Decode, Result
from naftiko.values import MISSING, JsonValue, Missing

MAX_JSON_VALUES = 2_000_000
"""About what an answer may hold to be read as JSON: each costs 60 bytes and more in memory."""
_LARGE = 1024 * 1024

_BOM = b"\xef\xbb\xbf"
_PASSED_ON = ("retry-after",)
_PASSED_ON_MOVED = ("retry-after", "location")
"""Without these a caller cannot act on the status. Other headers stay behind."""


class Response(Protocol):
    """What the transport gives."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, whose names ignore case."""
        ...

    @property
    def body(self) -> bytes:
        """The content, decompressed."""
        ...


def read_response(response: Response, *, parse_json: bool, address: str = "") -> Result:
    """Return the answer; a status of 400 and more is a failed result, not an error.

    `value` is the JSON in the body, MISSING where there is none: another media type, an empty
    body, text that is no JSON or nests deeper than 1,024 levels. `raw` always holds the bytes.
    A good answer that is said to be JSON, and is none, fails whoever needs its value; the error
    names `address`.

    Raises: ConsumedError for JSON with more than 2,000,000 commas: reading it would hold up all
        other requests for seconds.
    """
    status, headers, body = response.status, response.headers, response.body
    media_type = headers.get("content-type") or ""
    value: JsonValue | Missing = MISSING
    if parse_json and body and is_json(media_type, body):
        value = _parse_json(body, media_type)
    passed = _PASSED_ON_MOVED if 300 <= status < 400 else _PASSED_ON
    is_broken = parse_json and value is MISSING and status < 400 and _says_json(media_type, body)
    return Result(
        value=value,
        raw=body,
        media_type=media_type or ("application/json" if value is not MISSING else _UNKNOWN),
        status=status,
        failed=status >= 400,
        headers=tuple((name, headers[name]) for name in passed if name in headers),
        decode=_refusal(address) if is_broken else None,
    )


def _says_json(media_type: str, body: bytes) -> bool:
    return _base(media_type).endswith("json") and bool(body.strip())


def _refusal(address: str) -> Decode:
    async def refuse() -> JsonValue | Missing:
        raise ConsumedError(
            code="unreadable-answer",
            message=f"the answer of `{address}` is said to be JSON, and cannot be read as JSON",
            hint="say with `outputRawFormat` what it is",
            details={"operation": address},
        )

    return refuse


_UNKNOWN = "application/octet-stream"


def is_json(media_type: str, body: bytes) -> bool:
    """Tell whether the body is said to be JSON, or looks like it where nothing is said.

    "application/json; charset=utf-8", "application/problem+json", "text/json" are.
    """
    base = _base(media_type)
    if base:
        return base.endswith("json")
    return body.lstrip()[:1] in (b"{", b"[")


def parse_json(body: bytes, media_type: str) -> JsonValue | Missing:
    """Return the JSON in a body, MISSING where it is none.

    Raises: ConsumedError for more than 2,000,000 commas.
    """
    if len(body) > _LARGE and body.count(b",") > MAX_JSON_VALUES:
        raise ConsumedError(
            code="response-too-large",
            message=f"the answer holds more than {MAX_JSON_VALUES} JSON values",
            hint="ask for less of it",
        )
    try:
        text = body if "charset" not in media_type.lower() else _utf8(body, media_type)
        value: JsonValue = orjson.loads(text.removeprefix(_BOM))
    except (orjson.JSONDecodeError, UnicodeError):
        return MISSING
    return value


_parse_json = parse_json  # `read_response` has a parameter of that name


def _utf8(body: bytes, media_type: str) -> bytes:
    codec = codec_of(media_type)
    return body if codec is None else body.decode(codec).encode()


@lru_cache(maxsize=256)
def _base(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()
