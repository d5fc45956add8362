"""docs/examples/found-schema.yaml over MCP, with a registry of schemas on a loopback port."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.case_files import ROOT
from tests.live.scripted import ScriptedApi, scripted_api
from tests.live.serving import Served, serving
from tests.live.shop import call_tool

EXAMPLE = ROOT / "docs/examples/found-schema.yaml"
PATH = "GET /v1/registries/name/shop/schemas/name/"
ADDRESS = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}
ORDER = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "type": "object",
    "properties": {"to": {"$ref": "#/definitions/Address"}},
    "definitions": {"Address": ADDRESS},
}
DISCOVERED = {
    "openapi": "3.0.0",
    "components": {
        "schemas": {
            "AWSEvent": {
                "type": "object",
                "required": ["detail"],
                "properties": {"detail": {"$ref": "#/components/schemas/Address"}},
            },
            "Address": ADDRESS,
        }
    },
}
LARGE = {
    "type": "object",
    "properties": {f"p{n}": {"type": "string", "description": "d" * 40} for n in range(900)},
}
BOMB = {f"a{n}": {"items": [{"$ref": f"#/definitions/a{n + 1}"}] * 2} for n in range(22)}


def answer(content: Any, kind: str = "JSONSchemaDraft4") -> dict[str, Any]:
    text = content if isinstance(content, str) else json.dumps(content)
    return {"json": {"SchemaName": "x", "Type": kind, "Content": text}}


ANSWERS = {
    f"{PATH}OrderPlaced": answer(ORDER),
    f"{PATH}Discovered": answer(DISCOVERED, "OpenApi3"),
    f"{PATH}Large": answer(LARGE),
    f"{PATH}Names": answer({"type": "array", "items": {"type": "string"}}),
    f"{PATH}Remote": answer({"$ref": "https://example.com/order.json"}),
    f"{PATH}Bomb": answer({"$ref": "#/definitions/a0", "definitions": BOMB | {"a22": {}}}),
    f"{PATH}Text": answer("no schema"),
}


@pytest.fixture(scope="module")
def registry() -> Iterator[ScriptedApi]:
    with scripted_api() as running:
        running.play(ANSWERS)
        yield running


@pytest.fixture(scope="module")
def served(registry: ScriptedApi) -> Iterator[Served]:
    environment = {
        "REGISTRY": "shop",
        "REGISTRY_URL": registry.url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    with serving(EXAMPLE, environment=environment) as running:
        assert [item.message for item in running.capability.problems] == []
        yield running


def call(served: Served, tool: str, **arguments: str) -> tuple[bool, str]:
    return call_tool(served, "events", tool, arguments)


def schema_of(served: Served, **arguments: str) -> Any:
    failed, text = call(served, "get-event-schema", **arguments)
    assert not failed, text
    return json.loads(text)["schema"]


def test_schemas_of_both_formats_are_read(served: Served) -> None:
    placed = {"type": "object", "properties": {"to": ADDRESS}}
    assert schema_of(served, event="OrderPlaced") == placed
    assert schema_of(served, event="OrderPlaced", part="Address") == ADDRESS
    discovered = {"type": "object", "required": ["detail"], "properties": {"detail": ADDRESS}}
    assert schema_of(served, event="Discovered") == discovered
    assert schema_of(served, event="Discovered", part="Address") == ADDRESS
    assert schema_of(served, event="Large") == LARGE


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("Remote", "refers to another document"),
        ("Bomb", "more than 20,000 parts"),
        ("Text", "it is no JSON"),
    ],
)
def test_what_cannot_be_read_fails_the_tool(served: Served, event: str, reason: str) -> None:
    failed, text = call(served, "get-event-schema", event=event)
    assert failed
    assert reason in text


def test_a_tool_that_goes_on_without_a_schema(served: Served) -> None:
    def inputs(event: str) -> Any:
        return json.loads(call(served, "get-input-schema", event=event)[1])

    assert inputs("OrderPlaced")["inputSchema"] == schema_of(served, event="OrderPlaced")
    assert inputs("Names") == {"inputSchema": {"type": "object"}}
    missing = inputs("Missing")
    assert missing["inputSchema"] == {"type": "object"}
    assert "is to be a schema, found nothing" in missing["problem"]
    assert "none is fetched" in inputs("Remote")["problem"]
