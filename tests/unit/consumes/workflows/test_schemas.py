"""JSON Schemas of parameters and outputs, out of plans."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from naftiko.consumes.workflows.schemas import outputs_schema, parameters_schema, result_schema


def accepts(parameter: dict[str, Any], value: Any) -> bool:
    schema = parameters_schema({"parameters": [{"name": "p", **parameter}]})
    return jsonschema_rs.validator_for(schema).is_valid({"p": value})


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        ({"type": "string", "required": True}, ["", "x" * 4096], [1, None, "x" * 4097]),
        ({"type": "string"}, ["a", None], [1]),
        ({"type": "string", "min": 2, "max": 3}, ["ab", "abc"], ["a", "abcd"]),
        ({"type": "string", "pattern": "[a-z]+"}, ["abc"], ["abc1", "1"]),
        ({"type": "string", "pattern": "a|b"}, ["a", "b"], ["ax", "xb"]),
        ({"type": "string", "pattern": "^a|b$"}, ["a", "b"], ["ax", "xb"]),
        ({"type": "integer", "min": 1, "max": 3}, [1, 3, None], [0, 4, "1", 1.5, True]),
        ({"type": "number"}, [1, 1.5], ["1"]),
        ({"type": "boolean", "required": True}, [True], ["true", None]),
        ({"type": "string", "enum": ["a", "b"]}, ["a", None], ["c"]),
        ({"type": "array", "items": {"type": "string"}, "max": 2}, [["a"]], [[1], ["a"] * 3]),
        ({"type": "array", "items": "integer"}, [[1]], [["a"]]),
        ({"type": "object"}, [{}, {"a": 1}], [[], "a"]),
    ],
)
def test_a_parameter_takes_what_the_machine_takes(
    parameter: dict[str, Any], good: list[Any], bad: list[Any]
) -> None:
    assert all(accepts(parameter, value) for value in good)
    assert not any(accepts(parameter, value) for value in bad)


def test_unknown_and_missing_parameters_are_refused() -> None:
    schema = parameters_schema({"parameters": [{"name": "p", "type": "string", "required": True}]})
    validator = jsonschema_rs.validator_for(schema)
    assert not validator.is_valid({})
    assert not validator.is_valid({"p": "a", "q": "b"})


@pytest.mark.parametrize(
    ("tree", "type_"),
    [
        ({"ref": ["params", "a"], "t": "integer"}, "integer"),
        ({"lit": 5, "t": "duration"}, "number"),
        ({"cat": []}, "string"),
        ({"list": []}, "array"),
        ({"obj": {}}, "object"),
        ({"fn": "length", "args": []}, "integer"),
        ({"fn": "uuid", "args": []}, "string"),
        ({"op": "<=", "a": {}, "b": {}}, "boolean"),
        ({"op": "+", "a": {"ref": ["params", "a"], "t": "integer"}, "b": {}}, "integer"),
        ({"ref": ["steps", "a", "b"], "t": "timestamp"}, "string"),
    ],
)
def test_an_output_has_the_type_of_its_tree(tree: dict[str, Any], type_: str) -> None:
    schema: Any = outputs_schema({"outputs": {"o": tree}})
    types = schema["properties"]["o"]["type"]
    assert types[0] == type_
    # It may be missing, not known yet, or cut by the view.
    assert {"null", "string"} <= set(types)


def test_what_has_no_type_takes_anything() -> None:
    schema: Any = outputs_schema({"outputs": {"o": {"ref": ["item"], "t": "opaque"}}})
    assert schema["properties"]["o"] == {}


def test_the_schema_of_results_is_one() -> None:
    jsonschema_rs.validator_for(result_schema())
