"""Results become answers."""

from __future__ import annotations

import json

import pytest

from naftiko.errors import ShapingError
from naftiko.exposes.problem import Answer
from naftiko.exposes.rest.responses import result_answer
from naftiko.plan.ports import Result


def answer(result: Result) -> tuple[Answer, dict[bytes, bytes]]:
    made = result_answer(result, "id-1")
    headers = dict(made.headers)
    assert headers[b"x-request-id"] == b"id-1"
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"x-content-type-options"] == b"nosniff"
    return made, headers


def test_a_value_is_json() -> None:
    made, headers = answer(Result(value={"a": ["ä", 1.5, None]}))
    assert made.status == 200
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"content-length"] == str(len(made.body)).encode()
    assert json.loads(made.body) == {"a": ["ä", 1.5, None]}


def test_null_is_a_value() -> None:
    assert answer(Result(value=None))[0].body == b"null"


def test_nothing_is_204() -> None:
    made, headers = answer(Result())
    assert (made.status, made.body) == (204, b"")
    assert b"content-length" not in headers
    accepted, headers = answer(Result(status=202))
    assert (accepted.status, headers[b"content-length"]) == (202, b"0")


def test_a_status_without_a_body_drops_it() -> None:
    assert answer(Result(value={}, status=204))[0].body == b""
    assert answer(Result(raw=b"x", status=304))[0].body == b""


def test_a_failed_result_keeps_status_and_body() -> None:
    made, headers = answer(
        Result(
            value={"status": "FAILED"},
            failed=True,
            headers=(("Naftiko-Execution-Status", "FAILED"),),
        )
    )
    assert (made.status, made.body) == (200, b'{"status":"FAILED"}')
    assert headers[b"naftiko-execution-status"] == b"FAILED"


def test_bytes_pass_through_but_never_as_a_page_of_ours() -> None:
    made, headers = answer(Result(raw=b"<p>", media_type="text/html", status=201))
    assert (made.status, made.body) == (201, b"<p>")
    assert headers[b"content-type"] == b"text/html"
    assert headers[b"content-security-policy"] == b"sandbox; default-src 'none'"


@pytest.mark.parametrize("media_type", ["", "text/plain\r\nx: y", "text/€"])
def test_a_media_type_that_is_none_becomes_bytes(media_type: str) -> None:
    _, headers = answer(Result(raw=b"x", media_type=media_type))
    assert headers[b"content-type"] == b"application/octet-stream"


@pytest.mark.parametrize(
    "header",
    [
        ("content-length", "1"),
        ("Transfer-Encoding", "chunked"),
        ("connection", "close"),
        ("content-type", "text/html"),
        ("x-request-id", "other"),
        ("x-a", "b\r\nset-cookie: c"),
        ("x a", "b"),
        ("x-a\n", "b"),
    ],
)
def test_headers_that_would_break_the_answer_are_dropped(header: tuple[str, str]) -> None:
    made, _ = answer(Result(value=1, headers=(header, ("x-kept", "é"))))
    assert (b"x-kept", "é".encode("latin-1")) in made.headers
    assert len(made.headers) == 6


def test_what_orjson_refuses_is_written_all_the_same() -> None:
    value = {"big": 2**70, "half": "\ud800"}
    assert json.loads(answer(Result(value=value))[0].body) == value


@pytest.mark.parametrize("status", [0, 100, 101, 199, 600, 1001])
def test_a_status_that_is_no_answer_is_an_upstream_error(status: int) -> None:
    with pytest.raises(ShapingError):
        result_answer(Result(value=1, status=status), "id-1")
