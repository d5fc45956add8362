"""What a consumed API answers is data, however large, deep or strange it is."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.security.hostile import answer, answering
from tests.live.serving import Served, serving

CANARY = "canary-hostile-3d1c"  # made up


def bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1 << 20)
    return b"".join([*(packer.compress(block) for _ in range(64)), packer.flush()])


ANSWERS = {
    "/bomb": answer(bomb(), "Content-Encoding: gzip"),
    "/values": answer(b"[" + b"[]," * 2_100_000 + b"[]]"),
    "/deep": answer(b'{"a":' * 1_020 + b"1" + b"}" * 1_020),
    "/failed-deep": answer(b'{"a":' * 1_020 + b"1" + b"}" * 1_020, status="400 Bad Request"),
    "/members": answer(b"[" + b"1," * 400_000 + b"1]"),
    "/template": answer(b'{"m":"{{TOKEN}} {{env.HOME}} {{ 7 * 7 }}"}', status="400 Bad Request"),
    "/echo": answer(f'{{"m":"you sent {CANARY}"}}'.encode(), status="401 Unauthorized"),
    "/odd-status": answer(b"{}", status="999 What"),
    "/head": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 100_000 + b"\r\n",
    "/control-header": answer(b"{}", "Content-Type: text/html\x1b[31m"),
}
NAMES = [path[1:] for path in ANSWERS]

CAPABILITY = """
naftiko: "1.0.0-alpha3"
info: {{ label: Hostile answers }}
binds: [{{ namespace: env, keys: {{ TOKEN: CANARY }} }}]
capability:
  consumes:
    - type: http
      namespace: up
      baseUri: "http://127.0.0.1:{port}"
      authentication: {{ type: bearer, token: "{{{{TOKEN}}}}" }}
      resources:
{consumed}
  exposes:
    - type: rest
      port: 8080
      namespace: api
      resources:
{exposed}
        - name: shaped
          path: /shaped
          operations:
            - name: shaped
              method: GET
              call: up.deep
              outputParameters: [{{ type: object, mapping: "$.a" }}]
        - name: filtered
          path: /filtered
          operations:
            - name: filtered
              method: GET
              call: up.members
              outputParameters:
                - {{ type: array, mapping: "$[?(@.a == 1)]", items: {{ mapping: "$." }} }}
    - type: mcp
      port: 8081
      namespace: tools
      tools:
        - {{ name: deep, description: d, call: up.failed-deep }}
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("hostile")
    consumed = "\n".join(
        f"        - {{ name: {name}, path: /{name}, operations: "
        f"[{{ name: {name}, method: GET }}] }}"
        for name in NAMES
    )
    exposed = "\n".join(
        f"        - {{ name: {name}, path: /{name}, operations: "
        f"[{{ name: {name}, method: GET, call: up.{name} }}] }}"
        for name in NAMES
    )
    with answering(ANSWERS) as port:
        file = folder / "hostile.yaml"
        file.write_text(CAPABILITY.format(port=port, consumed=consumed, exposed=exposed))
        with serving(file, environment={"CANARY": CANARY}, workspace=folder) as running:
            yield running


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/bomb", "response-too-large"),
        ("/values", "response-too-large"),
        ("/filtered", "too-many-values"),
        ("/odd-status", "output-error"),
        ("/head", "bad-response"),
        ("/control-header", "bad-response"),
    ],
)
def test_it_is_a_problem_of_the_api(served: Served, path: str, code: str) -> None:
    reply = served.request("api", "GET", path)
    assert (reply.status, reply.body["code"]) == (502, code)


def test_a_deep_answer_is_no_bug_of_the_engine(served: Served) -> None:
    """Whether it can be written again depends on the version of Python."""
    assert served.request("api", "GET", "/shaped").status in (200, 502)


def test_what_it_says_is_never_rendered(served: Served) -> None:
    reply = served.request("api", "GET", "/template")
    assert reply.status == 400
    assert reply.body == {"m": "{{TOKEN}} {{env.HOME}} {{ 7 * 7 }}"}


def test_a_secret_that_it_echoes_is_masked(served: Served) -> None:
    reply = served.request("api", "GET", "/echo")
    assert (reply.status, reply.body) == (401, {"m": "you sent ***"})


def test_a_deep_failure_is_no_bug_of_the_engine(served: Served) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "deep", "arguments": {}, "_meta": meta},
    }
    reply = served.request(
        "tools",
        "POST",
        "/mcp",
        message,
        accept="application/json, text/event-stream",
        mcp_protocol_version="2026-07-28",
        mcp_method="tools/call",
        mcp_name="deep",
    )
    result = reply.body["result"]
    assert result["isError"]
    # Libraries may have raised the limit on recursion; then the answer passes through.
    error = result.get("structuredContent", {}).get("error", {"code": "output-error"})
    assert error["code"] == "output-error"
