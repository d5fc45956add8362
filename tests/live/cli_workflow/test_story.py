"""The whole way of a user: from `new` to a run that survives `kill -9`."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.live.cli.processes import running
from tests.live.cli_workflow.conftest import Workflow, data

WAITS = """\
  - id: allowed
    type: primitive
    action: poll
    context: {service: ssm, action: get_parameter}
    input: {Name: /allowed}
    select: {answer: Parameter.Value}
    condition: "answer == 'yes'"
    max_attempts: 200
    interval: 1s
    timeout: 100s

# What the caller gets back."""

TESTS = """\
- name: "creates the queue once it is allowed"
  given:
    - {service: ssm, action: put_parameter, input: {Name: /allowed, Value: "yes", Type: String}}
  parameters: {name: demo-one}
  expect:
    status: succeeded
    calls: [CreateQueue, GetQueueAttributes, GetParameter]

- name: "takes it back when nobody allows it"
  stub:
    GetParameter: [{output: {Parameter: {Value: "no"}}, times: 200}]
  parameters: {name: demo-one}
  expect:
    status: rolled_back
    not_called: []
    rollback: {delete_queue: succeeded}
"""


@contextlib.contextmanager
def an_aws() -> Iterator[dict[str, str]]:
    """Run `naftiko sandbox` in a process of its own; gives the environment that leads there."""
    with running("sandbox", "--port", "0") as sandbox:
        url = re.search(r"http://\S+\d", sandbox.until("AWS sandbox at"))
        assert url is not None
        yield {
            "AWS_ENDPOINT_URL": url[0],
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }


def client(service: str) -> Any:
    return boto3.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"])


def lease_ends(state: Path) -> None:
    """Let the time go by that a dead worker's lease lasts."""
    with contextlib.closing(sqlite3.connect(state / "state.db")) as db, db:
        db.execute("UPDATE executions SET lease_until = 1, due = 1 WHERE finished IS NULL")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An AWS to which the environment leads."""
    with an_aws() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield


@pytest.mark.usefixtures("aws")
def test_from_new_to_resume(
    workflow: Workflow, flow: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = flow / "source.yaml"
    text = source.read_text().replace("# What the caller gets back.", WAITS, 1)
    text = text.replace(
        '  - "sqs:CreateQueue"\n', '  - "sqs:CreateQueue"\n  - "ssm:GetParameter"\n'
    )
    source.write_text(text.replace("steps: [create, look]", "steps: [create, look, allowed]"))
    (flow / "tests.yaml").write_text(TESTS)

    checked = data(workflow("check", "my_flow", "--json"))["workflows"][0]
    assert checked["ok"], checked["diagnostics"]
    assert "ssm:GetParameter" in checked["required_permissions"]
    assert "POLL ssm GetParameter" in workflow("graph", "my_flow").out
    tested = workflow("test", "my_flow", "--coverage")
    assert tested.code == 0, tested.out + tested.err

    assert workflow("keys", "gen", "me").code == 0
    assert workflow("keys", "add", "me").code == 0
    assert workflow("compile", "my_flow", "--sign", "me").code == 0
    assert workflow("verify", "my_flow").code == 0

    monkeypatch.setenv("NAFTIKO_STATE_KEY", workflow("keys", "state").out.strip())
    client("ssm").put_parameter(Name="/allowed", Value="no", Type="String")
    with running(
        *("workflow", "run", "my_flow", "-p", "name=one", "--mode", "full"), cwd=here
    ) as command:
        command.until("allowed started")
        command.stop(signal.SIGKILL)

    (row,) = data(workflow("executions", "--json"))["executions"]
    assert row["status"] == "running"
    seen = data(workflow("executions", row["execution_id"]))
    assert [step["step_id"] for step in seen["steps"]] == ["create", "look"]

    client("ssm").put_parameter(Name="/allowed", Value="yes", Type="String", Overwrite=True)
    lease_ends(here / "state")
    resumed = workflow("resume", "--json")
    assert resumed.code == 0, resumed.err
    result = data(resumed)
    assert result["execution_id"] == row["execution_id"]
    assert [step["attempts"] for step in result["steps"][:2]] == [1, 1]
    assert client("sqs").list_queues()["QueueUrls"] == [result["outputs"]["url"]]
    assert workflow("resume").err == "nothing was interrupted\n"


@pytest.mark.usefixtures("aws")
def test_a_confirmation_in_another_command(
    workflow: Workflow, signed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = workflow("keys", "state").out.strip()
    monkeypatch.setenv("NAFTIKO_STATE_KEY", key)
    waiting = workflow("run", "my_flow", "-p", "name=one", "--json")
    assert waiting.code == 0, waiting.err
    result = data(waiting)
    assert result["status"] == "awaiting_confirmation"
    assert result["next"]["rendered"]["input"] == {"QueueName": "one"}
    id_, token = result["execution_id"], result["next"]["confirm_token"]
    assert f"naftiko workflow resume {id_} --confirm {token}" in waiting.err

    wrong = workflow("resume", id_, "--confirm", "0" * 64, "--json")
    assert data(wrong)["status"] == "awaiting_confirmation"
    assert wrong.code == 2
    monkeypatch.setenv("NAFTIKO_STATE_KEY", workflow("keys", "state").out.strip())
    for command in ("executions", "resume"):
        other = workflow(command, id_)
        assert other.code == 3
        assert "sealed with another state key" in other.err
        assert "Traceback" not in other.err
    monkeypatch.setenv("NAFTIKO_STATE_KEY", key)
    done = workflow("resume", id_, "--confirm", token, "--json")
    assert done.code == 0, done.err
    assert data(done)["status"] == "succeeded"
    assert data(workflow("executions", id_))["status"] == "succeeded"
    assert workflow("executions", "none").code == 2


@pytest.mark.usefixtures("aws")
def test_cancels_on_ctrl_c_and_takes_back(workflow: Workflow, flow: Path, here: Path) -> None:
    source = flow / "source.yaml"
    text = source.read_text().replace("# What the caller gets back.", WAITS, 1)
    source.write_text(text.replace("steps: [create, look]", "steps: [create, look, allowed]"))
    assert workflow("compile", "my_flow").code == 0
    client("ssm").put_parameter(Name="/allowed", Value="no", Type="String")
    with running(
        *("workflow", "run", "my_flow", "-p", "name=one", "--mode", "full", "--dev"), cwd=here
    ) as command:
        command.until("allowed started")
        code = command.stop(signal.SIGINT)
    assert code == 130
    assert any("rollback delete_queue succeeded" in line for line in command.said), command.said
    assert "QueueUrls" not in client("sqs").list_queues()
