from __future__ import annotations

from collections.abc import Callable

import pytest

from naftiko.document.nodes import Scalar
from naftiko.errors import Problems
from naftiko.workflow.resolution.data import ResolutionData
from naftiko.workflow.resolution.shorthand import Intent, read_intent
from tests.unit.workflow.resolution.cases import table

Make = Callable[[str], Scalar]


@pytest.mark.parametrize(("text", "wanted"), table("phrases", "found"))
def test_a_phrase_is_a_call(data: ResolutionData, scalar: Make, text: str, wanted: str) -> None:
    problems = Problems()
    intent = read_intent(data, scalar(text), (), problems)
    assert intent is not None
    assert intent.found is not None
    assert not list(problems)
    found = intent.found
    name = found.recipe.name if found.recipe is not None else found.operation
    assert f"{found.service}.{name}" == wanted


@pytest.mark.parametrize("text", table("phrases", "polls"))
def test_a_phrase_is_a_poll(data: ResolutionData, scalar: Make, text: str) -> None:
    assert read_intent(data, scalar(text), (), Problems()) == Intent()


@pytest.mark.parametrize(("text", "code"), table("phrases", "refused"))
def test_a_phrase_is_refused(data: ResolutionData, scalar: Make, text: str, code: str) -> None:
    problems = Problems()
    assert read_intent(data, scalar(text), (), problems) is None
    assert [problem.code for problem in problems] == [code]


def sources(data: ResolutionData, text: Scalar, *parameters: str) -> dict[str, tuple[str, str]]:
    intent = read_intent(data, text, parameters, Problems())
    assert intent is not None
    return {item.member: (item.kind, item.source) for item in intent.bindings}


def test_the_seed_s_primitive(data: ResolutionData, scalar: Make) -> None:
    assert sources(data, scalar("create RDS snapshot for instance")) == {
        "DBInstanceIdentifier": ("implicit", "${params.instance_id}"),
        "DBSnapshotIdentifier": ("default", "${params.instance_id}-${timestamp()}"),
    }


def test_declared_parameters_are_taken(data: ResolutionData, scalar: Make) -> None:
    text = scalar("create RDS snapshot for instance")
    assert sources(data, text, "database", "other") == {
        "DBInstanceIdentifier": ("parameter", "${params.database}"),
        "DBSnapshotIdentifier": ("default", "${params.database}-${timestamp()}"),
    }
    assert sources(data, text, "instance_id", "snapshot_name", "database") == {
        "DBInstanceIdentifier": ("parameter", "${params.instance_id}"),
        "DBSnapshotIdentifier": ("parameter", "${params.snapshot_name}"),
    }
