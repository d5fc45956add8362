"""URI templates: their variables, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.uri_template import UriTemplate

from naftiko.document.nodes import Scalar
from naftiko.plan.clients import LeftOut
from naftiko.plan.resources import uri_variables
from naftiko.source import Location


def scalar(text: str) -> Scalar:
    return Scalar(value=text, text=text, location=Location("x.yaml"))


@pytest.mark.parametrize(
    ("uri", "names", "optional"),
    [
        ("a://b", (), set()),
        ("a://{x}/{y_1}", ("x", "y_1"), set()),
        ("a://{x}{?p,q}", ("x", "p", "q"), {"p", "q"}),
        ("file:///{+path}", ("path",), set()),
    ],
)
def test_variables(uri: str, names: tuple[str, ...], optional: set[str]) -> None:
    assert uri_variables(scalar(uri)) == (names, frozenset(optional))


@pytest.mark.parametrize(
    "uri", ["x", "a://{}", "a://{x", "a://x}", "a://{a-b}", "a://{x}{x}", "a://{{x}}", "a://b c"]
)
def test_what_is_no_template(uri: str) -> None:
    with pytest.raises(LeftOut):
        uri_variables(scalar(uri))


@given(st.text(alphabet="ab{}?,+/*:&#;.1", max_size=14).map("a://".__add__))
def test_what_is_taken_is_a_template_to_what_matches_it(uri: str) -> None:
    try:
        names, _ = uri_variables(scalar(uri))
    except LeftOut:
        return
    assert tuple(UriTemplate.parse(uri).variable_names) == names
