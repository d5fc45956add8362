"""Versions and aliases, over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

FIRST = {"StartAt": "One", "States": {"One": {"Type": "Pass", "Result": 1, "End": True}}}
SECOND = {"StartAt": "Two", "States": {"Two": {"Type": "Pass", "Result": 2, "End": True}}}


@pytest.fixture
def two_versions(steps: Any, client: Any) -> tuple[str, str, str]:
    """A machine, its version 1 that returns 1, and its version 2 that returns 2."""
    machine = steps.machine(FIRST)
    one = client.publish_state_machine_version(stateMachineArn=machine, revisionId="INITIAL")
    updated = client.update_state_machine(
        stateMachineArn=machine,
        definition=json.dumps(SECOND),
        publish=True,
        versionDescription="the second",
    )
    return machine, one["stateMachineVersionArn"], updated["stateMachineVersionArn"]


def test_versions_are_snapshots(client: Any, two_versions: tuple[str, str, str]) -> None:
    machine, one, two = two_versions
    assert (one, two) == (f"{machine}:1", f"{machine}:2")
    described = client.describe_state_machine(stateMachineArn=one)
    assert described["stateMachineArn"] == one
    assert json.loads(described["definition"]) == FIRST
    assert client.describe_state_machine(stateMachineArn=two)["description"] == "the second"
    listed = client.list_state_machine_versions(stateMachineArn=machine)["stateMachineVersions"]
    assert [each["stateMachineVersionArn"] for each in listed] == [two, one]
    page = client.list_state_machine_versions(stateMachineArn=machine, maxResults=1)
    rest = client.list_state_machine_versions(
        stateMachineArn=machine, maxResults=1, nextToken=page["nextToken"]
    )
    assert [each["stateMachineVersionArn"] for each in rest["stateMachineVersions"]] == [one]
    assert "nextToken" not in rest


def test_publishing_a_published_revision_changes_nothing(
    steps: Any, client: Any, two_versions: tuple[str, str, str]
) -> None:
    machine, _, two = two_versions
    again = client.publish_state_machine_version(stateMachineArn=machine, description="another")
    assert again["stateMachineVersionArn"] == two
    code = steps.refusal(
        "publish_state_machine_version", stateMachineArn=machine, revisionId="INITIAL"
    )
    assert code == "ConflictException"


def test_numbers_are_not_used_again(client: Any, two_versions: tuple[str, str, str]) -> None:
    machine, one, two = two_versions
    client.delete_state_machine_version(stateMachineVersionArn=two)
    client.delete_state_machine_version(stateMachineVersionArn=two)
    published = client.publish_state_machine_version(stateMachineArn=machine)
    assert published["stateMachineVersionArn"] == f"{machine}:3"
    listed = client.list_state_machine_versions(stateMachineArn=machine)["stateMachineVersions"]
    assert [each["stateMachineVersionArn"] for each in listed] == [f"{machine}:3", one]


def test_executions_of_versions(
    steps: Any, client: Any, two_versions: tuple[str, str, str]
) -> None:
    machine, one, _ = two_versions
    ended = steps.finish(steps.start(one))
    assert ended["output"] == "1"
    assert ended["stateMachineArn"] == machine
    assert ended["stateMachineVersionArn"] == one
    steps.finish(steps.start(machine))
    of_version = client.list_executions(stateMachineArn=one)["executions"]
    assert [each["executionArn"] for each in of_version] == [ended["executionArn"]]
    assert len(client.list_executions(stateMachineArn=machine)["executions"]) == 2
    ran = client.describe_state_machine_for_execution(executionArn=ended["executionArn"])
    assert json.loads(ran["definition"]) == FIRST
    assert steps.refusal("start_execution", stateMachineArn=f"{machine}:9") == (
        "StateMachineDoesNotExist"
    )


def test_alias_routes_by_weight(
    steps: Any, client: Any, two_versions: tuple[str, str, str]
) -> None:
    machine, one, two = two_versions
    alias = client.create_state_machine_alias(
        name="PROD", routingConfiguration=[{"stateMachineVersionArn": one, "weight": 100}]
    )["stateMachineAliasArn"]
    assert alias == f"{machine}:PROD"
    ended = steps.finish(steps.start(alias))
    assert (ended["output"], ended["stateMachineAliasArn"]) == ("1", alias)
    assert ended["stateMachineVersionArn"] == one
    client.update_state_machine_alias(
        stateMachineAliasArn=alias,
        routingConfiguration=[
            {"stateMachineVersionArn": one, "weight": 50},
            {"stateMachineVersionArn": two, "weight": 50},
        ],
    )
    outputs = [steps.finish(steps.start(alias))["output"] for _ in range(40)]
    assert set(outputs) == {"1", "2"}
    of_alias = client.list_executions(stateMachineArn=alias)["executions"]
    assert len(of_alias) == 41
    described = client.describe_state_machine_alias(stateMachineAliasArn=alias)
    assert [route["weight"] for route in described["routingConfiguration"]] == [50, 50]
    assert described["updateDate"] >= described["creationDate"]


def test_alias_lifecycle(steps: Any, client: Any, two_versions: tuple[str, str, str]) -> None:
    machine, one, two = two_versions
    route = [{"stateMachineVersionArn": two, "weight": 100}]
    alias = client.create_state_machine_alias(name="LIVE", routingConfiguration=route)[
        "stateMachineAliasArn"
    ]
    client.create_state_machine_alias(name="LIVE", routingConfiguration=route)
    other = [{"stateMachineVersionArn": one, "weight": 100}]
    assert (
        steps.refusal("create_state_machine_alias", name="LIVE", routingConfiguration=other)
        == "ConflictException"
    )
    assert (
        steps.refusal("delete_state_machine_version", stateMachineVersionArn=two)
        == "ConflictException"
    )
    for arn, expected in ((machine, [alias]), (two, [alias]), (one, [])):
        listed = client.list_state_machine_aliases(stateMachineArn=arn)["stateMachineAliases"]
        assert [each["stateMachineAliasArn"] for each in listed] == expected
    client.update_state_machine_alias(stateMachineAliasArn=alias, description="for customers")
    described = client.describe_state_machine_alias(stateMachineAliasArn=alias)
    assert described["description"] == "for customers"
    client.delete_state_machine_alias(stateMachineAliasArn=alias)
    client.delete_state_machine_version(stateMachineVersionArn=two)
    assert (
        steps.refusal("describe_state_machine_alias", stateMachineAliasArn=alias)
        == "ResourceNotFound"
    )
    assert steps.refusal("start_execution", stateMachineArn=alias) == "StateMachineDoesNotExist"


@pytest.mark.parametrize(
    ("weights", "code"),
    [
        ({"1": 90}, "ValidationException"),
        ({"1": 60, "2": 60}, "ValidationException"),
        ({"PROD": 100}, "ValidationException"),
        ({"9": 100}, "ResourceNotFound"),
    ],
)
def test_alias_refuses(
    steps: Any, two_versions: tuple[str, str, str], weights: dict[str, int], code: str
) -> None:
    machine = two_versions[0]
    routes = [
        {"stateMachineVersionArn": f"{machine}:{qualifier}", "weight": weight}
        for qualifier, weight in weights.items()
    ]
    refusal = steps.refusal(
        "create_state_machine_alias", name="REFUSED", routingConfiguration=routes
    )
    assert refusal == code


def test_a_name_of_digits_is_no_alias(steps: Any, two_versions: tuple[str, str, str]) -> None:
    route = [{"stateMachineVersionArn": two_versions[1], "weight": 100}]
    code = steps.refusal("create_state_machine_alias", name="12", routingConfiguration=route)
    assert code == "ValidationException"
