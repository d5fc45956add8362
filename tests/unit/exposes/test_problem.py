"""Problem documents."""

from __future__ import annotations

import json

import pytest

from naftiko.errors import ConsumedError, DeadlineError, FieldError, InputError, RunError
from naftiko.exposes.problem import (
    RequestError,
    problem_answer,
    problem_document,
    request_id_from,
    uri_reference,
)
from naftiko.plan.masking import Masker


def document(error: RunError, masker: Masker | None = None) -> dict[str, object]:
    made = problem_document(
        error, request_id="id-1", masker=masker or Masker(), instance="/v1/things"
    )
    return dict(made)


def test_the_whole_shape() -> None:
    error = ConsumedError(
        code="access-denied",
        message="the API refused",
        status=403,
        hint="allow it",
        retryable=True,
        details={"awsCode": "AccessDenied", "requestId": "aws-1", "status": 9},
    )
    assert document(error) == {
        "type": "urn:naftiko:problem:access-denied",
        "title": "access denied",
        "status": 403,
        "detail": "the API refused",
        "instance": "/v1/things",
        "code": "access-denied",
        "requestId": "id-1",
        "hint": "allow it",
        "retryable": True,
        "awsCode": "AccessDenied",
        "upstreamRequestId": "aws-1",
        "upstreamStatus": 9,
    }


def test_field_errors_are_listed_and_summed_up() -> None:
    one = FieldError(name="a", message="`a` is required", in_="query")
    two = FieldError(name="b", message="`b` must be integer", in_="body", hint="h")
    made = document(InputError(fields=(one, two)))
    assert made["detail"] == "2 inputs are wrong: `a`, `b`"
    assert made["errors"] == [
        {"name": "a", "in": "query", "message": "`a` is required"},
        {"name": "b", "in": "body", "message": "`b` must be integer", "hint": "h"},
    ]
    assert document(InputError(fields=(one,)))["detail"] == "`a` is required"
    assert document(InputError(message="its own", fields=(one, two)))["detail"] == "its own"


def test_every_text_is_masked_before_json_escapes_it() -> None:
    masker = Masker()
    masker.add('pä"ss\\word')
    error = InputError(
        message='found pä"ss\\word',
        hint='not pä"ss\\word',
        fields=(FieldError(name="a", message='`pä"ss\\word`'),),
        details={'pä"ss\\word': ['pä"ss\\word', {"x": 1}]},
    )
    text = json.dumps(document(error, masker), ensure_ascii=False)
    assert "ss" not in text.replace("message", "").replace("/v1/things", "")
    assert text.count("***") == 5


@pytest.mark.parametrize(
    ("seconds", "header"),
    [(0.2, b"1"), (3, b"3"), (2.01, b"3"), (-1, b"0"), (None, None), (float("inf"), None)],
)
def test_retry_after_is_whole_seconds(seconds: float | None, header: bytes | None) -> None:
    error = DeadlineError(retry_after_s=seconds)
    answer = problem_answer(error, request_id="id-1", masker=Masker())
    assert dict(answer.headers).get(b"retry-after") == header


@pytest.mark.parametrize(("status", "shown"), [(404, 404), (200, 500), (1001, 500)])
def test_an_error_has_an_error_status(status: int, shown: int) -> None:
    error = RunError(code="x", message="y", status=status)
    answer = problem_answer(error, request_id="id-1", masker=Masker())
    assert answer.status == shown
    assert json.loads(answer.body)["status"] == shown


def test_a_request_error_brings_headers_and_may_close() -> None:
    error = RequestError(code="x", message="y", headers=((b"allow", b"GET"),), close=True)
    headers = problem_answer(error, request_id="id-1", masker=Masker()).headers
    assert (b"allow", b"GET") in headers
    assert (b"connection", b"close") in headers


def test_long_texts_are_cut() -> None:
    made = problem_document(
        RunError(code="x", message="y" * 9000),
        request_id="id-1",
        masker=Masker(),
        instance=uri_reference(b"/" + b"z" * 9000),
    )
    assert len(json.dumps(made)) < 3000


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"/a%20b/x:y", "/a%20b/x:y"),
        (b"/%zz/%", "/%25zz/%25"),
        (b'/<"{\xff', "/%3C%22%7B%FF"),
        (b"//evil.example/x", "/evil.example/x"),
        (b"", "/"),
        (b"/" + b"x" * 254 + b"%20", "/" + "x" * 254 + "%25"),
    ],
)
def test_a_path_becomes_a_uri_reference(raw: bytes, shown: str) -> None:
    assert uri_reference(raw) == shown


@pytest.mark.parametrize("given", ["abc", "a-b_c.d~e", "9f3b2c4d5e6f7081", "x" * 64])
def test_a_sane_request_id_is_kept(given: str) -> None:
    assert request_id_from({b"x-request-id": given.encode()}) == given


@pytest.mark.parametrize("given", ["", " a", "a b", "x" * 65, "<script>", "é", "a\n"])
def test_any_other_request_id_is_replaced(given: str) -> None:
    made = request_id_from({b"x-request-id": given.encode()})
    assert made != given
    assert len(made) == 16
