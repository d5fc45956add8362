"""Bodies and headers from anyone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naftiko.exposes.mcp.app import accepted
from naftiko.exposes.mcp.jsonrpc import Fault, Message, check_message, error_body, read_message


@given(st.binary())
def test_any_bytes_are_a_message_or_a_fault(body: bytes) -> None:
    assert isinstance(read_message(body), (Message, Fault))


_VALUES: list[Any] = [None, True, 0, -7, 1.5, "", "x", "2.0", [], {}, {"_meta": 7}, {"_meta": {}}]


@given(
    st.dictionaries(
        st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error"]),
        st.sampled_from(_VALUES),
    )
)
def test_any_object_is_a_message_or_a_fault(decoded: dict[str, Any]) -> None:
    read = check_message(decoded)
    if isinstance(read, Message):
        assert read.id is None or type(read.id) in (int, str)
        assert read.params is None or isinstance(read.params, dict)
        assert read.enveloped is False
    else:
        assert json.loads(error_body(read.code, read.message, read.id))["error"]["message"]


def test_an_envelope_is_seen() -> None:
    meta = {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}
    read = check_message({"jsonrpc": "2.0", "id": 1, "method": "x", "params": meta})
    assert isinstance(read, Message)
    assert read.enveloped


@pytest.mark.parametrize(
    ("accept", "json_and_stream"),
    [
        (None, (True, False)),
        ("", (False, False)),
        ("*/*", (True, True)),
        ("application/json", (True, False)),
        ("application/*, text/*", (True, True)),
        ("Application/JSON; q=0.5, text/event-stream", (True, True)),
        ("application/json, text/event-stream;q=0", (True, False)),
        ("text/event-stream", (False, True)),
    ],
)
def test_accept(accept: str | None, json_and_stream: tuple[bool, bool]) -> None:
    assert accepted(accept) == json_and_stream


def test_a_response_with_odd_params_is_a_fault() -> None:
    odd = {"jsonrpc": "2.0", "id": 0, "result": None, "params": True}

    assert isinstance(check_message(odd), Fault)


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**70), 10**300])
def test_integers_past_64_bits_stay_exact(number: int) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "x", "params": {"n": number}})
    message = read_message(body.encode())
    assert isinstance(message, Message)
    assert message.params == {"n": number}


def test_an_integer_of_too_many_digits_is_a_number_all_the_same() -> None:
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "x", "params": {"n": 1' + b"0" * 5_000 + b"}}"
    assert isinstance(read_message(body), (Message, Fault))
