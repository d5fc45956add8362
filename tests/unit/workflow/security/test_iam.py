from __future__ import annotations

from itertools import chain
from pathlib import Path

import orjson
import pytest

from naftiko.awsapi import catalog
from naftiko.resources import data_folder
from naftiko.workflow.security.iam import IamData
from tests.unit.workflow.security.plans import iam_data, lit, param

ROWS = [line.split() for line in Path(__file__).with_name("iam_table.txt").read_text().splitlines()]
"""Written by hand, not from the data: operation, access level, actions (`-`: none)."""


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_the_actions_of_an_operation(row: list[str]) -> None:
    service, _, operation = row[0].partition(":")
    found = iam_data().actions_of(service, operation)
    assert found is not None
    expected = [] if row[2:] == ["-"] else row[2:]
    assert (found.level, list(found.required)) == (row[1].replace("_", " "), expected)


def test_most_operations_resolve_and_each_to_actions_that_exist() -> None:
    data, total, known = iam_data(), 0, 0
    for service in catalog.service_names():
        for operation in catalog.service_model(service).operation_names:
            found = data.actions_of(service, operation)
            total, known = total + 1, known + (found is not None)
            for action in found.required if found else ():
                assert data.knows(action), (service, operation, action)
    assert known / total > 0.88


def test_every_action_and_operation_of_the_overrides_exists() -> None:
    data = iam_data()
    rules = data.rules
    for table in ("operations", "member_actions", "member_replaces"):
        for key, value in rules[table].items():
            service, _, operation = key.partition(":")
            names = set(catalog.service_model(service).operation_names)
            assert operation in names, key
            actions = value if isinstance(value, list) else list(chain(*value.values()))
            assert all(data.knows(action) for action in actions), key
    names = ("denied", "runs_code", "destroy", "destroy_primary_data", "ends")
    lists = [rules[name] for name in names]
    for action in chain(*lists, *rules["sensitive"].values(), rules["levels"]):
        assert data.knows(action) or action.startswith("apigateway:"), action
    for prefix, kinds in rules["resource_members"].items():
        for kind, variables in kinds.items():
            arn = data.services[prefix]["resources"][kind]
            assert all(not name or f"${{{name}}}" in arn for name in variables), (prefix, kind)


@pytest.mark.parametrize(
    ("name", "members", "required"),
    [
        ("rds:CreateDBSnapshot", ["Tags"], ["rds:AddTagsToResource", "rds:CreateDBSnapshot"]),
        ("ec2:RunInstances", ["TagSpecifications"], ["ec2:CreateTags", "ec2:RunInstances"]),
        ("ec2:RunInstances", ["IamInstanceProfile"], ["ec2:RunInstances", "iam:PassRole"]),
        ("lambda:CreateFunction", ["Role"], ["iam:PassRole", "lambda:CreateFunction"]),
        ("sts:AssumeRole", ["RoleArn"], ["sts:AssumeRole"]),
        ("iam:GetRole", ["RoleName"], ["iam:GetRole"]),
        ("s3:GetObject", ["VersionId"], ["s3:GetObjectVersion"]),
        (
            "s3:PutObject",
            ["ACL", "Tagging"],
            ["s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectTagging"],
        ),
        ("sqs:TagQueue", ["Tags"], ["sqs:TagQueue"]),
    ],
)
def test_members_ask_for_more(name: str, members: list[str], required: list[str]) -> None:
    service, _, operation = name.partition(":")
    found = iam_data().actions_of(service, operation, members)
    assert found is not None
    assert list(found.required) == required


def test_a_role_deep_in_a_member_is_passed_too() -> None:
    target = {"list": [{"obj": {"Arn": param("a"), "RoleArn": param("r")}}]}
    for members in ({"Targets": target}, {"Targets": lit([{"RoleArn": "arn:aws:iam::1:role/x"}])}):
        found = iam_data().actions_of("events", "PutTargets", members)
        assert found is not None
        assert found.passes_role


def test_what_is_known_of_a_call() -> None:
    data = iam_data()
    gone = data.actions_of("rds", "DeleteDBInstance")
    kept = data.actions_of("rds", "DeleteDBInstance", ["FinalDBSnapshotIdentifier"])
    queue = data.actions_of("sqs", "CreateQueue", ["Attributes"])
    assert gone is not None and kept is not None and queue is not None  # noqa: PT018 - types
    assert (gone.destroys, gone.irreversible, gone.destroys_primary_data) == (True, True, True)
    assert (kept.destroys, kept.irreversible) == (True, False)
    assert queue.level == "Permissions management"
    assert "rds:AddTagsToResource" in gone.advisory or gone.advisory


def test_unknown_operations_give_none_and_a_hint() -> None:
    data = iam_data()
    assert data.actions_of("rds", "CreateDBSnapshots") is None
    assert data.hint("rds", "CreateDBSnapshots").startswith("did you mean `CreateDBSnapshot`?")
    assert "no service prefix" in data.hint("iotthingsgraph", "SearchThings")


def test_a_catalog_may_add_rows_and_changes_the_digest(tmp_path: Path) -> None:
    row = {
        "operations": {"ecs:DescribeDaemon": ["ecs:DescribeServices"]},
        "denied": ["sqs:PurgeQueue"],
    }
    (tmp_path / "overrides.json").write_bytes(orjson.dumps(row))
    folder = data_folder("capabilities")
    assert folder is not None
    data = IamData.load(folder / "workflow-catalog" / "iam", tmp_path)
    found = data.actions_of("ecs", "DescribeDaemon")
    assert found is not None
    assert found.required == ("ecs:DescribeServices",)
    assert "cloudtrail:StopLogging" in data.rules["denied"]
    assert "sqs:PurgeQueue" in data.rules["denied"]
    assert data.digest != iam_data().digest
    assert IamData.load().digest == iam_data().digest
