"""Digest authentication against a server that checks it by RFC 7616's text, not by httpx."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002  # the server is needed anyway
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from werkzeug.datastructures import Authorization

from naftiko.errors import ConsumedError
from naftiko.plan.ports import Result
from naftiko.plan.run import Run
from tests.live.peers import running_app
from tests.unit.consumes.http.apis import Api, api

USER, PASSWORD = "ann", 'pa:ss "wörd'
HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


@dataclass
class Realm:
    """What the server has handed out, and what it was shown."""

    algorithm: str = "MD5"
    qop: str = "auth"
    before: str = ""
    stale_once: bool = False
    port: int = 0
    counts: dict[str, list[int]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        app = Starlette(routes=[Route("/{rest:path}", self.answer, methods=["GET", "POST"])])
        await app(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        self.requests.append(request.headers.get("authorization", ""))
        sent = Authorization.from_header(request.headers.get("authorization"))
        if sent is None or sent.type != "digest":
            return self.ask()
        if self.stale_once:
            self.stale_once = False
            return self.ask(stale=True)
        target = request.scope["raw_path"].decode()
        if request.scope["query_string"]:
            target += "?" + request.scope["query_string"].decode()
        if not self.is_right(sent, request.method, target):
            return JSONResponse({"wrong": True}, 403)
        return JSONResponse({"user": sent.username, "body": (await request.body()).decode()})

    def ask(self, *, stale: bool = False) -> Response:
        nonce = secrets.token_hex(8)
        self.counts[nonce] = []
        fields = ['realm="a, b"', f'nonce="{nonce}"', 'opaque="xy"']
        fields += [f'qop="{self.qop}"'] if self.qop else []
        fields += [f"algorithm={self.algorithm}"] if self.algorithm else []
        fields += ["stale=true"] if stale else []
        return JSONResponse(
            {}, 401, {"WWW-Authenticate": f"{self.before}Digest {', '.join(fields)}"}
        )

    def is_right(self, sent: Authorization, method: str, target: str) -> bool:
        algorithm = self.algorithm or "MD5"
        hash_ = HASHES[algorithm.removesuffix("-sess")]

        def h(*parts: str | None) -> str:
            return hash_(":".join(str(part) for part in parts).encode()).hexdigest()

        first = h(USER, "a, b", PASSWORD)
        if algorithm.endswith("-sess"):
            first = h(first, sent.nonce, sent.cnonce)
        count = int(str(sent.nc), 16)
        used = self.counts.get(str(sent.nonce))
        if used is None or count in used or sent.uri != target or sent.opaque != "xy":
            return False
        used.append(count)
        wanted = h(first, sent.nonce, sent.nc, sent.cnonce, sent.qop, h(method, target))
        return sent.response == wanted


@pytest.fixture(scope="module")
def server() -> Iterator[Realm]:
    realm = Realm()
    with running_app(realm) as port:
        realm.port = port
        yield realm


@pytest.fixture
def realm(server: Realm) -> Realm:
    server.algorithm, server.qop, server.before, server.stale_once = "MD5", "auth", "", False
    server.counts.clear()
    server.requests.clear()
    return server


def compiled(realm: Realm, operation: str = "method: GET") -> Api:
    return api(
        operation,
        base=realm.url,
        path="/a b/{id}?x=1",
        extra="authentication: {type: digest, username: '{{U}}', password: '{{P}}'}",
        binds="U P",
        environment={"U": USER, "P": PASSWORD},
    )


def calls(api: Api, times: int = 1) -> list[Result]:
    async def story() -> list[Result]:
        try:
            operation = api.operation()
            return [
                await operation.call({"id": f"é/{number}"}, Run(inputs={}))
                for number in range(times)
            ]
        finally:
            await api.adapter.close()

    return asyncio.run(story())


@pytest.mark.parametrize("algorithm", ["", "MD5", "SHA-256", "MD5-sess", "SHA-256-sess"])
def test_each_algorithm(realm: Realm, algorithm: str) -> None:
    realm.algorithm = algorithm
    (result,) = calls(compiled(realm))
    assert (result.status, result.value) == (200, {"user": USER, "body": ""})
    assert [bool(sent) for sent in realm.requests] == [False, True]


def test_a_body_is_sent_again(realm: Realm) -> None:
    (result,) = calls(compiled(realm, "method: POST, body: {type: json, data: {n: 1}}"))
    assert result.value == {"user": USER, "body": '{"n":1}'}


def test_a_nonce_is_used_again_and_counted(realm: Realm) -> None:
    results = calls(compiled(realm), 4)
    assert [item.status for item in results] == [200] * 4
    assert len(realm.requests) == 5
    assert list(realm.counts.values()) == [[1, 2, 3, 4]]


def test_a_stale_nonce_is_replaced(realm: Realm) -> None:
    api = compiled(realm)

    async def story() -> None:
        operation = api.operation()
        await operation.call({"id": "a"}, Run(inputs={}))
        realm.stale_once = True
        again = await operation.call({"id": "b"}, Run(inputs={}))
        await api.adapter.close()
        assert again.status == 200

    asyncio.run(story())
    assert len(realm.requests) == 4
    assert list(realm.counts.values()) == [[1], [1]]


def test_many_at_once_share_a_nonce(realm: Realm) -> None:
    api = compiled(realm)

    async def story() -> list[Result]:
        operation = api.operation()
        await operation.call({"id": "first"}, Run(inputs={}))
        work = [operation.call({"id": str(n)}, Run(inputs={})) for n in range(30)]
        found = await asyncio.gather(*work)
        await api.adapter.close()
        return found

    assert {item.status for item in asyncio.run(story())} == {200}
    assert [sorted(used) for used in realm.counts.values()] == [list(range(1, 32))]


def test_a_wrong_password_is_the_answer_of_the_api(realm: Realm) -> None:
    wrong = api(
        "method: GET",
        base=realm.url,
        path="/a/{id}",
        extra="authentication: {type: digest, username: ann, password: nonsense}",
    )
    (result,) = calls(wrong)
    assert (result.status, result.failed) == (403, True)
    assert len(realm.requests) == 2


def test_the_challenge_is_found_among_others(realm: Realm) -> None:
    realm.before = 'Negotiate, Basic realm="x, Digest y=", Bearer, '
    (result,) = calls(compiled(realm))
    assert result.status == 200


@pytest.mark.parametrize(
    ("algorithm", "qop"), [("SHA-512-256", "auth"), ("MD5", "auth-int"), ("MD5", "strange")]
)
def test_what_is_not_served_says_so(realm: Realm, algorithm: str, qop: str) -> None:
    realm.algorithm, realm.qop = algorithm, qop
    with pytest.raises(ConsumedError) as caught:
        calls(compiled(realm))
    assert caught.value.code == "unsupported-challenge"
    assert PASSWORD not in f"{caught.value!r}"


def test_other_401s_pass_through(realm: Realm) -> None:
    realm.before = "Hawk "
    (result,) = calls(compiled(realm))
    assert (result.status, len(realm.requests)) == (401, 1)


def test_explain_hides_the_password(realm: Realm) -> None:
    lines = "\n".join(compiled(realm).operation().explain())
    assert "digest (header Authorization)" in lines
    assert PASSWORD not in lines
