from __future__ import annotations

from typing import Any

import pytest

from naftiko.workflow.security.risk import assess
from tests.unit.workflow.security.plans import (
    call,
    for_each,
    handler,
    iam_data,
    item,
    lit,
    param,
    step,
)


def risk_of(*ops: dict[str, Any], rollback: list[dict[str, Any]] | None = None) -> Any:
    found = assess(ops, rollback or [], iam_data())
    return found.score, [(term["base"], term["add"]) for term in found.to_json()]


def backup() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The example of the specification: RDS backup with retention."""
    look = call("look", "rds:DescribeDBInstances", DBInstanceIdentifier=param("i"))
    make = call("make", "rds:CreateDBSnapshot", DBInstanceIdentifier=param("i"))
    wait = {"step_id": "wait", "op": "POLL", "call": call("", "rds:DescribeDBSnapshots")}
    old = call("old", "rds:DescribeDBSnapshots", DBInstanceIdentifier=param("i"))
    few = {"step_id": "few", "op": "FILTER", "from": step("old", "output.DBSnapshots", "list")}
    gone = call("gone", "rds:DeleteDBSnapshot", DBSnapshotIdentifier=item("DBSnapshotIdentifier"))
    loop = for_each("all", step("few", "items", "list"), gone)
    undo = call("undo", "rds:DeleteDBSnapshot", DBSnapshotIdentifier=param("i"))
    return [look, make, wait, old, few, loop], [handler("make", ops=[{**undo, "undoes": "make"}])]


def test_the_example_of_the_specification() -> None:
    ops, rollback = backup()
    found = assess(ops, rollback, iam_data())
    assert found.score == 4.5
    assert found.to_json() == [
        {
            "step_id": "gone",
            "base": 3,
            "add": [
                ["irreversible", 0.5],
                ["target from response data", 0.5],
                ["fan-out <= 50", 0.3],
            ],
        },
        {"step_id": "make", "base": 1.5, "add": [["covered by rollback", -0.3]]},
        {"step_id": "look", "base": 0.2, "add": []},
        {"step_id": "wait", "base": 0.2, "add": []},
        {"step_id": "old", "base": 0.2, "add": []},
    ]


@pytest.mark.parametrize(
    ("name", "members", "score"),
    [
        ("sns:ListTopics", {}, 0.2),
        ("sqs:ListQueues", {}, 0.4),
        ("sqs:GetQueueAttributes", {"QueueUrl": param("q")}, 0.4),
        ("sqs:TagQueue", {"QueueUrl": param("q")}, 1),
        ("sqs:ReceiveMessage", {"QueueUrl": param("q")}, 1.5),
        ("sqs:CreateQueue", {"QueueName": param("q")}, 1.5),
        ("sqs:SendMessage", {"QueueUrl": param("q")}, 2),
        ("lambda:Invoke", {"FunctionName": param("f")}, 2.5),
        ("stepfunctions:StartExecution", {"stateMachineArn": param("f")}, 2.5),
        ("sqs:DeleteQueue", {"QueueUrl": param("q")}, 5),
        ("sns:DeleteTopic", {"TopicArn": param("t")}, 3.5),
        ("sns:DeleteTopic", {"TopicArn": lit("*")}, 4),
        ("secretsmanager:GetSecretValue", {"SecretId": param("s")}, 4),
        ("secretsmanager:DeleteSecret", {"SecretId": param("s")}, 5),
        (
            "secretsmanager:DeleteSecret",
            {"SecretId": param("s"), "RecoveryWindowInDays": lit(7)},
            4.5,
        ),
        ("iam:AttachRolePolicy", {"RoleName": param("r")}, 5),
        ("lambda:CreateFunction", {"FunctionName": param("f"), "Role": param("r")}, 2),
        ("ec2:EnableEbsEncryptionByDefault", {}, 2.5),
    ],
)
def test_what_a_call_weighs(name: str, members: dict[str, Any], score: float) -> None:
    assert risk_of(call("go", name, **members))[0] == score


@pytest.mark.parametrize(
    ("cap", "reason", "score"),
    [
        (10, "fan-out <= 10", 2.2),
        (11, "fan-out <= 50", 2.3),
        (200, "fan-out <= 200", 2.5),
        (201, "fan-out > 200", 2.8),
    ],
)
def test_loops_weigh_by_their_cap(cap: int, reason: str, score: float) -> None:
    one = call("one", "sqs:SendMessage", QueueUrl=item())
    found = risk_of(for_each("all", param("urls", "list"), one, cap=cap))
    assert found == (score, [(2, [[reason, score - 2]])]) or found[0] == score
    assert found[1][0][1][0][0] == reason


def test_a_list_of_parameters_is_no_response_but_its_look_ups_are() -> None:
    one = call("one", "sqs:SendMessage", QueueUrl=step("find", "output.QueueUrl"))
    find = call("find", "sqs:GetQueueUrl", QueueName=item())
    _, terms = risk_of(for_each("all", param("names", "list"), find, one, cap=5))
    assert terms[0] == (2, [["target from response data", 0.5], ["fan-out <= 10", 0.2]])
    kept = {"step_id": "set", "op": "SET", "values": {"a": param("p"), "b": step("find", "x")}}
    ops = [call("find", "sqs:ListQueues"), kept]
    by_parameter = call("one", "sqs:SendMessage", QueueUrl=step("set", "a"))
    by_response = call("one", "sqs:SendMessage", QueueUrl=step("set", "b"))
    assert risk_of(*ops, by_parameter)[1][0] == (2, [])
    assert risk_of(*ops, by_response)[1][0][1] == [["target from response data", 0.5]]


def test_it_ends_at_ten_and_starts_at_none() -> None:
    assert risk_of() == (0, [])
    many = [
        call(f"s{n}", "rds:DeleteDBInstance", DBInstanceIdentifier=param("i")) for n in range(40)
    ]
    assert risk_of(*many)[0] == 10
