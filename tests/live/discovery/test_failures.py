"""`isError` and `outputSchema`: on tools of the file and on those that are discovered."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.mcp.clients import connect
from tests.live.scripted import ScriptedApi, scripted_api
from tests.live.serving import Served, serving

KEY = "k3y-of-the-shop"
TOOL = """
          description: Runs it.
          call: shop.run
          isError: "{{ result.status == 'FAILED' }}"
          outputSchema: {type: object, required: [status], properties: {status: {type: string}}}
          content:
            - {type: text, text: "It says {{result.status}}: {{result.cause}}"}
"""
FILE = f"""
naftiko: "1.0.0-alpha3"
binds:
  - namespace: env
    keys: {{URL: URL, API_KEY: API_KEY}}
capability:
  consumes:
    - type: http
      namespace: shop
      baseUri: "{{{{URL}}}}"
      authentication: {{type: bearer, token: "{{{{API_KEY}}}}"}}
      resources:
        - {{name: things, path: /things, operations: [{{name: list, method: GET}}]}}
        - {{name: runs, path: /runs, operations: [{{name: run, method: POST}}]}}
  exposes:
    - type: mcp
      namespace: runs-mcp
      port: 9090
      tools:
        - name: static
{TOOL}
        - name: text
          description: A tool whose answer is text.
          call: shop.run
          isError: "{{{{ 'ERROR' in result }}}}"
        - {{name: always, description: Fails., call: shop.run, isError: true}}
      discover:
        - name: things
          call: shop.list
          key: "{{{{item}}}}"
          tool:
            name: "{{{{item}}}}"
{TOOL.replace(chr(10), chr(10) + "  ")}
"""
MODES = ["legacy", "2026-07-28"]


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as running:
        yield running


@pytest.fixture
def served(tmp_path: Path, api: ScriptedApi) -> Iterator[Served]:
    path = tmp_path / "runs.yaml"
    path.write_text(FILE, encoding="utf-8")
    api.play({"GET /things": ["found"]})
    with serving(path, environment={"URL": api.url, "API_KEY": KEY}) as running:
        yield running


def call(served: Served, api: ScriptedApi, mode: str, name: str, answer: Any) -> Any:
    async def story() -> Any:
        async with connect(f"{served.urls['runs-mcp']}/mcp", mode, cache=None) as client:
            api.play({"GET /things": ["found"], "POST /runs": answer})
            return await client.call_tool(name, {})

    return asyncio.run(story())


@pytest.mark.parametrize(("mode", "name"), list(itertools.product(MODES, ["static", "found"])))
def test_an_answer_that_the_file_takes_for_a_failure(
    served: Served, api: ScriptedApi, mode: str, name: str
) -> None:
    failed = call(served, api, mode, name, {"status": "FAILED", "cause": f"bad {KEY}"})
    assert failed.is_error
    assert [block.text for block in failed.content] == ["It says FAILED: bad ***"]
    assert failed.structured_content == {"status": "FAILED", "cause": "bad ***"}

    fine = call(served, api, mode, name, {"status": "DONE", "cause": ""})
    assert not fine.is_error
    assert [block.text for block in fine.content] == ["It says DONE: "]
    assert fine.structured_content["status"] == "DONE"


@pytest.mark.parametrize("name", ["static", "found"])
def test_a_call_that_failed_by_itself_stays_failed(
    served: Served, api: ScriptedApi, name: str
) -> None:
    answer = {"status": 404, "json": {"error": "no such run"}}
    failed = call(served, api, "2026-07-28", name, answer)
    assert failed.is_error
    assert "no such run" in failed.content[0].text
    assert "It says" not in failed.content[0].text


@pytest.mark.parametrize("name", ["static", "found"])
def test_a_good_answer_that_cannot_be_judged_is_an_error(
    served: Served, api: ScriptedApi, name: str
) -> None:
    failed = call(served, api, "2026-07-28", name, {"other": 1})
    assert failed.is_error
    assert "`result.status` has no value" in failed.content[0].text


def test_text_is_judged_too(served: Served, api: ScriptedApi) -> None:
    failed = call(served, api, "2026-07-28", "text", {"text": f"ERROR: {KEY}"})
    assert failed.is_error
    assert failed.content[0].text == "ERROR: ***"
    assert not call(served, api, "2026-07-28", "text", {"text": "fine"}).is_error
    always = call(served, api, "2026-07-28", "always", {"a": 1})
    assert always.is_error
    assert always.structured_content == {"a": 1}


@pytest.mark.parametrize("mode", MODES)
def test_the_declared_output_is_published(served: Served, mode: str) -> None:
    async def story() -> dict[str, Any]:
        async with connect(f"{served.urls['runs-mcp']}/mcp", mode, cache=None) as client:
            return {tool.name: tool.output_schema for tool in (await client.list_tools()).tools}

    found = asyncio.run(story())
    assert found["static"] == found["found"]
    assert found["static"]["required"] == ["status"]
    assert found["text"] is None
