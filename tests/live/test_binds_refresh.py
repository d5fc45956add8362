"""Variables that change while a capability serves: calls, servers' own credentials, templates."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

import naftiko
from naftiko.engine import LoadOptions, check_capability
from tests.live.http.upstream import Upstream, running_upstream
from tests.live.serving import Served, serving

FILE = """
naftiko: "1.0.0-alpha3"
info: {{ label: Refreshed }}
binds:
  - namespace: live
    location: file:///./secrets.yaml
    refresh: 10s
    keys: {{ TOKEN: token, SERVER: server, HEADER: header, HOST_PORT: port, LABEL: label }}
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: "http://127.0.0.1:{{{{HOST_PORT}}}}/v1"
      authentication: {{ type: bearer, token: "{{{{TOKEN}}}}" }}
      inputParameters:
        - {{ name: x-fixed, in: header, value: "a {{{{live.HEADER}}}} b" }}
        - {{ name: HEADER, in: environment }}
      resources:
        - name: echo
          path: /echo/{{{{LABEL}}}}
          operations:
            - {{ name: echo, method: GET, inputParameters: [{{ name: q, in: query }}] }}
            - name: post
              method: POST
              body: {{ type: json, data: {{ label: "{{{{LABEL}}}}", other: "{{{{HEADER}}}}" }} }}
  exposes:
    - type: rest
      namespace: rest
      port: 8080
      authentication: {{ type: bearer, token: "{{{{SERVER}}}}" }}
      resources:
        - path: /echo
          operations:
            - {{ name: echo, method: GET, call: api.echo, with: {{ q: "{{{{LABEL}}}}" }} }}
            - {{ name: post, method: POST, call: api.post }}
        - path: /mock
          operations:
            - name: mock
              method: GET
              outputParameters: [{{ name: label, type: string, value: "{{{{LABEL}}}}" }}]
"""

FIRST = {"token": "token-one", "server": "server-one", "header": "head-one", "label": "one"}
SECOND = {"token": "token-two", "server": "server-two", "header": "head-two", "label": "two"}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running_upstream() as running:
        yield running


def write(folder: Path, values: dict[str, str], port: int) -> None:
    lines = [f"{name}: {value}" for name, value in {**values, "port": f'"{port}"'}.items()]
    (folder / "secrets.yaml").write_text("\n".join(lines))


@pytest.fixture
def capability(tmp_path: Path, upstream: Upstream) -> Path:
    write(tmp_path, FIRST, upstream.port)
    file = tmp_path / "refreshed.yaml"
    file.write_text(FILE.format())
    upstream.requests.clear()
    return file


def refresh(served: Served) -> int:
    return asyncio.run(served.capability.refresh())


def bearer(values: dict[str, str]) -> dict[str, str]:
    return {"authorization": f"Bearer {values['server']}"}


def test_nothing_is_settled_that_may_change(capability: Path, upstream: Upstream) -> None:
    with serving(capability, workspace=capability.parent) as served:
        assert refresh(served) == 0
        for values, old in ((FIRST, SECOND), (SECOND, FIRST)):
            write(capability.parent, values, upstream.port)
            refresh(served)
            answer = served.request("rest", "GET", "/echo", **bearer(values))
            assert answer.status == 200
            sent = upstream.last
            assert sent["headers"]["authorization"] == f"Bearer {values['token']}"
            assert sent["headers"]["x-fixed"] == f"a {values['header']} b"
            assert sent["path"] == f"/v1/echo/{values['label']}"
            assert sent["query"] == f"q={values['label']}"
            served.request("rest", "POST", "/echo", {}, **bearer(values))
            assert upstream.last["body"] == (
                f'{{"label":"{values["label"]}","other":"{values["header"]}"}}'
            )
            mocked = served.request("rest", "GET", "/mock", **bearer(values))
            assert mocked.body == {"label": values["label"]}
            assert served.request("rest", "GET", "/mock", **bearer(old)).status == 401


def test_another_host(capability: Path, upstream: Upstream) -> None:
    with running_upstream() as other, serving(capability, workspace=capability.parent) as served:
        served.request("rest", "GET", "/echo", **bearer(FIRST))
        write(capability.parent, FIRST, other.port)
        assert refresh(served) == 1
        assert served.request("rest", "GET", "/echo", **bearer(FIRST)).status == 200
        assert (len(upstream.requests), len(other.requests)) == (1, 1)


def test_values_that_cannot_be_used_leave_the_old_ones(
    capability: Path, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(capability, workspace=capability.parent) as served:
        served.request("rest", "GET", "/echo", **bearer(FIRST))
        write(capability.parent, {**FIRST, "token": "canary-x"}, 99999999)
        refresh(served)
        assert served.request("rest", "GET", "/echo", **bearer(FIRST)).status == 200
        assert upstream.last["headers"]["authorization"] == "Bearer token-one"
    assert "`api` keeps its old settings" in caplog.text
    assert "canary" not in caplog.text


def test_new_values_are_masked(capability: Path, upstream: Upstream) -> None:
    with serving(capability, workspace=capability.parent) as served:
        write(capability.parent, {**SECOND, "token": "canary-new-token"}, upstream.port)
        refresh(served)
        assert served.capability.plan.masker("say canary-new-token") == "say ***"


def test_calls_go_on_while_values_change(capability: Path, upstream: Upstream) -> None:
    """Every call is made with one set of values, the old or the new one."""

    async def story() -> set[str]:
        async with naftiko.load(capability, workspace=capability.parent) as loaded:

            async def calls(number: int) -> set[str]:
                tokens = set()
                for _ in range(20):
                    answer = await loaded.call("api.echo", {"q": str(number)})
                    found = answer["headers"]["authorization"].rpartition("-")[2]
                    assert answer["path"] == f"/v1/echo/{found}"
                    tokens.add(found)
                return tokens

            async def changes() -> set[str]:
                for values in (SECOND, FIRST, SECOND):
                    write(capability.parent, values, upstream.port)
                    assert await loaded.refresh() == 4
                    await loaded.call("api.echo", {})
                return set()

            found = await asyncio.gather(changes(), *map(calls, range(8)))
            last = await loaded.call("api.echo", {})
            assert last["headers"]["authorization"] == "Bearer token-two"
            return set().union(*found)

    assert asyncio.run(story()) <= {"one", "two"}


def test_embedders_need_nothing_more(capability: Path) -> None:
    with naftiko.load(capability, workspace=capability.parent) as loaded:
        assert loaded.call_sync("api.echo")["path"] == "/v1/echo/one"


def test_what_cannot_follow_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text('port: "8123"\nvalue: five\n')
    file = tmp_path / "c.yaml"
    file.write_text(
        """
naftiko: "1.0.0-alpha3"
binds: [{ namespace: s, file: s.yaml, refresh: 1m, keys: { PORT_OF_IT: port, VALUE_OF_IT: value } }]
capability:
  exposes:
    - type: rest
      namespace: rest
      port: "{{PORT_OF_IT}}"
      resources:
        - path: /a
          operations:
            - name: a
              method: GET
              inputParameters: [{ name: x, in: query, type: string, value: "{{VALUE_OF_IT}}" }]
              outputParameters: [{ name: x, type: string, value: "{{x}}" }]
"""
    )
    checked = check_capability(file, LoadOptions(environment={}, workspace=tmp_path))
    found = [item.message for item in checked.problems if item.code == "refresh-without-effect"]
    assert [text.partition(" is ")[0] for text in found] == ["`PORT_OF_IT`", "`VALUE_OF_IT`"]


def test_rotated_refresh_tokens_are_kept(tmp_path: Path) -> None:
    """A refresh token that the server replaced survives a change of the client's secret."""
    from tests.live.http.test_oauth2 import Server
    from tests.live.peers import running_app

    server = Server(extra={"refresh_token": "refresh-1"})
    file = tmp_path / "c.yaml"
    with running_app(server) as server.port:
        file.write_text(
            f"""
naftiko: "1.0.0-alpha3"
binds:
  - {{ namespace: s, file: s.yaml, refresh: 1m, keys: {{ SECRET: secret, FIRST_TOKEN: refresh }} }}
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: "{server.url}"
      authentication:
        type: oauth2
        tokenEndpoint: "{server.url}/token"
        clientId: me
        clientSecret: "{{{{SECRET}}}}"
        clientAuthentication: post
        refreshToken: "{{{{FIRST_TOKEN}}}}"
      resources: [{{ name: a, path: /api/a, operations: [{{ name: get-a, method: GET }}] }}]
  exposes:
    - type: mcp
      namespace: m
      transport: stdio
      tools: [{{ name: get-a, description: gets, call: api.get-a }}]
"""
        )

        async def story() -> None:
            (tmp_path / "s.yaml").write_text("secret: secret-one\nrefresh: refresh-0\n")
            async with naftiko.load(file, workspace=tmp_path) as loaded:
                await loaded.call("m.get-a")
                await loaded.call("m.get-a")
                (tmp_path / "s.yaml").write_text("secret: secret-two\nrefresh: refresh-0\n")
                assert await loaded.refresh() == 1
                await loaded.call("m.get-a")

        asyncio.run(story())
    sent = [(form["client_secret"], form["refresh_token"]) for form in server.forms]
    assert sent == [("secret-one", "refresh-0"), ("secret-two", "refresh-1")]
    assert server.seen == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]
