"""State machines and tags, over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

ROLE = "arn:aws:iam::123456789012:role/states"
PASS = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}
OTHER = {"StartAt": "Stop", "States": {"Stop": {"Type": "Succeed"}}}


def test_create_describe_list_delete(steps: Any, client: Any) -> None:
    arn = steps.machine(name="orders", type="EXPRESS", tags=[{"key": "team", "value": "shop"}])
    described = client.describe_state_machine(stateMachineArn=arn)
    assert described["name"] == "orders"
    assert described["type"] == "EXPRESS"
    assert described["status"] == "ACTIVE"
    assert described["roleArn"] == ROLE
    assert json.loads(described["definition"]) == PASS
    assert "revisionId" not in described
    listed = client.list_state_machines()["stateMachines"]
    assert [each["type"] for each in listed if each["name"] == "orders"] == ["EXPRESS"]
    client.delete_state_machine(stateMachineArn=arn)
    assert steps.refusal("describe_state_machine", stateMachineArn=arn) == (
        "StateMachineDoesNotExist"
    )
    client.delete_state_machine(stateMachineArn=arn)


def test_metadata_only_leaves_the_definition_out(steps: Any, client: Any) -> None:
    arn = steps.machine()
    described = client.describe_state_machine(stateMachineArn=arn, includedData="METADATA_ONLY")
    assert described["definition"] == ""


def test_the_same_machine_twice_is_one(steps: Any) -> None:
    first = steps.machine(name="twice")
    assert steps.machine(name="twice") == first
    assert (
        steps.refusal(
            "create_state_machine", name="twice", definition=json.dumps(OTHER), roleArn=ROLE
        )
        == "StateMachineAlreadyExists"
    )


def test_update_gives_a_revision(steps: Any, client: Any) -> None:
    arn = steps.machine()
    updated = client.update_state_machine(stateMachineArn=arn, definition=json.dumps(OTHER))
    described = client.describe_state_machine(stateMachineArn=arn)
    assert json.loads(described["definition"]) == OTHER
    assert described["revisionId"] == updated["revisionId"]
    again = client.update_state_machine(stateMachineArn=arn, definition=json.dumps(OTHER))
    assert again["revisionId"] == updated["revisionId"]
    code = steps.refusal("update_state_machine", stateMachineArn=arn)
    assert code == "MissingRequiredParameter"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"name": "no spaces"}, "InvalidName"),
        ({"name": "x" * 81}, "ValidationException"),
        ({"roleArn": "nobody"}, "InvalidArn"),
        ({"definition": "{"}, "InvalidDefinition"),
        ({"definition": '{"StartAt": "A", "States": {}}'}, "InvalidDefinition"),
        ({"type": "QUICK"}, "ValidationException"),
        ({"versionDescription": "first"}, "ValidationException"),
    ],
)
def test_create_refuses(steps: Any, changed: dict[str, Any], code: str) -> None:
    request = {"name": "refused", "roleArn": ROLE, "definition": json.dumps(PASS)} | changed
    refusal = steps.refusal("create_state_machine", **request)
    if code == "ValidationException" and "name" in changed:
        assert refusal in (code, "InvalidName")
    else:
        assert refusal == code


@pytest.mark.parametrize(
    "arn",
    ["nonsense", "arn:aws:states:us-east-1:123456789012:activity:x"],
)
def test_wrong_arns_are_invalid(steps: Any, arn: str) -> None:
    assert steps.refusal("describe_state_machine", stateMachineArn=arn) == "InvalidArn"


def test_pages(steps: Any, client: Any) -> None:
    arns = {steps.machine(name=f"page-{number}") for number in range(5)}
    pages = client.get_paginator("list_state_machines").paginate(PaginationConfig={"PageSize": 2})
    listed = [each["stateMachineArn"] for page in pages for each in page["stateMachines"]]
    assert len(listed) == len(set(listed))
    assert arns <= set(listed)
    assert steps.refusal("list_state_machines", nextToken="bm9wZQ==") == "InvalidToken"


def test_tags(steps: Any, client: Any) -> None:
    arn = steps.machine(tags=[{"key": "a", "value": "1"}])
    client.tag_resource(resourceArn=arn, tags=[{"key": "b", "value": "2"}])
    client.untag_resource(resourceArn=arn, tagKeys=["a"])
    tags = client.list_tags_for_resource(resourceArn=arn)["tags"]
    assert tags == [{"key": "b", "value": "2"}]
    many = [{"key": f"key-{number}", "value": ""} for number in range(60)]
    assert steps.refusal("tag_resource", resourceArn=arn, tags=many) == "TooManyTags"
    nowhere = f"{arn}-nowhere"
    assert steps.refusal("list_tags_for_resource", resourceArn=nowhere) == "ResourceNotFound"


def test_a_tag_without_a_key_is_refused(steps: Any) -> None:
    tags = [{"value": "v"}]
    assert steps.refusal("create_activity", name="keyless", tags=tags) == "ValidationException"
