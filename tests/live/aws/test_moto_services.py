"""Every protocol against moto: JSON 1.0 and 1.1, query, EC2, REST-JSON, REST-XML."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from naftiko.consumes.aws import AwsSettings
from naftiko.errors import ConsumedError, InputError
from tests.live.aws.support import call, environment, service

ROLE = "arn:aws:iam::123456789012:role/x"
PASS = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}


def ask(url: str, name: str, operation: str, /, **arguments: Any) -> Any:
    return call(service(name, environment(url)), operation, **arguments).value


def refused(url: str, name: str, operation: str, /, **arguments: Any) -> ConsumedError:
    with pytest.raises(ConsumedError) as caught:
        ask(url, name, operation, **arguments)
    return caught.value


def test_step_functions(moto_url: str) -> None:
    made = ask(
        moto_url, "stepfunctions", "create-state-machine", name="m", definition=PASS, roleArn=ROLE
    )
    assert made["creationDate"].endswith("Z")
    assert "ResponseMetadata" not in made
    listed = ask(moto_url, "stepfunctions", "ListStateMachines")
    assert [machine["name"] for machine in listed["stateMachines"]] == ["m"]
    described = ask(
        moto_url, "stepfunctions", "describe-state-machine", stateMachineArn=made["stateMachineArn"]
    )
    assert described["definition"] == '{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}'
    error = refused(
        moto_url, "stepfunctions", "describe-state-machine", stateMachineArn=f"{ROLE}:none"
    )
    assert error.status in (400, 404)
    assert error.message.startswith("stepfunctions.describe-state-machine: ")


def test_dynamodb_with_binary_values_at_depth(moto_url: str) -> None:
    ask(
        moto_url,
        "dynamodb",
        "create-table",
        TableName="things",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"id": {"S": "1"}, "deep": {"L": [{"M": {"blob": {"B": "aGk="}}}]}}
    ask(moto_url, "dynamodb", "put-item", TableName="things", Item=item)
    found = ask(moto_url, "dynamodb", "get-item", TableName="things", Key={"id": {"S": "1"}})
    assert found["Item"] == item
    # This one has operation context parameters: it goes through botocore.
    batch = ask(
        moto_url,
        "dynamodb",
        "batch-get-item",
        RequestItems={"things": {"Keys": [{"id": {"S": "1"}}]}},
    )
    assert batch["Responses"]["things"] == [item]


def test_sqs_keeps_the_error_codes_of_its_query_days(moto_url: str) -> None:
    url = ask(moto_url, "sqs", "create-queue", QueueName="q")["QueueUrl"]
    ask(moto_url, "sqs", "send-message", QueueUrl=url, MessageBody={"a": 1})
    (message,) = ask(moto_url, "sqs", "receive-message", QueueUrl=url)["Messages"]
    assert message["Body"] == '{"a":1}'
    error = refused(moto_url, "sqs", "get-queue-url", QueueName="none")
    assert (error.status, error.details["awsCode"]) == (
        404,
        "AWS.SimpleQueueService.NonExistentQueue",
    )


def test_cloudwatch_takes_times_without_a_zone_as_utc(moto_url: str) -> None:
    data = [{"MetricName": "m", "Value": 1.5, "Timestamp": "2026-11-20T10:00:00"}]
    ask(moto_url, "cloudwatch", "put-metric-data", Namespace="n", MetricData=data)
    (metric,) = ask(moto_url, "cloudwatch", "list-metrics")["Metrics"]
    assert metric["MetricName"] == "m"


def test_s3_objects_as_text_and_as_base64(moto_url: str) -> None:
    ask(moto_url, "s3", "create-bucket", Bucket="bucket")
    key = "folder/a b+c:ü.txt"
    for name, media_type, data in ((key, "text/plain", b"hello"), ("raw", "image/png", b"\x89PN")):
        body = base64.b64encode(data).decode()
        ask(
            moto_url,
            "s3",
            "put-object",
            Bucket="bucket",
            Key=name,
            Body=body,
            ContentType=media_type,
        )
    assert ask(moto_url, "s3", "get-object", Bucket="bucket", Key=key)["Body"] == "hello"
    raw = ask(moto_url, "s3", "get-object", Bucket="bucket", Key="raw")
    assert raw["Body"] == base64.b64encode(b"\x89PN").decode()
    assert raw["LastModified"].endswith("Z")
    listed = ask(moto_url, "s3", "list-objects-v2", Bucket="bucket")
    assert [item["Key"] for item in listed["Contents"]] == [key, "raw"]
    assert refused(moto_url, "s3", "get-object", Bucket="bucket", Key="none").status == 404
    assert refused(moto_url, "s3", "head-object", Bucket="bucket", Key="none").status == 404


def test_s3_keys_that_no_url_can_carry_are_refused(moto_url: str) -> None:
    with pytest.raises(InputError) as caught:
        ask(moto_url, "s3", "put-object", Bucket="bucket", Key="../x", Body="aGk=")
    assert "`..`" in caught.value.message


def test_iam_takes_a_policy_as_an_object(moto_url: str) -> None:
    policy = {"Version": "2012-10-17", "Statement": []}
    ask(moto_url, "iam", "create-role", RoleName="r", AssumeRolePolicyDocument=policy)
    (role,) = ask(moto_url, "iam", "list-roles")["Roles"]
    assert role["RoleName"] == "r"
    error = refused(moto_url, "iam", "get-role", RoleName="none")
    assert (error.status, error.code, error.details["awsCode"]) == (
        404,
        "not-found",
        "NoSuchEntity",
    )


@pytest.mark.parametrize(
    ("name", "operation", "member"),
    [
        ("sts", "get-caller-identity", "Account"),
        ("lambda", "list-functions", "Functions"),
        ("ec2", "describe-vpcs", "Vpcs"),
        ("ec2", "describe-instances", "Reservations"),
        ("events", "list-rules", "Rules"),
        ("logs", "describe-log-groups", "logGroups"),
        ("secretsmanager", "list-secrets", "SecretList"),
        ("kms", "list-keys", "Keys"),
        ("ssm", "describe-parameters", "Parameters"),
        ("cloudformation", "list-stacks", "StackSummaries"),
    ],
)
def test_reads_of_every_protocol(moto_url: str, name: str, operation: str, member: str) -> None:
    assert member in ask(moto_url, name, operation)


def test_a_role_is_assumed(moto_url: str) -> None:
    settings = AwsSettings(role_arn=ROLE)
    found = call(service("sts", environment(moto_url), settings), "get-caller-identity").value
    assert isinstance(found, dict)
    assert str(found["Arn"]).endswith("assumed-role/x/naftiko")
