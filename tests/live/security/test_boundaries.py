"""The sandbox keeps calls on this machine; a file reads no variable that it does not name."""

from __future__ import annotations

from pathlib import Path

import pytest

from naftiko.engine import Checked, LoadOptions, check_capability
from naftiko.plan.call import CallPlan
from naftiko.plan.capability import RestAdapterPlan

SANDBOX = {"AWS_ENDPOINT_URL": "http://127.0.0.1:5000", "AWS_REGION": "us-east-1"}

CAPABILITY = """
naftiko: "1.0.0-alpha3"
info: {{ label: Boundaries }}
binds:
  - {{ namespace: env, keys: {{ HOST: HOST }} }}
  - {{ namespace: file, file: values.env, keys: {{ STOLEN: STOLEN }} }}
capability:
  consumes: [{consumed}]
  exposes:
    - type: rest
      port: 8080
      namespace: api
      resources:
        - {{ name: r, path: /r, operations: [{{ name: op, method: GET, call: {call} }}] }}
"""
HTTP = """{{ type: http, namespace: up, baseUri: "{base}",
  resources: [{{ name: r, path: /x, operations: [{{ name: op, method: GET }}] }}] }}"""
AWS = """{ type: aws, namespace: up, service: stepfunctions, profile: prod,
  endpointUrl: "https://states.us-east-1.amazonaws.com" }"""


def check(folder: Path, consumed: str, call: str, options: LoadOptions) -> Checked:
    file = folder / "boundaries.yaml"
    file.write_text(CAPABILITY.format(consumed=consumed, call=call))
    return check_capability(file, options)


def explained(checked: Checked) -> str:
    assert checked.plan is not None
    adapter = checked.plan.adapters[0]
    assert isinstance(adapter, RestAdapterPlan)
    plan = adapter.routes[0].operations[0].operation.plan
    assert isinstance(plan, CallPlan)
    return "\n".join(plan.operation.explain())


@pytest.mark.parametrize(
    "base",
    [
        "https://abc.execute-api.us-east-1.amazonaws.com",
        "https://ABC.execute-api.us-east-1.AMAZONAWS.com",
        "https://abc.lambda-url.us-east-1.on.aws",
        "{{HOST}}",
    ],
)
def test_the_sandbox_has_no_way_to_aws(tmp_path: Path, base: str) -> None:
    environment = {**SANDBOX, "HOST": "https://abc.execute-api.us-east-1.amazonaws.com"}
    options = LoadOptions(environment=environment, sandbox=True)
    checked = check(tmp_path, HTTP.format(base=base), "up.op", options)
    assert "outside-sandbox" in {problem.code for problem in checked.problems}
    assert "refused" in explained(checked)


def test_an_env_file_does_not_lead_out_of_the_sandbox(tmp_path: Path) -> None:
    env_file = tmp_path / "account.env"
    env_file.write_text("AWS_ENDPOINT_URL_SFN=https://states.us-east-1.amazonaws.com\n")
    options = LoadOptions(environment=SANDBOX, env_file=env_file, sandbox=True)
    text = explained(check(tmp_path, AWS, "up.list-state-machines", options))
    assert "http://127.0.0.1:5000/" in text
    assert "amazonaws" not in text


def test_without_a_sandbox_to_call_nothing_is_called(tmp_path: Path) -> None:
    options = LoadOptions(environment={"AWS_REGION": "us-east-1"}, sandbox=True)
    assert "amazonaws" not in explained(check(tmp_path, AWS, "up.list-state-machines", options))


def test_an_env_file_of_the_capability_expands_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_HOME", "https://stolen.example")
    (tmp_path / "values.env").write_text("STOLEN=${CANARY_HOME}\n")
    options = LoadOptions(environment={}, workspace=tmp_path)
    checked = check(tmp_path, HTTP.format(base="https://{{STOLEN}}.example.com"), "up.op", options)
    assert "stolen.example" not in "\n".join(problem.message for problem in checked.problems)
    assert "invalid-base-uri" in {problem.code for problem in checked.problems}


def test_an_env_file_that_is_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "values.env").write_bytes(b"STOLEN=\xff\n")
    options = LoadOptions(environment={}, workspace=tmp_path)
    checked = check(tmp_path, HTTP.format(base="https://{{STOLEN}}.example.com"), "up.op", options)
    assert "bind-file-unreadable" in {problem.code for problem in checked.problems}
