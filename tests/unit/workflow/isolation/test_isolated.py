"""Plans that run in a process of their own, and what that process cannot do."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from naftiko.values import JsonObject
from naftiko.workflow.isolation.isolated import Isolated, IsolationFailed, WorkerLimits
from naftiko.workflow.ports import AwsAnswer, AwsFailure, AwsRequest, LeaseLost, Principal
from naftiko.workflow.simulated import SimulatedClock
from naftiko.workflow.vm.environment import Ending, Environment, Start
from naftiko.workflow.vm.machine import resume, run
from naftiko.workflow.vm.program import Program
from tests.unit.workflow.isolation.hostile import REQUESTS
from tests.unit.workflow.isolation.plans import call, everything, op, plan, ref

HOSTILE = "tests.unit.workflow.isolation.hostile"
KERNEL = pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine not in {"x86_64", "aarch64"},
    reason="the kernel closes workers in on Linux",
)


class Aws:
    """Answers, and remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[AwsRequest] = []
        self.journal: list[JsonObject] = []
        self.lose_at = -1
        self.fail: AwsFailure | None = None

    async def __call__(self, request: AwsRequest, /) -> AwsAnswer:
        self.requests.append(request)
        if self.fail is not None:
            raise self.fail
        if request.operation == "ListBuckets":
            buckets = [
                {
                    "Name": f"b{n}",
                    "CreationDate": f"2026-01-{day:02}T00:00:00Z",
                    "BucketRegion": "x",
                }
                for n, day in enumerate([1, 2, 30, 3])
            ]
            return AwsAnswer(output={"Buckets": [*buckets]}, request_id="r1")
        if request.operation == "DescribeDBInstances":
            looks = sum(one.operation == "DescribeDBInstances" for one in self.requests)
            status = "available" if looks > 2 else "creating"
            return AwsAnswer(output={"DBInstances": [{"DBInstanceStatus": status}]})
        return AwsAnswer(output={"LocationConstraint": f"near-{request.members['Bucket']}"})

    async def append(self, record: JsonObject, /) -> None:
        if len(self.journal) == self.lose_at:
            raise LeaseLost
        self.journal.append(record)


def surroundings(aws: Aws) -> Environment:
    clock = SimulatedClock()
    return Environment(
        call=clock.calling(aws),
        clock=clock,
        chance=random.Random(1),  # noqa: S311 - the same in every run
        principal=Principal(),
        journal=aws,
        confirm_key=b"k",
    )


def isolated(
    aws: Aws,
    do: str = "",
    records: Sequence[JsonObject] | None = None,
    env: Environment | None = None,
    plan: dict[str, Any] | None = None,
    **limits: Any,
) -> Ending:
    async def working() -> Ending:
        workers = Isolated(WorkerLimits(**limits), **({"module": HOSTILE} if do else {}))
        given = plan if plan is not None else everything()
        try:
            if records is not None:
                return await workers.resume(given, records, env or surroundings(aws))
            start = Start(
                execution_id="x1", parameters={"do": do} if do else {"prefix": "p"}, mode="full"
            )
            return await workers.run(given, start, env or surroundings(aws))
        finally:
            await workers.close()

    return asyncio.run(working())


def in_process(aws: Aws, records: Sequence[JsonObject] | None = None) -> Ending:
    async def working() -> Ending:
        program = Program.load(everything())
        if records is not None:
            return await resume(program, records, surroundings(aws))
        start = Start(execution_id="x1", parameters={"prefix": "p"}, mode="full")
        return await run(program, start, surroundings(aws))

    return asyncio.run(working())


def test_same_calls_records_and_result_as_in_process() -> None:
    apart, here = Aws(), Aws()
    ending = isolated(apart)
    assert ending == in_process(here)
    assert ending.status == "succeeded"
    assert ending.outputs["count"] == 3
    assert apart.requests == here.requests
    assert apart.journal == here.journal


@pytest.mark.parametrize("code", ["NoSuchBucket", "no code: do as I say"])
def test_a_worker_tells_steps_apart_by_their_error_code(code: str) -> None:
    aws = Aws()
    aws.fail = AwsFailure("fault", code=code, status=404, message="no")
    fetch = op("fetch", "AWS_CALL", on_error="continue", **call("s3", "ListBuckets", {}))
    told = {name: ref("steps", "fetch", name) for name in ("status", "error_code")}
    again = op("again", "SET", values=told)
    outputs = {name: ref("steps", "again", name) for name in told}
    ending = isolated(aws, plan=plan(fetch, again, outputs=outputs))
    expected = code if code == "NoSuchBucket" else None
    assert ending.outputs == {"status": "failed", "error_code": expected}


def test_events_come_out() -> None:
    aws, events = Aws(), []
    isolated(aws, env=replace(surroundings(aws), on_event=events.append))
    assert [event.step_id for event in events if event.phase == "succeeded"][:2] == [
        "fetch",
        "ready",
    ]


@pytest.mark.parametrize("kept", [1, 2, 5, 9])
def test_resume_goes_on_from_the_records(kept: int) -> None:
    first = Aws()
    in_process(first)
    apart, here = Aws(), Aws()
    assert isolated(apart, records=first.journal[:kept]) == in_process(here, first.journal[:kept])
    assert apart.requests == here.requests
    assert apart.journal == here.journal


def test_failures_of_aws_reach_the_machine() -> None:
    aws = Aws()
    aws.fail = AwsFailure("fault", code="AccessDenied", status=403, message="no")
    ending = isolated(aws)
    assert ending.status == "failed"
    assert ending.error is not None
    assert ending.error["aws_code"] == "AccessDenied"


def test_lost_lease_ends_the_run() -> None:
    aws = Aws()
    aws.lose_at = 2
    with pytest.raises(LeaseLost):
        isolated(aws)
    assert len(aws.journal) == 2


def test_cancel_reaches_the_machine() -> None:
    aws = Aws()
    cancelled = asyncio.Event()
    env = replace(surroundings(aws), cancelled=cancelled)
    answer = env.call

    async def call(request: AwsRequest, /) -> AwsAnswer:
        cancelled.set()
        return await answer(request)

    assert isolated(aws, env=replace(env, call=call)).status == "cancelled"
    assert len(aws.requests) <= 2


def test_revoked_plan_stops() -> None:
    aws = Aws()
    env = replace(surroundings(aws), revoked=lambda _: bool(aws.requests))
    assert isolated(aws, env=env).status != "succeeded"
    assert len(aws.requests) == 1


def test_plan_that_changes_something_is_not_run() -> None:
    plan, aws = everything(), Aws()
    plan["execution_plan"][4]["body"][0].update(mutating=True, access_level="Write")
    with pytest.raises(IsolationFailed, match="changes something"):
        isolated(aws, plan=plan)
    assert aws.requests == []


@pytest.mark.parametrize("do", REQUESTS)
def test_request_that_is_not_the_plans_never_reaches_aws(do: str) -> None:
    aws = Aws()
    with pytest.raises(IsolationFailed, match="what its plan does not do"):
        isolated(aws, do)
    assert aws.requests == []


def test_request_of_an_operation_that_is_over_never_reaches_aws() -> None:
    aws = Aws()
    with pytest.raises(IsolationFailed, match="the plan is past"):
        isolated(aws, "backwards")
    assert [request.step_id for request in aws.requests] == ["ready"]


def test_worker_has_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("NAFTIKO_STATE_KEY", "secret")
    found = isolated(Aws(), "environment").result["found"]
    assert isinstance(found, dict)
    assert set(found) <= {"LD_LIBRARY_PATH", "LC_CTYPE"}


def test_worker_cannot_open_files(tmp_path: Path) -> None:
    secret = tmp_path / "credentials"
    secret.write_text("secret")
    found = isolated(Aws(), f"read:{secret}").result["found"]
    assert str(found).startswith("refused: ")
    environ = isolated(Aws(), f"read:/proc/{os.getpid()}/environ").result["found"]
    assert str(environ).startswith("refused: ")


@pytest.mark.parametrize("do", ["write", "connect"])
def test_worker_cannot(do: str) -> None:
    assert str(isolated(Aws(), do).result["found"]).startswith("refused: ")


@KERNEL
@pytest.mark.parametrize("do", ["fork", "execute", "signal_parent"])
def test_kernel_refuses(do: str) -> None:
    assert isolated(Aws(), do).result["found"] == "refused: Operation not permitted"


@pytest.mark.parametrize(
    ("do", "limits", "says"),
    [
        ("loop", {"cpu_s": 1}, "computed longer"),
        ("hoard", {"memory_bytes": 512 * 1024**2}, "more memory"),
        ("vanish", {}, "exit status 3"),
        ("say_nothing", {"silence_s": 0.2}, "does nothing"),
        ("babble", {}, "not JSON"),
        ("boast", {}, "too large"),
        ("nest", {}, "not JSON"),
        ("flood", {}, "too much at once"),
        ("oversleep", {}, "wait too long"),
    ],
)
def test_worker_that_goes_astray_is_ended(do: str, limits: dict[str, Any], says: str) -> None:
    aws = Aws()
    with pytest.raises(IsolationFailed, match=says):
        isolated(aws, do, **limits)
    assert aws.requests == []


def children() -> set[str]:
    """Return the ids of this process's children: other tests of it may have some."""
    found = Path("/proc/self/task").glob("*/children")
    return {child for file in found for child in file.read_text().split()}


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="only Linux lists children")
def test_cancelled_caller_ends_the_worker() -> None:
    before = children()

    async def working() -> None:
        workers = Isolated(module=HOSTILE)
        start = Start(execution_id="x1", parameters={"do": "say_nothing"}, mode="full")
        running = asyncio.create_task(workers.run(everything(), start, surroundings(Aws())))
        await workers.closed()
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await workers.close()

    asyncio.run(working())
    assert children() == before


def test_next_worker_stands_ready() -> None:
    async def working() -> None:
        workers = Isolated()
        for _ in range(3):
            aws = Aws()
            start = Start(execution_id="x1", parameters={}, mode="full")
            ending = await workers.run(everything(), start, surroundings(aws))
            assert ending.status == "succeeded"
            assert workers._next is not None
        await workers.close()

    asyncio.run(working())
