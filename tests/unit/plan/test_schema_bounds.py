from __future__ import annotations

import pytest

from naftiko.plan.inputs import compile_validator
from naftiko.plan.schema_bounds import refuse_explosion, with_bounded_patterns
from naftiko.values import JsonObject

TREE: JsonObject = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "left": {"$ref": "#/$defs/node"},
                "right": {"$ref": "#/$defs/node"},
                "value": {"$ref": "#/$defs/json"},
            },
        },
        "json": {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"$ref": "#/$defs/json"}},
                {"type": "object", "additionalProperties": {"$ref": "#/$defs/json"}},
            ]
        },
    },
}


def chain(length: int) -> JsonObject:
    """Each definition refers to the next one twice."""
    definitions: JsonObject = {
        f"d{number}": {"allOf": [{"$ref": f"#/$defs/d{number + 1}"}] * 2}
        for number in range(length)
    }
    definitions[f"d{length}"] = {"type": "object"}
    return {"$ref": "#/$defs/d0", "$defs": definitions}


def test_a_tree_is_fine() -> None:
    refuse_explosion(TREE)


def test_references_that_only_lead_back_are_fine() -> None:
    refuse_explosion({"$ref": "#"})


@pytest.mark.parametrize(
    "schema",
    [
        chain(40),
        {"allOf": [{"properties": {"a": {"$ref": "#"}}}, {"properties": {"a": {"$ref": "#"}}}]},
    ],
)
def test_references_that_multiply_are_refused(schema: JsonObject) -> None:
    with pytest.raises(ValueError, match="subschemas"):
        refuse_explosion(schema)


def test_only_costly_patterns_are_bounded() -> None:
    plain: JsonObject = {"properties": {"pattern": {"pattern": "^(?:a|b)+$"}}}
    assert with_bounded_patterns(plain, 10) == plain
    literal: JsonObject = {"enum": [{"pattern": "(?=a)"}]}
    assert with_bounded_patterns(literal, 10) == literal


@pytest.mark.parametrize(
    ("text", "fits"), [("ab", True), ("ba", False), ("a" * 11, False), (7, True)]
)
def test_a_bounded_pattern_holds_as_before(text: object, fits: bool) -> None:
    schema = with_bounded_patterns({"pattern": "^(?=a)"}, 10)
    assert compile_validator(schema).is_valid(text) is fits
