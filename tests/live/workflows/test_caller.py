"""The function that workflows reach AWS by: one request, sent once, on the sandbox and worse."""

from __future__ import annotations

import asyncio
import base64
import io
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from starlette.responses import Response

from naftiko.consumes.aws.settings import AwsSettings
from naftiko.consumes.workflows.caller import AwsCaller
from naftiko.sandbox import Sandbox
from naftiko.workflow.ports import AwsAnswer, AwsFailure, AwsRequest
from naftiko.workflow.runtime.gates import Access
from tests.live.aws.support import Answer, Seen, context, environment, fails, says, upstream

Work = Callable[[AwsCaller], Awaitable[Any]]


def with_caller(caller: AwsCaller, work: Work) -> Any:
    async def run() -> Any:
        try:
            return await work(caller)
        finally:
            await caller.close()

    return asyncio.run(run())


def on(sandbox: Sandbox, work: Work) -> Any:
    return with_caller(
        AwsCaller(AwsSettings(), context(dict(sandbox.environment()), sandbox=True)), work
    )


def at(url: str, work: Work, **more: str) -> Any:
    return with_caller(AwsCaller(AwsSettings(), context(environment(url, **more))), work)


def asks(service: str, operation: str, /, **members: Any) -> AwsRequest:
    return AwsRequest(service=service, operation=operation, members=members, timeout_s=30)


async def failure_of(caller: AwsCaller, request: AwsRequest) -> AwsFailure:
    with pytest.raises(AwsFailure) as raised:
        await caller(request)
    return raised.value


def test_it_speaks_every_protocol(sandbox: Sandbox) -> None:
    async def work(caller: AwsCaller) -> None:
        found = await caller(asks("sts", "GetCallerIdentity"))
        assert found.output["Account"] == "123456789012"
        await caller(asks("sqs", "CreateQueue", QueueName="orders"))
        listed = await caller(asks("sqs", "ListQueues", QueueNamePrefix="orders"))
        assert listed.output["QueueUrls"][0].endswith("/orders")
        assert listed.request_id
        await caller(asks("s3", "CreateBucket", Bucket="caller-bucket"))
        await caller(asks("dynamodb", "ListTables"))
        described = await caller(asks("ec2", "DescribeRegions", RegionNames=["eu-west-1"]))
        assert described.output["Regions"][0]["RegionName"] == "eu-west-1"

    on(sandbox, work)


def test_it_is_access_for_the_service(sandbox: Sandbox) -> None:
    async def work(caller: AwsCaller) -> None:
        access: Access = caller
        assert access.region == "us-east-1"
        assert access.is_loopback
        answer: AwsAnswer = await access.call(asks("sts", "GetCallerIdentity"))
        assert answer.output["Arn"].startswith("arn:aws:")

    on(sandbox, work)


def test_whoever_has_no_users_keys_is_the_root_of_the_sandbox(sandbox: Sandbox) -> None:
    async def work(caller: AwsCaller) -> None:
        found = await caller(asks("sts", "GetCallerIdentity"))
        assert found.output["Arn"] == "arn:aws:iam::123456789012:root"
        await caller(asks("iam", "CreateUser", UserName="ada"))
        made = await caller(asks("iam", "CreateAccessKey", UserName="ada"))
        key: Any = made.output["AccessKey"]
        user = caller.with_keys({**key, "SessionToken": ""})
        seen = await user(asks("sts", "GetCallerIdentity"))
        assert seen.output["Arn"] == "arn:aws:iam::123456789012:user/ada"

    on(sandbox, work)


def test_regions_are_worlds_of_their_own_on_the_sandbox_too(sandbox: Sandbox) -> None:
    async def work(caller: AwsCaller) -> None:
        members = {"QueueName": "elsewhere"}
        made = await caller(
            AwsRequest(
                service="sqs", operation="CreateQueue", members=members, region="eu-central-1"
            )
        )
        assert "eu-central-1" in made.output["QueueUrl"] or made.output["QueueUrl"]
        listed = await caller(asks("sqs", "ListQueues", QueueNamePrefix="elsewhere"))
        assert not listed.output.get("QueueUrls")

    on(sandbox, work)


def test_bytes_come_and_go_as_base64_and_json_in_texts_stays_text(sandbox: Sandbox) -> None:
    body = base64.b64encode(b'{"a": 1}').decode()

    async def work(caller: AwsCaller) -> None:
        await caller(asks("s3", "CreateBucket", Bucket="bytes-bucket"))
        await caller(
            asks(
                "s3",
                "PutObject",
                Bucket="bytes-bucket",
                Key="a.json",
                Body=body,
                ContentType="application/json",
            )
        )
        got = await caller(asks("s3", "GetObject", Bucket="bytes-bucket", Key="a.json"))
        assert got.output["Body"] == body
        text = '{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}'
        made = await caller(
            asks(
                "stepfunctions",
                "CreateStateMachine",
                name="plain",
                definition=text,
                roleArn="arn:aws:iam::123456789012:role/any",
            )
        )
        arn = made.output["stateMachineArn"]
        seen = await caller(asks("stepfunctions", "DescribeStateMachine", stateMachineArn=arn))
        assert seen.output["definition"] == text
        assert seen.output["creationDate"].endswith("Z")

    on(sandbox, work)


def test_faults_have_their_details(sandbox: Sandbox) -> None:
    async def work(caller: AwsCaller) -> None:
        query = await failure_of(
            caller, asks("rds", "DescribeDBInstances", DBInstanceIdentifier="nowhere")
        )
        assert (query.kind, query.code, query.status) == ("fault", "DBInstanceNotFound", 404)
        assert query.request_id
        assert "nowhere" in query.message
        rest = await failure_of(caller, asks("s3", "GetObject", Bucket="no-such-bucket", Key="a"))
        assert (rest.kind, rest.code) == ("fault", "NoSuchBucket")
        json = await failure_of(caller, asks("dynamodb", "DescribeTable", TableName="nowhere"))
        assert (json.kind, json.code) == ("fault", "ResourceNotFoundException")
        assert json.status == 400

    on(sandbox, work)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (asks("nowhere", "List"), "UnknownService"),
        (asks("rds", "list-things"), "UnknownOperation"),
        (asks("s3", "SelectObjectContent"), "UnsupportedOperation"),
        (asks("s3", "GetObject", Bucket="a-bucket"), "InvalidInput"),
        (asks("kms", "Decrypt", CiphertextBlob="not base64!"), "InvalidInput"),
    ],
)
def test_what_cannot_be_sent_is_not(sandbox: Sandbox, request_: AwsRequest, code: str) -> None:
    async def work(caller: AwsCaller) -> None:
        failure = await failure_of(caller, request_)
        assert (failure.kind, failure.code, failure.sent) == ("not_sent", code, False)

    on(sandbox, work)


def test_without_credentials_nothing_is_sent() -> None:
    keyless = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    failure = at(
        "http://127.0.0.1:9",
        lambda caller: failure_of(caller, asks("sqs", "ListQueues")),
        **keyless,
    )
    assert (failure.kind, failure.code, failure.sent) == ("not_sent", "NoCredentials", False)


def test_where_nobody_listens_nothing_was_sent() -> None:
    failure = at("http://127.0.0.1:9", lambda caller: failure_of(caller, asks("sqs", "ListQueues")))
    assert (failure.kind, failure.sent) == ("connection", False)


def facing(answer: Answer, work: Work) -> tuple[Any, list[Seen]]:
    with upstream() as fake:
        fake.program(answer)
        return at(fake.url, work), fake.seen


def test_a_request_is_sent_once_whatever_is_answered() -> None:
    failure, seen = facing(
        fails("Busy", 503, "later", retry_after="7"),
        lambda caller: failure_of(caller, asks("sqs", "ListQueues")),
    )
    assert [one.operation for one in seen] == ["ListQueues"]
    assert (failure.kind, failure.code, failure.status) == ("fault", "Busy", 503)
    assert (failure.request_id, failure.retry_after_s, failure.message) == (
        "request-1",
        7.0,
        "later",
    )


def test_too_fast_is_429_by_whatever_name() -> None:
    failure, _ = facing(
        fails("ProvisionedThroughputExceededException"),
        lambda caller: failure_of(caller, asks("dynamodb", "ListTables")),
    )
    assert (failure.code, failure.status) == ("ProvisionedThroughputExceededException", 429)


def test_an_answer_that_does_not_come_is_a_timeout() -> None:
    async def never(_: Seen) -> Response:
        await asyncio.sleep(2)
        return Response()

    request = AwsRequest(service="sqs", operation="ListQueues", members={}, timeout_s=0.2)
    failure, _ = facing(never, lambda caller: failure_of(caller, request))
    assert (failure.kind, failure.sent) == ("timeout", True)


def test_an_answer_that_is_none_leaves_the_outcome_open() -> None:
    failure, _ = facing(
        says(b"<html>"), lambda caller: failure_of(caller, asks("sqs", "ListQueues"))
    )
    assert (failure.kind, failure.code, failure.sent) == ("connection", "UnreadableAnswer", True)


def test_other_keys_share_the_connections() -> None:
    async def work(caller: AwsCaller) -> None:
        other = caller.with_keys(
            {"AccessKeyId": "AKIAOTHER", "SecretAccessKey": "s", "SessionToken": "t"}
        )
        await asyncio.gather(other(asks("sqs", "ListQueues")), caller(asks("sqs", "ListQueues")))

    _, seen = facing(says({}), work)
    keys = [
        (
            one.headers["authorization"].partition("Credential=")[2].partition("/")[0],
            one.headers.get("x-amz-security-token"),
        )
        for one in seen
    ]
    assert sorted(keys, key=str) == [("AKIACANARY0000000001", None), ("AKIAOTHER", "t")]


@pytest.mark.parametrize(
    ("variables", "own", "loopback"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:5000"}, None, True),
        ({"AWS_ENDPOINT_URL": "http://[::1]:5000"}, None, True),
        ({}, None, False),
        ({}, "http://localhost:5000", True),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:5000"}, "https://aws.example", False),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_S3": "https://a.example"},
            None,
            False,
        ),
        (
            {
                "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
                "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
            },
            None,
            False,
        ),
    ],
)
def test_it_knows_whether_aws_is_on_this_machine(
    variables: dict[str, str], own: str | None, loopback: bool
) -> None:
    caller = AwsCaller(AwsSettings(endpoint_url=own), context(environment(**variables)))
    assert caller.is_loopback is loopback


def test_a_function_with_code_is_created(sandbox: Sandbox) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("handler.py", "def handle(event, context): return event\n")
    zipped = base64.b64encode(packed.getvalue()).decode()

    async def work(caller: AwsCaller) -> None:
        made = await caller(asks("logs", "CreateLogGroup", logGroupName="/g/1"))
        assert made.output == {}
        policy = '{"Statement":[]}'
        role = await caller(
            asks("iam", "CreateRole", RoleName="runner", AssumeRolePolicyDocument=policy)
        )
        assert role.output["Role"]["AssumeRolePolicyDocument"] == policy
        function = await caller(
            asks(
                "lambda",
                "CreateFunction",
                FunctionName="f",
                Runtime="python3.12",
                Handler="handler.handle",
                Role=role.output["Role"]["Arn"],
                Code={"ZipFile": zipped},
            )
        )
        assert function.output["CodeSize"] == len(packed.getvalue())

    on(sandbox, work)


def test_regions_of_callers_do_not_fill_the_memory(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("naftiko.consumes.workflows.caller.MAX_SERVICES", 1)

    async def work(caller: AwsCaller) -> None:
        await caller(asks("sqs", "ListQueues"))
        elsewhere = replace(asks("sqs", "ListQueues"), region="eu-west-1")
        failure = await failure_of(caller, elsewhere)
        assert (failure.kind, failure.code) == ("not_sent", "TooManyRegions")

    on(sandbox, work)
