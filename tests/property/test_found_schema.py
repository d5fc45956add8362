"""What a found schema becomes takes what the original takes, as another validator sees it."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
from hypothesis import example, given
from hypothesis import strategies as st

from naftiko.errors import ShapingError
from naftiko.plan.found_schema.conversion import convert_schema
from naftiko.plan.found_schema.faults import MAX_RESULT_BYTES
from naftiko.plan.inputs import compile_validator
from naftiko.plan.schema_bounds import refuse_explosion
from naftiko.values import JsonObject, JsonValue

NAMES = st.sampled_from(["a", "b", "c"])
# No whole floats: until draft-04 1.0 is no integer, and since then it is.
NUMBERS = st.integers(-3, 5) | st.sampled_from([0.5, 1.5, -2.5])
LEAVES = st.none() | st.booleans() | NUMBERS | st.text("ab1", max_size=3)


def lists_and_objects(inner: st.SearchStrategy[JsonValue]) -> st.SearchStrategy[JsonValue]:
    return st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=3)


INSTANCES: st.SearchStrategy[JsonValue] = st.recursive(LEAVES, lists_and_objects, max_leaves=10)
TYPES = st.sampled_from(["array", "boolean", "integer", "null", "number", "object", "string"])
COUNTS = st.integers(0, 3)
PATTERNS = st.sampled_from(["^a", "b$", "1", "^[ab]+$", "a{1,2}b", "(?=a)a", "(?=a)(", "["])
GOOD_PATTERNS = st.sampled_from(["^a", "b$", "1", "^[ab]+$", "a{1,2}b"])


@st.composite
def leaves(draw: st.DrawFn, patterns: st.SearchStrategy[str]) -> JsonObject:
    keywords: dict[str, st.SearchStrategy[Any]] = {
        "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
        "minimum": NUMBERS,
        "maximum": NUMBERS,
        "multipleOf": st.sampled_from([1, 2, 0.5]),
        "minLength": COUNTS,
        "maxLength": COUNTS,
        "pattern": patterns,
        "minItems": COUNTS,
        "maxItems": COUNTS,
        "uniqueItems": st.booleans(),
        "minProperties": COUNTS,
        "maxProperties": COUNTS,
        "required": st.lists(NAMES, min_size=1, unique=True),
        "enum": st.lists(INSTANCES, min_size=1, max_size=3, unique_by=repr),
        "format": st.sampled_from(["date", "x"]),
        "description": st.text(max_size=5),
    }
    chosen = draw(st.lists(st.sampled_from(sorted(keywords)), max_size=3, unique=True))
    schema = {name: draw(keywords[name]) for name in chosen}
    for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if limit in schema and draw(st.booleans()):
            schema[exclusive] = draw(st.booleans())
    return schema


def draft4(
    references: bool = False, patterns: st.SearchStrategy[str] = GOOD_PATTERNS
) -> st.SearchStrategy[JsonObject]:
    """Schemas of draft-04; with `references` to the root and the definitions.

    Only a member or item refers to what may refer back: no validator ends otherwise.
    """
    targets = st.sampled_from(["#", *(f"#/definitions/{name}" for name in "abc")])
    referring = targets.map(lambda target: {"$ref": target})
    back = (
        st.builds(lambda schema: {"properties": {"a": schema}}, referring)
        | st.builds(lambda schema: {"items": schema}, referring)
        | st.builds(lambda schema: {"additionalProperties": schema}, referring)
    )
    plain = leaves(patterns)
    start = plain | back | st.just({"$ref": "#/definitions/leaf"}) if references else plain

    def larger(inner: st.SearchStrategy[JsonObject]) -> st.SearchStrategy[JsonObject]:
        tables = st.dictionaries(NAMES, inner, min_size=1, max_size=2)
        lists = st.lists(inner, min_size=1, max_size=2)
        parts = st.fixed_dictionaries(
            {},
            optional={
                "properties": tables,
                "patternProperties": st.dictionaries(patterns, inner, min_size=1, max_size=2),
                "additionalProperties": st.booleans() | inner,
                "items": inner | lists,
                "additionalItems": st.booleans() | inner,
                "allOf": lists,
                "anyOf": lists,
                "oneOf": lists,
                "not": inner,
                "dependencies": st.dictionaries(
                    NAMES, inner | st.lists(NAMES, min_size=1, unique=True), min_size=1, max_size=2
                ),
            },
        )
        return st.builds(lambda one, two: {**one, **two}, plain, parts)

    return st.recursive(start, larger, max_leaves=6)


def with_definitions(
    root: JsonObject, a: JsonObject, b: JsonObject, c: JsonObject, leaf: JsonObject
) -> JsonObject:
    return {**root, "definitions": {"a": a, "b": b, "c": c, "leaf": leaf}}


def converted_or_code(source: JsonValue, format_: str, root: str = "") -> JsonObject | str:
    """Return the schema, or the code of the error."""
    try:
        return convert_schema(source, format_=format_, root=root)
    except ShapingError as error:
        return error.code


def takes(validator: jsonschema.Draft4Validator, instance: JsonValue) -> bool:
    return not any(validator.iter_errors(instance))


@given(draft4(), st.lists(INSTANCES, min_size=1, max_size=5))
def test_draft_04_means_the_same_afterwards(schema: JsonObject, instances: list[JsonValue]) -> None:
    original = jsonschema.Draft4Validator(schema)
    converted = compile_validator(convert_schema(schema, format_="JSONSchemaDraft4"))
    for instance in instances:
        assert converted.is_valid(instance) is takes(original, instance)


RECURSIVE = st.builds(
    with_definitions,
    draft4(references=True),
    *(draft4(references=True, patterns=PATTERNS) for _ in "abc"),
    leaves(PATTERNS),
)


@given(RECURSIVE, st.lists(INSTANCES, min_size=1, max_size=5))
def test_what_fits_a_recursive_schema_fits_the_result(
    source: JsonObject, instances: list[JsonValue]
) -> None:
    schema = converted_or_code(source, "JSONSchemaDraft4")
    if isinstance(schema, str):
        assert schema == "schema-too-large"
        return
    original = jsonschema.Draft4Validator(source)
    converted = compile_validator(schema)
    for instance in instances:
        try:
            fits = takes(original, instance)
        except re.error:
            continue
        assert converted.is_valid(instance) or not fits


KEYWORDS = st.sampled_from(
    [
        *(
            "$ref",
            "$id",
            "id",
            "$anchor",
            "$dynamicRef",
            "$recursiveRef",
            "$dynamicAnchor",
            "$defs",
        ),
        *("$schema", "definitions", "openapi", "components", "schemas", "properties", "items"),
        *(
            "patternProperties",
            "additionalProperties",
            "prefixItems",
            "additionalItems",
            "contains",
        ),
        *("minContains", "maxContains", "allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
        *("dependencies", "dependentRequired", "dependentSchemas", "required", "enum", "const"),
        *("type", "minimum", "exclusiveMinimum", "maxLength", "multipleOf", "pattern", "format"),
        *("default", "example", "examples", "nullable", "title", "unevaluatedItems", "x-a", "a"),
        *("unevaluatedProperties", "propertyNames", "uniqueItems", "b"),
    ]
)
ODD = st.sampled_from(
    [
        *(
            "#",
            "#/",
            "#/definitions/a",
            "#/$defs/a",
            "#a",
            "a",
            "a#b",
            "//[",
            "urn:a:b",
            "http://[",
        ),
        *("(", "3.0.1", "3.1.0", "object", "http://json-schema.org/draft-04/schema#", "^a", "~1"),
        "%zz",
    ]
)
DOCUMENTS: st.SearchStrategy[JsonValue] = st.recursive(
    LEAVES | ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS, inner, max_size=4),
    max_leaves=25,
)
FORMATS = st.sampled_from(["", "JSONSchemaDraft4", "OpenApi3", "draft7", "2019-09", "2020-12", "x"])


@given(DOCUMENTS, FORMATS, st.sampled_from(["", "", "a"]))
@example({"$ref": "#", "not": {"$ref": "#"}}, "2020-12", "")
@example({"$schema": 5, "$id": "http://[", "properties": {"a": {"$ref": "a"}}}, "", "")
def test_any_document_gives_a_sound_schema_or_is_refused(
    document: JsonValue, format_: str, root: str
) -> None:
    for source in (document, json.dumps(document)):
        schema = converted_or_code(source, format_, root)
        if isinstance(schema, str):
            assert schema in ("unreadable-schema", "schema-too-large")
            continue
        assert len(json.dumps(schema, separators=(",", ":"))) < MAX_RESULT_BYTES
        compile_validator(schema)
        refuse_explosion(schema)
        jsonschema.Draft202012Validator.check_schema(schema)
        assert not references(schema)


def references(value: JsonValue, *, table: bool = False) -> bool:
    """Tell whether a schema refers to anything."""
    if isinstance(value, list):
        return any(map(references, value))
    if not isinstance(value, dict):
        return False
    if not table and any(isinstance(value.get(name), str) for name in ("$ref", "$dynamicRef")):
        return True
    tables = ("properties", "patternProperties", "dependentSchemas")
    data = ("enum", "const", "default", "examples")
    return any(
        references(item, table=not table and name in tables)
        for name, item in value.items()
        if table or name not in data
    )
