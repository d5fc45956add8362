"""outputParameters, case by case."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from naftiko.document.reader import parse_document
from naftiko.errors import Problems, ShapingError
from naftiko.model.build_parameters import build_output_parameters
from naftiko.model.fields import Fields
from naftiko.model.parameters import OutputParameter
from naftiko.plan.masking import Masker
from naftiko.plan.mock import compile_mock, has_given_values
from naftiko.plan.run import Run
from naftiko.plan.shaping import Shaper, compile_shaper
from naftiko.plan.templates import PlanTemplates
from naftiko.resolve.binds import BoundVariables
from naftiko.values import MISSING
from tests.case_files import case_name, load_cases

FILE, CASES = load_cases("shaping/outputs.yaml")
MOCKS, MOCK_CASES = load_cases("shaping/mocks.yaml")


TEMPLATES = PlanTemplates(
    variables=BoundVariables((), {}), namespaces=(), problems=Problems(), masker=Masker()
)


def outputs_of(outputs: object) -> tuple[OutputParameter, ...]:
    document = parse_document(json.dumps({"outputParameters": outputs}), "case.yaml")
    return build_output_parameters(Fields(document.root))


def shaper_of(outputs: object) -> Shaper:
    return compile_shaper(outputs_of(outputs), TEMPLATES.value)


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_shaping(case: dict[str, Any]) -> None:
    shaper = shaper_of(case["outputParameters"])
    upstream = case.get("upstream", FILE["upstream"])

    answer = shaper.shape(upstream, case.get("inputs", {}))

    assert answer == case.get("answer", MISSING)
    assert type(answer) is type(case.get("answer", MISSING))
    if "order" in case:
        assert list(answer) == case["order"]


@pytest.mark.parametrize("case", FILE["refusals"], ids=case_name)
def test_what_cannot_be_coerced_fails_the_request(case: dict[str, Any]) -> None:
    with pytest.raises(ShapingError) as caught:
        shaper_of(case["outputParameters"]).shape(case["upstream"], {})

    assert (caught.value.status, caught.value.code) == (502, "wrong-output-type")
    assert case["says"] in caught.value.message


@pytest.mark.parametrize("case", MOCK_CASES, ids=case_name)
def test_mocks(case: dict[str, Any]) -> None:
    outputs = outputs_of(case["outputParameters"])
    assert has_given_values(outputs)

    result = asyncio.run(compile_mock(outputs, TEMPLATES.value).run(Run(inputs=MOCKS["inputs"])))

    assert result.value == case.get("answer", MISSING)
    assert json.dumps(result.value, default=str) == json.dumps(
        case.get("answer", MISSING), default=str
    )
    assert result.status == (200 if "answer" in case else 204)


def test_coerced_outputs_promise_their_types() -> None:
    outputs = [
        {
            "type": "object",
            "coerce": True,
            "properties": {"a": {"type": "number", "mapping": "$.x"}, "b": {"mapping": "$.y"}},
        }
    ]

    schema = shaper_of(outputs).output_schema(None)

    assert schema is not None
    assert schema["properties"] == {"a": {"type": ["number", "null"]}, "b": {}}


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
