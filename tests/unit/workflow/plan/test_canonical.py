"""The canonical form: what it is, and what is no canonical form."""

from __future__ import annotations

import math

import pytest

from naftiko.values import JsonValue
from naftiko.workflow.plan.canonical import (
    CanonicalError,
    canonical,
    checksum,
    file_bytes,
    parse_canonical,
    parse_file,
)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({}, "{}"),
        ({"b": 1, "a": [], "B": {}}, '{"B":{},"a":[],"b":1}'),
        ({"n": [3.0, 4.5, -0.25, 0, -0.0, 10**18]}, '{"n":[3,4.5,-0.25,0,0,1000000000000000000]}'),
        ({"t": 'é"\\/\n\t\x00\x1f\x7f😀'}, '{"t":"é\\"\\\\/\\n\\t\\u0000\\u001f\x7f😀"}'),
        ({"l": [None, True, False]}, '{"l":[null,true,false]}'),
    ],
)
def test_form(document: JsonValue, text: str) -> None:
    assert canonical(document) == text.encode()
    assert canonical(parse_canonical(text.encode())) == text.encode()


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"a": {"b": [1, math.nan]}}, r"a.b\[1\]: the number nan has no exact form"),
        ({"a": math.inf}, "no exact form"),
        ({"a": 0.125}, "a: the number 0.125 has more than two decimal places"),
        ({"a": 1e-7}, "more than two decimal places"),
        ({"a": 2**64}, "more than 64 bits"),
        ({"a": 1e17}, "no exact form"),
        ({"a": "\ud800"}, "surrogate"),
        ({"é": 1}, "is not ASCII"),
        ({1: 1}, "is no text"),
        ({"a": b"x"}, "a bytes is no JSON value"),
        ({"a": {1}}, "a set is no JSON value"),
    ],
)
def test_no_form(document: JsonValue, reason: str) -> None:
    with pytest.raises(CanonicalError, match=reason):
        canonical(document)


def test_too_deep() -> None:
    document: JsonValue = 1
    for _ in range(101):
        document = [document]
    with pytest.raises(CanonicalError, match="deeper than 100 levels"):
        canonical({"a": document})


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"a":1} ',
        b'{ "a":1}',
        b'{"b":1,"a":1}',
        b'{"a":1,"a":1}',
        b'{"a":1.0}',
        b'{"a":1.50}',
        b'{"a":1e2}',
        b'{"a":-0}',
        b'{"a":0.125}',
        b'{"a":01}',
        b'{"a":NaN}',
        b'{"a":1e999}',
        b'{"a":99999999999999999999}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        b'{"a":"\\u001F"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'{"\xc3\xa9":1}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":1}\n',
        b'{"a":1}\x00',
        b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    ],
)
def test_refused(text: bytes) -> None:
    with pytest.raises(CanonicalError):
        parse_canonical(text)


def test_size() -> None:
    text = canonical({"a": "x" * 92})
    assert parse_canonical(text, max_bytes=100)
    with pytest.raises(CanonicalError, match="has 100 bytes, 99 are allowed"):
        parse_canonical(text, max_bytes=99)


def test_place_of_a_difference_is_told() -> None:
    with pytest.raises(CanonicalError, match="not in canonical form at byte 5"):
        parse_canonical(b'{"a": 1}')


def test_checksum_leaves_itself_and_signatures_out() -> None:
    total = checksum({"a": 1})
    assert total == "sha256:015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
    assert checksum({"a": 1, "checksum": "x", "signatures": [1]}) == total
    assert checksum({"a": 1, "Checksum": "x"}) != total


def test_files_end_with_a_line_feed() -> None:
    assert parse_file(file_bytes({"a": 1})) == {"a": 1}
    with pytest.raises(CanonicalError, match="line feed"):
        parse_file(b'{"a":1}')
