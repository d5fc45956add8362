"""Entries of `type: aws` as files write them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from naftiko.errors import CompileError, ConsumedError, InputError
from naftiko.plan.ports import Effect
from tests.live.aws.support import (
    KEYS,
    QUIET,
    Upstream,
    adapter,
    call,
    context,
    environment,
    fails,
    says,
)

ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:m"
WHOLE = "{type: aws, namespace: sf, service: stepfunctions}"


def names(using: Any, operation: str) -> dict[str, bool]:
    return {item.name: item.required for item in using.operation(operation).parameters}


def codes(using: Any) -> list[str]:
    return [problem.code for problem in using.problems]


def test_every_operation_is_addressable(aws: Upstream) -> None:
    using = adapter(WHOLE, context(environment(aws.url)))
    assert len(using.operation_names()) == 37
    for name in using.operation_names():
        operation = using.operation(name)
        assert operation is not None
        assert operation.address == f"sf.{name}"
        assert operation.description
        assert operation.explain()
    assert using.operation("ListStateMachines") is not None
    assert using.operation("list-state-machine") is None
    assert using.operation("list-state-machines") is using.operation("list-state-machines")


@pytest.mark.parametrize("spelling", ["sfn", "states", "StepFunctions", "step-functions"])
def test_other_names_of_a_service(spelling: str) -> None:
    using = adapter(f"{{type: aws, namespace: sf, service: {spelling}}}", context(environment()))
    assert using.service.name == "stepfunctions"


def test_an_unknown_service_is_named_with_the_nearest() -> None:
    with pytest.raises(CompileError) as caught:
        adapter("{type: aws, namespace: x, service: stepfunction}", context(environment()))
    (problem,) = caught.value.problems
    assert (problem.code, problem.location.line) == ("unknown-service", 2)
    assert "stepfunctions" in problem.hint


def test_operations_rename_restrict_and_preset(aws: Upstream) -> None:
    text = """type: aws
namespace: orders
service: stepfunctions
operations:
  - name: start-order
    operation: StartExecution
    description: Start the order workflow.
    parameters:
      stateMachineArn: "{{MACHINE}}"
      input: {source: api, order: "{{name}}"}
    inputParameters:
      - name: name
        description: The order's number.
        required: true
    timeout: 5s"""
    using = context(environment(aws.url), MACHINE=ARN)
    client = adapter(text, using)
    assert tuple(client.operation_names()) == ("start-order",)
    assert client.operation("start-execution") is None
    operation = client.operation("start-order")
    assert operation is not None
    assert names(client, "start-order") == {"name": True, "traceHeader": False}
    assert operation.parameters[0].schema["description"] == "The order's number."
    assert operation.description == "Start the order workflow."
    assert operation.timeout_s == 5
    aws.program(says({"executionArn": "arn:x", "startDate": 1}))
    call(client, "start-order", name="o-7")
    sent = aws.seen[0].json
    assert sent["stateMachineArn"] == ARN
    assert json.loads(sent["input"]) == {"source": "api", "order": "o-7"}
    assert codes(using) == []
    with pytest.raises(InputError):
        call(client, "start-order")


OWN_INPUTS = """type: aws
namespace: table
service: dynamodb
operations:
  - name: find
    operation: scan
    parameters:
      TableName: orders
      Limit: "{{most}}"
      ExpressionAttributeValues: {":c": {S: "{{customer}}"}}
    inputParameters:
      - {name: most, type: integer, minimum: 1, default: 25}
      - {name: customer, type: string, required: true, description: Who bought.}"""


def test_presets_may_read_inputs_that_the_api_does_not_have(aws: Upstream) -> None:
    client = adapter(OWN_INPUTS, context(environment(aws.url)))
    taken = {item.name: item for item in client.operation("find").parameters}  # type: ignore[union-attr]  # it is there
    assert taken["customer"].required
    assert taken["customer"].schema == {"type": "string", "description": "Who bought."}
    assert taken["most"].schema["type"] == "integer"
    assert "Limit" not in taken
    aws.program(says({"Items": []}), says({"Items": []}))
    call(client, "find", customer="ann")
    call(client, "find", customer="ann", most=3)
    first, second = (seen.json for seen in aws.seen)
    assert first == {
        "TableName": "orders",
        "Limit": 25,
        "ExpressionAttributeValues": {":c": {"S": "ann"}},
    }
    assert second["Limit"] == 3
    with pytest.raises(InputError) as caught:
        call(client, "find", most=0)
    assert {item.name for item in caught.value.fields} >= {"customer", "most"}


def test_json_parameters_declare_more_json(aws: Upstream) -> None:
    text = """type: aws
namespace: sf
service: stepfunctions
operations:
  - name: fail-task
    operation: send-task-failure
    jsonParameters: [cause]"""
    client = adapter(text, context(environment(aws.url)))
    aws.program(says({}))
    call(client, "fail-task", taskToken="t", cause={"why": "because"})
    assert aws.seen[0].json["cause"] == '{"why":"because"}'
    with pytest.raises(InputError):
        call(client, "fail-task", taskToken="t", cause="because")


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("operations: [{name: list-state-machine}]", "unknown-operation", "list-state-machines"),
        ("operations: [{name: x, operation: ListMachines}]", "unknown-operation", ""),
        (
            "operations: [{name: list-activities, parameters: {maxResult: 5}}]",
            "unknown-parameter",
            "maxResults",
        ),
        (
            "operations: [{name: list-activities, inputParameters: [{name: maxresults}]}]",
            "unknown-parameter",
            "maxResults",
        ),
        ("timeout: soon", "invalid-timeout", ""),
        ("timeout: 0s", "invalid-timeout", ""),
        ("retries: many", "invalid-retries", ""),
        ("endpointUrl: somewhere", "invalid-endpoint-url", ""),
        ("credentials: {accessKeyId: AKIA}", "missing-credentials", ""),
        (
            "credentials: {accessKeyId: AKIA, secretAccessKey: '{{NOT_THERE}}'}",
            "missing-credentials",
            "",
        ),
        ("profile: nobody", "unknown-profile", ""),
    ],
)
def test_problems_point_to_their_place(text: str, code: str, hint: str) -> None:
    using = context(environment(), NOT_THERE="")
    client = adapter(f"type: aws\nnamespace: sf\nservice: stepfunctions\n{text}", using)
    for name in client.operation_names():
        client.operation(name)
    found = [problem for problem in using.problems if problem.code == code]
    assert found, codes(using)
    assert found[0].location.line == 5
    assert found[0].location.column > 5
    assert hint in found[0].hint


def test_a_missing_region_is_a_warning_at_load() -> None:
    variables = {name: value for name, value in environment().items() if name != "AWS_REGION"}
    using = context(variables)
    adapter(WHOLE, using)
    assert codes(using) == ["missing-region"]


def test_event_streams_are_left_out_with_the_reason() -> None:
    using = context(environment())
    client = adapter("{type: aws, namespace: l, service: logs}", using)
    assert client.operation("start-live-tail") is None
    (problem,) = using.problems
    assert problem.code == "unsupported-operation"
    assert "event stream" in problem.message


def test_explicit_credentials_sign(aws: Upstream) -> None:
    text = """type: aws
namespace: sf
service: stepfunctions
region: eu-west-3
credentials:
  accessKeyId: "{{ID}}"
  secretAccessKey: "{{env.SECRET}}"
  sessionToken: "{{TOKEN}}" """
    using = context(environment(aws.url), ID="AKIAOTHER", SECRET="other-secret", TOKEN="tok-en")
    aws.program(says({"activities": []}))
    call(adapter(text, using), "list-activities")
    sent = aws.seen[0].headers
    assert "Credential=AKIAOTHER/" in sent["authorization"]
    assert "/eu-west-3/states/aws4_request" in sent["authorization"]
    assert sent["x-amz-security-token"] == "tok-en"


def test_endpoint_urls_in_the_order_of_boto3(aws: Upstream) -> None:
    nowhere = "http://127.0.0.1:1"
    cases: list[tuple[dict[str, str], str]] = [
        ({"AWS_ENDPOINT_URL": nowhere, "AWS_ENDPOINT_URL_SFN": aws.url}, ""),
        ({"AWS_ENDPOINT_URL": aws.url}, ""),
        ({"AWS_ENDPOINT_URL_SFN": nowhere}, f"endpointUrl: {aws.url}"),
        ({}, "endpointUrl: '{{URL}}/'"),
    ]
    for variables, line in cases:
        aws.program(says({"activities": []}))
        text = f"type: aws\nnamespace: sf\nservice: stepfunctions\n{line}"
        using = context({**QUIET, **KEYS, **variables}, URL=aws.url)
        call(adapter(text, using), "list-activities")
        assert len(aws.seen) == 1
        assert aws.seen[0].path == "/"


def test_configured_endpoints_can_be_ignored() -> None:
    variables = environment("http://127.0.0.1:1", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true")
    client = adapter(WHOLE, context(variables))
    operation = client.operation("start-sync-execution")
    assert operation is not None
    assert "https://sync-states.us-east-1.amazonaws.com/" in "\n".join(operation.explain())


@pytest.mark.parametrize(
    ("more", "operation", "url"),
    [
        ({}, "list-activities", "https://states.us-east-1.amazonaws.com/"),
        ({}, "start-sync-execution", "https://sync-states.us-east-1.amazonaws.com/"),
        ({}, "test-state", "https://sync-states.us-east-1.amazonaws.com/"),
        ({"AWS_ENDPOINT_URL": "http://h:1/p"}, "start-sync-execution", "http://h:1/p/"),
        (
            {"AWS_REGION": "cn-north-1"},
            "list-activities",
            "https://states.cn-north-1.amazonaws.com.cn/",
        ),
        (
            {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
            "list-activities",
            "https://states.us-east-1.api.aws/",
        ),
        (
            {"AWS_USE_FIPS_ENDPOINT": "true"},
            "list-activities",
            "https://states-fips.us-east-1.amazonaws.com/",
        ),
    ],
)
def test_endpoints(more: dict[str, str], operation: str, url: str) -> None:
    client = adapter(WHOLE, context(environment(None, **more)))
    found = client.operation(operation)
    assert found is not None
    assert f"POST {url}" in "\n".join(found.explain())


SYNC = "https://sync-states.us-east-1.amazonaws.com/"
BARE = "https://states.us-east-1.amazonaws.com/"


@pytest.mark.parametrize(
    ("said", "bound", "endpoint", "url"),
    [
        ("false", "", None, BARE),
        ("true", "", None, SYNC),
        ("true", "", "http://localhost:1", "http://sync-localhost:1/"),
        ("false", "", "http://localhost:1", "http://localhost:1/"),
        ('"{{HOST_PREFIX}}"', "", None, SYNC),
        ('"{{HOST_PREFIX}}"', "", "http://localhost:1", "http://localhost:1/"),
        ('"{{HOST_PREFIX}}"', "False", None, BARE),
        ('"{{HOST_PREFIX}}"', "true", "http://localhost:1", "http://sync-localhost:1/"),
    ],
)
def test_the_host_prefix_is_the_files_choice(
    said: str, bound: str, endpoint: str | None, url: str
) -> None:
    using = context(environment(endpoint), HOST_PREFIX=bound)
    client = adapter(f"{WHOLE[:-1]}, hostPrefix: {said}}}", using)
    assert not using.problems.errors
    found = client.operation("start-sync-execution")
    assert found is not None
    assert f"POST {url}" in "\n".join(found.explain())


def test_botocores_own_path_has_the_same_choice(aws: Upstream) -> None:
    aws.program(says({"Environments": []}))
    entry = "{{type: aws, namespace: c, service: mwaa, hostPrefix: {}}}"
    using = context(environment(aws.url))
    call(adapter(entry.format("false"), using), "list-environments")
    assert aws.seen[0].headers["host"] == aws.url.removeprefix("http://")
    with pytest.raises(ConsumedError, match=r"api\.127\.0\.0\.1"):
        call(adapter(entry.format("true"), using), "list-environments")


def test_a_host_prefix_that_is_neither_is_refused() -> None:
    using = context(environment())
    adapter(f"{WHOLE[:-1]}, hostPrefix: sometimes}}", using)
    assert [problem.code for problem in using.problems.errors] == ["invalid-host-prefix"]


def test_in_the_sandbox_the_file_has_no_say_in_where_and_as_whom(aws: Upstream) -> None:
    text = """type: aws
namespace: sf
service: stepfunctions
region: eu-west-3
profile: production
endpointUrl: https://states.eu-west-3.amazonaws.com
roleArn: arn:aws:iam::1:role/x
credentials: {accessKeyId: AKIAREAL, secretAccessKey: real}"""
    aws.program(says({"activities": []}))
    call(adapter(text, context(environment(aws.url), sandbox=True)), "list-activities")
    assert f"Credential={KEYS['AWS_ACCESS_KEY_ID']}/" in aws.seen[0].headers["authorization"]
    assert "/us-east-1/" in aws.seen[0].headers["authorization"]


@pytest.mark.parametrize(
    ("status", "failed"),
    [("SUCCEEDED", False), ("FAILED", True), ("TIMED_OUT", True)],
)
def test_a_sync_execution_that_failed(aws: Upstream, status: str, failed: bool) -> None:
    body = {"executionArn": "arn:x", "startDate": 1, "stopDate": 2, "status": status}
    aws.program(says(body))
    result = call(
        adapter(WHOLE, context(environment(aws.url))), "start-sync-execution", stateMachineArn=ARN
    )
    assert result.status == 200
    assert result.failed is failed
    assert result.headers == (("Naftiko-Execution-Status", status),)
    assert isinstance(result.value, dict)
    assert result.value["status"] == status


@pytest.mark.parametrize(
    ("operation", "effect"),
    [
        ("list-state-machines", Effect.READ),
        ("validate-state-machine-definition", Effect.READ),
        ("get-activity-task", Effect.WRITE),
        ("start-execution", Effect.WRITE),
        ("stop-execution", Effect.DESTRUCTIVE),
        ("delete-state-machine", Effect.DESTRUCTIVE),
        ("tag-resource", Effect.WRITE),
    ],
)
def test_effects(operation: str, effect: Effect) -> None:
    found = adapter(WHOLE, context(environment())).operation(operation)
    assert found is not None
    assert found.effect is effect


@pytest.mark.parametrize(
    ("service", "operation", "seconds"),
    [
        ("stepfunctions", "list-activities", 60),
        ("stepfunctions", "get-activity-task", 75),
        ("stepfunctions", "start-sync-execution", 310),
        ("lambda", "invoke", 910),
    ],
)
def test_timeouts(service: str, operation: str, seconds: float) -> None:
    text = f"{{type: aws, namespace: x, service: {service}}}"
    found = adapter(text, context(environment())).operation(operation)
    assert found is not None
    assert found.timeout_s == seconds


def test_a_wait_that_the_caller_sets_counts() -> None:
    text = "{type: aws, namespace: x, service: sqs}"
    found = adapter(text, context(environment())).operation("receive-message")
    assert found is not None
    assert found._timeout({"WaitTimeSeconds": 20}) == 60


def test_parameters_of_the_model() -> None:
    client = adapter(WHOLE, context(environment()))
    found = client.operation("list-executions")
    assert found is not None
    schemas = {item.name: item.schema for item in found.parameters}
    assert schemas["maxResults"]["type"] == "integer"
    assert schemas["maxResults"]["maximum"] == 1000
    assert "RUNNING" in str(schemas["statusFilter"]["enum"])
    assert schemas["stateMachineArn"]["maxLength"] == 256
    for schema in schemas.values():
        assert "<" not in str(schema.get("description", ""))
    create = client.operation("create-state-machine")
    assert create is not None
    definition = next(item for item in create.parameters if item.name == "definition")
    assert definition.required
    assert set(definition.schema["type"]) >= {"string", "object"}  # type: ignore[arg-type]  # a list
    output: Any = found.output_schema
    assert "required" not in str(output)
    start = output["properties"]["executions"]["items"]["properties"]["startDate"]
    assert (start["type"], start["format"]) == ("string", "date-time")


def test_expired_keys_of_an_entry_cannot_be_renewed(aws: Upstream) -> None:
    aws.program(fails("ExpiredTokenException"))
    text = f"{WHOLE[:-1]}, credentials: {{accessKeyId: AKIAX, secretAccessKey: sss}}}}"
    with pytest.raises(ConsumedError) as caught:
        call(adapter(text, context(environment(aws.url))), "list-activities")
    assert caught.value.code == "aws-credentials"
    assert len(aws.seen) == 1
