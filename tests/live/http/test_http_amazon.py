"""HTTP entries whose host is AWS: called by the service's model, signed, at AWS_ENDPOINT_URL."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path

import pytest

from naftiko.errors import ConsumedError, InputError
from naftiko.plan.ports import Effect, Result
from naftiko.plan.run import Run
from naftiko.values import JsonValue
from tests.case_files import SHARED
from tests.live.http.upstream import Upstream, decoded
from tests.unit.consumes.http.apis import Api, compile_api

SEED = SHARED / "corpus/api-evangelist+step-functions/capabilities/shared/step-functions.yaml"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "canary-secret"}
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:m"

API = """
binds:
  - namespace: env
    keys: {AWS_REGION: AWS_REGION, AWS_SIGV4_AUTH: AWS_SIGV4_AUTH, MY_KEY: MY_KEY}
consumes:
  - namespace: sfn
    type: http
    baseUri: "https://states.{{env.AWS_REGION}}.amazonaws.com"
    authentication:
      {type: apikey, key: Authorization, value: "{{env.AWS_SIGV4_AUTH}}", placement: header}
    resources:
      - name: machines
        path: /
        operations:
          - name: create-state-machine
            method: POST
            inputParameters:
              - name: X-Amz-Target
                in: header
                required: true
                description: AmazonStates.CreateStateMachine
            body:
              type: json
              data:
                name: "{{tools.machine_name}}"
                definition: "{{tools.definition}}"
                roleArn: "arn:aws:iam::000000000000:role/{{tools.role}}"
                type: "{{tools.type}}"
          - {name: list-state-machines, method: POST}
"""


def environment(upstream: Upstream, **more: str) -> dict[str, str]:
    return {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": upstream.url, **KEYS, **more}


def call(compiled: Api, name: str, arguments: Mapping[str, JsonValue] | None = None) -> Result:
    async def once() -> Result:
        try:
            return await compiled.operation(name).call(arguments or {}, Run(inputs={}))
        finally:
            await compiled.adapter.close()

    return asyncio.run(once())


def test_a_call_is_made_by_the_model_and_signed(upstream: Upstream) -> None:
    compiled = compile_api(API, environment(upstream))
    call(
        compiled,
        "create-state-machine",
        {"machine_name": "m", "definition": {"StartAt": "A"}, "role": "r"},
    )
    headers = upstream.last["headers"]
    assert (upstream.last["method"], upstream.last["path"]) == ("POST", "/")
    assert headers["x-amz-target"] == "AWSStepFunctions.CreateStateMachine"
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-west-1/states/aws4_request" in headers["authorization"]
    assert decoded(upstream.last["body"]) == {
        "name": "m",
        "definition": '{"StartAt":"A"}',
        "roleArn": "arn:aws:iam::000000000000:role/r",
    }


def test_what_is_wrong_is_named_as_the_caller_knows_it(upstream: Upstream) -> None:
    compiled = compile_api(API, environment(upstream))
    with pytest.raises(InputError) as caught:
        call(compiled, "create-state-machine", {"machine_name": 5, "definition": {}, "role": "r"})
    (found,) = caught.value.fields
    assert found.name == "machine_name"
    assert found.message.startswith("`machine_name` must be string")
    assert upstream.requests == []


def test_it_is_said_once(upstream: Upstream) -> None:
    compiled = compile_api(API, environment(upstream, AWS_SIGV4_AUTH="AWS4-HMAC-SHA256 Cred"))
    compiled.operation("create-state-machine")
    compiled.operation("list-state-machines")
    (problem,) = compiled.problems
    assert problem.code == "aws-signing"
    assert "AWS_SIGV4_AUTH holds neither" in problem.hint
    # The signature that the file asks for is never used, so nothing is missing either.
    assert compile_api(API, environment(upstream)).templates.missing == []


def test_a_region_that_is_not_bound_comes_from_the_environment(upstream: Upstream) -> None:
    variables = environment(upstream)
    del variables["AWS_REGION"]
    call(
        compile_api(API, variables | {"AWS_DEFAULT_REGION": "us-west-2"}),
        "list-state-machines",
        {"maxResults": 5},
    )
    assert "/us-west-2/states/" in upstream.last["headers"]["authorization"]
    assert decoded(upstream.last["body"]) == {"maxResults": 5}


def test_bound_keys_win_over_the_environment(upstream: Upstream) -> None:
    binds = "AWS_ACCESS_KEY_ID: BOUND_ID, AWS_SECRET_ACCESS_KEY: BOUND_SECRET, MY_KEY: X"
    text = API.replace("MY_KEY: MY_KEY", binds)
    compiled = compile_api(
        text, environment(upstream, BOUND_ID="AKIDBOUND", BOUND_SECRET="canary-bound")
    )
    call(compiled, "list-state-machines")
    assert "Credential=AKIDBOUND/" in upstream.last["headers"]["authorization"]


def test_a_session_token_goes_with_the_keys_of_the_environment(upstream: Upstream) -> None:
    compiled = compile_api(API, environment(upstream, AWS_SESSION_TOKEN="canary-token"))
    call(compiled, "list-state-machines")
    assert upstream.last["headers"]["x-amz-security-token"] == "canary-token"


def test_a_profile_by_the_switch(upstream: Upstream, tmp_path: Path) -> None:
    shared = tmp_path / "credentials"
    shared.write_text("[default]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = x\n")
    config = tmp_path / "config"
    config.write_text("[default]\nregion = ap-south-1\n")
    variables = environment(
        upstream,
        AWS_SIGV4_AUTH="profile",
        AWS_SHARED_CREDENTIALS_FILE=str(shared),
        AWS_CONFIG_FILE=str(config),
    )
    compiled = compile_api(API, variables)
    operation = compiled.operation("list-state-machines")
    assert operation.effect is Effect.READ
    assert "with the AWS profile" in next(iter(compiled.problems)).message


def test_the_switch_turns_signing_off(upstream: Upstream) -> None:
    compiled = compile_api(API, environment(upstream, AWS_SIGV4_AUTH="off"))
    call(compiled, "list-state-machines", {"maxResults": 5})
    headers = upstream.last["headers"]
    assert "authorization" not in headers
    assert headers["x-amz-target"] == "AWSStepFunctions.ListStateMachines"
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert decoded(upstream.last["body"]) == {"maxResults": 5}
    call(compiled, "list-state-machines")
    assert upstream.last["body"] == "{}"


def test_no_credentials(upstream: Upstream, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "none")
    variables = {
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": upstream.url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        "AWS_CONFIG_FILE": nowhere,
    }
    with pytest.raises(ConsumedError) as caught:
        call(compile_api(API, variables), "list-state-machines")
    assert (caught.value.code, caught.value.status) == ("aws-credentials", 502)
    assert upstream.requests == []


@pytest.mark.skipif(not SEED.exists(), reason="the public documents are not here")
def test_every_operation_of_the_seed_goes_out_as_the_api_wants_it(upstream: Upstream) -> None:
    compiled = compile_api(SEED.read_text(encoding="utf-8"), environment(upstream))
    sent: dict[str, str] = {}
    for name in compiled.adapter.operation_names():
        operation = compiled.operation(name)
        values: dict[str, JsonValue] = {
            item.name: example(item.name, item.schema.get("type"))
            for item in operation.parameters
            if item.required
        }
        call(compiled, name, values)
        sent[name] = upstream.last["headers"]["x-amz-target"]
    assert len(sent) == 26
    for name, target in sent.items():
        words = target.removeprefix("AWSStepFunctions.")
        assert words.lower() == name.replace("-", "")
    assert "canary" not in "".join(problem.message for problem in compiled.problems)


def example(name: str, type_: object) -> JsonValue:
    given: dict[str, JsonValue] = {
        "definition": {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}},
        "output": {"ok": True},
        "tags": [{"key": "k", "value": "v"}],
        "routingConfiguration": [{"stateMachineVersionArn": f"{MACHINE}:1", "weight": 100}],
    }
    return given.get(name, [] if type_ == "array" else MACHINE)


SIGNED = """
binds:
  - namespace: env
    keys: {ID: ID, SECRET: SECRET}
consumes:
  - namespace: signed
    type: http
    baseUri: "%s"
    authentication: %s
    resources:
      - name: items
        path: "/items/{id}"
        operations:
          - {name: op, method: PUT, inputParameters: [{name: q, in: query}, {name: a, in: query}]}
"""


def signed(upstream: Upstream, authentication: str, **variables: str) -> Api:
    return compile_api(SIGNED % (upstream.url, authentication), variables)


@pytest.mark.parametrize("type_", ["sigv4", "awsSigV4"])
def test_a_signature_that_the_other_side_can_verify(upstream: Upstream, type_: str) -> None:
    compiled = signed(
        upstream,
        f"{{type: {type_}, region: us-east-1, service: execute-api, accessKeyId: '{{{{ID}}}}', "
        "secretAccessKey: '{{SECRET}}'}",
        ID="AKIDEXAMPLE",
        SECRET="canary-secret",
    )
    call(compiled, "op", {"id": "a/b c", "q": "x y", "a": 1, "n": 1})
    assert signature_of(upstream, "canary-secret") in upstream.last["headers"]["authorization"]
    lines = "\n".join(compiled.operation("op").explain())
    assert "signature version 4 for execute-api in us-east-1" in lines
    assert "canary" not in lines


def test_the_default_chain_signs(upstream: Upstream) -> None:
    compiled = signed(upstream, "{type: sigv4, service: execute-api}", **KEYS, AWS_REGION="eu-x-1")
    call(compiled, "op", {"id": 1})
    header = upstream.last["headers"]["authorization"]
    assert "/eu-x-1/execute-api/aws4_request" in header
    assert signature_of(upstream, "canary-secret") in header


def test_a_key_without_value_signs_with_no_other(upstream: Upstream) -> None:
    compiled = signed(
        upstream,
        "{type: sigv4, region: r, service: s, accessKeyId: '{{ID}}', "
        "secretAccessKey: '{{SECRET}}'}",
        **KEYS,
    )
    with pytest.raises(ConsumedError):
        call(compiled, "op", {"id": 1})
    assert "missing-credentials" in compiled.codes
    assert upstream.requests == []


def test_another_aws_protocol_is_signed_as_the_file_says(upstream: Upstream) -> None:
    text = SIGNED % (
        "https://apigateway.{{aws_region}}.amazonaws.com",
        "{type: awsSigV4, region: '{{aws_region}}', service: apigateway}\n"
        "    inputParameters: [{name: aws_region, in: environment}]",
    )
    compiled = compile_api(text, environment(upstream))
    call(compiled, "op", {"id": "x"})
    assert upstream.last["path"] == "/items/x"
    assert "/eu-west-1/apigateway/aws4_request" in upstream.last["headers"]["authorization"]


def test_no_region_is_no_reason_to_refuse_the_file(upstream: Upstream) -> None:
    compiled = signed(upstream, "{type: sigv4, service: execute-api}", AWS_CONFIG_FILE="/nowhere")
    with pytest.raises(ConsumedError):
        call(compiled, "op", {"id": 1})
    assert compiled.codes == ["missing-field"]
    assert compiled.problems.errors == ()


def signature_of(upstream: Upstream, secret_key: str) -> str:
    """Sign what arrived, step by step as AWS documents it."""
    seen = upstream.last
    headers = seen["headers"]
    fields = dict(
        part.strip().split("=", 1)
        for part in headers["authorization"].removeprefix("AWS4-HMAC-SHA256 ").split(",")
    )
    names = fields["SignedHeaders"].split(";")
    assert {"host", "x-amz-date"} <= set(names)
    scope = fields["Credential"].split("/", 1)[1]
    path = seen["path"].replace("%", "%25")
    query = "&".join(sorted(seen["query"].split("&"))) if seen["query"] else ""
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in names)
    digest = hashlib.sha256(seen["body"].encode()).hexdigest()
    canonical = "\n".join((seen["method"], path, query, lines, ";".join(names), digest))
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{hashed}"
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()
