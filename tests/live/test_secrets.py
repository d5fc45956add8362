"""No secret leaves the engine in any log, error, inspect, explain or OpenAPI output.

Canaries: each secret is a word found nowhere else. The upstream hands back what it was sent, as
careless APIs do in their errors.
"""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from naftiko.errors import RunError
from tests.case_files import ROOT
from tests.live.http.upstream import Upstream, running_upstream
from tests.live.serving import Served, serving

TOKEN = "canary-token-8d1f"  # made up
FILE_SECRET = "canary-file-77b2"  # made up
SERVER_SECRET = "canary-server-40ce"  # made up
AWS_SECRET = "canary-aws-0c4e"  # made up
AWS_KEY = "AKIACANARY0000000001"
SECRETS = (TOKEN, FILE_SECRET, SERVER_SECRET, AWS_SECRET, AWS_KEY)
ENVIRONMENT = {
    "CANARY_TOKEN": TOKEN,
    "CANARY_SERVER": SERVER_SECRET,
    "AWS_ACCESS_KEY_ID": AWS_KEY,
    "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}

CAPABILITY = """
naftiko: "1.0.0-alpha3"
info: {{ label: Canaries }}
binds:
  - {{ namespace: env, keys: {{ TOKEN: CANARY_TOKEN, SERVER: CANARY_SERVER }} }}
  - {{ namespace: secrets, file: secrets.yaml, keys: {{ KEY: key }} }}
  - namespace: aws
    keys: {{ AWS_ACCESS_KEY_ID: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: AWS_SECRET_ACCESS_KEY }}
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: "{url}"
      authentication: {{ type: bearer, token: "{{{{TOKEN}}}}" }}
      inputParameters: [{{ name: x-key, in: header, value: "{{{{secrets.KEY}}}}" }}]
      resources:
        - {{ name: echo, path: /echo, operations: [{{ name: echo, method: GET }}] }}
        - {{ name: deny, path: /status/401, operations: [{{ name: deny, method: GET }}] }}
        - {{ name: crash, path: /status/500, operations: [{{ name: crash, method: POST }}] }}
    - type: http
      namespace: gone
      baseUri: "http://127.0.0.1:1/{{{{TOKEN}}}}"
      resources: [{{ name: a, path: /a, operations: [{{ name: get, method: GET }}] }}]
    - type: aws
      namespace: sfn
      service: stepfunctions
      endpointUrl: "http://127.0.0.1:1"
      credentials:
        accessKeyId: "{{{{AWS_ACCESS_KEY_ID}}}}"
        secretAccessKey: "{{{{AWS_SECRET_ACCESS_KEY}}}}"
  exposes:
    - type: rest
      namespace: rest
      port: 8080
      authentication: {{ type: bearer, token: "{{{{SERVER}}}}" }}
      resources:
        - {{ path: /deny, operations: [{{ name: deny, method: GET, call: api.deny }}] }}
        - path: /crash
          operations:
            - name: crash
              method: POST
              description: "posts with {token}"
              inputParameters: [{{ name: a, in: query, type: integer, default: 1 }}]
              call: api.crash
              with: {{ b: "{{{{secrets.KEY}}}}" }}
        - {{ path: /gone, operations: [{{ name: gone, method: GET, call: gone.get }}] }}
        - {{ path: /aws, operations: [{{ name: aws, method: GET, call: sfn.list-activities }}] }}
    - type: mcp
      namespace: mcp
      port: 9090
      tools:
        - {{ name: deny-tool, description: "denies {token}", call: api.deny }}
        - {{ name: aws-tool, description: aws, call: sfn.list-activities }}
"""


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running_upstream() as running:
        yield running


@pytest.fixture(scope="module")
def capability(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("canaries")
    (folder / "secrets.yaml").write_text(f"key: {FILE_SECRET}\n")
    file = folder / "canaries.yaml"
    file.write_text(CAPABILITY.format(url=upstream.url, token=TOKEN))
    return file


@pytest.fixture(scope="module")
def served(capability: Path) -> Iterator[Served]:
    with serving(capability, environment=ENVIRONMENT) as running:
        yield running


def assert_clean(text: str) -> None:
    for secret in SECRETS:
        assert secret not in text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/deny"),
        ("POST", "/crash"),
        ("POST", "/crash?a=x"),
        ("GET", "/gone"),
        ("GET", "/aws"),
        ("GET", "/openapi.json"),
        ("GET", "/"),
        ("GET", f"/{TOKEN}"),
        ("DELETE", "/gone"),
    ],
)
def test_rest_answers(
    served: Served, method: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = served.request(
        "rest",
        method,
        path,
        {} if method == "POST" else None,
        authorization=f"Bearer {SERVER_SECRET}",
    )

    assert answer.status != 401 or path == "/deny"
    shown = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
    assert_clean(shown.decode())
    assert_clean(str(answer.headers))
    assert_clean(caplog.text)


def test_the_upstream_got_what_is_hidden(served: Served, upstream: Upstream) -> None:
    """The canaries are on the wire, so that their absence elsewhere says something."""
    served.request("rest", "GET", "/deny", authorization=f"Bearer {SERVER_SECRET}")

    sent = upstream.last["headers"]
    assert sent["authorization"] == f"Bearer {TOKEN}"
    assert sent["x-key"] == FILE_SECRET


def test_a_refused_caller_learns_nothing(served: Served) -> None:
    answer = served.request("rest", "GET", "/deny", authorization="Bearer wrong")

    assert answer.status == 401
    assert_clean(json.dumps(answer.body) + str(answer.headers))


def test_mcp_answers(served: Served) -> None:
    from mcp import Client

    async def story() -> str:
        async with Client(served.urls["mcp"] + "/mcp", mode="2026-07-28") as client:
            tools = await client.list_tools()
            denied = await client.call_tool("deny-tool", {})
            unreachable = await client.call_tool("aws-tool", {})
            assert denied.is_error
            assert unreachable.is_error
            return "".join(item.model_dump_json() for item in (tools, denied, unreachable))

    assert_clean(asyncio.run(story()))


def test_errors_in_python(served: Served) -> None:
    async def failures() -> list[RunError]:
        found: list[RunError] = []
        for target in ("gone.get", "sfn.list-activities", "api.deny"):
            try:
                await served.capability.call(target)
            except RunError as error:
                found.append(error)
        return found

    errors = asyncio.run(failures())
    assert len(errors) == 3
    for error in errors[:2]:
        assert_clean(f"{error!r} {error}")


@pytest.mark.parametrize(
    "command",
    [
        ["validate", "FILE"],
        ["validate", "FILE", "--format", "json"],
        ["validate", "FILE", "--format", "github"],
        ["inspect", "FILE"],
        ["inspect", "FILE", "--format", "json"],
        ["explain", "FILE"],
        ["call", "FILE", "gone.get"],
        ["call", "FILE", "aws-tool"],
        ["call", "FILE", "deny-tool"],
    ],
    ids=" ".join,
)
def test_command_line(command: list[str], capability: Path) -> None:
    arguments = [str(capability) if word == "FILE" else word for word in command]
    done = subprocess.run(
        [sys.executable, "-m", "naftiko", *arguments],
        env={"PATH": "", "PYTHONPATH": str(ROOT), **ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode in (0, 1, 3), done.stderr
    assert "Traceback" not in done.stderr
    assert_clean(done.stdout + done.stderr)
