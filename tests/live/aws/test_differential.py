"""Whole calls, ours and boto3's, against one upstream: what goes out and what comes back."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from naftiko.consumes.aws.decoding import plain_json
from naftiko.errors import ConsumedError
from tests.live.aws.support import Answer, Seen, Upstream, call, environment, fails, says, service

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:m"
MOMENT = datetime(2026, 11, 20, 18, 0, 0, 123000, tzinfo=UTC)

CASES: list[tuple[str, str, dict[str, Any], dict[str, Any] | None, dict[str, Any]]] = [
    # service, operation, our arguments, boto3's where they differ, the answer
    (
        "stepfunctions",
        "ListStateMachines",
        {},
        None,
        {"stateMachines": [{"name": "m", "stateMachineArn": MACHINE, "creationDate": 1.5, "x": 1}]},
    ),
    (
        "stepfunctions",
        "StartExecution",
        {"stateMachineArn": MACHINE, "name": "ünï", "input": {"a": [1, None]}},
        {"stateMachineArn": MACHINE, "name": "ünï", "input": '{"a":[1,null]}'},
        {"executionArn": "arn:x", "startDate": 1795197600.123456},
    ),
    (
        "stepfunctions",
        "TagResource",
        {"resourceArn": MACHINE, "tags": [{"key": "a", "value": ""}]},
        None,
        {},
    ),
    (
        "dynamodb",
        "PutItem",
        {"TableName": "t", "Item": {"a": {"B": "AAE="}, "b": {"L": [{"NULL": True}]}}},
        {"TableName": "t", "Item": {"a": {"B": b"\0\1"}, "b": {"L": [{"NULL": True}]}}},
        {"Attributes": {"a": {"B": "AAE="}}, "ConsumedCapacity": {"CapacityUnits": 0.5}},
    ),
    (
        "kms",
        "Encrypt",
        {"KeyId": "k", "Plaintext": base64.b64encode(b"text").decode()},
        {"KeyId": "k", "Plaintext": b"text"},
        {"CiphertextBlob": "AAE=", "KeyId": "k"},
    ),
    (
        "logs",
        "FilterLogEvents",
        {"logGroupName": "g", "startTime": 5},
        None,
        {"events": [{"message": "m", "timestamp": 1795197600123}]},
    ),
    (
        "events",
        "PutEvents",
        {"Entries": [{"Time": "2026-11-20T18:00:00.123Z", "Detail": {"a": 1}, "Source": "s"}]},
        {"Entries": [{"Time": MOMENT, "Detail": '{"a":1}', "Source": "s"}]},
        {"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]},
    ),
    (
        "cloudwatch",
        "PutMetricData",
        {"Namespace": "n", "MetricData": [{"MetricName": "m", "Timestamp": 1795197600.123}]},
        {"Namespace": "n", "MetricData": [{"MetricName": "m", "Timestamp": MOMENT}]},
        {},
    ),
    (
        "sqs",
        "SendMessage",
        {"QueueUrl": "http://q/1", "MessageBody": "plain", "DelaySeconds": 0},
        None,
        {"MessageId": "1", "MD5OfMessageBody": "e10adc3949ba59abbe56e057f20f883e"},
    ),
    (
        "secretsmanager",
        "GetSecretValue",
        {"SecretId": "s"},
        None,
        {"SecretBinary": "AAE=", "CreatedDate": 1795197600, "VersionStages": ["AWSCURRENT"]},
    ),
    ("ssm", "GetParameter", {"Name": "/a"}, None, {"Parameter": {"Version": 1, "Value": "v"}}),
]


def client(name: str, url: str) -> Any:
    return boto3.client(
        name,
        region_name="eu-west-1",
        endpoint_url=url,
        aws_access_key_id="AKIAEXAMPLE",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


def outgoing(seen: Seen, name: str) -> dict[str, Any]:
    kept = ("content-type", "x-amz-target", "x-amzn-query-mode")
    body = seen.json
    if name == "sqs":
        body.pop("QueueUrl", None)
    return {
        "method": seen.method,
        "path": seen.path,
        "headers": {key: seen.headers.get(key) for key in kept},
        "body": body,
        "scope": seen.headers["authorization"].split("/", 2)[2].partition(",")[0],
    }


def both(aws: Upstream, name: str, operation: str, ours: Any, theirs: Any, answer: Answer) -> Any:
    """Call twice; return our outcome and boto3's, each as (result or error, request)."""
    from botocore import xform_name

    variables = environment(aws.url, AWS_REGION="eu-west-1", AWS_MAX_ATTEMPTS="1")
    aws.program(answer)
    outcomes: list[Any] = []
    try:
        outcomes.append(call(service(name, variables), operation, **ours).value)
    except ConsumedError as error:
        outcomes.append(error)
    try:
        given = ours if theirs is None else theirs
        parsed = getattr(client(name, aws.url), xform_name(operation))(**given)
        parsed.pop("ResponseMetadata")
        outcomes.append(plain_json(parsed))
    except ClientError as error:
        outcomes.append(error)
    return outcomes, [outgoing(seen, name) for seen in aws.seen]


@pytest.mark.parametrize(("name", "operation", "ours", "theirs", "answer"), CASES)
def test_requests_and_results_are_boto3s(
    aws: Upstream, name: str, operation: str, ours: Any, theirs: Any, answer: Any
) -> None:
    outcomes, requests = both(aws, name, operation, ours, theirs, says(answer))
    assert requests[0] == requests[1]
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    "answer",
    [
        fails("ExecutionDoesNotExist", 400, "gone"),
        fails("InternalFailure", 500, ""),
        says({"__type": "Plain", "Message": "upper"}, 400),
        says({"message": "no code"}, 403),
        says(b"<html><body>Bad gateway</body></html>", 502),
        says(b"", 503),
        says({"__type": "a#b:http://x"}, 400),
        says({"__type": "x#Code"}, 400, x_amzn_query_error="Old.Code;Sender"),
    ],
)
@pytest.mark.parametrize("name", ["stepfunctions", "sqs"])
def test_errors_have_boto3s_code_and_request_id(aws: Upstream, name: str, answer: Answer) -> None:
    operation = {"stepfunctions": "ListActivities", "sqs": "ListQueues"}[name]
    (ours, theirs), _ = both(aws, name, operation, {}, None, answer)
    assert isinstance(ours, ConsumedError)
    code = theirs.response["Error"]["Code"]
    assert ours.details["awsCode"] == code or code.isdigit()
    assert ours.details["requestId"] == "request-1"
    if not code.isdigit():
        assert str(theirs.response["Error"]["Message"]) in ours.message
