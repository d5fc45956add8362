from __future__ import annotations

import pytest

from naftiko.awsapi.catalog import service_model
from naftiko.errors import Problems
from naftiko.source import Location
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.expressions.typed import Typed
from naftiko.workflow.resolution.paths import parse_path, path_text, path_type
from naftiko.workflow.resolution.shapes import as_list, check_value, safe_pattern
from naftiko.workflow.types import BOOLEAN, INTEGER, OPAQUE, STRING, TIMESTAMP, Type, list_of

AT = Location("w.yaml", 3, 5)


def found(target: str, tree: JsonObject, type_: Type = OPAQUE) -> list[str]:
    service, operation, member = target.split(".")
    shape = service_model(service).operation_model(operation).input_shape.members[member]
    problems = Problems()
    fits = check_value(shape, Typed(tree=tree, type=type_), AT, problems)
    assert fits == (not len(problems))
    assert {item.code for item in problems} <= {"WF304"}
    return [item.message for item in problems]


@pytest.mark.parametrize(
    ("target", "value", "wanted"),
    [
        ("rds.CreateDBInstance.AllocatedStorage", 20, ""),
        ("rds.CreateDBInstance.AllocatedStorage", "20", "an integer is expected, found `20`"),
        ("rds.CreateDBInstance.AllocatedStorage", True, "an integer is expected, found `true`"),
        ("rds.CreateDBInstance.MultiAZ", True, ""),
        ("rds.CreateDBInstance.MultiAZ", "true", "a boolean is expected, found `true`"),
        ("rds.CreateDBInstance.DBInstanceIdentifier", 5, "a string is expected, found `5`"),
        ("rds.CreateDBInstance.Tags", [{"Key": "a", "Value": "b"}], ""),
        ("rds.CreateDBInstance.Tags", [{"Ky": "a"}], "`Ky` is no member of `[0]`"),
        ("rds.CreateDBInstance.Tags", {"Key": "a"}, "a list is expected, found an object"),
        ("s3.PutObject.ACL", "private", ""),
        ("s3.PutObject.ACL", "privat", "`privat` is not allowed"),
        ("s3.PutObject.Metadata", {"a": "b"}, ""),
        ("s3.PutObject.Metadata", {"a": 1}, "a string is expected for `a`, found `1`"),
        ("s3.PutObject.Expires", "2026-01-31T10:00:00Z", ""),
        ("s3.PutObject.Expires", "tomorrow", "`tomorrow` is no time"),
        ("lambda.CreateFunction.FunctionName", "good-name", ""),
        ("lambda.CreateFunction.FunctionName", "bad name", "does not match AWS's pattern"),
        ("lambda.CreateFunction.MemorySize", 1, "`1` is out of range"),
        ("lambda.CreateFunction.MemorySize", 512, ""),
        ("logs.CreateLogGroup.logGroupName", "x" * 600, "600 characters are given"),
        ("dynamodb.PutItem.Item", {"id": {"S": "a"}}, ""),
        ("dynamodb.PutItem.Item", {"id": "a"}, "an object is expected for `id`, found `a`"),
        ("dynamodb.CreateTable.KeySchema", [{"AttributeName": "a"}], "`[0]` needs `KeyType`"),
    ],
)
def test_constants(target: str, value: JsonValue, wanted: str) -> None:
    messages = found(target, {"lit": value})
    assert any(wanted in message for message in messages) if wanted else messages == []


@pytest.mark.parametrize(
    ("target", "type_", "fits"),
    [
        ("rds.CreateDBInstance.AllocatedStorage", INTEGER, True),
        ("rds.CreateDBInstance.AllocatedStorage", STRING, False),
        ("rds.CreateDBInstance.DBInstanceIdentifier", INTEGER, False),
        ("rds.CreateDBInstance.DBInstanceIdentifier", STRING, True),
        ("rds.CreateDBInstance.DBInstanceIdentifier", TIMESTAMP, False),
        ("rds.CreateDBInstance.MultiAZ", BOOLEAN, True),
        ("rds.CreateDBInstance.VpcSecurityGroupIds", list_of(STRING), True),
        ("rds.CreateDBInstance.VpcSecurityGroupIds", list_of(INTEGER), False),
        ("rds.CreateDBInstance.VpcSecurityGroupIds", STRING, False),
        ("s3.PutObject.Expires", TIMESTAMP, True),
        ("s3.PutObject.Body", STRING, True),
        ("s3.PutObject.Body", OPAQUE, True),
        ("s3.PutObject.ACL", Type(kind="string", enum=("a", "private")), True),
        ("s3.PutObject.ACL", Type(kind="string", enum=("a", "b")), False),
    ],
)
def test_types(target: str, type_: Type, fits: bool) -> None:
    assert (found(target, {"ref": ["params", "x"]}, type_) == []) == fits


def test_one_value_becomes_a_list() -> None:
    shape = service_model("ec2").operation_model("StopInstances").input_shape
    member = shape.members["InstanceIds"]
    typed = as_list(member, Typed(tree={"lit": "i-1"}, type=STRING))
    assert typed.tree == {"list": [{"lit": "i-1"}]}
    assert typed.type.kind == "list"
    assert check_value(member, typed, AT, Problems())


@pytest.mark.parametrize(
    "pattern", ["(a+)+", "(a*b)*c", "((a+)b){2,}", r"\p{L}+", "(?<!x", "x" * 2000]
)
def test_patterns_that_are_left_out(pattern: str) -> None:
    assert safe_pattern(pattern) is None


@pytest.mark.parametrize("pattern", ["[a-z]+", "(a|b)*", r"[\w+=,.@-]+", "(ab)+c+", "[(a+)]*"])
def test_patterns_that_are_matched(pattern: str) -> None:
    assert safe_pattern(pattern) is not None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("A", ("A",)),
        ("A.B[0].C", ("A", "B", 0, "C")),
        ("A[0][1]", ("A", 0, 1)),
        ("", None),
        ("[0]", None),
        ("A.", None),
        ("A..B", None),
        ("A[*]", None),
        ("A[-1]", None),
        ("A[01]", None),
        ("A b", None),
        ("$.A", None),
        ("A" + "[0]" * 30, None),
    ],
)
def test_paths(text: str, wanted: tuple[str | int, ...] | None) -> None:
    assert parse_path(text) == wanted
    if wanted is not None:
        assert path_text(wanted) == text


@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        ("DBSnapshots[0].Status", "string", ""),
        ("DBSnapshots[0].SnapshotCreateTime", "timestamp", ""),
        ("DBSnapshots", "list", ""),
        ("DBSnapshot[0]", "", "the answer has no member `DBSnapshot`"),
        ("DBSnapshots.Status", "", "`DBSnapshots` is a list, so `.Status` finds nothing"),
        ("Marker.x", "", "`Marker` is a string, so `.x` finds nothing"),
        ("Marker[0]", "", "`Marker` is a string, so `[0]` finds nothing"),
        ("$.x", "", "is no path"),
    ],
)
def test_types_of_paths(path: str, kind: str, message: str) -> None:
    problems = Problems()
    output = service_model("rds").operation_model("DescribeDBSnapshots").output_shape
    type_ = path_type(output, path, AT, problems)
    if kind:
        assert type_ is not None
        assert type_.kind == kind
        return
    assert type_ is None
    (problem,) = problems
    assert problem.code == "WF321"
    assert message in problem.message
