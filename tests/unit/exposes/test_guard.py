"""The guard in front of every adapter."""

from __future__ import annotations

from typing import Any

import pytest

from naftiko.exposes.guard import MAX_HEADER_BYTES, MAX_HEADERS, Guard, is_loopback


async def app(_scope: Any, _receive: Any, _send: Any) -> None:
    raise AssertionError


def status(
    *headers: tuple[str, str], loopback: bool = True, version: str = "1.1", **options: Any
) -> int | None:
    """Return the status a request is refused with, None if it passes."""
    guard = Guard(app, loopback=loopback, **options)
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    error = guard.refusal({"type": "http", "http_version": version, "headers": pairs})
    return error.status if error else None


HOST = ("host", "127.0.0.1:8080")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8080",
        "localhost:1",
        "LOCALHOST",
        "[::1]:8080",
        "a.localhost",
        "127.9.9.9",
    ],
)
def test_this_machine_is_served_on_loopback(host: str) -> None:
    assert status(("host", host)) is None


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8080",
        "localhost:8080.evil.example",
        "evil.example@127.0.0.1",
        "127.0.0.1:x",
        "10.0.0.1",
        "0.0.0.0",  # noqa: S104  (no binding: a Host header)
        "[::2]",
        "[::1",
        "127.0.0.1, evil.example",
        "localhost ",
    ],
)
def test_another_host_is_not(host: str) -> None:
    assert status(("host", host)) == 421


def test_a_host_can_be_allowed() -> None:
    allowed = {"allowed_hosts": ["api.example.com", "other.example:8443"]}
    for loopback in (True, False):
        assert status(("host", "API.example.com:9"), loopback=loopback, **allowed) is None
        assert status(("host", "other.example:8443"), loopback=loopback, **allowed) is None
        assert status(("host", "other.example"), loopback=loopback, **allowed) == 421
        assert status(("host", "evil.example"), loopback=loopback, **allowed) == 421
    assert status(HOST, loopback=True, **allowed) is None
    assert status(HOST, loopback=False, **allowed) == 421


def test_other_listeners_take_any_host_unless_some_are_named() -> None:
    assert status(("host", "api.example.com"), loopback=False) is None
    assert status(("host", "no host"), loopback=False) == 421


def test_a_host_is_needed_since_http_1_1() -> None:
    assert status() == 400
    assert status(version="1.0") is None


@pytest.mark.parametrize(
    ("origin", "passes"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://localhost:3000", True),
        ("http://[::1]:1", True),
        ("https://evil.example", False),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.1:8080@evil.example", False),
        ("null", False),
        ("", False),
        ("file://localhost", False),
        ("chrome-extension://localhost", False),
        ("https://app.example.com", True),
        ("https://app.example.com:444", False),
    ],
)
def test_pages_of_other_sites_cannot_call_a_loopback_server(origin: str, passes: bool) -> None:
    found = status(HOST, ("origin", origin), allowed_origins=["https://app.example.com"])
    assert found == (None if passes else 403)


@pytest.mark.parametrize(
    ("origin", "host", "passes"),
    [
        ("https://api.example.com", "api.example.com", True),
        ("https://api.example.com", "api.example.com:443", True),
        ("http://api.example.com:80", "api.example.com", True),
        ("https://api.example.com:8443", "api.example.com:8443", True),
        ("https://api.example.com", "api.example.com:8443", False),
        ("https://evil.example", "api.example.com", False),
        ("http://localhost", "api.example.com", False),
    ],
)
def test_elsewhere_only_its_own_pages_call_it(origin: str, host: str, passes: bool) -> None:
    found = status(("host", host), ("origin", origin), loopback=False)
    assert found == (None if passes else 403)


def test_a_page_cannot_hide_behind_a_request_without_origin() -> None:
    assert status(HOST, ("sec-fetch-site", "cross-site")) == 403
    assert status(HOST, ("sec-fetch-site", "same-origin")) is None
    assert status(HOST, ("sec-fetch-site", "none")) is None
    assert status(("host", "x.example"), ("sec-fetch-site", "cross-site"), loopback=False) is None


@pytest.mark.parametrize(
    "name",
    ["host", "content-length", "content-type", "authorization", "origin", "mcp-session-id"],
)
def test_headers_that_decide_stand_once(name: str) -> None:
    value = "127.0.0.1" if name in ("host", "origin") else "1"
    assert status(HOST, (name, value), (name, value)) == 400


def test_other_headers_may_be_repeated() -> None:
    assert status(HOST, ("x-tag", "a"), ("x-tag", "b")) is None


def test_length_and_encoding_exclude_each_other() -> None:
    assert status(HOST, ("content-length", "1"), ("transfer-encoding", "chunked")) == 400


def test_the_head_is_bounded() -> None:
    assert status(HOST, *[(f"x-{number}", "a") for number in range(MAX_HEADERS)]) == 431
    assert status(HOST, ("x", "a" * MAX_HEADER_BYTES)) == 431
    assert status(HOST, ("x", "a" * (MAX_HEADER_BYTES - 100))) is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("localhost.", True),
        ("::1", True),
        ("[::1]", True),
        ("127.0.0.1", True),
        ("0.0.0.0", False),  # noqa: S104  (no binding: a name)
        ("::", False),
        ("example.com", False),
        ("notlocalhost", False),
    ],
)
def test_what_is_this_machine(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
