from __future__ import annotations

import pytest

from naftiko.awsapi.catalog import service_model
from naftiko.errors import Problems
from naftiko.source import Location
from naftiko.values import JsonObject
from naftiko.workflow.resolution.data import ResolutionData
from naftiko.workflow.resolution.idempotency import is_read
from naftiko.workflow.resolution.observers import find_observer, observers, require_observer
from naftiko.workflow.resolution.paths import find_shape
from tests.unit.workflow.resolution.cases import SWEPT

AT = Location("w.yaml", 3, 5)
ONE: JsonObject = {"lit": "x"}


def test_the_seed_s_observer(data: ResolutionData) -> None:
    given = {"DBInstanceIdentifier": ONE, "DBSnapshotIdentifier": ONE}
    found = find_observer(data, "rds", "CreateDBSnapshot", given)
    assert found is not None
    assert found.operation == "DescribeDBSnapshots"
    assert {name: str(item) for name, item in found.input.items()} == {
        "DBSnapshotIdentifier": "input.DBSnapshotIdentifier"
    }
    assert found.variables["snapshot_status"] == "DBSnapshots[0].Status"
    assert found.created == "DBSnapshots[0].SnapshotCreateTime"
    assert found.until == "snapshot_status == 'available'"


def test_without_rows_waiters_tell() -> None:
    found = find_observer(ResolutionData({}), "kinesis", "CreateStream", {"StreamName": ONE})
    assert found is not None
    assert found.how == "derived"
    assert found.operation == "DescribeStream"
    assert found.variables == {
        "stream_status": "StreamDescription.StreamStatus",
        "status": "StreamDescription.StreamStatus",
    }
    assert found.until == "stream_status == 'ACTIVE'"
    assert str(found.input["StreamName"]) == "input.StreamName"


def test_several_ways_are_none() -> None:
    problems = Problems()
    empty = ResolutionData({})
    found = require_observer(empty, "lambda", "CreateFunction", AT, problems, {"FunctionName": ONE})
    assert found is None
    (problem,) = problems
    assert problem.code == "WF306"
    assert "in 2 ways" in problem.message


def test_nothing_to_watch_with(data: ResolutionData) -> None:
    problems = Problems()
    assert require_observer(data, "sns", "Publish", AT, problems) is None
    assert [problem.code for problem in problems] == ["WF306"]


def test_only_one_thing_is_watched(data: ResolutionData) -> None:
    two: JsonObject = {"list": [ONE, ONE]}
    one: JsonObject = {"list": [ONE]}
    assert find_observer(data, "ec2", "StopInstances", {"InstanceIds": two}) is None
    assert find_observer(data, "ec2", "StopInstances", {"InstanceIds": one}) is not None


def test_what_the_call_does_not_give_is_left_out(data: ResolutionData) -> None:
    found = find_observer(data, "ecs", "UpdateService", {"service": ONE})
    assert found is not None
    assert set(found.input) == {"services"}


@pytest.mark.parametrize("service", SWEPT)
def test_observers_read_what_is_there(data: ResolutionData, service: str) -> None:
    """Every observer, from a row or derived, only reads, and its paths lead to single values."""
    model = service_model(service)
    for name in model.operation_names:
        if is_read(name):
            continue
        for found in observers(data, service, name):
            target = model.operation_model(found.operation)
            assert is_read(found.operation)
            assert set(target.input_shape.required_members) <= set(found.input)
            assert found.input
            paths = [*found.variables.values(), *([found.created] if found.created else [])]
            for path in paths:
                shape = find_shape(target.output_shape, path)
                assert shape is not None
                assert shape.type_name not in {"structure", "list", "map"}
            if found.created:
                created = find_shape(target.output_shape, found.created)
                assert created is not None
                assert created.type_name == "timestamp"
