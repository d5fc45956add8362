"""Whatever a value is, the consumed API decodes that value, and the rest of the URL stays."""

from __future__ import annotations

from functools import cache
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyreqwest.http import Url

from naftiko.consumes.http.request import RequestPlan
from naftiko.errors import InputError
from naftiko.values import JsonValue
from tests.unit.consumes.http.apis import api

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
ODD = st.sampled_from(
    ["/", "%2F", "..", ".", "%2e%2e", "?a=b", "#x", "\\", "@evil.com", ":80", "{{x}}", "{x}", "\0"]
)
VALUES = TEXT | ODD | st.lists(ODD, max_size=3, min_size=1).map("".join)


@cache
def plan() -> RequestPlan:
    compiled = api(
        "method: GET, inputParameters: [{name: q, in: query}]",
        base="https://api.example.com/v1",
        path="/a/{x}/b-{y}/c?k={{k}}",
    )
    return compiled.http().request


@given(x=VALUES, y=VALUES, k=VALUES, q=VALUES)
def test_values_arrive_and_nothing_else_moves(x: str, y: str, k: str, q: str) -> None:
    arguments: dict[str, JsonValue] = {"x": x, "y": y, "k": k, "q": q}
    if x in (".", ".."):
        with pytest.raises(InputError):
            plan().render(arguments)
        return
    url = plan().render(arguments).url
    # The parser of the client that sends it, which resolves dots and reads hosts as browsers do.
    parsed = Url(url)
    assert (parsed.scheme, parsed.host_str, parsed.port) == ("https", "api.example.com", None)
    assert (parsed.username, parsed.password, parsed.fragment) == ("", None, None)
    for path, query in ((parsed.path, parsed.query_string), urlsplit(url)[2:4]):
        segments = path.split("/")
        assert len(segments) == 6
        assert [*segments[:3], segments[5]] == ["", "v1", "a", "c"]
        assert unquote(segments[3], errors="strict") == x
        assert unquote(segments[4], errors="strict") == f"b-{y}"
        pairs = parse_qsl(query or "", keep_blank_values=True, errors="strict")
        assert pairs == [("k", k), ("q", q)]


@given(value=st.text(max_size=80))
def test_any_text_is_sent_or_refused(value: str) -> None:
    arguments: dict[str, JsonValue] = {"x": value, "y": "1"}
    if value in ("", ".", "..") or any("\ud800" <= character <= "\udfff" for character in value):
        with pytest.raises(InputError):
            plan().render(arguments)
        return
    url = plan().render(arguments).url
    assert url.isascii()
    assert url.isprintable()
    assert " " not in url


@given(tenant=st.text(max_size=20) | st.sampled_from(["evil.com/", "a@b", "a.b", "x:1", "-", "a#"]))
def test_a_host_keeps_its_domain(tenant: str) -> None:
    request = api("method: GET", base="https://{tenant}.example.com").http().request
    try:
        url = request.render({"tenant": tenant}).url
    except InputError:
        return
    host = urlsplit(url).hostname or ""
    assert host.endswith(".example.com")
    assert host == f"{tenant.lower()}.example.com"
    assert Url(url).path == "/things"
