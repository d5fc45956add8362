"""What callers see of refusals, and of an AWS that is slow, broken or away."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest
from starlette.responses import Response

from naftiko.consumes.aws import AwsSettings
from naftiko.errors import ConsumedError, DeadlineError, InputError, RunError, ShapingError
from naftiko.plan.run import Run
from tests.live.aws.support import (
    KEYS,
    QUIET,
    Seen,
    Upstream,
    call,
    environment,
    fails,
    run,
    says,
    service,
)


def refused(aws: Upstream, name: str = "stepfunctions", operation: str = "list-activities") -> Any:
    with pytest.raises(RunError) as caught:
        call(service(name, environment(aws.url, AWS_MAX_ATTEMPTS="1")), operation)
    return caught.value


@pytest.mark.parametrize(
    ("code", "sent", "status", "ours"),
    [
        ("ExecutionDoesNotExist", 400, 404, "not-found"),
        ("ResourceNotFoundException", 400, 404, "not-found"),
        ("ResourceNotFound", 400, 404, "not-found"),
        ("QueueDoesNotExist", 400, 404, "not-found"),
        ("NoSuchBucket", 404, 404, "not-found"),
        ("ExecutionAlreadyExists", 400, 409, "conflict"),
        ("ConflictException", 400, 409, "conflict"),
        ("ResourceInUseException", 400, 409, "conflict"),
        ("AccessDeniedException", 400, 403, "access-denied"),
        ("AccessDenied", 403, 403, "access-denied"),
        ("ValidationException", 400, 400, "request-refused"),
        ("InvalidArn", 400, 400, "request-refused"),
        ("InvalidToken", 400, 400, "request-refused"),
        ("TaskTimedOut", 400, 400, "request-refused"),
        ("ThrottlingException", 400, 429, "throttled"),
        ("TooManyRequestsException", 429, 429, "throttled"),
        ("Anything", 429, 429, "throttled"),
        ("ExpiredTokenException", 400, 502, "aws-credentials"),
        ("UnrecognizedClientException", 400, 502, "aws-credentials"),
        ("InvalidSignatureException", 403, 502, "aws-credentials"),
        ("InternalServerError", 500, 502, "upstream-error"),
        ("ServiceUnavailable", 503, 502, "upstream-error"),
    ],
)
def test_codes_of_aws(aws: Upstream, code: str, sent: int, status: int, ours: str) -> None:
    aws.program(fails(code, sent, "said so"))
    error = refused(aws)
    assert isinstance(error, ConsumedError)
    assert (error.status, error.code) == (status, ours)
    assert error.message == f"stepfunctions.list-activities: {code}: said so"
    assert error.details == {
        "awsCode": code,
        "requestId": "request-1",
        "service": "stepfunctions",
        "operation": "ListActivities",
    }
    if status == 429:
        assert error.retryable
        assert error.retry_after_s is not None
    if status in (403, 502) and ours != "upstream-error":
        assert error.hint


def test_the_action_that_is_denied_is_named(aws: Upstream) -> None:
    text = "User: arn:aws:iam::1:user/x is not authorized to perform: states:ListActivities on *"
    aws.program(fails("AccessDeniedException", 400, text))
    assert "states:ListActivities" in refused(aws).hint


def test_throttling_says_when_to_come_back(aws: Upstream) -> None:
    aws.program(fails("ThrottlingException", 400, Retry_After="7"))
    assert refused(aws).retry_after_s == 7
    aws.program(fails("ThrottlingException", 400, x_amz_retry_after="1500"))
    assert refused(aws).retry_after_s == 1.5


def test_a_wrong_region_for_a_bucket_is_named(aws: Upstream) -> None:
    body = b"<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>"
    headers = {"x-amz-bucket-region": "eu-central-1"}
    aws.program(lambda _: Response(body, 301, headers, "application/xml"))
    error = refused(aws, "s3", "list-buckets")
    assert (error.status, error.code) == (502, "wrong-region")
    assert "eu-central-1" in error.hint


def test_a_200_of_s3_that_is_an_error(aws: Upstream) -> None:
    body = b"<Error><Code>InternalError</Code><Message>sorry</Message></Error>"
    aws.program(lambda _: Response(body, 200, {}, "application/xml"))
    with pytest.raises(ConsumedError) as caught:
        call(
            service("s3", environment(aws.url, AWS_MAX_ATTEMPTS="1")),
            "copy-object",
            Bucket="bbb",
            Key="k",
            CopySource="bbb/o",
        )
    assert caught.value.status == 502
    assert "InternalError" in caught.value.message


def test_an_answer_that_is_no_json(aws: Upstream) -> None:
    aws.program(says(b"<html>"))
    error = refused(aws)
    assert isinstance(error, ShapingError)
    assert error.status == 502


@pytest.mark.parametrize("body", ["x", {"Functions": ["x"]}, [1]])
def test_an_answer_of_another_form(aws: Upstream, body: Any) -> None:
    aws.program(says(body))
    with pytest.raises(ShapingError) as caught:
        call(service("lambda", environment(aws.url, AWS_MAX_ATTEMPTS="1")), "list-functions")
    assert caught.value.status == 502


def test_an_answer_that_is_no_object(aws: Upstream) -> None:
    aws.program(says([1, 2]))
    assert call(service("stepfunctions", environment(aws.url)), "list-activities").value == {}


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with pytest.raises(ConsumedError) as caught:
        call(service("stepfunctions", environment(url, AWS_MAX_ATTEMPTS="1")), "list-activities")
    error = caught.value
    assert (error.status, error.code, error.retryable) == (502, "unreachable", True)
    assert f"127.0.0.1:{port}" in error.message


def test_an_unknown_host() -> None:
    variables = environment("http://aws.invalid", AWS_MAX_ATTEMPTS="1")
    with pytest.raises(ConsumedError) as caught:
        call(service("stepfunctions", variables), "list-activities")
    assert caught.value.code == "unreachable"
    assert "aws.invalid:80" in caught.value.message


async def slow(_: Seen) -> Response:
    await asyncio.sleep(20)
    return Response(b"{}")


def test_slow_aws_is_a_timeout(aws: Upstream) -> None:
    aws.program(slow)
    settings = AwsSettings(timeout_s=0.2, retries=0)
    with pytest.raises(DeadlineError) as caught:
        call(service("stepfunctions", environment(aws.url), settings), "list-activities")
    assert caught.value.status == 504
    assert "0.2 s" in caught.value.message


def test_the_deadline_of_the_run_shortens_the_wait(aws: Upstream) -> None:
    aws.program(slow)
    using = service("stepfunctions", environment(aws.url))

    async def work() -> None:
        operation = using.operation("list-activities")
        assert operation is not None
        await operation.call({}, Run(inputs={}, deadline=time.monotonic() + 0.2))

    with pytest.raises(DeadlineError) as caught:
        run(work())
    assert caught.value.status == 504


def test_no_credentials(aws: Upstream) -> None:
    variables = {**QUIET, "AWS_ENDPOINT_URL": aws.url}
    with pytest.raises(ConsumedError) as caught:
        call(service("stepfunctions", variables), "list-activities")
    error = caught.value
    assert (error.status, error.code) == (502, "aws-credentials")
    assert "AWS_ACCESS_KEY_ID" in error.hint
    assert aws.seen == []


def test_half_of_the_credentials(aws: Upstream) -> None:
    variables = {**QUIET, "AWS_ENDPOINT_URL": aws.url, "AWS_ACCESS_KEY_ID": "AKIA"}
    with pytest.raises(ConsumedError) as caught:
        call(service("stepfunctions", variables), "list-activities")
    assert "AWS_SECRET_ACCESS_KEY is not" in caught.value.message


def test_no_region() -> None:
    variables = {name: value for name, value in {**QUIET, **KEYS}.items() if name != "AWS_REGION"}
    for name, operation in (("stepfunctions", "list-activities"), ("lambda", "list-functions")):
        with pytest.raises(ConsumedError) as caught:
            call(service(name, variables), operation)
        assert caught.value.code == "no-region"
        assert "AWS_REGION" in caught.value.hint


def test_everything_wrong_is_named_at_once(aws: Upstream) -> None:
    with pytest.raises(InputError) as caught:
        call(
            service("stepfunctions", environment(aws.url)),
            "start-execution",
            name="",
            input='{\n "a": oops}',
            colour="red",
        )
    fields = {item.name: item.message for item in caught.value.fields}
    assert set(fields) == {"stateMachineArn", "name", "input", "colour"}
    assert "line 2, column" in fields["input"]
    assert aws.seen == []


@pytest.mark.parametrize(
    ("name", "operation", "arguments", "wrong"),
    [
        ("kms", "encrypt", {"KeyId": "k", "Plaintext": "not base64!"}, "Plaintext"),
        (
            "logs",
            "put-log-events",
            {
                "logGroupName": "g",
                "logStreamName": "s",
                "logEvents": [{"timestamp": "soon", "message": "m"}],
            },
            "logEvents[0].timestamp",
        ),
        (
            "cloudwatch",
            "put-metric-data",
            {"Namespace": "n", "MetricData": [{"MetricName": "m", "Timestamp": "soon"}]},
            "MetricData[0].Timestamp",
        ),
        ("stepfunctions", "list-executions", {"maxResults": 5000}, "maxResults"),
        ("stepfunctions", "list-executions", {"statusFilter": "DONE"}, "statusFilter"),
    ],
)
def test_values_are_checked_before_the_call(
    aws: Upstream, name: str, operation: str, arguments: dict[str, Any], wrong: str
) -> None:
    with pytest.raises(InputError) as caught:
        call(service(name, environment(aws.url)), operation, **arguments)
    assert wrong in [item.name for item in caught.value.fields]
    assert aws.seen == []


@pytest.mark.parametrize("name", ["stepfunctions", "s3", "iam"])
def test_secrets_stay_out_of_errors_and_explanations(aws: Upstream, name: str) -> None:
    operation = {"stepfunctions": "list-activities", "s3": "list-buckets", "iam": "list-roles"}[
        name
    ]
    aws.program(fails("AccessDenied", 403, "no"))
    using = service(name, environment(aws.url, AWS_SESSION_TOKEN="canary-token-0001"))
    found = using.operation(operation)
    assert found is not None
    with pytest.raises(RunError) as caught:
        call(using, operation)
    error = caught.value
    shown = repr(error) + str(error.__dict__) + "\n".join(found.explain()) + repr(using.settings)
    for secret in (*KEYS.values(), "canary-token-0001"):
        assert secret not in shown
