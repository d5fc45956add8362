"""The prepared JSON path against botocore's serializer, parser and signer, over whole services."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from naftiko.awsapi import catalog
from naftiko.consumes.aws.decoding import plain_json
from naftiko.consumes.aws.endpoints import EndpointResolver
from naftiko.consumes.aws.faults import Called
from naftiko.consumes.aws.rules import JsonMembers
from naftiko.consumes.aws.schema import SchemaWriter
from naftiko.consumes.aws.service import unsupported_reason, uses_prepared_path
from naftiko.consumes.aws.signing import AwsKeys, Clock
from naftiko.consumes.aws.wire_json import JsonWire
from naftiko.consumes.transport import HttpResponse
from naftiko.plan.inputs import compile_validator
from tests.unit.consumes.aws.values import ValueMaker

SERVICES = (
    "stepfunctions",
    "dynamodb",
    "dynamodbstreams",
    "kms",
    "secretsmanager",
    "ssm",
    "events",
    "logs",
    "sqs",
    "cloudwatch",
    "kinesis",
    "ecs",
    "ecr",
    "cognito-idp",
    "glue",
    "athena",
    "cloudtrail",
    "codebuild",
    "application-autoscaling",
    "verifiedpermissions",
    "organizations",
    "swf",
)
KEYS = AwsKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")


def wire(service: str, operation: str) -> JsonWire:
    model = catalog.service_model(service)
    return JsonWire(
        model.operation_model(operation),
        called=Called(address="a.b", service=service, operation=operation, action="x:Y"),
        endpoints=lambda: EndpointResolver(model=model, region="eu-west-1"),
        json_members=JsonMembers({}),
        clock=Clock(),
    )


def prepared_operations(service: str) -> list[str]:
    model = catalog.service_model(service)
    models = (model.operation_model(name) for name in model.operation_names)
    return [m.name for m in models if uses_prepared_path(m) and unsupported_reason(m) is None]


@pytest.mark.parametrize("service", SERVICES)
def test_requests_are_those_of_botocore(service: str) -> None:
    serializer = create_serializer("json", include_validation=False)
    operations = prepared_operations(service)
    assert operations
    for name in operations:
        model = catalog.service_model(service).operation_model(name)
        ours: dict[str, Any] = {}
        theirs: dict[str, Any] = {}
        if model.input_shape is not None:
            ours, theirs = ValueMaker(f"{service}{name}").given(model.input_shape)
        if service in {"events", "kinesis"}:
            for _, member in model.context_parameters:
                # The endpoint is found by these; a made-up one leads nowhere.
                ours.pop(member, None)
                theirs.pop(member, None)
        expected = serializer.serialize_to_request(theirs, model)
        request = wire(service, name).prepare(ours).request(None)
        assert json.loads(request.body) == json.loads(expected["body"]), name
        assert request.method == expected["method"]
        headers = {key.lower(): value for key, value in request.headers}
        assert headers == {key.lower(): value for key, value in expected["headers"].items()}
        prefix = expected.get("host_prefix", "")
        assert request.url.startswith(f"https://{prefix}")


@pytest.mark.parametrize("service", SERVICES)
def test_results_are_those_of_botocore(service: str) -> None:
    parser = create_parser("json")
    for name in prepared_operations(service):
        model = catalog.service_model(service).operation_model(name)
        if model.output_shape is None:
            continue
        answer = ValueMaker(f"{service}{name}").answered(model.output_shape)
        body = json.dumps(answer).encode()
        response: dict[str, Any] = {"status_code": 200, "headers": {}, "body": body}
        expected = parser.parse(response, model.output_shape)
        del expected["ResponseMetadata"]
        result = wire(service, name).decoded(HttpResponse(200, {}, body))
        assert plain_json(result) == plain_json(expected), name
        schema = SchemaWriter(json_members=JsonMembers({}), for_output=True)
        validator = compile_validator(schema.write(model.output_shape))
        assert validator.is_valid(result), name


@pytest.mark.parametrize("service", SERVICES)
def test_valid_inputs_satisfy_the_schema(service: str) -> None:
    for name in prepared_operations(service):
        model = catalog.service_model(service).operation_model(name)
        if model.input_shape is None:
            continue
        ours, _ = ValueMaker(f"{service}{name}").given(model.input_shape)
        schema = SchemaWriter(json_members=JsonMembers({})).write(model.input_shape)
        errors = [
            str(error)
            for error in compile_validator(schema).iter_errors(ours)
            # What is made up knows nothing of lengths of lists and maps.
            if error.kind.name not in {"minItems", "minProperties", "maxProperties", "maxItems"}
        ]
        assert errors == [], name


@pytest.mark.parametrize("token", [None, "a/session+token=="])
@pytest.mark.parametrize(
    "url",
    [
        None,
        "http://127.0.0.1:4566",
        "https://example.test/a path/x~y",
        "http://[::1]:80/",
        "https://host.test:443",
    ],
)
@pytest.mark.parametrize("service", ["stepfunctions", "sqs", "dynamodb"])
def test_signatures_are_those_of_botocore(service: str, url: str | None, token: str | None) -> None:
    model = catalog.service_model(service)
    name = model.operation_names[0]
    resolver = EndpointResolver(model=model, region="eu-west-1", url=url)
    signing = JsonWire(
        model.operation_model(name),
        called=Called(address="a.b", service=service, operation=name, action="x:Y"),
        endpoints=lambda: resolver,
        json_members=JsonMembers({}),
        clock=Clock(),
    )
    request = signing.prepare({"name": "ünï"}).request(KEYS._replace(token=token))
    sent = dict(request.headers)
    given = sent.pop("Authorization")
    theirs = AWSRequest(request.method, request.url, headers=sent, data=request.body)
    theirs.context["timestamp"] = sent["X-Amz-Date"]
    signer = SigV4Auth(Credentials(KEYS[0], KEYS[1], token), model.signing_name, "eu-west-1")
    canonical = signer.canonical_request(theirs)
    signature = signer.signature(signer.string_to_sign(theirs, canonical), theirs)
    assert given.endswith(f"Signature={signature}")
    assert given.startswith(f"AWS4-HMAC-SHA256 Credential={signer.scope(theirs)}, SignedHeaders=")
