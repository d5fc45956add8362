"""Outgoing OAuth 2: tokens fetched, shared, renewed and refused, against a loopback server."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import pytest
from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002  # the server is needed anyway
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from naftiko.consumes.http.oauth2 import (
    EXPIRY_SKEW_S,
    KEPT_MASKED,
    REFUSED_AGAIN_S,
    OAuth2,
    OAuth2Settings,
    TokenSource,
    metadata_urls,
)
from naftiko.consumes.http.request import HttpRequest
from naftiko.consumes.transport import HttpResponse, Transport
from naftiko.errors import ConsumedError, Severity
from naftiko.plan.masking import Masker
from naftiko.plan.ports import Result
from naftiko.plan.run import Run
from tests.live.peers import running_app
from tests.unit.consumes.http.apis import Api, api

CLIENT, SECRET = "client:1", "canary s&cret/ü"


@dataclass
class Server:
    """A token endpoint and the API that takes its tokens."""

    port: int = 0
    life_s: Any = 3600
    status: int = 200
    body: bytes = b""
    extra: dict[str, Any] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    metadata: dict[str, Any] = field(default_factory=dict)
    delay_s: float = 0.0
    forms: list[dict[str, str]] = field(default_factory=list)
    basics: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    discovered: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reset(self) -> None:
        fresh = Server(port=self.port)
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(fresh, name))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        app = Starlette(
            routes=[
                Route("/token", self.token, methods=["POST"]),
                Route("/moved", self.moved, methods=["POST"]),
                Route("/hop", lambda _: RedirectResponse("/api/landed", 302)),
                Route("/{rest:path}", self.api, methods=["GET", "POST"]),
            ]
        )
        await app(scope, receive, send)

    async def token(self, request: Request) -> Response:
        sent = parse_qs((await request.body()).decode(), keep_blank_values=True)
        self.forms.append({name: values[0] for name, values in sent.items()})
        self.basics.append(request.headers.get("authorization", ""))
        number = len(self.forms)
        await asyncio.sleep(self.delay_s)
        if self.body or self.status != 200:
            return Response(self.body, self.status, media_type="application/json")
        given = {"access_token": f"token-{number}", "token_type": "Bearer"}
        if self.life_s is not None:
            given["expires_in"] = self.life_s
        return JSONResponse(given | self.extra)

    async def moved(self, _request: Request) -> Response:
        return RedirectResponse("/token", 307)

    async def api(self, request: Request) -> Response:
        path = request.url.path
        if "/.well-known/" in path:
            self.discovered.append(path)
            found = self.metadata.get(path)
            return JSONResponse(found or {}, 200 if found else 404)
        sent = request.headers.get("authorization", "")
        self.seen.append(sent)
        token = sent.removeprefix("Bearer ")
        if token in self.refused or not token:
            return JSONResponse({"error": "unauthorized"}, 401)
        return JSONResponse({"path": path, "body": (await request.body()).decode()})


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    server = Server()
    with running_app(server) as port:
        server.port = port
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.reset()
    return running


def compiled(server: Server, members: str = "", operation: str = "method: GET") -> Api:
    more = f", {members}" if members else ""
    endpoint = "" if "authorizationServerUri" in members else f"tokenEndpoint: {server.url}/token, "
    return api(
        operation,
        base=server.url,
        path="/api/{id}",
        extra=f"authentication: {{type: oauth2, {endpoint}clientId: '{{{{ID}}}}', "
        f"clientSecret: '{{{{SECRET}}}}'{more}}}",
        binds="ID SECRET REFRESH",
        environment={"ID": CLIENT, "SECRET": SECRET, "REFRESH": "refresh-0"},
    )


def calls(api: Api, *ids: str) -> list[Result]:
    async def story() -> list[Result]:
        try:
            return [
                await api.operation().call({"id": id_}, Run(inputs={})) for id_ in ids or ("a",)
            ]
        finally:
            await api.adapter.close()

    return asyncio.run(story())


def failure(api: Api) -> ConsumedError:
    with pytest.raises(ConsumedError) as caught:
        calls(api)
    assert SECRET not in f"{caught.value!r}"
    return caught.value


def test_client_credentials(server: Server) -> None:
    compiled_api = compiled(server, "scopes: [read, write], audience: aud, resource: 'urn:r'")
    first, second = calls(compiled_api, "a", "b")
    assert (first.status, second.status) == (200, 200)
    assert server.seen == ["Bearer token-1"] * 2
    assert server.forms == [
        {
            "grant_type": "client_credentials",
            "scope": "read write",
            "audience": "aud",
            "resource": "urn:r",
        }
    ]
    scheme, _, pair = server.basics[0].partition(" ")
    user, _, password = b64decode(pair).decode().partition(":")
    assert (scheme, unquote_plus(user), unquote_plus(password)) == ("Basic", CLIENT, SECRET)
    assert "token-1" in compiled_api.secrets


@pytest.mark.parametrize("grant", ["clientCredentials", "client_credentials"])
@pytest.mark.parametrize("word", ["grantType", "flow"])
def test_the_secret_in_the_body(server: Server, word: str, grant: str) -> None:
    calls(compiled(server, f"{word}: {grant}, clientAuthentication: post, scopes: 'a b'"))
    assert server.basics == [""]
    assert server.forms == [
        {
            "grant_type": "client_credentials",
            "client_id": CLIENT,
            "client_secret": SECRET,
            "scope": "a b",
        }
    ]


def test_refresh_tokens_rotate(server: Server) -> None:
    server.extra = {"refresh_token": "refresh-1"}
    server.life_s = 0.0
    compiled_api = compiled(server, "grantType: refresh_token, refreshToken: '{{REFRESH}}'")
    server.refused = {"token-1"}
    (result,) = calls(compiled_api)
    assert result.status == 200
    assert [form["refresh_token"] for form in server.forms] == ["refresh-0", "refresh-1"]
    assert {form["grant_type"] for form in server.forms} == {"refresh_token"}
    assert {"refresh-0", "refresh-1", "token-1", "token-2"} <= set(compiled_api.secrets)


def test_fifty_callers_share_one_request(server: Server) -> None:
    compiled_api = compiled(server)
    server.delay_s = 0.05

    async def story() -> list[Result]:
        operation = compiled_api.operation()
        work = [operation.call({"id": str(n)}, Run(inputs={})) for n in range(50)]
        found = await asyncio.gather(*work)
        await compiled_api.adapter.close()
        return found

    assert {item.status for item in asyncio.run(story())} == {200}
    assert len(server.forms) == 1
    assert len(server.seen) == 50


def test_a_401_renews_the_token_once(server: Server) -> None:
    compiled_api = compiled(server, operation="method: POST, body: {type: json, data: {n: 1}}")
    server.refused = {"token-1"}
    (result,) = calls(compiled_api)
    assert result.value == {"path": "/api/a", "body": '{"n":1}'}
    assert server.seen == ["Bearer token-1", "Bearer token-2"]


def test_a_401_for_a_new_token_is_the_answer(server: Server) -> None:
    server.refused = {f"token-{number}" for number in range(1, 9)}
    results = calls(compiled(server), "a", "b", "c")
    assert [(item.status, item.failed) for item in results] == [(401, True)] * 3
    assert len(server.forms) == 2, "the token endpoint is not asked again and again"


def test_fifty_refused_callers_share_one_renewal(server: Server) -> None:
    compiled_api = compiled(server)

    async def story() -> list[Result]:
        operation = compiled_api.operation()
        await operation.call({"id": "first"}, Run(inputs={}))
        server.refused = {"token-1"}
        work = [operation.call({"id": str(n)}, Run(inputs={})) for n in range(50)]
        found = await asyncio.gather(*work)
        await compiled_api.adapter.close()
        return found

    assert {item.status for item in asyncio.run(story())} == {200}
    assert len(server.forms) == 2


def test_one_caller_who_leaves_does_not_take_the_token_along(server: Server) -> None:
    compiled_api = compiled(server)
    server.delay_s = 0.1

    async def story() -> Result:
        operation = compiled_api.operation()
        leaving = asyncio.ensure_future(operation.call({"id": "a"}, Run(inputs={})))
        await asyncio.sleep(0)
        staying = asyncio.ensure_future(operation.call({"id": "b"}, Run(inputs={})))
        await asyncio.sleep(0)
        leaving.cancel()
        found = await staying
        await compiled_api.adapter.close()
        return found

    assert asyncio.run(story()).status == 200
    assert len(server.forms) == 1


def test_redirects_carry_the_token_within_the_origin(server: Server) -> None:
    hop = api(
        "method: GET",
        base=server.url,
        path="/hop",
        extra=f"authentication: {{type: oauth2, tokenEndpoint: {server.url}/token, clientId: c, "
        "clientSecret: s}",
    )
    (result,) = calls(hop)
    assert result.status == 200
    assert server.seen == ["Bearer token-1"]


class Clock:
    """A clock that stands until it is told to go."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("life_s", "fresh_s"),
    [
        (3600, 3600 - EXPIRY_SKEW_S),
        ("3600", 3600 - EXPIRY_SKEW_S),
        (60, 54),
        (10, 9),
        (None, 10**9),
    ],
)
def test_a_token_is_renewed_before_its_end(server: Server, life_s: Any, fresh_s: float) -> None:
    server.life_s = life_s
    clock = Clock()

    async def story() -> list[str]:
        transport = Transport(proxy_environment={})
        settings = OAuth2Settings(
            grant="client_credentials",
            client_id="c",
            client_secret="s",
            token_endpoint=f"{server.url}/token",
        )
        tokens = TokenSource(settings, transport, add_secret=lambda _: None, clock=clock)
        found = [(await tokens.get()).value]
        clock.now += fresh_s - 0.01
        found.append((await tokens.get()).value)
        clock.now += 0.02
        found.append((await tokens.get()).value)
        await transport.close()
        return found

    last = "token-1" if life_s is None else "token-2"
    assert asyncio.run(story()) == ["token-1", "token-1", last]


def test_a_token_that_a_401_brought_is_trusted_for_a_while(server: Server) -> None:
    clock = Clock()

    async def story() -> None:
        transport = Transport(proxy_environment={})
        settings = OAuth2Settings(
            grant="client_credentials", client_id="c", token_endpoint=f"{server.url}/token"
        )
        tokens = TokenSource(settings, transport, add_secret=lambda _: None, clock=clock)
        oauth2 = OAuth2(tokens)
        request = HttpRequest("GET", f"{server.url}/api/a", (("Authorization", "mine"),), None)
        first = await oauth2.apply(request)
        assert first.headers == (("Authorization", "Bearer token-1"),)
        assert await oauth2.challenge(HttpResponse(403, {}, b""), first) is None
        second = await oauth2.challenge(HttpResponse(401, {}, b""), first)
        assert second is not None
        assert await oauth2.challenge(HttpResponse(401, {}, b""), second) is None
        clock.now += REFUSED_AGAIN_S
        assert await oauth2.challenge(HttpResponse(401, {}, b""), second) is not None
        await transport.close()

    asyncio.run(story())
    assert len(server.forms) == 3


@pytest.mark.parametrize(
    ("issuer_path", "well_known"),
    [
        ("", "/.well-known/oauth-authorization-server"),
        ("/tenant", "/.well-known/oauth-authorization-server/tenant"),
        ("/tenant/", "/tenant/.well-known/openid-configuration"),
    ],
)
def test_discovery(server: Server, issuer_path: str, well_known: str) -> None:
    issuer = server.url + issuer_path
    server.metadata = {
        well_known: {"issuer": issuer.rstrip("/"), "token_endpoint": f"{server.url}/token"}
    }
    results = calls(compiled(server, f"authorizationServerUri: '{issuer}'"), "a", "b")
    assert [item.status for item in results] == [200, 200]
    assert server.discovered[-1] == well_known
    assert len(server.discovered) <= 2, "it is asked for once"


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"issuer": "https://other.example", "token_endpoint": "https://o/t"}, "another issuer"),
        ({"token_endpoint": "http://127.0.0.1/t"}, "another issuer"),
        ({"issuer": "ISSUER", "token_endpoint": "http://far.example/t"}, "over https"),
        ({"issuer": "ISSUER"}, "over https"),
        ([], "another issuer"),
    ],
)
def test_metadata_that_must_not_be_used(server: Server, metadata: Any, message: str) -> None:
    if isinstance(metadata, dict) and metadata.get("issuer") == "ISSUER":
        metadata["issuer"] = server.url
    server.metadata = {"/.well-known/oauth-authorization-server": metadata or [1]}
    error = failure(compiled(server, f"authorizationServerUri: {server.url}"))
    assert error.code == "token-endpoint-unknown"
    assert message in error.message
    assert server.forms == []


def test_no_metadata(server: Server) -> None:
    error = failure(compiled(server, f"authorizationServerUri: {server.url}"))
    assert (error.code, "tokenEndpoint" in error.hint) == ("token-endpoint-unknown", True)


def test_metadata_urls() -> None:
    assert metadata_urls("https://a.example/t") == (
        "https://a.example/.well-known/oauth-authorization-server/t",
        "https://a.example/t/.well-known/openid-configuration",
    )


@pytest.mark.parametrize(
    ("status", "body", "said", "retryable"),
    [
        (
            401,
            b'{"error": "invalid_client", "error_description": "canary"}',
            "invalid_client",
            False,
        ),
        (400, b'{"error": "<script>"}', "answered 400", False),
        (503, b"busy", "answered 503", True),
        (200, b"{}", "is the error", False),
        (200, b"no json", "is", False),
        (200, b'{"error": "invalid_scope"}', "invalid_scope", False),
        (200, b'{"access_token": "a b", "token_type": "Bearer"}', "no access token", False),
        (200, b'{"access_token": 5, "token_type": "Bearer"}', "no access token", False),
        (200, b'{"access_token": "canary-x", "token_type": "mac"}', "no bearer token", False),
        (200, b"[" * 100_000, "not the JSON", False),
        (302, b"", "answered 302", False),
    ],
)
def test_a_token_endpoint_that_gives_none(
    server: Server, status: int, body: bytes, said: str, retryable: bool
) -> None:
    server.status, server.body = status, body
    error = failure(compiled(server))
    assert (error.code, error.retryable) == ("token-refused", retryable)
    assert said in error.message
    assert f"{server.url}/token" in error.message
    assert "canary" not in error.message + error.hint
    assert server.seen == [], "the API was called without a token"


def test_an_unreachable_token_endpoint(server: Server) -> None:
    gone = api(
        "method: GET",
        base=server.url,
        extra="authentication: {type: oauth2, tokenEndpoint: 'http://127.0.0.1:1/t?key=canary', "
        "clientId: c, clientSecret: s}",
    )
    error = failure(gone)
    assert (error.code, error.retryable) == ("token-endpoint-unreachable", True)
    assert "http://127.0.0.1:1/t" in error.message
    assert "canary" not in error.message


def test_a_moved_token_endpoint_is_not_followed(server: Server) -> None:
    moved = api(
        "method: GET",
        base=server.url,
        extra=f"authentication: {{type: oauth2, tokenEndpoint: {server.url}/moved, clientId: c, "
        "clientSecret: s}",
    )
    assert "307" in failure(moved).message
    assert server.forms == []


@pytest.mark.parametrize(
    "endpoint", ["http://auth.example.com/token", "ftp://a/t", "nonsense", "http://127.0.0.1.nip/t"]
)
def test_secrets_are_not_sent_in_the_clear(endpoint: str) -> None:
    refused = api(
        "method: GET",
        extra=f"authentication: {{type: oauth2, tokenEndpoint: '{endpoint}', clientId: c, "
        "clientSecret: s}",
    )
    assert refused.refused().code == "unusable-authentication"
    (problem,) = refused.problems
    assert (problem.code, problem.severity) == ("insecure-token-endpoint", Severity.ERROR)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ("grantType: password", "unsupported-authentication"),
        ("clientAuthentication: private_key_jwt", "unsupported-authentication"),
        ("clientSecret: '{{SECRET}}', clientId: '{{id}}'", "missing-credentials"),
        ("clientSecret: '{{NOT_BOUND}}'", "undeclared-variable"),
    ],
)
def test_what_is_not_settled_is_refused(members: str, code: str) -> None:
    given = "" if "clientSecret" in members else "clientSecret: s, "
    given += "" if "clientId" in members else "clientId: c, "
    refused = api(
        "method: GET",
        extra="authentication: {type: oauth2, tokenEndpoint: 'https://a.example/t', "
        f"{given}{members}}}",
    )
    assert refused.refused().code == "unusable-authentication"
    assert code in refused.codes


def test_nothing_of_it_is_logged(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.refused = {"token-1"}
    compiled_api = compiled(server)
    calls(compiled_api)
    lines = "\n".join(compiled_api.operation().explain())
    assert "oauth2 client_credentials" in lines
    assert "/token" in lines
    for secret in (SECRET, "token-1", "token-2"):
        assert secret not in caplog.text + lines


def test_old_tokens_do_not_burden_the_masker_for_ever(server: Server) -> None:
    """A repeated token is told once, and the token in use stays masked."""
    clock = Clock()
    masker = Masker()
    server.life_s = 10

    async def story() -> None:
        transport = Transport(proxy_environment={})
        settings = OAuth2Settings(
            grant="client_credentials", client_id="c", token_endpoint=f"{server.url}/token"
        )
        tokens = TokenSource(
            settings,
            transport,
            add_secret=masker.add,
            forget_secret=masker.forget,
            clock=clock,
        )
        for _ in range(KEPT_MASKED + 10):
            await tokens.get()
            clock.now += 10
        await transport.close()

    asyncio.run(story())
    last = KEPT_MASKED + 10
    assert masker(f"token-{last} token-11 token-9") == "*** *** token-9"
