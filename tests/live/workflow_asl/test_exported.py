"""Exported plans on the sandbox: the calls that are made, in order, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.live.workflow_asl.conftest import Run
from tests.unit.workflow.asl import samples

Aws = Callable[[str], Any]


def instance(aws: Aws, snapshots: int = 2) -> Any:
    rds = aws("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="db1", DBInstanceClass="db.m5.large", Engine="mysql",
        AllocatedStorage=10, MasterUsername="admin", MasterUserPassword="not-a-secret-1",
    )  # fmt: skip
    for number in range(snapshots):
        rds.create_db_snapshot(DBInstanceIdentifier="db1", DBSnapshotIdentifier=f"old-{number}")
    return rds


def names_of(rds: Any) -> list[str]:
    found = rds.describe_db_snapshots(DBInstanceIdentifier="db1", SnapshotType="manual")[
        "DBSnapshots"
    ]
    return sorted(snapshot["DBSnapshotIdentifier"] for snapshot in found)


def test_backup_with_retention(aws: Aws, run: Run) -> None:
    rds = instance(aws)
    ended = run(samples.rds(), {"instance_id": "db1"}, now="2099-01-31T10:00:00.000Z")
    assert ended.status == "SUCCEEDED"
    assert ended.output == {"create_snapshot": {"id": "db1-20990131100000"}}
    assert ended.calls == [
        ("describeDBInstances", {"DbInstanceIdentifier": "db1"}),
        (
            "createDBSnapshot",
            {"DbInstanceIdentifier": "db1", "DbSnapshotIdentifier": "db1-20990131100000"},
        ),
        ("describeDBSnapshots", {"DbSnapshotIdentifier": "db1-20990131100000"}),
        ("describeDBSnapshots", {"DbInstanceIdentifier": "db1", "SnapshotType": "manual"}),
        ("deleteDBSnapshot", {"DbSnapshotIdentifier": "old-0"}),
        ("deleteDBSnapshot", {"DbSnapshotIdentifier": "old-1"}),
    ]
    assert names_of(rds) == ["db1-20990131100000"]


def test_nothing_is_older_than_the_retention(aws: Aws, run: Run) -> None:
    instance(aws)
    ended = run(samples.rds(), {"instance_id": "db1"}, now="2026-01-31T10:00:00.000Z")
    assert ended.operations.count("deleteDBSnapshot") == 0
    assert ended.status == "SUCCEEDED"


def test_what_a_guard_leaves_out(aws: Aws, run: Run) -> None:
    instance(aws)
    ended = run(samples.rds(), {"instance_id": "db1", "cleanup_enabled": False})
    assert ended.operations == ["describeDBInstances", "createDBSnapshot", "describeDBSnapshots"]
    assert ended.status == "SUCCEEDED"


def test_an_error_has_awss_code(aws: Aws, run: Run) -> None:
    ended = run(samples.rds(), {"instance_id": "none"})
    assert ended.status == "FAILED"
    assert ended.error == {
        "status": "failed",
        "error": {
            "type": "AwsError",
            "step_id": "validate_instance",
            "aws_code": "DBInstanceNotFound",
        },
    }


def test_only_what_was_created_is_rolled_back(aws: Aws, run: Run) -> None:
    rds = instance(aws, snapshots=0)
    rds.create_db_snapshot(DBInstanceIdentifier="db1", DBSnapshotIdentifier="db1-20260131100000")
    ended = run(samples.rds(), {"instance_id": "db1"})
    assert ended.error["status"] == "failed"
    assert ended.error["error"]["aws_code"] == "DBSnapshotAlreadyExists"
    assert ended.operations == ["describeDBInstances", "createDBSnapshot"]
    assert names_of(rds) == ["db1-20260131100000"]


def test_handlers_run_from_the_latest_step(aws: Aws, run: Run) -> None:
    ended = run(samples.rollback(), {"second": "/a/second", "fails": True})
    assert ended.error == {
        "status": "rolled_back",
        "error": {
            "type": "AssertionFailed",
            "step_id": "sure",
            "data": {"message": "told to fail"},
        },
    }
    names = [(operation, given["Name"]) for operation, given in ended.calls]
    assert names[:2] == [("putParameter", "/a/first"), ("putParameter", "/a/second")]
    assert sorted(names[2:]) == [("deleteParameter", "/a/first"), ("deleteParameter", "/a/second")]


def test_a_step_that_fails_is_not_undone(aws: Aws, run: Run) -> None:
    aws("ssm").put_parameter(Name="/a/second", Value="old", Type="String")
    ended = run(samples.rollback(), {"second": "/a/second"})
    assert ended.error["status"] == "rolled_back"
    assert ended.error["error"]["aws_code"] == "ParameterAlreadyExists"
    assert ended.operations == ["putParameter", "putParameter", "deleteParameter"]
    assert ended.calls[-1][1] == {"Name": "/a/first"}


def test_pages_up_to_the_cap(aws: Aws, run: Run) -> None:
    dynamodb = aws("dynamodb")
    for number in range(5):
        dynamodb.create_table(
            TableName=f"table-{number}",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    ended = run(samples.paging(), {})
    assert ended.output == {"names": ["table-0", "table-1", "table-2", "table-3"]}
    assert ended.calls == [
        ("listTables", {"Limit": 2}),
        ("listTables", {"Limit": 2, "ExclusiveStartTableName": "table-1"}),
    ]


def test_one_page_and_none(aws: Aws, run: Run) -> None:
    assert run(samples.paging(), {}).output == {"names": []}


def test_values_guards_and_waits(aws: Aws, run: Run) -> None:
    ended = run(samples.values(), {"name": 'a"😀%}'})
    assert ended.status == "SUCCEEDED"
    assert ended.output == {"name": 'a"😀%}-%{}$"x', "n": 3, "status": "succeeded"}
    skipped = run(samples.values(), {"name": "a", "count": 1})
    assert skipped.output == {"name": 'a-%{}$"x', "n": None, "status": "skipped"}
    failed = run(samples.values(), {"name": "bad"})
    assert failed.error["error"]["data"] == {"message": "not bad"}


def parameters(aws: Aws, *names: str, value: str = "v") -> None:
    for name in names:
        aws("ssm").put_parameter(Name=name, Value=value, Type="String")


def test_a_loop(aws: Aws, run: Run) -> None:
    parameters(aws, "/a", "/b")
    ended = run(samples.loop(), {"names": ["/a", "skip", "/b"]})
    assert ended.output == {"count": 2, "failed": 0}
    assert ended.operations == ["getParameter", "deleteParameter"] * 2
    assert run(samples.loop(), {"names": []}).output == {"count": 0, "failed": 0}


def test_a_loop_that_fails_at_an_item(aws: Aws, run: Run) -> None:
    parameters(aws, "/a", "/c")
    ended = run(samples.loop(), {"names": ["/a", "/b", "/c"]})
    assert ended.operations == ["getParameter", "deleteParameter", "getParameter"]
    assert ended.error == {
        "status": "failed",
        "error": {"type": "AwsError", "step_id": "each", "aws_code": "ParameterNotFound"},
    }


def test_a_loop_that_goes_on(aws: Aws, run: Run) -> None:
    parameters(aws, "/a", "/c")
    ended = run(samples.loop("continue"), {"names": ["/a", "/b", "/c"]})
    assert ended.output == {"count": 3, "failed": 1}


def test_too_many_items_before_the_first(aws: Aws, run: Run) -> None:
    ended = run(samples.loop(max_items=1), {"names": ["/a", "/b"]})
    assert ended.calls == []
    assert ended.error["error"]["type"] == "FanOutExceeded"


def test_polls(aws: Aws, run: Run) -> None:
    parameters(aws, "/ready", value="ready")
    parameters(aws, "/never", value="not yet")
    parameters(aws, "/broken", value="broken")
    assert run(samples.poll(), {"name": "/ready"}).output == {"attempts": 1}
    spent = run(samples.poll(), {"name": "/never"})
    assert (len(spent.calls), spent.error["error"]["type"]) == (3, "PollExhausted")
    late = run(samples.poll(max_attempts=10, interval=30, timeout=100), {"name": "/never"})
    assert (len(late.calls), late.error["error"]["type"]) == (4, "StepTimeout")
    assert run(samples.poll(), {"name": "/broken"}).error["error"]["type"] == "PollFailed"


def test_data_is_never_code(aws: Aws, run: Run) -> None:
    nasty = '{% $states %} "&$eval("1")&" \\ ${params.x} $.a\u0000\u2028'
    parameters(aws, "/nasty", value=nasty.replace("\u0000", ""))
    ended = run(samples.poll(), {"name": "/nasty"})
    assert ended.error["error"]["type"] == "PollExhausted"
    assert run(samples.values(), {"name": nasty}).output["name"] == nasty + '-%{}$"x'
