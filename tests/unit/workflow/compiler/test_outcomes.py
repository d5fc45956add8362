"""What a step says of itself in a source: `status`, `error_code`, outputs of the same name."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from naftiko.workflow.asl.export import export
from naftiko.workflow.compiler import compile_source, load_data
from tests.unit.workflow.vm.worlds import World, fault

DETECTOR = """
name: detector_state
version: "1.0"
description: "Tells whether a detector is on"
metadata: {tier: community}
steps:
  - id: detector
    type: command
    context: {service: guardduty, action: get_detector}
    input: {DetectorId: d1}
    on_error: continue
    outputs:
      status: {path: Status}
  - id: is_on
    type: primitive
    action: assert
    condition: "steps.detector.status == 'ENABLED'"
    message: "it is off"
outputs:
  state: "${steps.detector.status}"
  own: "${steps.is_on.status}"
"""

RULES = """
name: bucket_rules
version: "1.0"
description: "Tells whether a bucket has lifecycle rules"
metadata: {tier: community}
parameters:
  - {name: bucket, type: string, required: true, pattern: "[a-z]+"}
steps:
  - id: rules
    type: command
    on_error: continue
    context: {service: s3, action: get_bucket_lifecycle_configuration, bucket: "${params.bucket}"}
  - id: known
    type: primitive
    action: assert
    condition: >-
      steps.rules.status == 'succeeded' ||
      steps.rules.error_code == 'NoSuchLifecycleConfiguration'
    message: "the rules cannot be read: ${steps.rules.error_code:-lost}"
outputs:
  why: "${steps.rules.error_code}"
"""


def compiled(source: str) -> Any:
    found = compile_source(source, "a.yaml", load_data())
    assert found.plan is not None, [one.message for one in found.problems]
    return found.plan


@pytest.mark.parametrize(
    ("state", "status"), [("ENABLED", "succeeded"), ("DISABLED", "failed"), (None, "failed")]
)
def test_an_output_called_status_is_what_the_compiler_says(state: str | None, status: str) -> None:
    world = World({"GetDetector": {"Status": state}})
    ending = asyncio.run(world.run(compiled(DETECTOR)))
    assert ending.status == status
    assert ending.outputs == ({"state": state, "own": "succeeded"} if state == "ENABLED" else {})


def test_what_needs_such_an_output_is_skipped_without_it() -> None:
    ending = asyncio.run(World({"GetDetector": fault("Refused")}).run(compiled(DETECTOR)))
    assert ending.outputs == {"state": None, "own": "skipped"}


@pytest.mark.parametrize(
    ("reply", "status", "why"),
    [
        ({"Rules": []}, "succeeded", None),
        (fault("NoSuchLifecycleConfiguration", 404), "succeeded", "NoSuchLifecycleConfiguration"),
        (fault("AccessDenied", 403), "failed", None),
    ],
)
def test_an_error_code_from_source_to_result(reply: Any, status: str, why: str | None) -> None:
    world = World({"GetBucketLifecycleConfiguration": reply})
    ending = asyncio.run(world.run(compiled(RULES), {"bucket": "photos"}))
    assert ending.status == status
    assert ending.outputs.get("why") == why
    if status == "failed":
        assert ending.error is not None
        assert ending.error["message"] == "the condition does not hold"
        assert ending.error["data"] == {"message": "the rules cannot be read: AccessDenied"}


def test_what_a_state_machine_cannot_know_is_said() -> None:
    (problem,) = export(compiled(RULES)).problems
    assert problem.code == "WF801"


def test_a_declared_status_maps_to_a_state_machine() -> None:
    assert export(compiled(DETECTOR)).is_usable
