"""HTTP entries whose host is AWS: which operation is meant, and what fills its parameters."""

from __future__ import annotations

import pytest

from naftiko.consumes.http.amazon_operation import AmazonOperation
from naftiko.consumes.http.operation import HttpOperation
from naftiko.errors import InputError, Severity
from naftiko.plan.ports import Effect
from naftiko.values import JsonValue
from tests.case_files import SHARED
from tests.unit.consumes.http.apis import Api, api, compile_api

STATES = "https://states.us-east-1.amazonaws.com"
SQS = "https://sqs.{region}.amazonaws.com"
CORPUS = SHARED / "corpus"


def amazon(compiled: Api, name: str = "op") -> AmazonOperation:
    found = compiled.operation(name)
    assert isinstance(found, AmazonOperation)
    return found


def names(operation: AmazonOperation) -> list[str]:
    return [item.name + ("*" if item.required else "") for item in operation.parameters]


def rendered(compiled: Api, **arguments: JsonValue) -> dict[str, JsonValue]:
    return amazon(compiled).arguments.render(arguments)


@pytest.mark.parametrize(
    ("pieces", "path", "found"),
    [
        ("name: list-activities", "/", "ListActivities"),
        ("name: listActivities", "/", "ListActivities"),
        ("name: listactivities", "/", "ListActivities"),
        ("name: x", "/#X-Amz-Target=AWSStepFunctions.ListActivities", "ListActivities"),
        ("name: x", "/#ListActivities", "ListActivities"),
        (
            "name: x, inputParameters: [{name: X-Amz-Target, in: header, "
            "value: AWSStepFunctions.ListActivities, description: AmazonStates.StopExecution}]",
            "/#StopExecution",
            "ListActivities",
        ),
        (
            "name: x, inputParameters: [{name: x-amz-target, in: header, "
            "description: AmazonStates.ListActivities}]",
            "/",
            "ListActivities",
        ),
        (
            "name: list-activities, inputParameters: [{name: X-Amz-Target, in: header, "
            "description: The operation to call}]",
            "/",
            "ListActivities",
        ),
        ("name: x, body: {type: json, data: {Action: ListActivities}}", "/", "ListActivities"),
    ],
)
def test_what_names_the_operation(pieces: str, path: str, found: str) -> None:
    name, _, rest = pieces.removeprefix("name: ").partition(", ")
    compiled = compile_api(
        f"consumes:\n  - namespace: ns\n    type: http\n    baseUri: {STATES}\n    resources:\n"
        f"      - {{name: r, path: '{path}', operations: [{{name: {name}, method: POST"
        f"{', ' + rest if rest else ''}}}]}}\n"
    )
    operation = amazon(compiled, name)
    assert operation.inner.called.operation == found
    assert operation.address == f"ns.{name}"
    assert "X-Amz-Target" not in names(operation)
    assert compiled.codes == ["aws-signing"]


def test_an_operation_that_the_service_lacks() -> None:
    compiled = api("method: POST", base=STATES, path="/")
    refused = compiled.refused()
    assert (refused.code, refused.effect) == ("unknown-operation", Effect.WRITE)
    problem = next(item for item in compiled.problems if item.code == "unknown-operation")
    assert problem.severity is Severity.WARNING


def queue(pieces: str = "", name: str = "CreateQueue") -> Api:
    target = f"{{name: X-Amz-Target, in: header, value: AmazonSQS.{name}}}"
    declared, _, rest = pieces.partition(" | ")
    parameters = f"inputParameters: [{target}{', ' + declared if declared else ''}]"
    return api(f"method: POST, {parameters}{', ' + rest if rest else ''}", base=SQS, path="/")


def test_without_body_every_parameter_may_be_given_by_its_name() -> None:
    compiled = queue()
    assert names(amazon(compiled)) == ["QueueName*", "Attributes", "tags"]
    assert rendered(compiled, QueueName="q", other=1) == {"QueueName": "q"}


def test_a_body_maps_arguments_and_closes_what_writes() -> None:
    body = " | body: {type: json, data: {Action: CreateQueue, queueName: '{{tools.queue_name}}'}}"
    compiled = queue(body)
    operation = amazon(compiled)
    assert names(operation) == ["queue_name*"]
    assert operation.parameters[0].schema["type"] == "string"
    assert rendered(compiled, queue_name="q", tags={}) == {"QueueName": "q"}
    assert rendered(compiled) == {}
    assert "QueueName = argument queue_name" in "\n".join(operation.explain())


def test_a_body_leaves_reading_open() -> None:
    body = " | body: {type: json, data: {QueueNamePrefix: '{{prefix}}'}}"
    compiled = queue(body, "ListQueues")
    assert names(amazon(compiled)) == ["prefix", "NextToken", "MaxResults"]
    assert rendered(compiled, prefix="a", MaxResults=5) == {"QueueNamePrefix": "a", "MaxResults": 5}


def test_a_body_keeps_no_required_parameter_away() -> None:
    body = " | body: {type: json, data: {DelaySeconds: 5}}"
    compiled = queue(body, "SendMessage")
    assert names(amazon(compiled)) == ["QueueUrl*", "MessageBody*"]
    assert rendered(compiled, QueueUrl="u", MessageBody="b", MessageGroupId="no") == {
        "DelaySeconds": 5,
        "QueueUrl": "u",
        "MessageBody": "b",
    }


def test_a_body_as_text() -> None:
    compiled = queue(' | body: \'{"QueueName": "{{a}}-{{b}}"}\'')
    assert names(amazon(compiled)) == ["a", "b"]
    assert rendered(compiled, a="x", b=1) == {"QueueName": "x-1"}


def test_a_member_that_the_api_lacks_is_said_and_not_sent() -> None:
    compiled = queue(" | body: {type: json, data: {QueueName: q, QueueNam: '{{x}}'}}")
    assert rendered(compiled, x="y") == {"QueueName": "q"}
    problem = next(item for item in compiled.problems if item.code == "unknown-parameter")
    assert (problem.severity, problem.hint) == (Severity.WARNING, "did you mean `QueueName`?")


def test_declared_parameters_fill_members_in_any_spelling() -> None:
    compiled = queue("{name: queue_name, in: query}, {name: Tags, in: query, value: '{{t}}'}")
    assert names(amazon(compiled)) == ["queue_name*", "Attributes"]
    assert rendered(compiled, queue_name="q", t={"a": "b"}) == {
        "QueueName": "q",
        "tags": {"a": "b"},
    }


def test_one_argument_may_hold_them_all() -> None:
    compiled = queue("{name: body, in: body, type: object, required: true}")
    operation = amazon(compiled)
    assert names(operation) == ["body*"]
    schema = operation.parameters[0].schema
    assert schema["required"] == ["QueueName"]
    assert rendered(compiled, body={"QueueName": "q"}) == {"QueueName": "q"}
    with pytest.raises(InputError):
        rendered(compiled, body=[1])


def test_a_bound_value_is_no_argument_and_not_explained() -> None:
    compiled = api(
        "method: POST, inputParameters: [{name: X-Amz-Target, in: header, "
        "value: AmazonSQS.CreateQueue}], body: {type: json, data: {QueueName: '{{Q}}'}}",
        base=SQS,
        path="/",
        binds="Q",
        environment={"Q": "canary-queue"},
    )
    operation = amazon(compiled)
    assert names(operation) == []
    assert rendered(compiled, Q="mine") == {"QueueName": "canary-queue"}
    assert "canary" not in "\n".join(operation.explain()) + repr(operation.arguments)


@pytest.mark.parametrize(
    "base",
    [
        "https://apigateway.us-east-1.amazonaws.com",
        "https://abc.execute-api.us-east-1.amazonaws.com/prod",
        "https://bucket.s3.amazonaws.com",
        "https://states.us-east-1.amazonaws.com.example.com",
        "https://example.com/states.us-east-1.amazonaws.com",
    ],
)
def test_other_hosts_are_plain_http(base: str) -> None:
    compiled = api("method: GET", base=base)
    assert isinstance(compiled.operation(), HttpOperation)
    assert "aws-signing" not in compiled.codes


@pytest.mark.skipif(not CORPUS.exists(), reason="the public documents are not here")
def test_public_documents_about_aws_compile() -> None:
    files = [
        file
        for file in sorted(CORPUS.glob("api-evangelist+*/capabilities/**/*.yaml"))
        if ".amazonaws.com" in file.read_text(encoding="utf-8")
    ]
    assert len(files) >= 12
    for file in files:
        compiled = compile_api(file.read_text(encoding="utf-8"), {"AWS_REGION": "us-east-1"})
        for name in compiled.adapter.operation_names():
            assert isinstance(compiled.operation(name), AmazonOperation), (file, name)
        assert compiled.problems.errors == ()
