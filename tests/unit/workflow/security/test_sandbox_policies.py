"""The policies of real users and roles, kept by the sandbox, which cannot simulate."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from naftiko.sandbox import Sandbox
from naftiko.workflow.ports import Principal
from naftiko.workflow.security.permissions import PermissionChecker, Question
from tests.unit.workflow.security.aws import BotoAws, StubClock

ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def aws() -> Iterator[BotoAws]:
    with Sandbox.start() as running:
        environment = running.environment()
        endpoint = environment["AWS_ENDPOINT_URL"]
        yield BotoAws(endpoint, aws_access_key_id="test", aws_secret_access_key="test")


def document(effect: str, *actions: str) -> str:
    row = {"Effect": effect, "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [row]})


def check(aws: BotoAws, arn: str, *required: str) -> Any:
    checker = PermissionChecker(call=aws, clock=StubClock())
    principal = Principal(account_id=ACCOUNT, arn=arn)
    return asyncio.run(checker.check(Question(checksum="sha256:1", required=required), principal))


def test_a_user_with_inline_managed_and_group_policies(aws: BotoAws) -> None:
    iam = aws.client("iam")
    arns = {
        name: iam.create_policy(PolicyName=name, PolicyDocument=text)["Policy"]["Arn"]
        for name, text in {
            "managed": document("Allow", "sqs:*"),
            "grouped": document("Deny", "sqs:PurgeQueue"),
        }.items()
    }
    user = iam.create_user(UserName="ann", Path="/team/")["User"]
    inline = document("Allow", "sns:List*")
    iam.put_user_policy(UserName="ann", PolicyName="inline", PolicyDocument=inline)
    iam.attach_user_policy(UserName="ann", PolicyArn=arns["managed"])
    iam.create_group(GroupName="careful")
    iam.attach_group_policy(GroupName="careful", PolicyArn=arns["grouped"])
    iam.add_user_to_group(GroupName="careful", UserName="ann")

    allowed = check(aws, user["Arn"], "sqs:SendMessage", "sns:ListTopics")
    assert (allowed.status, allowed.source) == ("allowed", "policies")
    refused = check(aws, user["Arn"], "sqs:PurgeQueue", "sns:Publish", "sqs:ListQueues")
    assert refused.missing == ("sns:Publish", "sqs:PurgeQueue")


def test_a_session_of_a_role_with_a_path_and_a_boundary(aws: BotoAws) -> None:
    iam = aws.client("iam")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    limit = iam.create_policy(
        PolicyName="limit", PolicyDocument=document("Allow", "ec2:DescribeInstances", "ec2:Stop*")
    )["Policy"]["Arn"]
    iam.create_role(
        RoleName="worker",
        Path="/deep/",
        AssumeRolePolicyDocument=trust,
        PermissionsBoundary=limit,
    )
    iam.put_role_policy(
        RoleName="worker", PolicyName="p", PolicyDocument=document("Allow", "ec2:Describe*")
    )
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/x"
    assert check(aws, session, "ec2:DescribeInstances").status == "allowed"
    refused = check(aws, session, "ec2:StopInstances", "ec2:DescribeVolumes")
    assert refused.missing == ("ec2:DescribeVolumes", "ec2:StopInstances")


def test_nobody_is_not_known(aws: BotoAws) -> None:
    nobody = f"arn:aws:iam::{ACCOUNT}:user/nobody"
    assert check(aws, nobody, "ec2:StopInstances").status == "unknown"
