"""Inputs: where each is read from, and everything that can be wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naftiko.errors import InputError
from naftiko.exposes.problem import RequestError
from naftiko.exposes.rest.inputs import InputReader, parse_query
from naftiko.plan.inputs import Input, InputTable
from naftiko.values import MISSING, JsonValue, Missing
from tests.unit.exposes.rest.plans import text, typed

BODY = ("body", "query", "header")
QUERY = ("query", "header")


def read(
    inputs: Sequence[Input],
    *,
    method: str = "POST",
    path: Mapping[str, str] | None = None,
    query: bytes = b"",
    headers: Sequence[tuple[bytes, bytes]] = (),
    body: JsonValue | Missing = MISSING,
    closed: bool = True,
    foreign_query: Sequence[str] = (),
) -> dict[str, JsonValue]:
    path = path or {}
    reader = InputReader(
        InputTable(inputs=tuple(inputs), closed=closed),
        method=method,
        path_names=tuple(path),
        foreign_query=foreign_query,
    )
    return reader.read(tuple(path.values()), query, dict(headers), headers, body)


def errors(*args: Any, **options: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(InputError) as caught:
        read(*args, **options)
    assert caught.value.status == 400
    return [(found.name, found.in_, found.message) for found in caught.value.fields]


def test_each_place_is_read() -> None:
    inputs = [
        text("arn", "path"),
        text("name", *BODY),
        typed("limit", "integer", *BODY),
        text("x-token", "header"),
        text("session", "cookie"),
    ]
    values = read(
        inputs,
        path={"arn": "a%2Fb"},
        query=b"limit=5",
        headers=[(b"x-token", b"t"), (b"cookie", b"a=1; session=s; session=2")],
        body={"name": "n"},
    )
    assert values == {"arn": "a/b", "name": "n", "limit": 5, "x-token": "t", "session": "s"}


def test_an_input_comes_from_the_query_or_a_header_where_the_body_has_none() -> None:
    inputs = [text("name", *BODY), text("kind", *BODY)]
    headers = [(b"kind", b"from the header")]
    values = read(inputs, query=b"name=from+the%20query", headers=headers, body={})
    assert values == {"name": "from the query", "kind": "from the header"}


@pytest.mark.parametrize(
    ("type_", "raw", "value"),
    [
        ("string", b"5", "5"),
        ("integer", b"5", 5),
        ("number", b"1.5", 1.5),
        ("boolean", b"true", True),
        ("object", b"%7B%22a%22%3A1%7D", {"a": 1}),
        ("array", b"x", ["x"]),
    ],
)
def test_text_is_read_by_the_type(type_: str, raw: bytes, value: JsonValue) -> None:
    assert read([typed("v", type_, *QUERY)], method="GET", query=b"v=" + raw) == {"v": value}


def test_a_repeated_query_value_is_a_list_for_an_array() -> None:
    assert read([typed("tag", "array", *QUERY)], method="GET", query=b"tag=a&tag=b") == {
        "tag": ["a", "b"]
    }


def test_a_repeated_query_value_is_wrong_for_anything_else() -> None:
    assert errors([text("tag", *QUERY)], method="GET", query=b"tag=a&tag=b") == [
        ("tag", "query", "`tag` takes one value, found 2")
    ]


def test_repeated_headers_are_one_list() -> None:
    pairs = [(b"tag", b"a, b"), (b"tag", b"c")]
    assert read([typed("tag", "array", "header")], headers=pairs) == {"tag": ["a", "b", "c"]}
    assert read([text("tag", "header")], headers=pairs) == {"tag": "a, b, c"}


def test_everything_wrong_is_said_at_once() -> None:
    inputs = [
        text("name", *BODY, required=True, maxLength=3),
        typed("limit", "integer", *BODY),
        text("kind", *BODY, enum=["A", "B"]),
    ]
    found = errors(inputs, query=b"limt=1&kind=C", body={"nam": "x", "limit": "many"})
    assert [(name, place) for name, place, _ in found] == [
        ("nam", "body"),
        ("limt", "query"),
        ("limit", "body"),
        ("kind", "query"),
        ("name", "body"),
    ]


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(InputError) as caught:
        read([text("stateMachineArn", *QUERY)], method="GET", query=b"stateMachineArm=x")
    assert caught.value.fields[0].hint == "did you mean `stateMachineArn`?"


def test_unknown_names_go_on_where_the_table_is_open() -> None:
    values = read([], query=b"a=1&b=1&b=2", body={"c": [1]}, closed=False)
    assert values == {"a": "1", "b": ["1", "2"], "c": [1]}


def test_a_value_in_two_places_is_ambiguous() -> None:
    found = errors([text("name", *BODY)], query=b"name=a", body={"name": "b"})
    assert found == [("name", "query", "`name` is given in the body and in the query")]


def test_a_value_in_the_wrong_place_says_where_it_belongs() -> None:
    inputs = [text("arn", "path"), text("limit", "query")]
    found = errors(inputs, path={"arn": "x"}, query=b"arn=y", body={"limit": "1"})
    assert found == [
        ("limit", "body", "`limit` is read from the query, not from the body"),
        ("arn", "query", "`arn` is read from the path, not from the query"),
    ]


def test_a_path_variable_that_is_no_input_stays_behind() -> None:
    assert read([], path={"tenant": "x"}) == {}


def test_null_stands_for_an_absent_value() -> None:
    inputs = [text("name", *BODY), Input(name="any", schema={}, sources=BODY)]
    assert read(inputs, body={"name": None, "any": None}) == {"any": None}
    required = [text("name", *BODY, required=True)]
    assert errors(required, body={"name": None}) == [("name", "body", "`name` is required")]


def test_a_missing_required_value_names_its_place() -> None:
    assert errors([text("name", *BODY, required=True)]) == [("name", "body", "`name` is required")]
    assert errors([text("name", *QUERY, required=True)], method="GET") == [
        ("name", "query", "`name` is required")
    ]


def test_the_whole_body_is_the_one_body_input_without_a_field_of_its_name() -> None:
    whole = [typed("payload", "array", "body", "whole-body")]
    assert read(whole, body=[1, 2]) == {"payload": [1, 2]}
    named = [typed("payload", "object", "body", "whole-body")]
    assert read(named, body={"a": 1}) == {"payload": {"a": 1}}
    assert read(named, body={"payload": {"a": 1}}) == {"payload": {"a": 1}}


def test_an_object_is_no_scalar_whose_name_is_left_out() -> None:
    token = [typed("token", "string", "body", "whole-body", required=True)]
    assert read(token, body="abc") == {"token": "abc"}
    assert read(token, body={"token": "abc"}) == {"token": "abc"}
    assert errors(token, body={}) == [("token", "body", "`token` is required")]
    assert ("tokn", "body", "`tokn` is not known here") in errors(token, body={"tokn": "abc"})


@pytest.mark.parametrize("body", [[1], "x", 5, True, None])
def test_a_body_that_is_no_object_is_refused(body: JsonValue) -> None:
    found = errors([text("name", *BODY)], body=body)
    assert found[0][1] == "body"
    assert found[0][2].startswith("the body must be an object, found ")


def test_the_servers_api_key_is_no_unknown_parameter() -> None:
    assert read([], method="GET", query=b"api_key=s", foreign_query=["api_key"]) == {}


def test_a_flood_of_unknown_names_is_not_searched_one_by_one() -> None:
    body: dict[str, JsonValue] = {f"unknown-{number}": 1 for number in range(100_000)}
    assert len(errors([text("name", *BODY)], body=body)) == 50


def test_which_methods_read_a_body() -> None:
    def reads(method: str, *inputs: Input) -> bool:
        return InputReader(InputTable(inputs=inputs), method=method, path_names=()).reads_body

    assert reads("POST")
    assert reads("PUT")
    assert not reads("GET", text("name", "body"))
    assert not reads("DELETE", text("name", "query"))
    assert reads("DELETE", text("name", "body"))


@pytest.mark.parametrize("query", [b"a=%", b"a=%2", b"%zz=1", b"a=%ff"])
def test_a_query_that_cannot_be_decoded_is_refused(query: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        parse_query(query)
    assert caught.value.code == "invalid-encoding"


def test_a_query_has_a_limit_of_fields() -> None:
    with pytest.raises(RequestError) as caught:
        parse_query(b"&".join(b"a=1" for _ in range(1001)))
    assert caught.value.status == 400


def test_the_forms_of_a_query() -> None:
    assert parse_query(b"a=1&&b&c=&d=x=y&a=2+3&%C3%A4=%2B") == {
        "a": ["1", "2 3"],
        "b": [""],
        "c": [""],
        "d": ["x=y"],
        "ä": ["+"],
    }


@given(st.binary(max_size=60))
def test_any_query_parses_or_is_refused(query: bytes) -> None:
    with suppress(RequestError):
        parse_query(query)
