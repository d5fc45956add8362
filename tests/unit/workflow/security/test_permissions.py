from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from naftiko.workflow.ports import AwsFailure, Principal
from naftiko.workflow.security.permissions import (
    PermissionChecker,
    PermissionResult,
    Question,
    identify,
)
from tests.unit.workflow.security.aws import ScriptedAws, StubClock, refused

ACCOUNT = "123456789012"
USER = Principal(arn=f"arn:aws:iam::{ACCOUNT}:user/team/ann", region="eu-west-1")
ROLE = Principal(arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/session", region="eu-west-1")
DB = "arn:${partition}:rds:${region}:${account_id}:db:${params.i}"


def question(*required: str, **more: Any) -> Question:
    return Question(checksum="sha256:1", required=required, **more)


def check(aws: ScriptedAws, asked: Question, principal: Principal = USER, **config: Any) -> Any:
    checker = PermissionChecker(call=aws, clock=StubClock(), **config)
    return asyncio.run(checker.check(asked, principal))


def simulator(**special: dict[str, Any]) -> Any:
    """Allow all but the actions given with another line: {"sqs_SendMessage": {...}}."""

    def answer(members: dict[str, Any]) -> dict[str, Any]:
        rows = []
        for action in members["ActionNames"]:
            row = special.get(action.replace(":", "_"), {"EvalDecision": "allowed"})
            rows.append({"EvalActionName": action, **row})
        return {"EvaluationResults": rows, "IsTruncated": False}

    return answer


DENIED = {"EvalDecision": "implicitDeny", "MissingContextValues": []}


def test_root_may_everything_and_off_asks_nothing() -> None:
    aws = ScriptedAws()
    root = Principal(arn=f"arn:aws:iam::{ACCOUNT}:root")
    assert check(aws, question("sqs:SendMessage"), root) == PermissionResult(
        status="allowed", source="root"
    )
    assert check(aws, question("sqs:SendMessage"), mode="off").status == "off"
    assert aws.requests == []


def test_the_simulator_is_asked_in_fifties_with_the_known_resources() -> None:
    aws = ScriptedAws(SimulatePrincipalPolicy=simulator())
    actions = [f"ec2:A{n:03}" for n in range(120)]
    asked = question(
        "rds:StopDBInstance",
        *actions,
        resources={"rds:StopDBInstance": [DB]},
        parameters={"i": "prod"},
    )
    assert check(aws, asked) == PermissionResult(status="allowed", source="simulator")
    sent: list[Any] = [request.members for request in aws.requests]
    assert [len(members["ActionNames"]) for members in sent] == [50, 50, 20, 1]
    assert "ResourceArns" not in sent[0]
    assert sent[3]["ResourceArns"] == [f"arn:aws:rds:eu-west-1:{ACCOUNT}:db:prod"]
    assert sent[0]["PolicySourceArn"] == USER.arn
    assert [row["ContextKeyName"] for row in sent[0]["ContextEntries"]] == [
        "aws:RequestedRegion",
        "aws:PrincipalArn",
    ]


def test_all_that_is_missing_is_listed() -> None:
    deny = {"EvalDecision": "explicitDeny"}
    aws = ScriptedAws(SimulatePrincipalPolicy=simulator(a_B=DENIED, a_C=deny))
    found = check(aws, question("a:A", "a:B", "a:C"))
    assert (found.status, found.missing, found.proceeds) == ("denied", ("a:B", "a:C"), False)
    assert found.message == "the caller lacks a:B, a:C"
    warned = check(aws, question("a:B"), mode="warn")
    assert (warned.proceeds, warned.warning) == (True, "the caller lacks a:B")


@pytest.mark.parametrize(
    "answer",
    [
        simulator(a_B={"EvalDecision": "implicitDeny", "MissingContextValues": ["aws:Mfa"]}),
        {"EvaluationResults": [], "IsTruncated": False},
        {"EvaluationResults": [{"EvalActionName": "a:C", "EvalDecision": "allowed"}]},
        {"EvaluationResults": [{"EvalActionName": "a:B", "EvalDecision": "perhaps"}]},
        {"EvaluationResults": "nonsense"},
        {},
    ],
)
def test_what_the_simulator_leaves_open_is_not_allowed(answer: Any) -> None:
    aws = ScriptedAws(SimulatePrincipalPolicy=answer)
    found = check(aws, question("a:B"))
    assert (found.status, found.undecided, found.proceeds) == ("unknown", ("a:B",), False)
    assert check(aws, question("a:B", read_only=True)).proceeds
    assert check(aws, question("a:B"), on_indeterminate="proceed").warning


def test_one_resource_of_several_decides() -> None:
    specific = {
        "EvalDecision": "allowed",
        "ResourceSpecificResults": [
            {"EvalResourceName": "x", "EvalResourceDecision": "allowed"},
            {"EvalResourceName": "y", "EvalResourceDecision": "implicitDeny"},
        ],
    }
    aws = ScriptedAws(SimulatePrincipalPolicy=simulator(a_B=specific))
    assert check(aws, question("a:B")).missing == ("a:B",)


def test_the_role_behind_a_session_is_asked_for() -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:role/deep/worker"
    aws = ScriptedAws(SimulatePrincipalPolicy=simulator(), GetRole={"Role": {"Arn": arn}})
    assert check(aws, question("a:B"), ROLE).status == "allowed"
    assert aws.requests[0].members == {"RoleName": "worker"}
    assert aws.requests[1].members["PolicySourceArn"] == arn
    plain = ScriptedAws(SimulatePrincipalPolicy=simulator())
    check(plain, question("a:B"), ROLE)
    assert plain.requests[1].members["PolicySourceArn"] == f"arn:aws:iam::{ACCOUNT}:role/worker"


def test_a_federated_user_is_not_known() -> None:
    principal = Principal(arn=f"arn:aws:sts::{ACCOUNT}:federated-user/x")
    assert check(ScriptedAws(), question("a:B"), principal).status == "unknown"


POLICY = quote('{"Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}')


def local(**more: Any) -> ScriptedAws:
    answers: dict[str, Any] = {
        "SimulatePrincipalPolicy": refused(),
        "ListUserPolicies": {"PolicyNames": ["mine"]},
        "GetUserPolicy": {"PolicyDocument": POLICY},
        "ListAttachedUserPolicies": {"AttachedPolicies": []},
        "ListGroupsForUser": {"Groups": []},
        "GetUser": {"User": {"UserName": "ann"}},
    }
    return ScriptedAws(**{**answers, **more})


def test_policies_are_read_where_the_simulator_refuses() -> None:
    found = check(local(), question("sqs:SendMessage", "sns:Publish"))
    assert (found.status, found.missing, found.source) == ("denied", ("sns:Publish",), "policies")
    assert check(local(), question("sqs:SendMessage")).status == "allowed"


@pytest.mark.parametrize(
    "more",
    [
        {"ListUserPolicies": refused()},
        {"GetUserPolicy": refused()},
        {"GetUserPolicy": {"PolicyDocument": "{"}},
        {"ListAttachedUserPolicies": {"AttachedPolicies": [{"PolicyArn": "arn:x"}]}},
        {"ListGroupsForUser": refused()},
        {"ListGroupsForUser": {"Groups": [{"GroupName": "g"}]}},
        {"GetUser": refused()},
        {"GetUser": {"User": {"PermissionsBoundary": {"PermissionsBoundaryArn": "arn:b"}}}},
    ],
)
def test_what_cannot_be_read_is_never_taken_for_allowed(more: dict[str, Any]) -> None:
    assert check(local(**more), question("sqs:SendMessage")).status == "unknown"


def test_what_the_plan_leaves_open_is_taken_for_the_callers_own() -> None:
    row = {"Effect": "Allow", "Action": "rds:*", "Resource": f"arn:aws:rds:*:{ACCOUNT}:*"}
    aws = local(GetUserPolicy={"PolicyDocument": {"Statement": [row]}})
    templates = [DB, "arn:${partition}:rds:*:*:snapshot:*"]
    asked = question(
        "rds:CreateDBSnapshot", resources={"rds:CreateDBSnapshot": templates}, parameters={"i": "x"}
    )
    assert check(aws, asked).status == "allowed"
    row["Resource"] = f"arn:aws:rds:*:{ACCOUNT}:snapshot:mine-*"
    assert check(aws, asked).status == "denied"


def test_groups_managed_policies_and_the_boundary_count() -> None:
    deny = '{"Statement":{"Effect":"Deny","Action":"sqs:PurgeQueue","Resource":"*"}}'
    limit = {"Statement": [{"Effect": "Allow", "Action": ["sqs:Send*"], "Resource": "*"}]}
    documents = {"arn:deny": deny, "arn:limit": limit}
    aws = local(
        ListGroupsForUser={"Groups": [{"GroupName": "g"}]},
        ListGroupPolicies={"PolicyNames": []},
        ListAttachedGroupPolicies={"AttachedPolicies": [{"PolicyArn": "arn:deny"}]},
        GetPolicy={"Policy": {"DefaultVersionId": "v3"}},
        GetPolicyVersion=lambda members: {
            "PolicyVersion": {"Document": documents[members["PolicyArn"]]}
        },
    )
    assert check(aws, question("sqs:PurgeQueue", "sqs:DeleteQueue")).missing == ("sqs:PurgeQueue",)
    aws.answers["GetUser"] = {
        "User": {"PermissionsBoundary": {"PermissionsBoundaryArn": "arn:limit"}}
    }
    found = check(aws, question("sqs:SendMessage", "sqs:DeleteQueue"))
    assert found.missing == ("sqs:DeleteQueue",)


def test_answers_are_kept_for_300_seconds_for_the_same_resources_only() -> None:
    aws, clock = ScriptedAws(SimulatePrincipalPolicy=simulator()), StubClock()
    checker = PermissionChecker(call=aws, clock=clock)

    def ask(**more: Any) -> int:
        asked = question("rds:StopDBInstance", resources={"rds:StopDBInstance": [DB]}, **more)
        asyncio.run(checker.check(asked, USER))
        return len(aws.requests)

    assert [ask(parameters={"i": "a"}), ask(parameters={"i": "a"}), ask(parameters={"i": "b"})] == [
        1,
        1,
        2,
    ]
    clock.seconds = 299.9
    assert ask(parameters={"i": "a"}) == 2
    clock.seconds = 300.0
    assert ask(parameters={"i": "a"}) == 3


def test_a_lost_connection_is_not_remembered() -> None:
    lost = AwsFailure("connection")
    aws = ScriptedAws(SimulatePrincipalPolicy=lost)
    checker = PermissionChecker(call=aws, clock=StubClock())
    assert asyncio.run(checker.check(question("a:B"), USER)).status == "unknown"
    aws.answers["SimulatePrincipalPolicy"] = simulator()
    assert asyncio.run(checker.check(question("a:B"), USER)).status == "allowed"


def test_who_calls_is_found_out() -> None:
    arn = "arn:aws-cn:iam::123456789012:user/ann"
    aws = ScriptedAws(GetCallerIdentity={"Arn": arn, "Account": ACCOUNT, "UserId": "x"})
    assert asyncio.run(identify(aws, "cn-north-1")) == Principal(
        account_id=ACCOUNT, arn=arn, region="cn-north-1", partition="aws-cn"
    )
