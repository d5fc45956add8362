"""schemas/workflow.schema.json, which editors use, and the parser say the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from naftiko.errors import Problems
from naftiko.workflow.source import formatter, parser
from naftiko.workflow.source import schema_parts as parts
from naftiko.workflow.source import schema_steps as steps
from tests.case_files import CASES, ROOT
from tests.unit.workflow.front.sources import VALID

SCHEMA: dict[str, Any] = json.loads((ROOT / "schemas/workflow.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)
DEFS = SCHEMA["$defs"]

BEYOND = {
    "WF204/references",  # names of other parts of the file
    "WF205/parameters",  # uniqueness of a member
    "WF205/steps",
    "WF205/handler_ids",  # ids that the compiler makes
    "WF205/made_ids",
    "WF205/recipe_ids",
    "WF206/range",  # one value against another
    "WF206/pattern",
}
REFUSED = [
    path
    for path in sorted((CASES / "workflow").glob("WF20[1-6]/*.yaml"))
    if f"{path.parent.name}/{path.stem}" not in BEYOND
]


def document(path: Path) -> object:
    found = parser.read_source(path.read_bytes(), path.name, Problems())
    assert found is not None
    return found.root.plain()


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_accepts_what_the_parser_accepts(path: Path) -> None:
    errors = [
        f"{error.instance_path}: {error.message}" for error in VALIDATOR.iter_errors(document(path))
    ]

    assert errors == []


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_refuses_what_the_parser_refuses(path: Path) -> None:
    assert not VALIDATOR.is_valid(document(path))


def test_both_know_the_same_fields() -> None:
    known = {
        "Metadata": parts.METADATA_FIELDS,
        "Parameter": parts.PARAMETER_FIELDS,
        "Handler": parts.HANDLER_FIELDS,
        "Embedding": parts.EMBEDDING_FIELDS,
        "Retry": steps.RETRY_FIELDS,
        "Paginate": steps.PAGING_FIELDS,
        "StepOutput": steps.OUTPUT_FIELDS,
        "CommandStep": (*steps.COMMON_FIELDS, *steps.COMMAND_FIELDS),
        "WorkflowStep": (*steps.COMMON_FIELDS, *steps.WORKFLOW_FIELDS),
    }
    for name, fields in steps.PRIMITIVE_FIELDS.items():
        title = "".join(word.capitalize() for word in name.split("_")) + "Step"
        known[title] = (*steps.COMMON_FIELDS, "action", *fields)

    assert set(SCHEMA["properties"]) == set(parser.WORKFLOW_FIELDS)
    for title, names in known.items():
        assert set(DEFS[title]["properties"]) == set(names), title


def test_the_formatter_orders_every_field() -> None:
    fields = {name for names in steps.PRIMITIVE_FIELDS.values() for name in names}
    fields |= {*steps.COMMON_FIELDS, *steps.COMMAND_FIELDS, *steps.WORKFLOW_FIELDS, "action"}

    assert set(formatter.STEP_ORDER) == fields


def test_every_field_is_described() -> None:
    bare = [
        f"{title}.{name}"
        for title, part in {**DEFS, "root": SCHEMA}.items()
        for name, field in part.get("properties", {}).items()
        if "description" not in field
    ]

    assert bare == []
