"""Declared inputs are enforced for routes and tools, in every mode: cases/inputs/declared.yaml."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.case_files import case_name, load_cases
from tests.live.http.upstream import running_upstream
from tests.live.serving import Served, serving

FILE, CASES = load_cases("inputs/declared.yaml")
QUERIES = [case for case in CASES if {"given", "query"} & set(case) or "argument" not in case]
ARGUMENTS = [
    case
    for case in CASES
    if "argument" in case
    or case["declares"]["type"] == "string"
    or not {"given", "query"} & set(case)
]
MODES = ("call", "steps", "mock")
VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def operation(case: dict[str, Any], mode: str) -> dict[str, Any]:
    name = f"{case['name']}-{mode}"
    made: dict[str, Any] = {"name": name, "description": name}
    shown = [{"name": "p", "value": "{{p}}"}, {"name": "ok", "type": "boolean", "value": True}]
    if mode == "call":
        shape = {"p": {"value": "{{p}}"}, "ok": {"type": "boolean", "value": True}}
        made |= {"call": "up.echo", "outputParameters": [{"type": "object", "properties": shape}]}
    elif mode == "steps":
        made["steps"] = [{"name": "s", "type": "set", "value": {"p": "{{p}}", "ok": True}}]
        made["mappings"] = [{"targetName": key, "value": f"$.s.{key}"} for key in ("p", "ok")]
    else:
        made["outputParameters"] = shown
    return made


def capability(url: str) -> dict[str, Any]:
    resources, tools = [], []
    for case in CASES:
        for mode in MODES:
            made = operation(case, mode)
            declared = {"name": "p", "description": "p", **case["declares"]}
            route = made | {"method": "GET", "inputParameters": [declared | {"in": "query"}]}
            path = f"/{case['name']}/{mode}"
            resources.append({"path": path, "name": made["name"], "operations": [route]})
            tools.append(made | {"inputParameters": [declared]})
    echo = {"name": "echo", "path": "/echo", "operations": [{"name": "echo", "method": "GET"}]}
    return {
        "naftiko": "1.0.0-alpha3",
        "capability": {
            "consumes": [{"type": "http", "namespace": "up", "baseUri": url, "resources": [echo]}],
            "exposes": [
                {"type": "rest", "namespace": "api", "port": 8080, "resources": resources},
                {"type": "mcp", "namespace": "tools", "port": 9090, "tools": tools},
            ],
        },
    }


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    path = tmp_path_factory.mktemp("inputs") / "inputs.yaml"
    with running_upstream() as upstream:
        path.write_text(json.dumps(capability(upstream.url)))
        with serving(path) as running:
            yield running


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", QUERIES, ids=case_name)
def test_a_route_checks_its_query(served: Served, case: dict[str, Any], mode: str) -> None:
    query = case.get("query") or (f"p={quote(case['given'])}" if "given" in case else "")
    answer = served.request("api", "GET", f"/{case['name']}/{mode}?{query}")

    if "says" in case:
        assert answer.status == 400
        assert case["says"] in json.dumps(answer.body["errors"])
    else:
        assert answer.status == 200
        assert answer.body["ok"] is True
        assert answer.body.get("p") == case["value"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", ARGUMENTS, ids=case_name)
def test_a_tool_checks_its_arguments(served: Served, case: dict[str, Any], mode: str) -> None:
    given = case.get("argument", case.get("given"))
    arguments = {} if given is None else {"p": given}
    name = f"{case['name']}-{mode}"
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": name, "arguments": arguments, "_meta": META},
    }
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": VERSION}
    headers |= {"mcp-method": "tools/call", "mcp-name": name}
    result = served.request("tools", "POST", "/mcp", message, **headers).body["result"]

    text = result["content"][0]["text"]
    assert bool(result.get("isError")) is ("says" in case)
    if "says" in case:
        assert case["says"] in text
    else:
        assert json.loads(text).get("p") == case["value"]


@pytest.mark.parametrize("mode", MODES)
def test_what_is_not_declared_is_refused(served: Served, mode: str) -> None:
    name = QUERIES[0]["name"]
    answer = served.request("api", "GET", f"/{name}/{mode}?q=1")
    assert (answer.status, answer.body["code"]) == (400, "invalid-input")
    assert "`q` is not known here" in [error["message"] for error in answer.body["errors"]]
