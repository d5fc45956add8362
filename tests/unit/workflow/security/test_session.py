from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from naftiko.errors import StartError
from naftiko.workflow.ports import AwsFailure, AwsRequest, Principal
from naftiko.workflow.security.resources import fill
from naftiko.workflow.security.session import (
    MAX_CHARACTERS,
    allowed_calls,
    assume_role,
    guarded,
    session_policy,
)
from tests.unit.workflow.security.aws import ScriptedAws
from tests.unit.workflow.security.plans import call, for_each, handler, item, lit, param

ME = Principal(region="eu-west-1")
DB = "arn:${partition}:rds:${region}:${account_id}:db:${params.i}"


def test_a_policy_has_exactly_the_actions_on_the_known_resources() -> None:
    required = ["rds:StopDBInstance", "rds:DescribeDBInstances", "sqs:ListQueues"]
    resources = {"rds:StopDBInstance": [DB], "rds:DescribeDBInstances": [DB]}
    found = session_policy(required, resources, {"i": "prod"}, ME)
    assert json.loads(found.text)["Statement"] == [
        {"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": ["rds:DescribeDBInstances", "rds:StopDBInstance"],
            "Resource": "arn:aws:rds:eu-west-1:123456789012:db:prod",
        },
    ]
    assert found.widened == ()


def test_a_long_policy_gives_up_resources_first_and_then_says_why() -> None:
    resources = {"sqs:SendMessage": ["arn:aws:sqs:*:*:${params.names}"], "rds:StopDBInstance": [DB]}
    names: list[Any] = ["queue-with-quite-a-long-name-" + str(n).zfill(40) for n in range(40)]
    found = session_policy(list(resources), resources, {"names": names, "i": "x"}, ME)
    assert found.widened == ("sqs:SendMessage",)
    assert len(found.text) <= MAX_CHARACTERS
    with pytest.raises(StartError, match="a session policy of 200 actions has"):
        session_policy([f"ec2:DescribeThings{n}" for n in range(200)], {}, {}, ME)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("prod", ["arn:aws:rds:eu-west-1:123456789012:db:prod"]),
        (["a", "b"], [f"arn:aws:rds:eu-west-1:123456789012:db:{name}" for name in "ab"]),
        ("*", ["arn:aws:rds:eu-west-1:123456789012:db:*"]),
        ("${aws:username}", ["arn:aws:rds:eu-west-1:123456789012:db:*"]),
        (None, ["arn:aws:rds:eu-west-1:123456789012:db:*"]),
        ("arn:aws:rds:us-east-1:1:db:x", ["arn:aws:rds:us-east-1:1:db:x"]),
    ],
)
def test_templates_are_filled_from_parameters(value: Any, expected: list[str]) -> None:
    assert fill(DB, {"i": value}, ME) == expected


def test_the_role_is_assumed_with_the_policy() -> None:
    policy = session_policy(["sqs:ListQueues"], {}, {}, ME)
    request = assume_role("arn:aws:iam::123456789012:role/r", "a/b c" * 20, policy)
    assert request.members["Policy"] == policy.text
    name = str(request.members["RoleSessionName"])
    assert len(name) == 64
    assert name.startswith("naftiko-a-b-ca-b-c")


def plan() -> dict[str, Any]:
    send = call("send", "sqs:SendMessage", QueueUrl=param("u"))
    send["input_schema"] = {"QueueUrl": "string!", "MessageBody": "string!"}
    there = {**call("there", "sqs:ListQueues"), "region": lit("us-west-2")}
    somewhere = {**call("somewhere", "sqs:ListQueues"), "region": param("r")}
    paged = call("paged", "sqs:ListQueues")
    paged["paginate"] = {"input": ["NextToken"], "size": "MaxResults"}
    token = call("token", "ecs:RunTask", taskDefinition=param("t"))
    token["idempotency"] = {"kind": "token", "member": "clientToken"}
    loop = for_each("all", param("l", "list"), call("one", "sqs:PurgeQueue", QueueUrl=item()))
    back = call("back", "sqs:DeleteQueue", QueueUrl=param("u"))
    return {
        "execution_plan": [send, there, somewhere, paged, token, loop],
        "rollback": [handler("send", ops=[back])],
    }


REQUESTS = [
    ("send", "sqs:SendMessage", {"QueueUrl": "x", "MessageBody": "y"}, None, True),
    ("send", "sqs:SendMessage", {"QueueUrl": "x", "DelaySeconds": 1}, None, False),
    ("send", "sqs:DeleteQueue", {"QueueUrl": "x"}, None, False),
    ("send", "sns:SendMessage", {}, None, False),
    ("send", "sqs:SendMessage", {}, "us-west-2", False),
    ("nobody", "sqs:SendMessage", {}, None, False),
    ("", "sqs:SendMessage", {}, None, False),
    ("there", "sqs:ListQueues", {}, "us-west-2", True),
    ("there", "sqs:ListQueues", {}, None, False),
    ("somewhere", "sqs:ListQueues", {}, "eu-north-1", True),
    ("paged", "sqs:ListQueues", {"NextToken": "n", "MaxResults": 10}, None, True),
    ("token", "ecs:RunTask", {"taskDefinition": "t", "clientToken": "c"}, None, True),
    ("one", "sqs:PurgeQueue", {"QueueUrl": "x"}, None, True),
    ("all", "sqs:PurgeQueue", {"QueueUrl": "x"}, None, False),
    ("back", "sqs:DeleteQueue", {"QueueUrl": "x"}, None, True),
]


@pytest.mark.parametrize(
    ("step_id", "name", "members", "region", "passes"),
    REQUESTS,
    ids=[f"{index}-{row[0]}" for index, row in enumerate(REQUESTS)],
)
def test_only_what_the_operation_names_is_sent(
    step_id: str, name: str, members: dict[str, Any], region: str | None, passes: bool
) -> None:
    aws = ScriptedAws(**{name.partition(":")[2]: {}})
    service, _, operation = name.partition(":")
    request = AwsRequest(
        service=service, operation=operation, members=members, step_id=step_id, region=region
    )
    send = guarded(aws, allowed_calls(plan()))
    if passes:
        asyncio.run(_sent(send, request))
        assert aws.requests == [request]
        return
    with pytest.raises(AwsFailure) as caught:
        asyncio.run(_sent(send, request))
    assert (caught.value.kind, caught.value.code, caught.value.sent) == (
        "not_sent",
        "OperationNotAllowed",
        False,
    )
    assert aws.requests == []


async def _sent(send: Any, request: AwsRequest) -> None:
    await send(request)
