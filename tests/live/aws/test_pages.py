"""Pages are followed up to a limit, unless the caller pages."""

from __future__ import annotations

from typing import Any

import pytest

from naftiko.consumes.aws import AwsClientAdapter
from naftiko.errors import ShapingError
from tests.live.aws.support import Answer, Seen, Upstream, adapter, call, context, environment, says

ENTRY = "{type: aws, namespace: sf, service: stepfunctions, operations: [%s]}"


def everything(aws: Upstream, operations: str = "") -> AwsClientAdapter:
    text = (
        ENTRY % operations if operations else "{type: aws, namespace: sf, service: stepfunctions}"
    )
    return adapter(text, context(environment(aws.url)))


def machines(total: int, page: int) -> Answer:
    """Answer like a service with so many machines, and so many on a page."""

    def answer(seen: Seen) -> Any:
        asked = seen.json
        start = int(asked.get("nextToken", "0"))
        size = asked.get("maxResults") or page
        found = [{"name": f"m{index}"} for index in range(start, min(total, start + size))]
        body: dict[str, Any] = {"stateMachines": found}
        if start + size < total:
            body["nextToken"] = str(start + size)
        return says(body)(seen)

    return answer


def test_all_pages_are_one_result(aws: Upstream) -> None:
    aws.program(machines(250, 100))
    value: Any = call(everything(aws), "list-state-machines").value
    assert [machine["name"] for machine in value["stateMachines"]] == [f"m{i}" for i in range(250)]
    assert "nextToken" not in value
    assert len(aws.seen) == 2
    assert aws.seen[0].json == {}
    assert aws.seen[1].json == {"nextToken": "100", "maxResults": 900}


def test_a_thousand_are_enough(aws: Upstream) -> None:
    aws.program(machines(5000, 100))
    value: Any = call(everything(aws), "list-state-machines").value
    assert len(value["stateMachines"]) == 1000
    assert value["nextToken"] == "1000"


def test_the_file_sets_the_limit(aws: Upstream) -> None:
    aws.program(machines(5000, 100))
    using = everything(aws, "{name: few, operation: ListStateMachines, paginate: {limit: 7}}")
    value: Any = call(using, "few").value
    assert len(value["stateMachines"]) == 7
    assert value["nextToken"] == "7"
    assert aws.seen[0].json == {"maxResults": 7}


def test_pages_can_be_off(aws: Upstream) -> None:
    aws.program(machines(250, 100))
    using = everything(aws, "{name: one, operation: ListStateMachines, paginate: false}")
    value: Any = call(using, "one").value
    assert len(value["stateMachines"]) == 100
    assert value["nextToken"] == "100"


@pytest.mark.parametrize("given", [{"maxResults": 5}, {"nextToken": "200"}])
def test_the_caller_pages(aws: Upstream, given: dict[str, Any]) -> None:
    aws.program(machines(250, 100))
    call(everything(aws), "list-state-machines", **given)
    assert [seen.json for seen in aws.seen] == [given]


def test_lists_that_botocore_has_no_paginator_for(aws: Upstream) -> None:
    arn = "arn:aws:states:us-east-1:1:stateMachine:m"
    aws.program(
        says({"stateMachineVersions": [{"creationDate": 1}], "nextToken": "n"}),
        says({"stateMachineVersions": [{"creationDate": 2}]}),
    )
    value: Any = call(everything(aws), "list-state-machine-versions", stateMachineArn=arn).value
    assert [item["creationDate"][-3:] for item in value["stateMachineVersions"]] == ["01Z", "02Z"]
    assert "nextToken" not in value


def test_the_same_token_twice_is_an_error(aws: Upstream) -> None:
    aws.program(says({"activities": [], "nextToken": "n"}))
    with pytest.raises(ShapingError):
        call(everything(aws), "list-activities")
    assert len(aws.seen) <= 3


def test_numbers_are_added_and_keys_paged(aws: Upstream) -> None:
    key = {"id": {"S": "1"}}
    aws.program(
        says(
            {"Items": [{"a": {"N": "1"}}], "Count": 1, "ScannedCount": 2, "LastEvaluatedKey": key}
        ),
        says({"Items": [{"a": {"N": "2"}}], "Count": 1, "ScannedCount": 5}),
    )
    using = adapter("{type: aws, namespace: d, service: dynamodb}", context(environment(aws.url)))
    value: Any = call(using, "scan", TableName="t").value
    assert value == {
        "Items": [{"a": {"N": "1"}}, {"a": {"N": "2"}}],
        "Count": 2,
        "ScannedCount": 7,
    }
    assert aws.seen[1].json["ExclusiveStartKey"] == key


def test_pages_of_other_protocols(moto_url: str) -> None:
    using = adapter(
        "{type: aws, namespace: s3, service: s3, operations: [{name: create-bucket},"
        " {name: put-object}, {name: some, operation: ListObjectsV2, paginate: {limit: 2}},"
        " {name: all, operation: ListObjectsV2}]}",
        context(environment(moto_url)),
    )
    call(using, "create-bucket", Bucket="pages")
    for index in range(5):
        call(using, "put-object", Bucket="pages", Key=f"k{index}")
    some: Any = call(using, "some", Bucket="pages").value
    assert [item["Key"] for item in some["Contents"]] == ["k0", "k1"]
    assert some["NextContinuationToken"]
    everything: Any = call(using, "all", Bucket="pages", MaxKeys=2).value
    assert len(everything["Contents"]) == 2
    everything = call(using, "all", Bucket="pages").value
    assert len(everything["Contents"]) == 5
