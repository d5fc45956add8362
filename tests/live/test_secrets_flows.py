"""No secret leaves through what part two brought: tokens, steps, scripts, questions, resources.

Canaries, as in test_secrets.py. The upstream and its token endpoint hand back what they were sent.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002  # the server is needed anyway
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.case_files import ROOT
from tests.live.peers import running_app
from tests.live.serving import Served, serving

ENVIRONMENT = {
    "CLIENT_SECRET": "canary-client-51aa",
    "REFRESH": "canary-refresh-51ab",
    "PASSWORD": "canary-password-51ac",
    "TOKEN": "canary-token-51ad",
}
ACCESS, ROTATED = "canary-access-51ae", "canary-rotated-51af"
SECRETS = (*ENVIRONMENT.values(), ACCESS, ROTATED)

CAPABILITY = """
naftiko: "1.0.0-alpha3"
info: {label: Canaries}
binds:
  - namespace: env
    keys: {CLIENT_SECRET: CLIENT_SECRET, REFRESH: REFRESH, PASSWORD: PASSWORD, TOKEN: TOKEN}
capability:
  consumes:
    - type: http
      namespace: o
      baseUri: "URL"
      authentication:
        type: oauth2
        grantType: refresh_token
        tokenEndpoint: "URL/token/MODE"
        clientId: cid
        clientSecret: "{{CLIENT_SECRET}}"
        refreshToken: "{{REFRESH}}"
      resources:
        - {name: e, path: /echo/401, operations: [{name: echo, method: GET}]}
        - {name: r, path: /moved, operations: [{name: moved, method: GET}]}
    - type: http
      namespace: d
      baseUri: "URL"
      authentication: {type: digest, username: u, password: "{{PASSWORD}}"}
      resources: [{name: e, path: /digest, operations: [{name: get, method: GET}]}]
    - type: http
      namespace: b
      baseUri: "URL"
      authentication: {type: bearer, token: "{{TOKEN}}"}
      resilience: {cache: {ttl: 10s}}
      resources:
        - {name: e, path: /echo/200, operations: [{name: good, method: GET}]}
        - {name: f, path: /echo/500, operations: [{name: bad, method: GET}]}
  exposes:
    - type: rest
      namespace: rest
      port: 8080
      resources:
        - {path: /echo, operations: [{name: a, method: GET, call: o.echo}]}
        - {path: /moved, operations: [{name: b, method: GET, call: o.moved}]}
        - {path: /digest, operations: [{name: c, method: GET, call: d.get}]}
        - path: /steps
          operations:
            - name: steps
              method: GET
              steps:
                - {name: x, type: call, call: b.bad, onError: continue}
                - name: y
                  type: fail
                  status: 409
                  message: "{{TOKEN}} {{errors.x.message}} {{x}}"
        - path: /stop
          operations:
            - name: stop
              method: GET
              steps: [{name: x, type: call, call: b.bad, onError: stop}]
        - path: /javascript
          operations:
            - name: javascript
              method: GET
              steps:
                - name: j
                  type: script
                  language: javascript
                  source: throw new Error('at ' + context.t)
                  with: {t: "{{TOKEN}}"}
        - path: /python
          operations:
            - name: python
              method: GET
              steps:
                - name: p
                  type: script
                  language: python
                  source: raise ValueError('at ' + context['t'])
                  with: {t: "{{TOKEN}}"}
    - type: mcp
      namespace: mcp
      port: 9090
      tools:
        - name: asker
          description: asks
          steps:
            - {name: x, type: call, call: b.good}
            - {name: l, type: log, level: error, data: "{{TOKEN}} {{x}}"}
            - {name: p, type: progress, progress: 1, message: "{{TOKEN}}"}
            - {name: q, type: ask, message: "{{TOKEN}} {{x.headers.authorization}}?"}
            - {name: z, type: fail, message: "{{TOKEN}}"}
      resources:
        - {name: r, uri: "t://r", description: "canary-token-51ad", call: b.bad}
      prompts:
        - {name: p, description: p, call: b.bad}
"""


async def token(request: Request) -> Response:
    body = (await request.body()).decode()
    sent = body + str(dict(request.headers))
    match request.path_params["mode"]:
        case "refused":
            return JSONResponse({"error": "invalid_client", "error_description": sent}, 400)
        case "error":
            return JSONResponse({"error": sent})
        case "broken":
            return PlainTextResponse(sent, 500)
        case "moved":
            return RedirectResponse(f"http://127.0.0.1:1/?{body}", 307)
        case "mac":
            return JSONResponse({"access_token": ACCESS, "token_type": "mac"})
        case _:
            return JSONResponse(
                {"access_token": ACCESS, "token_type": "Bearer", "refresh_token": ROTATED}
            )


async def echo(request: Request) -> Response:
    sent = request.headers.get("authorization", "")
    return JSONResponse(
        {"headers": dict(request.headers)},
        request.path_params["status"],
        {"www-authenticate": f'Bearer realm="{sent}"'},
    )


async def digest(request: Request) -> Response:
    challenge = 'Digest realm="r", nonce="n", qop="auth"'
    sent = request.headers.get("authorization", "")
    return JSONResponse({"sent": sent}, 401, {"www-authenticate": challenge})


async def moved(request: Request) -> Response:
    return RedirectResponse(f"http://127.0.0.1:1/?{request.headers.get('authorization')}", 302)


ROUTES = [
    Route("/token/{mode}", token, methods=["POST"]),
    Route("/echo/{status:int}", echo),
    Route("/digest", digest),
    Route("/moved", moved),
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_app(Starlette(routes=ROUTES)) as port:
        yield f"http://127.0.0.1:{port}"


def written(folder: Path, url: str, mode: str) -> Path:
    file = folder / f"{mode}.yaml"
    file.write_text(CAPABILITY.replace("URL", url).replace("MODE", mode))
    return file


@pytest.fixture(scope="module")
def served(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    file = written(tmp_path_factory.mktemp("flows"), url, "good")
    with serving(file, environment=ENVIRONMENT) as running:
        yield running


def assert_clean(text: str) -> None:
    for secret in SECRETS:
        assert secret not in text


def ours(records: list[logging.LogRecord]) -> str:
    """The records of the engine; the test's own HTTP client logs what it is sent."""
    return "\n".join(item.getMessage() for item in records if item.name.startswith("naftiko"))


@pytest.mark.parametrize("mode", ["refused", "error", "broken", "moved", "mac"])
def test_token_endpoints_that_repeat_what_they_were_sent(
    mode: str, url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(written(tmp_path, url, mode), environment=ENVIRONMENT) as running:
        answer = httpx.get(f"{running.urls['rest']}/echo", timeout=20)
    assert answer.status_code == 502
    assert_clean(f"{answer.text} {answer.headers} {ours(caplog.records)}")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/echo", 401),
        ("/moved", 302),
        ("/digest", 401),
        ("/steps", 409),
        ("/stop", 500),
        ("/javascript", 500),
        ("/python", 500),
        ("/openapi.json", 200),
    ],
)
def test_rest_answers(
    served: Served, path: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = httpx.get(served.urls["rest"] + path, timeout=20)
    assert answer.status_code == status
    assert_clean(f"{answer.text} {answer.headers} {ours(caplog.records)}")
    assert (
        path == "/openapi.json" or "***" in f"{answer.text} {answer.headers}" or path == "/digest"
    )


def post(served: Served, method: str, params: dict[str, Any]) -> str:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
        "io.modelcontextprotocol/logLevel": "debug",
        "progressToken": "t",
    }
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": method,
        "mcp-name": params.get("name") or params.get("uri") or "",
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    sent = {name: text for name, text in headers.items() if text}
    return httpx.post(f"{served.urls['mcp']}/mcp", json=body, headers=sent, timeout=20).text


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/list", {}),
        ("resources/list", {}),
        ("prompts/list", {}),
        ("resources/read", {"uri": "t://r"}),
        ("prompts/get", {"name": "p"}),
    ],
)
def test_mcp_answers(served: Served, method: str, params: dict[str, Any]) -> None:
    assert_clean(post(served, method, params))


def asked(served: Served) -> tuple[str, dict[str, Any]]:
    text = post(served, "tools/call", {"name": "asker", "arguments": {}})
    line = next(item for item in text.splitlines() if "requestState" in item)
    return text, json.loads(line.removeprefix("data: "))["result"]


def test_questions_logs_and_progress(served: Served) -> None:
    text, result = asked(served)
    assert_clean(text)
    assert text.count("***") >= 3
    answers = {key: {"action": "accept", "content": {}} for key in result["inputRequests"]}
    params = {"name": "asker", "arguments": {}, "requestState": result["requestState"]}
    ended = post(served, "tools/call", {**params, "inputResponses": answers})
    assert '"isError":true' in ended
    assert_clean(ended)


def test_state_that_a_client_keeps_cannot_be_read_changed_or_used_elsewhere(
    served: Served,
) -> None:
    state = asked(served)[1]["requestState"]
    raw = urlsafe_b64decode(state.partition(".")[2] + "===")
    for word in (*SECRETS, "authorization", "journal", "asker"):
        assert word.encode() not in raw
    params = {"name": "asker", "arguments": {}, "inputResponses": {}}
    flipped = state[:-1] + ("A" if state[-1] != "A" else "B")
    for wrong in (
        {**params, "requestState": flipped},
        {**params, "requestState": state, "arguments": {"a": 1}},
        {"name": "p", "arguments": {}, "inputResponses": {}, "requestState": state},
    ):
        method = "prompts/get" if wrong["name"] == "p" else "tools/call"
        assert "Invalid or expired requestState" in post(served, method, wrong)


@pytest.mark.parametrize("command", ["validate", "inspect", "explain"])
def test_command_line(command: str, url: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "naftiko", command, str(written(tmp_path, url, "good"))],
        env={"PATH": "", "PYTHONPATH": str(ROOT), **ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert_clean(done.stdout + done.stderr)
