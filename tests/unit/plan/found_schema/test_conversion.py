"""Found schemas, by example: tests/cases/found-schemas/*.yaml; and what is too large."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from naftiko.errors import RunError
from naftiko.plan.found_schema.conversion import convert_schema
from naftiko.plan.found_schema.faults import MAX_NODES, MAX_RESULT_BYTES
from naftiko.plan.inputs import compile_validator
from naftiko.values import JsonObject, JsonValue
from tests.case_files import CASES, case_name


def cases() -> list[Any]:
    found = []
    for path in sorted((CASES / "found-schemas").glob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        found += [{**case, "name": f"{path.stem}: {case['name']}"} for case in content["cases"]]
    return found


@pytest.mark.parametrize("case", cases(), ids=case_name)
def test_case(case: dict[str, Any]) -> None:
    sources = [case["text"]] if "text" in case else [case["input"], json.dumps(case["input"])]
    for source in sources:
        options = {"format_": case.get("format", ""), "root": case.get("root", "")}
        if "failure" in case:
            with pytest.raises(RunError) as caught:
                convert_schema(source, **options)
            assert caught.value.code == case["failure"]["code"]
            assert case["failure"]["message"] in caught.value.message
        else:
            assert convert_schema(source, **options) == case["schema"]


def test_the_order_of_members_stays() -> None:
    schema = convert_schema(
        '{"type": "object", "properties": {"b": {}, "a": {}}, "required": ["b"]}'
    )
    assert json.dumps(schema) == (
        '{"type": "object", "properties": {"b": {}, "a": {}}, "required": ["b"]}'
    )


def chain(length: int, width: int) -> JsonObject:
    """Return definitions, each of which refers to the next so many times."""
    definitions: JsonObject = {f"a{length}": {"type": "string"}}
    for number in range(length):
        target = f"#/definitions/a{number + 1}"
        members: JsonObject = {f"p{index}": {"$ref": target} for index in range(width)}
        definitions[f"a{number}"] = {"properties": members}
    return definitions


def nested(depth: int) -> JsonObject:
    schema: JsonObject = {"type": "string"}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


def knot(count: int) -> JsonObject:
    """Return definitions, each of which refers to all of them."""
    names = [f"a{number}" for number in range(count)]
    members: JsonObject = {name: {"$ref": f"#/definitions/{name}"} for name in names}
    return {name: {"type": "object", "properties": members} for name in names}


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ({"$ref": "#/definitions/a0", "definitions": chain(20, 2)}, "20,000 parts"),
        ({"$ref": "#/definitions/a0", "definitions": chain(3, 200)}, "20,000 parts"),
        ({"$ref": "#/definitions/a0", "definitions": chain(40, 1)}, "nested more than 50 deep"),
        ({"$ref": "#/definitions/a0", "definitions": knot(12)}, "256 KiB"),
        (nested(51), "nested more than 50 deep"),
        ({"enum": [json.loads("[" * 60 + "]" * 60)]}, "nested more than 50 deep"),
        ({"properties": {f"p{number}": {} for number in range(MAX_NODES)}}, "20,000 parts"),
        ({"enum": ["a" * MAX_RESULT_BYTES, "b"]}, "256 KiB"),
        ({"enum": ["é" * (MAX_RESULT_BYTES // 2), "b"]}, "256 KiB"),
        ({"properties": {"a" * 1000 + str(number): {} for number in range(300)}}, "256 KiB"),
        ({"description": "a" * (1024 * 1024)}, "1 MiB"),
        (
            {
                "$ref": "#/definitions/a0",
                "definitions": {
                    f"a{number}": {"$ref": f"#/definitions/a{number + 1}"} for number in range(200)
                },
            },
            "nested more than 100 deep",
        ),
        ({"a": [{"$id": f"a{number}"} for number in range(5_001)]}, "names of their own"),
        ({"$id": "http://a/" + "b/" * 2_000}, "is too long"),
        ({"$ref": "#" + "/a" * 2_000}, "too many steps"),
    ],
    ids=["deep and wide", "wide", "deep", "knot", "nested", "deep value", "members", "long value",
         "long in bytes", "long names", "document", "hops",
         "ids", "long id", "long pointer"],
)  # fmt: skip
def test_what_is_too_large_fails(source: JsonObject, reason: str) -> None:
    with pytest.raises(RunError) as caught:
        convert_schema(source)
    assert caught.value.code == "schema-too-large"
    assert reason in caught.value.message


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 2_000 + "1" + "}" * 2_000])
def test_a_text_that_is_nested_without_end_is_no_json(text: str) -> None:
    with pytest.raises(RunError, match="no JSON"):
        convert_schema(text)


def test_an_object_that_is_nested_without_end_is_no_json() -> None:
    value: JsonValue = {}
    for _ in range(5_000):
        value = {"items": value}
    with pytest.raises(RunError, match="no JSON of usual depth"):
        convert_schema(value)


def test_schemas_inside_of_themselves_are_written_out_less_where_that_is_too_large() -> None:
    schema = convert_schema({"$ref": "#/definitions/a0", "definitions": knot(4)})
    assert '"$ref"' not in json.dumps(schema)
    assert compile_validator(schema).is_valid({"a1": {"a2": {"a1": {"a1": {}}}}})
    assert not compile_validator(schema).is_valid({"a1": {"a2": 5}})


def test_notes_and_lists_are_bounded() -> None:
    schema = convert_schema(
        {
            "title": "t" * 5_000,
            "description": "d" * 5_000,
            "enum": list(range(1_001)),
            "default": "e" * 2_000,
            "examples": ["e" * 2_000],
            "format": "f" * 500,
        }
    )
    assert schema.keys() == {"title", "description", "format"}
    assert [len(str(schema[name])) for name in schema] == [1_000, 1_000, 100]
    assert str(schema["title"]).endswith("… (4024 more characters)")
    assert len(convert_schema({"enum": list(range(1_000))})["enum"]) == 1_000  # type: ignore[arg-type]  # a list


def test_patterns_cost_so_much_and_the_rest_is_left_out() -> None:
    schema = convert_schema(
        {"properties": {f"p{number}": {"pattern": "^\\p{L}{1,100}$"} for number in range(100)}}
    )
    properties = schema["properties"]
    assert isinstance(properties, dict)
    kept = [name for name, item in properties.items() if item]
    assert 5 < len(kept) < 90
    assert kept == list(properties)[: len(kept)]
