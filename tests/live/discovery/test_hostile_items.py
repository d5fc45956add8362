"""Items are data: whatever one of them says, the others are served and nothing of it runs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from naftiko.capability import Capability
from naftiko.engine import LoadOptions, load_plan
from tests.live.mcp.clients import connect
from tests.live.scripted import ScriptedApi, scripted_api
from tests.live.serving import serving

FILE = """
naftiko: "1.0.0-alpha3"
binds:
  - namespace: env
    keys: {URL: URL, API_KEY: API_KEY}
capability:
  consumes:
    - type: http
      namespace: shop
      baseUri: "{{URL}}"
      resources:
        - {name: things, path: /things, operations: [{name: list-things, method: GET}]}
        - name: runs
          path: /runs
          operations: [{name: run-thing, method: POST, body: "{{thing}}"}]
  exposes:
    - type: mcp
      namespace: things-mcp
      port: 9090
      tools: [{name: fine, description: Does nothing., content: done}]
      discover:
        - name: things
          call: shop.list-things
          key: "{{item.id}}"
          tool:
            name: "{{item.id}}"
            label: "{{item.title}}"
            description: "Runs {{item.title}}. {{ item.text }}"
            inputSchema: "{{ item.schema or {'type': 'object'} }}"
            call: shop.run-thing
            with: {thing: {id: "{{item.id}}", given: "{{arguments}}"}}
"""
KEY = "k3y-of-the-shop"
SAFE = re.compile(r"[A-Za-z0-9_-]{1,64}")


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as running:
        yield running


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "things.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


def serve(file: Path, api: ScriptedApi, *items: Any, run: Any = None) -> Any:
    return api.play({"GET /things": list(items), "POST /runs": run or {"ok": True}})


def listed(file: Path, api: ScriptedApi, *calls: tuple[str, dict[str, Any]]) -> tuple[Any, ...]:
    """Return the tools by name, what calls gave, and the status of the discovery."""

    async def story(url: str) -> tuple[dict[str, Any], list[Any]]:
        async with connect(url, "2026-07-28", cache=None) as client:
            tools: list[Any] = []
            cursor = None
            while True:
                page = await client.list_tools(cursor=cursor)
                tools += page.tools
                cursor = page.next_cursor
                if cursor is None:
                    break
            results = [await client.call_tool(name, given) for name, given in calls]
            return {tool.name: tool for tool in tools}, results

    with serving(file, environment={"URL": api.url, "API_KEY": KEY}) as served:
        tools, results = asyncio.run(story(f"{served.urls['things-mcp']}/mcp"))
        adapter: Any = served.capability.plan.adapters[0]
        (finder,) = served.capability.plan.discoveries
        return tools, results, finder.status(), adapter.discovered.problems("things")


def test_names_of_any_kind_become_safe_ones(file: Path, api: ScriptedApi) -> None:
    odd = [
        "a\nb",
        "\x1b[2J",
        "x" * 5_000,
        "../../etc",
        "é",
        "--",
        "fine",
        "tools/call",
        "\x00",
        " ",
    ]
    serve(file, api, *({"id": name} for name in odd))
    tools, _, status, problems = listed(file, api)
    assert len(tools) == len(odd) + 1
    assert all(SAFE.fullmatch(name) for name in tools)
    assert status["known"] == len(odd)
    assert problems == ()


def test_templates_in_items_are_text(file: Path, api: ScriptedApi) -> None:
    evil = "{{API_KEY}} {{ 7 * 7 }} {% for i in range(9) %}x{% endfor %} {{env.API_KEY}} {# #}"
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "description": evil, "default": evil}},
    }
    serve(file, api, {"id": "a", "title": evil, "text": evil, "schema": schema})
    tools, (result,), *_ = listed(file, api, ("a", {"a": evil}))
    tool = tools["a"]
    assert tool.description == f"Runs {evil}. {evil}"
    assert tool.input_schema["properties"]["a"]["default"] == evil
    assert result.structured_content == {"ok": True}
    assert api.bodies[-1] == {"id": "a", "given": {"a": evil}}


def test_secrets_that_items_repeat_are_masked(file: Path, api: ScriptedApi) -> None:
    serve(file, api, {"id": "a", "title": KEY, "text": KEY})
    tools, *_ = listed(file, api)
    assert tools["a"].description == "Runs ***. ***"
    assert tools["a"].title == "***"


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "object", "properties": {"a": {"type": "thing"}}}, "no valid JSON Schema"),
        ({"type": "object", "properties": []}, "no valid JSON Schema"),
        ({"type": "string"}, "does not describe an object"),
        ("text", "is no object"),
        ([1], "is no object"),
        ({"properties": {"a": {"$ref": "http://127.0.0.1:1/x"}}}, "no valid JSON Schema"),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "no valid JSON Schema"),
        ({"properties": {"a": {"pattern": "("}}}, "no valid JSON Schema"),
        ({"description": "x" * 300_000}, "has more than 256 KiB"),
        (
            {"allOf": [{"properties": {"a": {"$ref": "#"}}}, {"properties": {"a": {"$ref": "#"}}}]},
            "no valid JSON Schema",
        ),
        ({"properties": {f"p{n}": {"pattern": f"a{n}"} for n in range(101)}}, "100 patterns"),
        ({"patternProperties": {f"p{n}": {} for n in range(101)}}, "100 patterns"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_a_schema_that_is_none_leaves_out_its_item(
    file: Path, api: ScriptedApi, schema: Any, reason: str
) -> None:
    serve(file, api, {"id": "bad", "schema": schema}, {"id": "good"})
    tools, _, _, problems = listed(file, api)
    assert list(tools) == ["fine", "good"]
    (problem,) = problems
    assert problem.startswith("bad is not served: its `inputSchema` ")
    assert reason in problem


def test_a_schema_that_nests_too_deep_leaves_out_its_item(file: Path, api: ScriptedApi) -> None:
    deep: dict[str, Any] = {}
    for _ in range(400):
        deep = {"properties": {"a": deep}}
    serve(file, api, {"id": "bad", "schema": deep}, {"id": "good"})
    tools, _, _, problems = listed(file, api)
    assert list(tools) == ["fine", "good"]
    assert len(problems) == 1


def test_long_texts_are_cut(file: Path, api: ScriptedApi) -> None:
    serve(file, api, {"id": "a", "title": "t" * 5_000, "text": "d" * 1_000_000})
    tools, *_ = listed(file, api)
    assert len(tools["a"].description) == 100_000
    assert len(tools["a"].title) == 200


def test_what_is_no_object_is_left_out(file: Path, api: ScriptedApi) -> None:
    serve(file, api, 1, None, "text", [{"id": "x"}], {"no": "id"}, {"id": "a"})
    tools, _, status, _ = listed(file, api)
    assert list(tools) == ["fine", "a"]
    assert status["problems"] == ["an item has no key; it is left out"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"json": {"things": []}}, "not-a-list"),
        ({"json": None}, "not-a-list"),
        ({"text": "hello"}, "not-a-list"),
        ({"text": "[", "type": "application/json"}, "unreadable-answer"),
        ({"status": 500, "json": []}, "listing-failed"),
    ],
    ids=["object", "null", "text", "broken", "error"],
)
def test_what_is_no_list_is_an_error_of_the_listing(
    file: Path, api: ScriptedApi, answer: Any, code: str
) -> None:
    api.play({"GET /things": answer})
    tools, _, status, _ = listed(file, api)
    assert list(tools) == ["fine"]
    assert status["error"]["code"] == code
    assert status["state"] == "failing"


def test_a_list_of_five_thousand_is_served(tmp_path: Path, api: ScriptedApi) -> None:
    path = tmp_path / "many.yaml"
    path.write_text(FILE.replace("key:", "maxItems: 10000\n          wait: 60s\n          key:"))
    serve(path, api, *({"id": f"thing-{number}", "title": "T"} for number in range(5_000)))
    tools, (result,), status, _ = listed(path, api, ("thing-4999", {}))
    assert len(tools) == 5_001
    assert status["known"] == 5_000
    assert not result.is_error


def test_what_items_say_forges_no_line_of_the_log(
    file: Path, api: ScriptedApi, caplog: pytest.LogCaptureFixture
) -> None:
    key = f"a\n2026-01-01 ERROR forged\r\x1b[31m\u2028{KEY}"
    items = [{"id": key}, {"id": key}, {"id": f"b{key}", "schema": {"type": "x\ny"}}]
    serve(file, api, *items)
    _, _, _, problems = listed(file, api)
    said = [record.getMessage() for record in caplog.records if "discovery" in record.name]
    assert len(said) == 2
    assert len(problems) == 1
    for text in (*said, *problems):
        assert text.isprintable() or "\N{REPLACEMENT CHARACTER}" in text
        assert not {"\n", "\r", "\x1b", "\u2028"} & set(text)
        assert KEY not in text


def test_half_a_surrogate_pair_holds_up_no_list(tmp_path: Path, api: ScriptedApi) -> None:
    path = tmp_path / "half.yaml"
    path.write_text(FILE.replace("{{ item.text }}", "{{ item.text | fromjson }}"))
    serve(path, api, {"id": "a", "text": '"x\\ud800"'}, {"id": "b", "text": "1"})
    tools, *_ = listed(path, api)
    assert tools["b"].description == "Runs . 1"
    assert "a" not in tools or "\ud800" not in tools["a"].description


def test_a_failing_report_is_said(tmp_path: Path, api: ScriptedApi) -> None:
    path = tmp_path / "reports.yaml"
    path.write_text(
        FILE.replace(
            "          tool:\n",
            '          report: [{when: "{{ items[0].size > 1 }}", message: big},'
            ' {when: true, message: "{{ items | length }} of {{items[0].id}}"},'
            ' {forEach: "{{ items }}", as: one, message: "{{one.id}} is there"}]\n'
            "          tool:\n",
        )
    )
    serve(path, api, {"id": f"a\n{KEY}"}, {"id": "b"})
    _, _, status, _ = listed(path, api)
    assert status["problems"][0].startswith("a report failed: ")
    assert status["problems"][1:] in (["2 of a ***", "a *** is there", "b is there"], [])


def test_questions_have_nobody_to_answer_them(tmp_path: Path, api: ScriptedApi) -> None:
    path = tmp_path / "ask.yaml"
    step = (
        "          enrich:\n            steps:\n"
        "              - {name: asked, type: ask, message: 'May I?',"
        " schema: {type: object, properties: {ok: {type: boolean}}}}\n"
    )
    path.write_text(FILE.replace("          tool:\n", f"{step}          tool:\n"))
    serve(path, api, {"id": "a"})
    capability = Capability(
        load_plan(path, LoadOptions(environment={"URL": api.url, "API_KEY": KEY}))
    )

    async def story() -> None:
        async with asyncio.timeout(20):
            await capability.discover()
            await capability.close()

    asyncio.run(story())
    (finder,) = capability.plan.discoveries
    assert finder.status()["failed"] == 1
    assert "ask" in finder.failures[0]["message"]
