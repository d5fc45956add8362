"""A plan in the engine's machine and as a state machine: same calls, same end.

A pair is (plan, parameters, what is there before); it runs on two clean sandboxes in turn.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from naftiko.sandbox import Sandbox
from naftiko.workflow.asl.names import sdk_operation
from naftiko.workflow.ports import AwsAnswer, AwsFailure, AwsRequest, Principal
from naftiko.workflow.simulated import SimulatedClock
from naftiko.workflow.vm.environment import Ending, Environment, Start
from naftiko.workflow.vm.machine import run as run_vm
from naftiko.workflow.vm.program import Program
from tests.live.sandbox.conftest import connect
from tests.live.workflow_asl.conftest import NOW, Run, renamed
from tests.live.workflow_asl.test_exported import Aws, instance, parameters
from tests.unit.workflow.asl import samples

Setup = Callable[[Aws], object]


class NoJournal:
    async def append(self, record: dict[str, Any], /) -> None:
        """Keep nothing."""


def in_engine(
    sandbox: Sandbox, plan: dict[str, Any], given: dict[str, Any]
) -> tuple[Ending, list[tuple[str, dict[str, Any]]]]:
    """Run in the machine; return its end and its calls by Step Functions' names."""
    calls: list[tuple[str, dict[str, Any]]] = []

    def send(request: AwsRequest) -> AwsAnswer:
        client = connect(sandbox.account, request.service)
        try:
            output = getattr(client, xform_name(request.operation))(**request.members)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            code = error.response["Error"]["Code"]
            raise AwsFailure("fault", code=code, status=status) from None
        output.pop("ResponseMetadata")
        return AwsAnswer(output=json.loads(json.dumps(output, default=datetime.isoformat)))

    async def call(request: AwsRequest, /) -> AwsAnswer:
        calls.append((sdk_operation(request.operation), renamed(request.members)))
        return send(request)

    async def ended() -> Ending:
        clock = SimulatedClock(datetime.fromisoformat(NOW))
        environment = Environment(
            call=clock.calling(call),
            clock=clock,
            chance=random.Random(0),  # noqa: S311 - the machine asks for delays only
            principal=Principal(),
            journal=NoJournal(),
            confirm_key=b"k" * 32,
        )
        start = Start(execution_id="e-1", parameters=given, mode="full")
        return await run_vm(Program.load(plan), start, environment)

    return asyncio.run(ended()), calls


def tables(aws: Aws) -> None:
    for number in range(5):
        aws("dynamodb").create_table(
            TableName=f"table-{number}",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )


PAIRS: dict[str, tuple[Callable[[], dict[str, Any]], dict[str, Any], Setup]] = {
    "backup": (samples.rds, {"instance_id": "db1"}, instance),
    "backup-without-cleanup": (
        samples.rds,
        {"instance_id": "db1", "cleanup_enabled": False},
        instance,
    ),
    "backup-of-nothing": (samples.rds, {"instance_id": "none"}, lambda aws: None),
    "facts": (samples.facts, {}, lambda aws: None),
    "pages": (samples.paging, {}, tables),
    "values": (samples.values, {"name": 'a"%}'}, lambda aws: None),
    "values-skipped": (samples.values, {"name": "a", "count": 1}, lambda aws: None),
    "assertion": (samples.values, {"name": "bad"}, lambda aws: None),
    "rollback": (samples.rollback, {"second": "/b", "fails": True}, lambda aws: None),
    "rollback-of-one": (samples.rollback, {"second": "/b"}, lambda aws: parameters(aws, "/b")),
    "loop": (
        samples.loop,
        {"names": ["/a", "skip", "/b"]},
        lambda aws: parameters(aws, "/a", "/b"),
    ),
    "loop-failing": (
        samples.loop,
        {"names": ["/a", "/b", "/c"]},
        lambda aws: parameters(aws, "/a", "/c"),
    ),
    "loop-going-on": (
        lambda: samples.loop("continue"),
        {"names": ["/a", "/b", "/c"]},
        lambda aws: parameters(aws, "/a", "/c"),
    ),
    "loop-too-long": (
        lambda: samples.loop(max_items=1),
        {"names": ["/a", "/b"]},
        lambda aws: None,
    ),
    "going-on": (samples.going_on, {}, lambda aws: None),
    "token": (samples.token, {}, lambda aws: None),
    "renamed": (samples.renamed, {"name": "c"}, lambda aws: None),
    "asking": (samples.asking, {}, lambda aws: None),
    "asking-once": (lambda: samples.asking(attempts=1), {}, lambda aws: None),
    "asking-what-is-there": (samples.asking, {}, lambda aws: parameters(aws, "/a", "/b")),
    "own-names": (samples.own_names, {"names": ["a", "b"]}, lambda aws: None),
    "own-names-of-aws": (
        samples.own_names,
        {"names": ["a"]},
        lambda aws: parameters(aws, "/none"),
    ),
    "poll": (samples.poll, {"name": "/a"}, lambda aws: parameters(aws, "/a", value="ready")),
    "poll-exhausted": (samples.poll, {"name": "/a"}, lambda aws: parameters(aws, "/a")),
    "poll-late": (
        lambda: samples.poll(max_attempts=10, interval=30, timeout=100),
        {"name": "/a"},
        lambda aws: parameters(aws, "/a"),
    ),
    "poll-failed": (
        samples.poll,
        {"name": "/a"},
        lambda aws: parameters(aws, "/a", value="broken"),
    ),
}


@pytest.mark.parametrize("name", list(PAIRS))
def test_same_calls_and_same_end(name: str, clean: Sandbox, aws: Aws, run: Run) -> None:
    make, given, prepare = PAIRS[name]
    plan = make()
    prepare(aws)
    ending, calls = in_engine(clean, plan, given)
    clean.reset()
    prepare(aws)
    exported = run(plan, given, execution_id="e-1")
    assert exported.calls == calls
    if ending.status == "succeeded":
        assert exported.status == "SUCCEEDED"
        assert exported.output == ending.outputs
        return
    assert exported.error["status"] == ending.status
    error = {k: v for k, v in (ending.error or {}).items() if k in {"type", "step_id", "aws_code"}}
    assert {k: exported.error["error"].get(k) for k in error} == error


def test_a_refusal_is_not_repeated(clean: Sandbox, run: Run) -> None:
    """Errors that the model does not name have no code there, and one name for all of them."""
    ending, calls = in_engine(clean, samples.refusal(), {})
    exported = run(samples.refusal(), {}, execution_id="e-1")
    assert exported.calls == calls
    assert exported.operations == ["putParameter"]
    assert (exported.error["status"], ending.status) == ("failed", "failed")
    assert exported.error["error"] == {"type": "AwsError", "step_id": "one"}


def test_items_side_by_side(clean: Sandbox, aws: Aws, run: Run) -> None:
    names = [f"/{number}" for number in range(7)]
    parameters(aws, *names[:-1])
    ending, calls = in_engine(clean, samples.parallel(), {"names": names})
    exported = run(samples.parallel(), {"names": names}, execution_id="e-1")
    assert ending.status == "succeeded"
    assert exported.output == ending.outputs
    assert sorted(map(str, exported.calls)) == sorted(map(str, calls))


def test_what_takes_too_long_is_rolled_back(
    clean: Sandbox, aws: Aws, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAFTIKO_SANDBOX_TIME_SCALE", "1")
    plan = samples.late()
    plan["metadata"]["max_duration"] = 3  # of real time, in which a busy machine makes one call
    ending, calls = in_engine(clean, plan, {})
    exported = run(plan, {}, execution_id="e-1")
    assert exported.calls == calls
    assert exported.operations == ["putParameter", "deleteParameter"]
    assert exported.error["status"] == ending.status == "timed_out"
    assert exported.error["error"] == {"type": "StepTimeout", "step_id": "pause"}
    assert ending.error is not None
    assert (ending.error["type"], ending.error["step_id"]) == ("StepTimeout", "pause")
