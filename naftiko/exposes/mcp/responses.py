"""Result or RunError -> a CallToolResult in its wire form, the same for both protocol eras.

Wire form: `{"content": [...], "structuredContent": {...}, "isError": false, "resultType":
"complete"}`; the SDK leaves out what a caller's revision does not know.
"""

from __future__ import annotations

import json
import uuid
from base64 import b64encode
from collections.abc import Mapping
from typing import cast

import orjson

from naftiko.errors import InputError, RunError
from naftiko.exposes.mcp.tools import WRAPPER, PublishedTool
from naftiko.exposes.mcp.wire import Wire
from naftiko.plan.masking import Masker, mask_json
from naftiko.plan.ports import Result
from naftiko.values import JsonObject, JsonValue, Missing

_TEXT_TYPES = frozenset(
    {
        "application/json",
        "application/xml",
        "application/yaml",
        "application/x-yaml",
        "application/toml",
        "application/sql",
        "application/graphql",
        "application/javascript",
        "application/x-ndjson",
        "application/x-www-form-urlencoded",
    }
)
_TEXT_SUFFIXES = ("+json", "+xml", "+yaml")


def answer(tool: PublishedTool, result: Result, masker: Masker) -> Wire:
    """Turn what a plan gave into what the caller gets.

    An object is the structured content as it stands and its compact JSON is the text. Any other
    value goes out as `{"result": value}` beside its JSON; a string is its own text.
    """
    if result.raw is not None:
        return _raw_answer(tool, result, result.raw, masker)
    if isinstance(result.value, Missing):
        return _empty_answer(tool, result)
    return _value_answer(tool, result.value, masker if result.failed else None)


def _value_answer(tool: PublishedTool, value: JsonValue, failed: Masker | None) -> Wire:
    if failed is not None:
        value = mask_json(value, failed)
    value, text = _dump(value)
    if isinstance(value, dict) and not tool.wraps:
        return _wire(text, value, is_error=failed is not None)
    if failed is None and tool.output_schema is not None and not tool.wraps:
        return _mismatch(tool, text)
    return _wire(text, {WRAPPER: value}, is_error=failed is not None)


def _empty_answer(tool: PublishedTool, result: Result) -> Wire:
    word = "the call failed" if result.failed else "done"
    text = f"{word}, no content (status {result.status})"
    structured: JsonObject | None = None
    if tool.output_schema is not None:
        structured = {WRAPPER: None} if tool.wraps else {}
    return _wire(text, structured, is_error=result.failed)


def _raw_answer(tool: PublishedTool, result: Result, raw: bytes, masker: Masker) -> Wire:
    media_type, charset = split_media_type(result.media_type)
    if not raw:
        return _empty_answer(tool, result)
    if not _is_text(media_type):
        block = _binary_block(tool, raw, media_type)
        return _mismatch_unless_free(tool, block, is_error=result.failed)
    text = _decode(raw, charset)
    if media_type == "application/json" or media_type.endswith("+json"):
        try:
            value: JsonValue = orjson.loads(raw)
        except orjson.JSONDecodeError:
            pass
        else:
            return _value_answer(tool, value, masker if result.failed else None)
    if result.failed:
        return _wire(masker(text), None, is_error=True)
    if tool.wraps:
        return _wire(text, {WRAPPER: text}, is_error=False)
    return _mismatch_unless_free(tool, {"type": "text", "text": text}, is_error=False)


def _mismatch_unless_free(tool: PublishedTool, block: JsonObject, *, is_error: bool) -> Wire:
    if tool.output_schema is None or is_error:
        return {"content": [block], "isError": is_error, "resultType": "complete"}
    return _mismatch(tool, block)


def _mismatch(tool: PublishedTool, found: str | JsonObject) -> Wire:
    """Clients refuse a good result that breaks its schema, so it goes out as an error instead."""
    text = error_text(
        RunError(
            code="output-error",
            message=f"the answer of `{tool.name}` is not the object its output schema promises",
            hint="the answer follows as it came",
        )
    )
    block: JsonObject = {"type": "text", "text": found} if isinstance(found, str) else found
    return {
        "content": [{"type": "text", "text": text}, block],
        "isError": True,
        "resultType": "complete",
    }


def error_answer(error: RunError, masker: Masker) -> Wire:
    """Turn a failure into an `isError` result: text a model can act on, and the same as data."""
    structured = mask_json(_clean({"error": error_json(error)}), masker)
    text = masker(str(_clean(error_text(error))))
    return _wire(text, cast("JsonObject", structured), is_error=True)


def internal_error(request_id: str) -> Wire:
    """Return what the caller of a call with a bug in it sees: nothing but the id in the log."""
    error = RunError(
        code="internal-error",
        message="the call failed because of an error inside the server",
        hint=f"its log has the details under request id {request_id}",
        details={"requestId": request_id},
    )
    return _wire(error_text(error), {"error": error_json(error)}, is_error=True)


def error_text(error: RunError) -> str:
    r"""Say what failed and what to do about it, a line each.

    "error: the request has invalid inputs\ncode: invalid-input\n- `arn` is required\n
    retryable: no, change the arguments first"
    """
    lines = [f"error: {error.message}", f"code: {error.code}"]
    if isinstance(error, InputError):
        lines += [
            f"- {field.message}" + (f" ({field.hint})" if field.hint else "")
            for field in error.fields
        ]
    lines += [f"{name}: {_short(value)}" for name, value in error.details.items()]
    if error.hint:
        lines.append(f"hint: {error.hint}")
    lines.append(f"retryable: {_retryable(error)}")
    return "\n".join(lines)


def error_json(error: RunError) -> JsonObject:
    """Return a failure as data: `{"code": ..., "message": ..., "retryable": false, ...}`."""
    out: JsonObject = {
        "code": error.code,
        "message": error.message,
        "status": error.status,
        "retryable": error.retryable,
    }
    if error.hint:
        out["hint"] = error.hint
    if error.retry_after_s is not None:
        out["retryAfter"] = error.retry_after_s
    if isinstance(error, InputError) and error.fields:
        out["fields"] = [field.to_json() for field in error.fields]
    return {**error.details, **out}


def _retryable(error: RunError) -> str:
    if error.retryable and error.retry_after_s is not None:
        return f"yes, after {error.retry_after_s:g} s"
    if error.retryable:
        return "yes"
    return "no, change the arguments first" if isinstance(error, InputError) else "no"


def _short(value: JsonValue) -> str:
    return value if isinstance(value, str) else _dump(value)[1]


def _wire(text: str, structured: JsonObject | None, *, is_error: bool) -> Wire:
    wire: Wire = {"content": [{"type": "text", "text": text}]}
    if structured is not None:
        wire["structuredContent"] = structured
    wire["isError"] = is_error
    wire["resultType"] = "complete"
    return wire


def _binary_block(tool: PublishedTool, raw: bytes, media_type: str) -> JsonObject:
    data = b64encode(raw).decode("ascii")
    kind = media_type.partition("/")[0]
    if kind in ("image", "audio"):
        return {"type": kind, "data": data, "mimeType": media_type}
    uri = f"naftiko://transient/{tool.namespace}/{tool.name}/{uuid.uuid4().hex}"
    return {"type": "resource", "resource": {"uri": uri, "mimeType": media_type, "blob": data}}


def split_media_type(text: str) -> tuple[str, str]:
    """Return the type and the charset: "text/plain; charset=latin-1" -> ("text/plain", "latin-1").

    A missing type is application/octet-stream, a missing charset utf-8. RFC 9110 section 8.3.
    """
    media_type, _, parameters = text.partition(";")
    charset = "utf-8"
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip():
            charset = value.strip().strip('"')
    return media_type.strip().lower() or "application/octet-stream", charset


def _is_text(media_type: str) -> bool:
    return (
        media_type.startswith("text/")
        or media_type in _TEXT_TYPES
        or (media_type.endswith(_TEXT_SUFFIXES) and not media_type.startswith("image/"))
    )


def _decode(raw: bytes, charset: str) -> str:
    try:
        return raw.decode(charset, "replace")
    except LookupError:
        return raw.decode("utf-8", "replace")


def dump(value: JsonValue) -> str:
    """Return a value as compact JSON, whatever JSON cannot carry replaced."""
    return orjson.dumps(_clean(value)).decode()


def _dump(value: JsonValue) -> tuple[JsonValue, str]:
    """Return the value and its text; what JSON cannot carry is replaced in both."""
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        value = _clean(value)
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return value, value if isinstance(value, str) else text


def _clean(value: object) -> JsonValue:
    """Replace what orjson refuses: lone surrogates, keys that are no text, integers over 64 bit."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {str(_clean(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, float):
        return value if value - value == 0 else None
    return value if value is None or isinstance(value, bool) else str(value)
