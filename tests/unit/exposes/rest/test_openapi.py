"""The OpenAPI document."""

from __future__ import annotations

import json
from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator

from naftiko.exposes.rest.openapi import openapi_document
from naftiko.exposes.rest.router import variables
from naftiko.model.capability import Info
from naftiko.plan.capability import RestAdapterPlan, ServerAuth
from naftiko.plan.inputs import Input
from tests.unit.exposes.rest.plans import INFO, adapter, operation, route, text, typed

BODY = ("body", "query", "header")
QUERY = ("query", "header")
TREE = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"root": {"$ref": "#/$defs/Node"}, "odd": {"$ref": "#/properties/root"}},
    "$defs": {"Node": {"type": "array", "items": {"$ref": "#/$defs/Node"}}},
}


def document(plan: RestAdapterPlan, info: Info = INFO, root_path: str = "") -> dict[str, Any]:
    made = openapi_document(plan, info, root_path=root_path)
    made = json.loads(json.dumps(made))
    OpenAPIV31SpecValidator(made).validate()
    return dict(made)


FULL = adapter(
    route(
        "/v1/things/{arn}/{{id}}",
        GET=operation(
            "get-thing",
            text("arn", "path", required=True, maxLength=256),
            typed("id", "integer", "path", required=True),
            typed("limit", "integer", *QUERY, maximum=10),
            typed("tags", "array", *QUERY, items={"type": "string"}),
            typed("filter", "object", *QUERY),
            text("x-trace", "header"),
            text("session", "cookie"),
            output_schema=TREE,
        ),
        POST=operation(
            "change-thing",
            text("arn", "path", required=True),
            text("name", *BODY, required=True),
            Input(
                name="kind",
                schema={"type": "string", "enum": ["A"]},
                sources=BODY,
                description="Which.",
                default="A",
                has_default=True,
            ),
        ),
    ),
    route("/v1/things/{name}/{part}", DELETE=operation("get-thing", text("name", "path"))),
    route("/v1/files/{path}", GET=operation("get-file", text("path", "path", required=True))),
    route("/v1/raw", PUT=operation("put", typed("data", "array", "body", "whole-body"))),
    route("/v1/scalar", PUT=operation("put-token", typed("token", "string", "body", "whole-body"))),
    route("/v1/any", POST=operation("any", closed=False)),
    route("/v1/empty", POST=operation("empty")),
)


def test_a_document_is_valid_and_names_every_route() -> None:
    made = document(FULL)
    assert made["info"]["title"] == "Demo"
    assert made["info"]["version"] == "1.2.3"
    assert set(made["paths"]) == {
        "/v1/things/{arn}/{id}",
        "/v1/files/{path}",
        "/v1/raw",
        "/v1/scalar",
        "/v1/any",
        "/v1/empty",
    }
    assert set(made["paths"]["/v1/things/{arn}/{id}"]) == {"get", "post", "delete"}


def test_an_empty_capability_has_a_valid_document_too() -> None:
    made = document(adapter(), Info())
    assert made["info"]["title"] == "demo-api"
    assert made["info"]["version"] == "1.0.0"


def test_operation_ids_are_unique() -> None:
    made = document(FULL)
    ids = [entry["operationId"] for item in made["paths"].values() for entry in item.values()]
    assert len(ids) == len(set(ids))
    assert "get-thing" in ids
    assert "get-thing-2" in ids


def test_parameters_stand_where_they_are_read() -> None:
    operation_ = document(FULL)["paths"]["/v1/things/{arn}/{id}"]["get"]
    found = {entry["name"]: entry for entry in operation_["parameters"]}
    assert {name: entry["in"] for name, entry in found.items()} == {
        "arn": "path",
        "id": "path",
        "limit": "query",
        "tags": "query",
        "filter": "query",
        "x-trace": "header",
        "session": "cookie",
    }
    assert found["limit"]["schema"] == {"type": "integer", "maximum": 10}
    assert found["filter"]["content"] == {"application/json": {"schema": {"type": "object"}}}
    assert all(found[name]["required"] for name in ("arn", "id"))
    assert "requestBody" not in operation_


def test_two_templates_of_one_shape_are_one_path() -> None:
    item = document(FULL)["paths"]["/v1/things/{arn}/{id}"]
    assert [entry["name"] for entry in item["delete"]["parameters"]] == list(
        variables("/v1/things/{arn}/{id}")
    )


def test_a_body_is_the_inputs_it_holds() -> None:
    paths = document(FULL)["paths"]
    body = paths["/v1/things/{arn}/{id}"]["post"]["requestBody"]
    assert body["required"]
    assert body["content"]["application/json"]["schema"] == {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "kind": {
                "type": ["string", "null"],
                "enum": ["A", None],
                "default": "A",
                "description": "Which.",
            },
        },
        "required": ["name"],
        "additionalProperties": False,
    }
    raw = paths["/v1/raw"]["put"]["requestBody"]
    assert raw["content"]["application/json"]["schema"] == {"type": "array"}
    named, alone = paths["/v1/scalar"]["put"]["requestBody"]["content"]["application/json"][
        "schema"
    ]["anyOf"]
    assert named["properties"].keys() == {"token"}
    assert alone == {"type": "string"}
    anything = paths["/v1/any"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert "additionalProperties" not in anything
    assert "requestBody" not in paths["/v1/empty"]["post"]


def test_definitions_move_to_the_components() -> None:
    made = document(FULL)
    responses = made["paths"]["/v1/things/{arn}/{id}"]["get"]["responses"]
    schema = responses["200"]["content"]["application/json"]["schema"]
    reference = "#/components/schemas/get-thing-output.Node"
    assert schema == {"type": "object", "properties": {"root": {"$ref": reference}, "odd": {}}}
    assert made["components"]["schemas"]["get-thing-output.Node"] == {
        "type": "array",
        "items": {"$ref": reference},
    }


def test_every_error_is_documented() -> None:
    made = document(FULL)
    get = made["paths"]["/v1/things/{arn}/{id}"]["get"]["responses"]
    post = made["paths"]["/v1/things/{arn}/{id}"]["post"]["responses"]
    assert set(get) == {"200", "400", "404", "405", "429", "500", "502", "504", "default"}
    assert {"408", "413", "415"} <= set(post)
    problem = made["components"]["responses"]["Problem"]["content"]["application/problem+json"]
    assert problem["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_security_is_documented_without_its_secrets() -> None:
    for auth, scheme in (
        (
            ServerAuth(type_="bearer", fields={"token": "canary"}),
            {"type": "http", "scheme": "bearer"},
        ),
        (
            ServerAuth(type_="basic", fields={"username": "canary", "password": "canary"}),
            {"type": "http", "scheme": "basic"},
        ),
        (
            ServerAuth(type_="apikey", fields={"key": "X-Key", "value": "canary"}),
            {"type": "apiKey", "in": "header", "name": "X-Key"},
        ),
    ):
        made = document(adapter(*FULL.routes, auth=auth))
        assert made["components"]["securitySchemes"] == {"caller": scheme}
        assert made["security"] == [{"caller": []}]
        assert "401" in made["paths"]["/v1/raw"]["put"]["responses"]
        assert "canary" not in json.dumps(made)


def test_a_mounted_app_says_where_it_is() -> None:
    assert document(FULL, root_path="/api")["servers"] == [{"url": "/api"}]
    assert document(FULL)["servers"] == [{"url": "/"}]
