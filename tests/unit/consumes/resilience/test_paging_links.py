from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naftiko.consumes.http.origins import same_origin_url
from naftiko.consumes.http.paging_link import (
    next_link,
    with_missing_query,
    with_query,
)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('<https://a/x?p=2>; rel="next", <https://a/x>; rel="prev"', "https://a/x?p=2"),
        ('<https://a/x>; rel="prev", </y>;rel=next', "/y"),
        ('<x>; rel="last next"; title="a, b; rel=prev"', "x"),
        ('<a>; title="rel=next", <b>; rel="NEXT"', "b"),
        ('<a>; rel="prev"; rel="next"', None),
        ('<a>; rel=next; anchor="/elsewhere"', None),
        ("<a,b>; rel=next", "a,b"),
        ("a; rel=next", None),
        ("", None),
        ('<a>; rel="nextish"', None),
    ],
)
def test_the_next_link(header: str, expected: str | None) -> None:
    assert next_link({"Link": header}) == expected


@given(st.text(alphabet='<>;,="rel next\\ ', max_size=60))
def test_any_header_is_read(header: str) -> None:
    found = next_link({"link": header})
    assert found is None or found in header


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("?p=2", "https://a.example/v1/x?p=2"),
        ("/y#z", "https://a.example/y"),
        ("https://A.example:443/y", "https://A.example:443/y"),
        ("http://a.example/y", None),
        ("https://a.example:444/y", None),
        ("https://a.example@b.example/", None),
        ("https://user@a.example/", None),
        ("//b.example/", None),
        ("https://[", None),
        ("x" * 9000, None),
    ],
)
def test_pages_stay_on_the_same_origin(target: str, expected: str | None) -> None:
    assert same_origin_url("https://a.example/v1/x", target) == expected


def test_a_query_parameter_is_replaced_and_the_others_stay_as_they_are() -> None:
    assert with_query("http://a/x?b=%20+&p=1&p=2&c", "p", "a b") == "http://a/x?b=%20+&c&p=a%20b"
    assert with_query("http://a/x", "p[n]", "2") == "http://a/x?p%5Bn%5D=2"
    assert with_missing_query("http://a/x?k=1", iter(["k=2", "s=%20"])) == "http://a/x?k=1&s=%20"
