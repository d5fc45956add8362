"""Executions in Step Functions whose worker has gone: cancelled, elsewhere, beside a local one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from naftiko.sandbox import Sandbox
from naftiko.workflow.ports import AwsFailure, AwsRequest
from naftiko.workflow.runtime.service import WorkflowService
from tests.live.workflow_asl.conftest import Aws
from tests.live.workflow_asl.remote import Spying, access_to, catalog, deployed, service
from tests.live.workflow_asl.test_remote import Losing, execution, order


async def left(access: Spying, folder: Path, state: Path, *, is_sent: bool) -> str:
    """Have a worker end at StartExecution: right after it was done, or right before."""
    reached = asyncio.Event()

    async def stuck(request: AwsRequest, /) -> Any:
        if request.operation != "StartExecution":
            return await Spying.__call__(access, request)
        if is_sent:
            await Spying.__call__(access, request)
        reached.set()
        return await asyncio.Event().wait()

    first = service(access, folder, state)
    first.gates.access = Losing(access, stuck)  # type: ignore[assignment]  # the service reads `call`
    begun = asyncio.create_task(first.execute(order(pause=1)))
    await reached.wait()
    (row,) = (await first.executions()).rows
    await first.close()
    await asyncio.gather(begun, return_exceptions=True)
    return row.id


def taken_over(
    sandbox: Sandbox, tmp_path: Path, access_of: Any, work: Any, *, is_sent: bool
) -> Any:
    """Let a second worker, with its own way to AWS, do something with what the first one left."""

    async def run() -> Any:
        async with access_to(sandbox) as access:
            await deployed(access)
            folder = catalog(tmp_path / "catalog")
            id_ = await left(access, folder, tmp_path / "state", is_sent=is_sent)
            access.asked.clear()
            second = service(access, folder, tmp_path / "state")
            second.scans = False
            second.gates.access = access_of(access)
            try:
                return id_, await work(second, id_), access
            finally:
                await second.close()

    return asyncio.run(run())


async def cancelled(second: WorkflowService, id_: str) -> Any:
    return await second.go_on(id_, cancel=True)


@pytest.mark.parametrize("silences", [0, 2])
def test_cancelled_though_nobody_wrote_down_that_it_was_started(
    clean: Sandbox, aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silences: int
) -> None:
    monkeypatch.setenv("NAFTIKO_SANDBOX_TIME_SCALE", "1")
    silent = [AwsFailure("fault", code="ThrottlingException", status=400)] * silences

    def access_of(access: Spying) -> Any:
        async def send(request: AwsRequest, /) -> Any:
            if request.operation == "DescribeExecution" and silent:
                raise silent.pop()
            return await Spying.__call__(access, request)

        return Losing(access, send)

    id_, result, _ = taken_over(clean, tmp_path, access_of, cancelled, is_sent=True)
    assert result["status"] == "cancelled"
    assert execution(aws, id_)["status"] == "ABORTED", "nothing goes on there unwatched"


def test_cancelled_before_it_was_started_it_is_not_started(clean: Sandbox, tmp_path: Path) -> None:
    _, result, access = taken_over(clean, tmp_path, lambda one: one, cancelled, is_sent=False)
    assert (result["status"], result["error"]["type"]) == ("cancelled", "Cancelled")
    assert access.count("StartExecution") == 0


def test_nobody_tells_whether_it_was_started(clean: Sandbox, tmp_path: Path) -> None:
    def access_of(access: Spying) -> Any:
        async def send(request: AwsRequest, /) -> Any:
            if request.operation == "DescribeExecution":
                raise AwsFailure("timeout")
            return await Spying.__call__(access, request)

        return Losing(access, send)

    _, result, access = taken_over(clean, tmp_path, access_of, cancelled, is_sent=False)
    assert result["status"] == "cancelled"
    assert result["warnings"], "that it may run there is said"
    assert (access.count("StartExecution"), access.count("StopExecution")) == (0, 1)


def test_a_worker_in_another_region_leaves_it_alone(clean: Sandbox, tmp_path: Path) -> None:
    def access_of(access: Spying) -> Any:
        elsewhere = Losing(access, access.call)
        elsewhere.region = "eu-west-1"
        return elsewhere

    async def work(second: WorkflowService, id_: str) -> Any:
        await second.start()
        await second.resume_due()
        return await second.go_on(id_)

    _, result, access = taken_over(clean, tmp_path, access_of, work, is_sent=True)
    assert result["status"] == "running"
    assert {request.service for request in access.asked} == {"sts"}


def test_the_same_work_elsewhere_is_other_work(
    clean: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAFTIKO_SANDBOX_TIME_SCALE", "1")

    async def run() -> list[str]:
        async with access_to(clean) as access:
            await deployed(access)
            running = service(access, catalog(tmp_path))
            try:
                there = order(pause=1)
                here = replace(there, target="local")
                begun = [await running.execute(one, wait_s=0) for one in (there, here, there)]
                ids = [str(one["execution_id"]) for one in begun]
                for id_ in ids:
                    await running.go_on(id_, cancel=True)
                return ids
            finally:
                await running.close()

    there, here, again = asyncio.run(run())
    assert there == again
    assert there != here
