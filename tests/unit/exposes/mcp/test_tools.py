"""Operations as they are published."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naftiko.exposes.mcp.tools import output_object_schema
from naftiko.model.parameters import Hints
from naftiko.plan.inputs import Input, InputTable
from naftiko.plan.ports import Effect, Result
from naftiko.plan.run import Run
from naftiko.plan.tool_names import safe_name
from tests.live.mcp.mcp_demo import adapter, table_of, tool


async def nothing(_run: Run) -> Result:
    return Result()


def only(*args: Any, **kwargs: Any) -> Any:
    table = table_of(adapter(tool(*args, **kwargs)))
    return table.definitions[0]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("list-machines", "list-machines"),
        ("orders.get_1", "orders.get_1"),
        ("list state machines!", "list-state-machines"),
        ("größe", "gr-e"),
        ("!!!", "tool"),
        ("", "tool"),
        ("x" * 300, "x" * 128),
    ],
)
def test_names_are_made_safe(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(st.lists(st.text(max_size=140), max_size=8))
def test_names_are_always_safe_and_different(names: list[str]) -> None:
    published = [item.name for item in table_of(adapter(*(tool(n, nothing) for n in names)))]
    assert len(set(published)) == len(names)
    for name in published:
        assert 1 <= len(name) <= 128
        assert safe_name(name) == name.strip("-")


def test_the_author_s_hints_are_all_there_is() -> None:
    published = only("x", nothing, hints=Hints(destructive=True), effect=Effect.READ, label="X")
    wire = published.annotations.model_dump(by_alias=True, exclude_none=True)
    assert wire == {"title": "X", "destructiveHint": True}


def test_without_hints_a_call_that_reads_says_so() -> None:
    assert only("x", nothing, effect=Effect.READ).annotations.read_only_hint is True
    assert only("x", nothing, effect=Effect.WRITE).annotations is None


def test_a_tool_always_has_a_description() -> None:
    from dataclasses import replace

    bare = replace(tool("x", nothing), description="")
    assert table_of(adapter(bare)).definitions[0].description == "Runs `x`."
    labelled = replace(bare, label="Do x")
    assert table_of(adapter(labelled)).definitions[0].description == "Do x"


def test_a_schema_of_the_file_goes_out_as_an_object_schema() -> None:
    verbatim = InputTable(verbatim={"$defs": {"a": {}}, "properties": {"b": {"$ref": "#/$defs/a"}}})
    schema = only("x", nothing, table=verbatim).input_schema
    assert schema == {**dict(verbatim.schema), "type": "object"}


@pytest.mark.parametrize(
    ("schema", "published", "wraps"),
    [
        (None, None, False),
        ({}, None, False),
        ({"type": "object"}, {"type": "object"}, False),
        (
            {"type": "array", "$defs": {"a": {}}, "items": {"$ref": "#/$defs/a"}},
            {
                "type": "object",
                "properties": {"result": {"type": "array", "items": {"$ref": "#/$defs/a"}}},
                "required": ["result"],
                "$defs": {"a": {}},
            },
            True,
        ),
        (
            {"type": ["object", "null"]},
            {
                "type": "object",
                "properties": {"result": {"type": ["object", "null"]}},
                "required": ["result"],
            },
            True,
        ),
        ({"anyOf": [{"$ref": "#/anyOf/1"}, {"type": "string"}]}, None, False),
        ({"$id": "https://example.com/a", "type": "array"}, None, False),
    ],
)
def test_output_schemas_are_objects(schema: Any, published: Any, wraps: bool) -> None:
    assert output_object_schema(schema) == (published, wraps)


def test_only_mirrored_schemas_are_checked_against_headers() -> None:
    mirrored = Input(name="a", schema={"type": "string", "x-mcp-header": "A"})
    table = table_of(adapter(tool("plain", nothing), tool("mirrored", nothing, mirrored)))
    assert table.input_schema("plain") is None
    assert table.input_schema("none") is None
    assert "a" in table.input_schema("mirrored")["properties"]


def test_a_header_rule_that_clients_refuse_is_said(caplog: pytest.LogCaptureFixture) -> None:
    bad = Input(name="a", schema={"type": "array", "x-mcp-header": "A"})
    table = table_of(adapter(tool("x", nothing, bad)))
    assert table.input_schema("x") is None
    assert "tool `x`: clients drop it" in caplog.text


def test_importing_the_package_does_not_import_the_sdk() -> None:
    program = "import sys, naftiko.exposes.mcp; sys.exit('mcp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
