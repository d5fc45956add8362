from __future__ import annotations

import pytest
import yaml

from naftiko.awsapi.catalog import service_model
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.resolution.data import ResolutionData
from naftiko.workflow.resolution.rows import Never, Undo
from naftiko.workflow.resolution.undo import find_undo, why_no_undo
from tests.unit.workflow.resolution.cases import SWEPT, TABLES

CASES = yaml.safe_load((TABLES / "undo.yaml").read_text())


@pytest.mark.parametrize(
    ("target", "given", "wanted", "sources"),
    CASES,
    ids=[f"{index}-{row[0]}" for index, row in enumerate(CASES)],
)
def test_a_call_is_taken_back(
    data: ResolutionData,
    target: str,
    given: dict[str, JsonValue],
    wanted: str | None,
    sources: dict[str, str],
) -> None:
    service, _, operation = target.partition(".")
    trees: dict[str, JsonObject] = {name: {"lit": value} for name, value in given.items()}
    undo = find_undo(data, service, operation, trees)
    if wanted is None:
        assert undo is None
        assert why_no_undo(data, service, operation, trees)
        return
    assert undo is not None
    assert undo.operation == wanted
    assert {name: str(item) for name, item in undo.input.items()} == sources


def test_a_token_of_this_execution_is_fresh(data: ResolutionData) -> None:
    fresh: JsonObject = {"cat": [{"lit": "a-"}, {"fn": "uuid", "args": [], "t": "string"}]}
    one: JsonObject = {"lit": 1}
    given = {"MinCount": one, "MaxCount": one, "ClientToken": fresh}
    assert find_undo(data, "ec2", "RunInstances", given) is not None
    assert find_undo(data, "route53", "CreateHealthCheck", {"CallerReference": fresh}) is not None


def test_what_was_so_before_is_left_alone(data: ResolutionData) -> None:
    undo = find_undo(data, "ec2", "StartInstances", {"InstanceIds": {"list": [{"lit": "i-1"}]}})
    assert undo is not None
    assert undo.when == ("StartingInstances[0].PreviousState.Name", "stopped")


@pytest.mark.parametrize("service", SWEPT)
def test_undoing_identifies_what_was_made(data: ResolutionData, service: str) -> None:
    """Every undo takes something from the call that it takes back, and all that it needs (I6)."""
    for name in service_model(service).operation_names:
        row = data.service(service).undo.get(name)
        undo = row if row is not None else find_undo(data, service, name, {})
        if undo is None or isinstance(undo, Never):
            continue
        assert isinstance(undo, Undo)
        shape = service_model(service).operation_model(undo.operation).input_shape
        assert shape is not None
        assert set(shape.required_members) <= set(undo.input)
        assert any(item.kind != "literal" for item in undo.input.values())


@pytest.mark.parametrize("service", SWEPT)
def test_a_derived_undo_deletes_what_aws_named(data: ResolutionData, service: str) -> None:
    for name in service_model(service).operation_names:
        undo = find_undo(data, service, name, {})
        if undo is None or undo.how != "derived":
            continue
        assert undo.operation == "Delete" + name.removeprefix("Create")
        assert any(item.kind == "output" for item in undo.input.values())
