from __future__ import annotations

import pytest

from tests.unit.workflow.security.plans import (
    analysed,
    call,
    for_each,
    handler,
    item,
    lit,
    param,
    parameter,
    scalar,
    step,
    workflow,
)

LIST = call("look", "ec2:DescribeInstances")


def codes(shown: list[str]) -> list[str]:
    return [text.split()[2] for text in shown]


def test_an_operation_without_an_action_is_refused_with_the_way_out() -> None:
    shown, found = analysed([call("go", "ecs:DescribeDaemon", daemonArn=param("arn"))])
    assert codes(shown) == ["WF401"]
    assert shown[0].startswith("10 error WF401 no IAM action is known for `ecs:DescribeDaemon`")
    assert "iam/overrides.json" in shown[0]
    assert not found.read_only


@pytest.mark.parametrize(
    ("tier", "name", "expected"),
    [
        ("community", "sqs:ListQueues", []),
        ("community", "sqs:SendMessage", ["WF402"]),
        ("community", "sqs:TagQueue", ["WF402"]),
        ("verified", "sqs:SendMessage", []),
        ("verified", "sqs:AddPermission", ["WF402"]),
        ("enterprise", "sqs:AddPermission", []),
        ("community", "secretsmanager:GetSecretValue", ["WF405", "WF403"]),
        ("verified", "secretsmanager:GetSecretValue", []),
        ("verified", "guardduty:DeleteDetector", ["WF408"]),
        ("enterprise", "guardduty:DeleteDetector", []),
    ],
)
def test_what_a_tier_allows(tier: str, name: str, expected: list[str]) -> None:
    shown, _ = analysed([call("go", name, QueueUrl=param("url"))], workflow(tier))
    assert codes(shown) == expected


def test_managing_permissions_is_allowed_where_a_rollback_takes_it_back() -> None:
    ops = [call("go", "sqs:AddPermission", QueueUrl=param("url"), Label=param("label"))]
    back = call("undo", "sqs:RemovePermission", QueueUrl=param("url"), Label=param("label"))
    shown, _ = analysed(ops, rollback=[handler("go", ops=[{**back, "undoes": "go"}])])
    assert "WF402" not in codes(shown)


def test_the_value_of_a_secret_may_not_be_shown() -> None:
    read = call("read", "secretsmanager:GetSecretValue", SecretId=param("name"))
    read["select"] = {"version": "VersionId", "password": "SecretString"}
    assert analysed([read])[0] == [
        "10 error WF403 output `password` shows the value of a secret | pass it on as "
        "`${steps.<id>.output...}` in the input of the call that needs it"
    ]


def test_a_secret_may_go_into_another_call_but_not_into_an_output() -> None:
    read = call("read", "secretsmanager:GetSecretValue", SecretId=param("name"))
    read["select"] = {"output.SecretString": "SecretString"}
    secret = step("read", "output.SecretString")
    use = call("use", "rds:ModifyDBInstance", DBInstanceIdentifier=param("i"), MasterPass=secret)
    assert codes(analysed([read, use])[0]) == []
    assert codes(analysed([read, use], outputs={"x": {"cat": [secret]}})[0]) == ["WF403"]
    kept = {"step_id": "keep", "op": "SET", "values": {"mine": secret}}
    assert codes(analysed([read, kept])[0]) == ["WF403"]


def test_duration_and_risk_above_the_tier_stand_at_the_claim() -> None:
    shown, _ = analysed([], workflow("community", max_duration=301))
    assert shown == [
        "4 error WF404 `max_duration` is 301 s, tier `community` has at most 300 s | at most 300s, "
        "or a higher tier"
    ]
    ops = [call(f"s{n}", "rds:DeleteDBInstance", DBInstanceIdentifier=param("i")) for n in range(8)]
    shown, found = analysed(ops)
    assert found.risk.score == 8.5
    assert shown == [
        "2 error WF405 the risk is 8.5, tier `verified` has at most 7.0 | step `s0` weighs most: "
        "5, irreversible, destroys primary data"
    ]


def test_a_risk_above_the_claim_is_refused_and_below_it_is_not() -> None:
    ops = [call("go", "sqs:DeleteQueue", QueueUrl=param("url"))]
    shown, found = analysed(ops, workflow(risk_score=4))
    assert codes(shown) == ["WF411"]
    assert shown[0].startswith("3 error WF411 the risk is 5, more than the 4 that is claimed")
    assert analysed(ops, workflow(risk_score=5.0))[0] == []
    assert found.risk.score == 5


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("s3:DeleteObject", {"Bucket": lit("b"), "Key": lit("*")}),
        ("cloudwatch:DeleteAlarms", {"AlarmNames": {"list": [lit("all")]}}),
        ("iam:DeleteAccountAlias", {}),
        ("sns:DeleteTopic", {"TopicArn": {"cat": [lit("arn:aws:sns:*:"), param("x")]}}),
    ],
)
def test_destroying_needs_one_named_target(name: str, members: dict[str, object]) -> None:
    assert "WF406" in codes(analysed([call("go", name, **members)])[0])


CONSTANTS = {
    "aws-key": "AKIA" + "IOSFODNN7EXAMPLE",
    "aws-secret": "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY",
    "private-key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "github": "ghp_" + "a1B2" * 9,
    "slack": "xoxb-" + "1234567890-abcdefghij",
    "stripe": "sk_live_" + "a" * 24,
    "google": "AIza" + "b" * 35,
    "jwt": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0.abcdefghijkl",
    "url": "postgres://me:" + "hunter22@db.example.com/x",
    "bearer": "Bearer " + "abcdefghijklmnopqrstuvwxyz",
    "assigned": "db_password=" + "Tr0ub4dor&3x",
}


@pytest.mark.parametrize("text", CONSTANTS.values(), ids=CONSTANTS)
def test_a_constant_credential_is_refused_and_never_repeated(text: str) -> None:
    shown, _ = analysed([call("go", "sqs:SendMessage", QueueUrl=param("u"), MessageBody=lit(text))])
    assert codes(shown) == ["WF407"]
    assert shown[0].startswith("11 error WF407 member `MessageBody` holds ")
    assert text not in shown[0]


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:iam::123456789012:role/service-role/Example",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "the password: ask the team",
        "password: ${params.password}",
        "https://example.com/a/long/path/With/Capitals/And/1234567890/numbers",
        "s3://bucket/2026/01/31/AWSLogs/123456789012/CloudTrail/us-east-1",
        "550e8400-e29b-41d4-a716-446655440000",
    ],
)
def test_harmless_constants_pass(text: str) -> None:
    shown, _ = analysed([call("go", "sqs:SendMessage", QueueUrl=param("u"), MessageBody=lit(text))])
    assert shown == []


def test_credentials_are_found_in_defaults_conditions_and_secret_members() -> None:
    key = CONSTANTS["aws-key"]
    source = workflow(parameters=(parameter("x"),))
    shown, _ = analysed([], source, parameters=[{"name": "x", "type": "string", "default": key}])
    assert shown[0].startswith(
        "40 error WF407 the default of parameter `x` holds an AWS access key"
    )
    condition = {
        "step_id": "c",
        "op": "CONDITION",
        "expr": {"op": "==", "a": param("y"), "b": lit(key)},
    }
    assert codes(analysed([condition])[0]) == ["WF407"]
    change = call(
        "go", "rds:ModifyDBInstance", DBInstanceIdentifier=param("i"), MasterUserPassword=lit("x1")
    )
    change["sensitive"]["input"] = ["MasterUserPassword"]
    assert codes(analysed([change])[0]) == ["WF407"]


def test_a_whole_list_of_a_response_may_not_go_into_a_change() -> None:
    look = {**LIST, "select": {"output.Ids": "Reservations"}}
    wide = call("stop", "ec2:StopInstances", InstanceIds=step("look", "output.Ids", "list"))
    assert codes(analysed([look, wide])[0]) == ["WF409"]
    kept = {
        "step_id": "few",
        "op": "FILTER",
        "from": step("look", "output.Ids", "list"),
        "max_items": 5,
    }
    kept["where"] = lit(True)
    fine = call("stop", "ec2:StopInstances", InstanceIds=step("few", "items", "list"))
    assert codes(analysed([look, kept, fine])[0]) == []
    loop = for_each("all", step("look", "output.Ids", "list"), cap=1_001)
    assert codes(analysed([look, loop])[0]) == ["WF409"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"type": "string"}, ["WF412"]),
        ({"type": "string", "pattern": "^[a-z]+$"}, []),
        ({"type": "string", "enum": ["a"]}, []),
        ({"type": "integer"}, []),
        ({"type": "array", "items": "string"}, ["WF412"]),
        ({"type": "object"}, ["WF412"]),
    ],
)
def test_free_text_may_not_become_code(row: dict[str, object], expected: list[str]) -> None:
    rows = [{"name": "p", **row}]
    direct = call("go", "athena:StartQueryExecution", QueryString={"cat": [lit("x"), param("p")]})
    assert codes(analysed([direct], parameters=rows)[0]) == expected
    kept = {"step_id": "set", "op": "SET", "values": {"v": param("p")}}
    by_set = call("go", "athena:StartQueryExecution", QueryString=step("set", "v"))
    assert codes(analysed([kept, by_set], parameters=rows)[0]) == expected
    nested = {"obj": {"commands": {"list": [param("p")]}}}
    deep = call("go", "ssm:SendCommand", DocumentName=lit("AWS-RunShellScript"), Parameters=nested)
    assert codes(analysed([deep], parameters=rows)[0]) == expected
    loop = for_each("all", param("p", "list"), call("go", "lambda:AddPermission", Policy=item()))
    assert "WF412" in codes(analysed([loop], parameters=rows)[0]) or not expected


def test_parameters_outside_of_code_need_no_pattern() -> None:
    go = call("go", "sqs:SendMessage", QueueUrl=param("u"), MessageBody=param("p"))
    assert analysed([go], parameters=[{"name": "p", "type": "string"}])[0] == []


def test_a_create_without_a_rollback_is_warned_of_from_verified_on() -> None:
    make = call("make", "sqs:CreateQueue", QueueName=param("n"))
    assert analysed([make])[0] == [
        "10 warning WF420 nothing takes back what `sqs:CreateQueue` creates if a later step fails "
        "| add a `rollback` item whose `steps` has `make`"
    ]
    back = {**call("undo", "sqs:DeleteQueue", QueueUrl=param("u")), "undoes": "make"}
    assert analysed([make], rollback=[handler("make", ops=[back])])[0] == []


def test_what_ends_by_itself_needs_no_rollback() -> None:
    clear = call("clear", "cloudfront:CreateInvalidation", DistributionId=param("n"))

    assert analysed([clear])[0] == []


def test_declared_permissions_are_compared() -> None:
    source = workflow(
        permissions=(scalar("sqs:SendMessages", 21), scalar("sqs:ListQueues", 22)),
        permissions_location=scalar("", 20).location,
    )
    ops = [call("a", "sqs:ListQueues"), call("b", "sqs:SendMessage", QueueUrl=param("u"))]
    shown, found = analysed(ops, source)
    assert shown == [
        "20 warning WF431 `permissions` lacks `sqs:SendMessage`, which the steps need | add "
        "`- sqs:SendMessage`",
        "21 warning WF432 `permissions` has `sqs:SendMessages`, which no step needs | did you mean "
        "`sqs:SendMessage`?",
    ]
    assert found.required_permissions == ("sqs:ListQueues", "sqs:SendMessage")
    assert found.services == ("sqs",)


def test_polls_bodies_rollbacks_and_observers_count_for_permissions() -> None:
    make = call("make", "rds:CreateDBSnapshot", DBSnapshotIdentifier=param("s"))
    make["idempotency"] = {
        "kind": "natural",
        "observer": {"call": call("", "rds:DescribeDBSnapshots"), "vars": {}, "created": None},
    }
    poll = {"step_id": "wait", "op": "POLL", "call": call("", "rds:DescribeDBInstances")}
    loop = for_each(
        "all", param("l", "list"), call("one", "rds:RebootDBInstance", DBInstanceIdentifier=item())
    )
    back = {
        **call("undo", "rds:DeleteDBSnapshot", DBSnapshotIdentifier=param("s")),
        "undoes": "make",
    }
    _, found = analysed([make, poll, loop], rollback=[handler("make", ops=[back])])
    assert found.required_permissions == (
        "rds:CreateDBSnapshot",
        "rds:DeleteDBSnapshot",
        "rds:DescribeDBInstances",
        "rds:DescribeDBSnapshots",
        "rds:RebootDBInstance",
    )
    assert not found.read_only
    assert found.permission_resources["rds:CreateDBSnapshot"] == [
        "arn:${partition}:rds:${region}:${account_id}:snapshot:${params.s}",
        "arn:${partition}:rds:*:*:db:*",
    ]
