"""Results and errors in their wire form."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types.methods import serialize_server_result

from naftiko.errors import ConsumedError, FieldError, InputError
from naftiko.exposes.mcp.responses import answer, error_answer, error_text, split_media_type
from naftiko.exposes.mcp.tools import PublishedTool
from naftiko.plan.masking import Masker
from naftiko.plan.ports import Result
from naftiko.plan.run import Run
from tests.live.mcp.mcp_demo import SECRET, adapter, masker, table_of, tool

OBJECT = {"type": "object"}
LIST = {"type": "array"}


def published(output_schema: Any = None) -> PublishedTool:
    async def nothing(_run: Run) -> Result:
        return Result()

    return next(iter(table_of(adapter(tool("x", nothing, output_schema=output_schema)))))


def wire(output_schema: Any = None, known: Masker | None = None, **result: Any) -> dict[str, Any]:
    made = answer(published(output_schema), Result(**result), known or Masker())
    # Every shape is one the newest protocol takes unchanged.
    assert serialize_server_result("tools/call", "2026-07-28", made) == made
    return made


def text_of(made: dict[str, Any]) -> str:
    return str(made["content"][0]["text"])


@pytest.mark.parametrize(
    ("schema", "value", "structured", "text"),
    [
        (None, {"a": 1}, {"a": 1}, '{"a":1}'),
        (OBJECT, {"a": 1}, {"a": 1}, '{"a":1}'),
        (None, [1, 2], {"result": [1, 2]}, "[1,2]"),
        (LIST, [1, 2], {"result": [1, 2]}, "[1,2]"),
        (LIST, {"a": 1}, {"result": {"a": 1}}, '{"a":1}'),
        (None, "plain", {"result": "plain"}, "plain"),
        (None, None, {"result": None}, "null"),
        (None, 7, {"result": 7}, "7"),
        (None, True, {"result": True}, "true"),
    ],
)
def test_a_value(schema: Any, value: Any, structured: Any, text: str) -> None:
    made = wire(schema, value=value)
    assert made["structuredContent"] == structured
    assert text_of(made) == text
    assert made["isError"] is False


def test_what_breaks_its_object_schema_is_an_error_and_still_there() -> None:
    made = wire(OBJECT, value=[1])
    assert made["isError"] is True
    assert "not the object its output schema promises" in text_of(made)
    assert made["content"][1]["text"] == "[1]"
    assert "structuredContent" not in made
    assert wire(OBJECT, raw=b"hello", media_type="text/plain")["isError"] is True
    assert wire(OBJECT, raw=b"\x00", media_type="image/png")["content"][1]["type"] == "image"


@pytest.mark.parametrize(
    ("schema", "structured"), [(None, None), (OBJECT, {}), (LIST, {"result": None})]
)
def test_no_content(schema: Any, structured: Any) -> None:
    made = wire(schema, status=204)
    assert made.get("structuredContent") == structured
    assert text_of(made) == "done, no content (status 204)"
    assert wire(status=500, failed=True)["isError"] is True
    assert wire(raw=b"", status=202)["content"][0]["text"].endswith("(status 202)")


@pytest.mark.parametrize(
    ("media_type", "raw", "block"),
    [
        ("text/plain; charset=latin-1", b"caf\xe9", {"type": "text", "text": "café"}),
        ("text/csv; charset=no-such", b"a,b", {"type": "text", "text": "a,b"}),
        ("application/xml", b"<a/>", {"type": "text", "text": "<a/>"}),
        ("application/hal+xml", b"\xff", {"type": "text", "text": "�"}),
        ("image/png", b"\x01", {"type": "image", "data": "AQ==", "mimeType": "image/png"}),
        ("image/svg+xml", b"\x01", {"type": "image", "data": "AQ==", "mimeType": "image/svg+xml"}),
        ("audio/wav", b"\x01", {"type": "audio", "data": "AQ==", "mimeType": "audio/wav"}),
        (
            "",
            b"\x01",
            {
                "type": "resource",
                "resource": {
                    "uri": "naftiko://transient/demo/x/ID",
                    "mimeType": "application/octet-stream",
                    "blob": "AQ==",
                },
            },
        ),
    ],
)
def test_raw_bytes(media_type: str, raw: bytes, block: Any) -> None:
    content = json.dumps(wire(raw=raw, media_type=media_type)["content"])
    assert json.loads(re.sub(r"[0-9a-f]{32}", "ID", content)) == [block]


def test_raw_json_is_structured() -> None:
    assert wire(OBJECT, raw=b'{"a": 1}')["structuredContent"] == {"a": 1}
    assert wire(raw=b"[1]", media_type="application/hal+json")["structuredContent"] == {
        "result": [1]
    }
    assert wire(raw=b"{oops")["content"] == [{"type": "text", "text": "{oops"}]
    assert wire({"type": "string"}, raw=b"hi", media_type="text/plain")["structuredContent"] == {
        "result": "hi"
    }


def test_a_failed_result_keeps_its_body_without_secrets() -> None:
    known = masker()
    made = wire(OBJECT, known, value={"why": SECRET, SECRET: [SECRET]}, failed=True)
    assert made["isError"] is True
    assert made["structuredContent"] == {"why": "***", "***": ["***"]}
    raw = wire(None, known, raw=f"no: {SECRET}".encode(), media_type="text/plain", failed=True)
    assert (text_of(raw), raw["isError"]) == ("no: ***", True)


def test_an_error_in_words() -> None:
    error = InputError(
        fields=(
            FieldError(name="a", message="`a` is required"),
            FieldError(name="b", message="`b` is not known here", hint="did you mean `a`?"),
        )
    )
    assert error_text(error).splitlines() == [
        "error: the request has invalid inputs",
        "code: invalid-input",
        "- `a` is required",
        "- `b` is not known here (did you mean `a`?)",
        "retryable: no, change the arguments first",
    ]


def test_an_error_may_quote_anything() -> None:
    error = ConsumedError(message="odd \ud800", details={"big": 2**80, "nan": float("nan")})
    made = json.loads(orjson.dumps(error_answer(error, Masker())))
    assert made["structuredContent"]["error"]["message"] == "odd ?"
    assert made["content"][0]["text"].startswith("error: odd ?")


def test_details_never_hide_what_is_ours() -> None:
    error = ConsumedError(message="no", details={"code": "theirs", "requestId": "r-1"})
    made = error_answer(error, Masker())
    assert made["structuredContent"]["error"]["code"] == "upstream-error"
    assert made["structuredContent"]["error"]["requestId"] == "r-1"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_JSON, st.sampled_from([None, OBJECT, LIST]), st.booleans())
def test_any_value_can_be_sent(value: Any, schema: Any, failed: bool) -> None:
    made = answer(published(schema), Result(value=value, failed=failed), masker())
    sent = json.loads(orjson.dumps(made))
    assert sent["content"][0]["type"] == "text"
    structured = sent.get("structuredContent")
    assert structured is None or isinstance(structured, dict)


@given(st.text())
def test_any_media_type_is_read(text: str) -> None:
    media_type, charset = split_media_type(text)
    assert media_type
    assert charset
