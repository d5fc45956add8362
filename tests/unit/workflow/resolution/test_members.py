from __future__ import annotations

from collections.abc import Callable

import pytest

from naftiko.awsapi.catalog import service_model
from naftiko.document.nodes import Scalar
from naftiko.errors import Problems
from naftiko.source import Location
from naftiko.workflow.resolution.data import ResolutionData
from naftiko.workflow.resolution.members import (
    check_required,
    find_exact_member,
    find_member,
    match_member,
    parameter_name,
    required_members,
)
from naftiko.workflow.resolution.words import snake
from tests.unit.workflow.resolution.cases import SWEPT, table

AT = Location("w.yaml", 3, 5)


@pytest.mark.parametrize(("target", "name", "wanted", "how"), table("members", "found"))
def test_a_member_is_found(
    data: ResolutionData,
    scalar: Callable[[str], Scalar],
    target: str,
    name: str,
    wanted: str,
    how: str,
) -> None:
    service, _, operation = target.partition(".")
    problems = Problems()
    found = find_member(data, service, operation, scalar(name), problems)
    assert found is not None
    assert (found.name, found.how) == (wanted, how)
    assert found.is_list == (found.shape.type_name == "list")
    assert not list(problems)


@pytest.mark.parametrize(("target", "name"), table("members", "refused"))
def test_a_member_is_refused(
    data: ResolutionData, scalar: Callable[[str], Scalar], target: str, name: str
) -> None:
    service, _, operation = target.partition(".")
    problems = Problems()
    assert find_member(data, service, operation, scalar(name), problems) is None
    assert [problem.code for problem in problems] == ["WF303"]


@pytest.mark.parametrize("service", SWEPT)
def test_every_member_means_itself(data: ResolutionData, service: str) -> None:
    model = service_model(service)
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        for member in shape.members if shape is not None else ():
            assert [hit.name for hit in match_member(data, service, name, member)] == [member]
            assert member in [hit.name for hit in match_member(data, service, name, snake(member))]


def test_exact_members_are_exact(scalar: Callable[[str], Scalar]) -> None:
    problems = Problems()
    assert find_exact_member("rds", "CreateDBSnapshot", scalar("instance_id"), problems) is None
    assert find_exact_member("rds", "CreateDBSnapshot", scalar("Tags"), problems) is not None
    assert [problem.code for problem in problems] == ["WF303"]


def test_what_is_missing_is_named(data: ResolutionData) -> None:
    problems = Problems()
    fits = check_required(data, "rds", "CreateDBSnapshot", {"DBInstanceIdentifier"}, AT, problems)
    assert not fits
    (problem,) = problems
    assert (problem.code, problem.hint) == ("WF305", "give it: `snapshot_id: ...`")


def test_tokens_fill_themselves() -> None:
    assert required_members("efs", "CreateFileSystem") == ()


@pytest.mark.parametrize(
    ("target", "member", "wanted"),
    [
        ("rds.CreateDBSnapshot", "DBInstanceIdentifier", "instance_id"),
        ("rds.CreateDBSnapshot", "DBSnapshotIdentifier", "snapshot_id"),
        ("s3.PutObject", "Bucket", "bucket"),
        ("sns.CreateTopic", "Name", "topic"),
        ("ec2.StopInstances", "InstanceIds", "instance"),
        ("dynamodb.DescribeTable", "TableName", "table_name"),
        ("logs.CreateLogGroup", "logGroupName", "group_name"),
    ],
)
def test_a_parameter_is_named(data: ResolutionData, target: str, member: str, wanted: str) -> None:
    service, _, operation = target.partition(".")
    name = parameter_name(data, service, operation, member)
    assert name == wanted
    assert [hit.name for hit in match_member(data, service, operation, name)] == [member]
