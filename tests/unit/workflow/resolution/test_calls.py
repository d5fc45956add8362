"""What is known of an operation beside its names: idempotency, pages."""

from __future__ import annotations

import pytest

from naftiko.awsapi.catalog import paginators, service_model
from naftiko.values import JsonObject
from naftiko.workflow.resolution.idempotency import has_dry_run, idempotency_of, is_read
from naftiko.workflow.resolution.paging import paginate_of
from tests.unit.workflow.resolution.cases import SWEPT


@pytest.mark.parametrize(
    ("target", "given", "wanted"),
    [
        ("rds.DescribeDBInstances", [], {"kind": "read"}),
        (
            "rds.CreateDBSnapshot",
            ["DBSnapshotIdentifier"],
            {"kind": "natural", "exists_error": "DBSnapshotAlreadyExists", "observer": None},
        ),
        ("rds.DeleteDBSnapshot", ["DBSnapshotIdentifier"], {"kind": "none"}),
        ("ec2.RunInstances", ["MinCount"], {"kind": "token", "member": "ClientToken"}),
        ("ec2.CreateSnapshot", ["VolumeId"], {"kind": "none"}),
        ("sqs.ReceiveMessage", ["QueueUrl"], {"kind": "none"}),
        ("sqs.SendMessage", ["QueueUrl"], {"kind": "none"}),
        ("stepfunctions.GetActivityTask", [], {"kind": "none"}),
        ("efs.CreateFileSystem", [], {"kind": "token", "member": "CreationToken"}),
        (
            "iam.CreateRole",
            ["RoleName"],
            {"kind": "natural", "exists_error": "EntityAlreadyExists", "observer": None},
        ),
        ("sns.Publish", ["TopicArn"], {"kind": "none"}),
    ],
)
def test_idempotency(target: str, given: list[str], wanted: JsonObject) -> None:
    service, _, operation = target.partition(".")
    assert idempotency_of(service, operation, given).to_json() == wanted


def test_the_access_level_decides() -> None:
    assert is_read("GetThing", "Read")
    assert not is_read("GetThing", "Write")
    assert is_read("ProbeThing", "List")


def test_dry_run() -> None:
    assert has_dry_run("ec2", "RunInstances")
    assert not has_dry_run("rds", "CreateDBSnapshot")


def test_pages_of_snapshots() -> None:
    assert paginate_of("rds", "DescribeDBSnapshots", max_items=50, page_size=20) == {
        "input": ["Marker"],
        "output": [["Marker"]],
        "result": ["DBSnapshots"],
        "more": None,
        "size": "MaxRecords",
        "max_items": 50,
        "page_size": 20,
    }


def test_pages_with_alternatives_and_several_tokens() -> None:
    objects = paginate_of("s3", "ListObjects")
    assert objects is not None
    assert objects["output"] == [["NextMarker", "Contents[-1].Key"]]
    assert objects["more"] == "IsTruncated"
    records = paginate_of("route53", "ListResourceRecordSets")
    assert records is not None
    assert isinstance(records["input"], list)
    assert len(records["input"]) == 3


def test_pages_that_only_the_names_tell() -> None:
    sets = paginate_of("wafv2", "ListIPSets", page_size=100)
    assert sets is not None
    assert (sets["input"], sets["output"]) == (["NextMarker"], [["NextMarker"]])
    assert (sets["result"], sets["size"]) == (["IPSets"], "Limit")


def test_no_pages() -> None:
    assert paginate_of("rds", "CreateDBSnapshot") is None
    assert paginate_of("dynamodb", "DescribeTable") is None


@pytest.mark.parametrize("service", SWEPT)
def test_every_paginator_is_taken(service: str) -> None:
    for operation in paginators(service):
        pages = paginate_of(service, operation)
        assert pages is not None
        model = service_model(service).operation_model(operation)
        assert isinstance(pages["input"], list)
        assert isinstance(pages["output"], list)
        assert len(pages["input"]) == len(pages["output"])
        assert set(pages["input"]) <= set(model.input_shape.members)
