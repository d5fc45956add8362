"""What an operation takes, as the routes and tools in front of it will publish it."""

from __future__ import annotations

from typing import Any

from naftiko.plan.ports import Effect, Parameter
from tests.unit.consumes.http.apis import api, compile_api


def parameters(operation: str, **pieces: Any) -> list[Parameter]:
    return list(api(operation, **pieces).operation().parameters)


def test_a_path_placeholder_is_required_text() -> None:
    assert parameters("method: GET", path="/x/{id}") == [
        Parameter(name="id", schema={"type": "string"}, required=True, in_="path")
    ]


def test_a_declared_parameter_has_its_schema() -> None:
    declared = (
        "method: GET, inputParameters: [{name: limit, in: query, type: Integer, minimum: 1, "
        "default: 5, description: How many, enum: nonsense, pattern: '(', required: true}]"
    )
    assert parameters(declared) == [
        Parameter(
            name="limit",
            schema={"type": "integer", "minimum": 1, "default": 5, "description": "How many"},
            required=False,
            in_="query",
        )
    ]


def test_a_schema_is_never_fetched() -> None:
    declared = (
        "method: GET, inputParameters: [{name: l, in: query, type: array, "
        "items: {$ref: 'http://127.0.0.1:9/x.json'}}]"
    )
    assert parameters(declared)[0].schema == {"type": "array"}


def test_placeholders_of_the_body_are_optional_and_of_any_type() -> None:
    body = "method: POST, body: {type: json, data: {a: '{{tools.a}}', b: 'x {{b.c}}'}}"
    assert parameters(body) == [
        Parameter(name="a", schema={}),
        Parameter(name="b", schema={}),
    ]


def test_bound_and_fixed_values_are_no_parameters() -> None:
    compiled = api(
        "method: POST, inputParameters: [{name: v, in: query, value: '1'}, {name: e, "
        "in: environment}], body: {type: json, data: {k: '{{KEY}}', v: '{{v}}', e: '{{e}}'}}",
        binds="KEY",
        environment={"KEY": "key-1"},
    )
    assert list(compiled.operation().parameters) == []


def test_a_variable_of_the_host_is_optional_where_the_environment_has_it() -> None:
    base = "https://{region}.example.com"
    assert parameters("method: GET", base=base)[0].required
    compiled = api("method: GET", base=base, environment={"AWS_REGION": "eu-west-1"})
    assert not compiled.operation().parameters[0].required


def test_further_arguments_are_taken_by_a_body_that_nothing_declares() -> None:
    assert api("method: POST").operation().open_arguments
    assert api("method: PATCH, body: {type: json}").operation().open_arguments
    assert not api("method: GET").operation().open_arguments
    assert not api("method: DELETE").operation().open_arguments
    assert not api("method: POST, body: {type: json, data: {a: 1}}").operation().open_arguments


def test_the_method_tells_the_effect() -> None:
    methods = {"GET": Effect.READ, "HEAD": Effect.READ, "DELETE": Effect.DESTRUCTIVE}
    methods |= dict.fromkeys(("POST", "PUT", "PATCH"), Effect.WRITE)
    for method, effect in methods.items():
        assert api(f"method: {method}").operation().effect is effect


def test_operations_are_compiled_once_and_by_name() -> None:
    compiled = compile_api(
        """
consumes:
  - namespace: ns
    type: http
    baseUri: https://api.example.com
    resources:
      - {name: a, path: /a, operations: [{name: one, method: GET, description: First}]}
      - {name: b, path: /b, operations: [{name: two}, {name: one, method: DELETE}]}
"""
    )
    adapter = compiled.adapter
    assert (adapter.namespace, adapter.type_) == ("ns", "http")
    assert adapter.operation_names() == ("one", "two")
    assert adapter.operation("one") is adapter.operation("one")
    assert adapter.operation("three") is None
    one = compiled.operation("one")
    assert (one.address, one.description, one.effect) == ("ns.one", "First", Effect.READ)
    assert compiled.operation("two").effect is Effect.READ
