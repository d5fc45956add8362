"""outputParameters, case by case."""

from __future__ import annotations

import json
from typing import Any

import pytest

from naftiko.document.reader import parse_document
from naftiko.errors import Problems
from naftiko.model.build_parameters import build_output_parameters
from naftiko.model.fields import Fields
from naftiko.plan.masking import Masker
from naftiko.plan.shaping import Shaper, compile_shaper
from naftiko.plan.templates import PlanTemplates
from naftiko.resolve.binds import BoundVariables
from naftiko.values import MISSING
from tests.case_files import case_name, load_cases

FILE, CASES = load_cases("shaping/outputs.yaml")


def shaper_of(outputs: object) -> Shaper:
    document = parse_document(json.dumps({"outputParameters": outputs}), "case.yaml")
    templates = PlanTemplates(
        variables=BoundVariables((), {}), namespaces=(), problems=Problems(), masker=Masker()
    )
    return compile_shaper(build_output_parameters(Fields(document.root)), templates.value)


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_shaping(case: dict[str, Any]) -> None:
    shaper = shaper_of(case["outputParameters"])
    upstream = case.get("upstream", FILE["upstream"])

    answer = shaper.shape(upstream, case.get("inputs", {}))

    assert answer == case.get("answer", MISSING)


def test_no_outputs_and_the_whole_root_are_identity() -> None:
    assert shaper_of([]).identity
    assert shaper_of([{"type": "object", "mapping": "$."}]).identity
    assert shaper_of([{"mapping": "$"}]).identity
    assert not shaper_of([{"mapping": "$.a"}]).identity


def test_the_published_schema_promises_names_only() -> None:
    outputs = [{"type": "object", "properties": {"a": {"type": "number", "mapping": "$.x"}}}]

    schema = shaper_of(outputs).output_schema(None)

    assert schema == {
        "type": "object",
        "properties": {"a": {}},
        "required": ["a"],
        "additionalProperties": False,
    }


def test_identity_publishes_what_the_operation_promises() -> None:
    upstream = {"type": "object", "properties": {"n": {"type": "number"}}}

    assert shaper_of([]).output_schema(upstream) is upstream


def test_explain_names_the_paths() -> None:
    outputs = [{"type": "object", "properties": {"a": {"mapping": "$.x.y"}}}]

    assert shaper_of(outputs).explain() == ["{a: $.x.y}"]
