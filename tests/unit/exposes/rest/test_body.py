"""Bodies: strict JSON within limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naftiko.exposes.problem import RequestError
from naftiko.exposes.rest.body import (
    MAX_DEPTH,
    DisconnectedError,
    has_body,
    parse_json,
    read_json,
)
from naftiko.values import MISSING, JsonValue, Missing

if TYPE_CHECKING:
    from starlette.types import Message

JSON = b"application/json"


def receive_all(
    chunks: Sequence[bytes | None], content_type: bytes = JSON, **headers: bytes
) -> JsonValue | Missing:
    """Read a body that arrives in chunks; None is the caller hanging up."""
    messages: list[Message] = [
        {"type": "http.disconnect"}
        if chunk is None
        else {"type": "http.request", "body": chunk, "more_body": at < len(chunks) - 1}
        for at, chunk in enumerate(chunks)
    ]

    async def receive() -> Message:
        return messages.pop(0)

    given_headers = {b"content-type": content_type}
    given_headers |= {key.replace("_", "-").encode(): value for key, value in headers.items()}
    return asyncio.run(read_json(given_headers, receive, max_bytes=100))


def refusal(*args: object, **options: object) -> RequestError:
    with pytest.raises(RequestError) as caught:
        receive_all(*args, **options)  # type: ignore[arg-type]  # passed on as given
    return caught.value


def test_a_body_in_pieces() -> None:
    assert receive_all([b'{"a"', b": [1,", b"2]}"]) == {"a": [1, 2]}


def test_an_empty_body_is_none() -> None:
    assert receive_all([b""]) is MISSING
    assert receive_all([b""], b"text/plain") is MISSING


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({b"content-length": b"0"}, False),
        ({b"content-length": b"2"}, True),
        ({b"transfer-encoding": b"chunked"}, True),
    ],
)
def test_a_body_is_announced(headers: dict[bytes, bytes], expected: bool) -> None:
    assert has_body(headers) is expected


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/json",
        b"application/json; charset=utf-8",
        b'Application/JSON;charset="UTF-8"',
        b"application/problem+json",
        b"application/merge-patch+json;charset=utf8",
    ],
)
def test_json_media_types_are_read(content_type: bytes) -> None:
    assert receive_all([b"{}"], content_type) == {}


@pytest.mark.parametrize(
    "content_type",
    [
        b"",
        b"text/plain",
        b"application/x-www-form-urlencoded",
        b"application/jsonp",
        b"text/json",
        b"application/json; charset=latin-1",
    ],
)
def test_other_media_types_are_refused(content_type: bytes) -> None:
    error = refusal([b"{}"], content_type)
    assert error.status == 415
    assert (b"accept-post", b"application/json") in error.headers


def test_a_compressed_body_is_refused() -> None:
    assert refusal([b"{}"], content_encoding=b"gzip").status == 415


def test_a_body_that_is_announced_too_large_is_read_out_and_refused() -> None:
    error = refusal([b"x" * 101], content_length=b"101")
    assert error.status == 413
    assert not error.close


def test_a_body_that_is_announced_far_too_large_is_not_read() -> None:
    for length in (b"801", b"9" * 5000):
        error = refusal([], content_length=length)
        assert error.status == 413
        assert error.close


def test_a_body_that_grows_too_large_is_refused() -> None:
    assert not refusal([b"x" * 60, b"x" * 60, b"x"]).close
    assert refusal([b"x" * 60] * 20).close


def test_a_caller_that_hangs_up_gets_no_answer() -> None:
    with pytest.raises(DisconnectedError):
        receive_all([b'{"a"', None])


@pytest.mark.parametrize(
    ("body", "line", "column"),
    [(b'{"a": 1,}', 1, 8), (b'{\n  "a": tru\n}', 2, 8), (b"[1, NaN]", 1, 5), (b"{", 1, 2)],
)
def test_bad_json_is_shown_with_its_place(body: bytes, line: int, column: int) -> None:
    with pytest.raises(RequestError) as caught:
        parse_json(body)
    error = caught.value
    assert (error.status, error.code) == (400, "invalid-json")
    assert error.details == {"line": line, "column": column}
    assert f"at line {line}, column {column}" in error.message


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": Infinity}',
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b"[" * 5000,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b'{"a": 1, "a": 2}',
        b'{"a": 1, "b": {"c": 1, "c" : 2}}',
        b'{"a": 1, "\\u0061": 2}',
        b'{"a\\\\": 1, "b": 1, "b": 2}',
        b'{"a": "\\":", "b": 1, "b": 2}',
        b"\xef\xbb\xbf{}",
    ],
)
def test_loose_json_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        parse_json(body)
    assert caught.value.code == "invalid-json"


def test_a_text_that_looks_like_a_field_is_none() -> None:
    body = json.dumps({"definition": '{"States": {"A": 1}}', ': "x"': "':", '"': ":"}).encode()
    assert parse_json(body) == json.loads(body)


def test_depth_has_a_limit_but_nesting_is_fine() -> None:
    body = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert parse_json(body) == json.loads(body)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.sampled_from('":\\ a,{'), max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON_VALUES, st.sampled_from([None, 1]), st.booleans())
def test_any_json_is_read_as_it_is(value: JsonValue, indent: int | None, ascii_only: bool) -> None:
    body = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    assert parse_json(body) == value


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(RequestError):
        parse_json(body)


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**70)])
def test_integers_past_64_bits_stay_exact(number: int) -> None:
    assert parse_json(json.dumps({"n": number}).encode()) == {"n": number}
