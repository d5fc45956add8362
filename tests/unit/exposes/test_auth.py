"""Server authentication."""

from __future__ import annotations

from base64 import b64encode

import pytest

from naftiko.errors import StartError
from naftiko.exposes.auth import authenticator, challenge
from naftiko.plan.capability import ServerAuth

BEARER = ServerAuth(type_="bearer", fields={"token": "s3cret-tökén"})
BASIC = ServerAuth(type_="basic", fields={"username": "ann", "password": "pass:word"})
HEADER_KEY = ServerAuth(type_="apikey", fields={"key": "X-Api-Key", "value": "k1"})
QUERY_KEY = ServerAuth(
    type_="apikey", fields={"key": "api_key", "value": "k 1", "placement": "query"}
)


def authorization(value: bytes | str) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", value.encode() if isinstance(value, str) else value)]


def basic(text: str) -> list[tuple[bytes, bytes]]:
    return authorization(b"Basic " + b64encode(text.encode()))


@pytest.mark.parametrize(
    ("auth", "headers", "query"),
    [
        (None, [], b""),
        (BEARER, authorization("Bearer s3cret-tökén"), b""),
        (BEARER, authorization("bearer  s3cret-tökén "), b""),
        (BASIC, basic("ann:pass:word"), b""),
        (HEADER_KEY, [(b"x-api-key", b"k1")], b""),
        (QUERY_KEY, [], b"a=1&api_key=k+1"),
        (QUERY_KEY, [], b"api_key=k%201"),
    ],
)
def test_the_right_credentials_pass(
    auth: ServerAuth | None, headers: list[tuple[bytes, bytes]], query: bytes
) -> None:
    assert authenticator(auth)(headers, query)


@pytest.mark.parametrize(
    ("auth", "headers", "query"),
    [
        (BEARER, [], b""),
        (BEARER, authorization("Bearer"), b""),
        (BEARER, authorization("Bearer "), b""),
        (BEARER, authorization("Bearer wrong"), b""),
        (BEARER, authorization("Token s3cret-tökén"), b""),
        (BEARER, authorization("s3cret-tökén"), b""),
        (BEARER, authorization("Bearer s3cret-tökén") * 2, b""),
        (BEARER, [], b"token=s3cret-t%C3%B6k%C3%A9n"),
        (BASIC, [], b""),
        (BASIC, authorization("Basic"), b""),
        (BASIC, authorization("Basic !!!"), b""),
        (BASIC, authorization("Basic ä"), b""),
        (BASIC, basic(":"), b""),
        (BASIC, basic("ann"), b""),
        (BASIC, basic("ann:wrong"), b""),
        (BASIC, basic("bob:pass:word"), b""),
        (HEADER_KEY, [], b""),
        (HEADER_KEY, [(b"x-api-key", b"")], b""),
        (HEADER_KEY, [(b"x-api-key", b"k2")], b""),
        (HEADER_KEY, [(b"x-api-key", b"k1"), (b"x-api-key", b"k1")], b""),
        (HEADER_KEY, [], b"X-Api-Key=k1"),
        (QUERY_KEY, [], b""),
        (QUERY_KEY, [], b"api_key="),
        (QUERY_KEY, [], b"api_key=k1"),
        (QUERY_KEY, [], b"api_key=k+1&api_key=k+1"),
        (QUERY_KEY, [], b"api_key=k+1" + b"&x" * 2000),
        (QUERY_KEY, [(b"api_key", b"k 1")], b""),
    ],
)
def test_anything_else_does_not(
    auth: ServerAuth, headers: list[tuple[bytes, bytes]], query: bytes
) -> None:
    assert not authenticator(auth)(headers, query)


@pytest.mark.parametrize(
    "auth",
    [
        ServerAuth(type_="bearer", fields={}),
        ServerAuth(type_="bearer", fields={"token": " "}),
        ServerAuth(type_="basic", fields={"username": "ann", "password": ""}),
        ServerAuth(type_="basic", fields={"username": "", "password": "x"}),
        ServerAuth(type_="apikey", fields={"key": "x-key", "value": ""}),
        ServerAuth(type_="apikey", fields={"key": "", "value": "x"}),
        ServerAuth(type_="digest", fields={"username": "a", "password": "b"}),
    ],
)
def test_a_server_that_could_not_check_does_not_start(auth: ServerAuth) -> None:
    with pytest.raises(StartError) as caught:
        authenticator(auth)
    assert caught.value.hint


def test_the_challenge_names_the_scheme() -> None:
    assert challenge(BEARER, "demo") == 'Bearer realm="demo"'
    assert challenge(BASIC, "demo") == 'Basic realm="demo", charset="UTF-8"'
    assert challenge(HEADER_KEY, "demo") == 'ApiKey realm="demo"'
