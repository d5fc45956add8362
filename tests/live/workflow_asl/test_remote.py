"""Executions with `target: step-functions`: started, watched, stopped, taken over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from naftiko.sandbox import Sandbox
from naftiko.workflow.asl.deploy import machine_name
from naftiko.workflow.ports import AwsFailure, AwsRequest, StepEvent
from naftiko.workflow.runtime.orders import Order
from naftiko.workflow.runtime.policy import Refused
from naftiko.workflow.runtime.service import WorkflowService
from tests.live.workflow_asl.conftest import Aws
from tests.live.workflow_asl.remote import (
    STOCK,
    Spying,
    access_to,
    catalog,
    compiled,
    deployed,
    service,
)

Work = Callable[[WorkflowService, Spying], Awaitable[Any]]


def order(mode: str = "full", **parameters: Any) -> Order:
    return Order(
        workflow="stock_parameters", parameters={"prefix": "/shop", **parameters}, mode=mode
    )


def served(
    sandbox: Sandbox, folder: Path, work: Work, *, deploys: bool = True, **policy: Any
) -> Any:
    async def run() -> Any:
        async with access_to(sandbox) as access:
            if deploys:
                await deployed(access)
                access.asked.clear()
            running = service(access, catalog(folder), **policy)
            try:
                return await work(running, access)
            finally:
                await running.close()

    return asyncio.run(run())


def execution(aws: Aws, execution_id: str) -> Any:
    machine = machine_name(compiled(STOCK)[0])
    arn = f"arn:aws:states:us-east-1:123456789012:execution:{machine}:{execution_id}"
    return aws("stepfunctions").describe_execution(executionArn=arn)


def test_a_run(clean: Sandbox, aws: Aws, tmp_path: Path) -> None:
    events: list[StepEvent] = []

    async def work(running: WorkflowService, access: Spying) -> tuple[Any, Any, set[str]]:
        result = await running.execute(order(), on_event=events.append)
        again = await running.get(str(result["execution_id"]))
        return result, again, {request.service for request in access.asked}

    result, again, services = served(clean, tmp_path, work)
    assert result == again
    assert services == {"sts", "stepfunctions"}
    assert (result["status"], result["mode"], result["cached"]) == ("succeeded", "full", False)
    assert result["outputs"] == {"name": "/shop/first"}
    assert result["workflow"]["name"] == "stock_parameters"
    shown = [
        (step["step_id"], step["op"], step["status"], step["attempts"], step["outputs"])
        for step in result["steps"]
    ]
    assert shown == [
        ("first", "AWS_CALL", "succeeded", 1, {"version": 1}),
        ("held__if", "CONDITION", "succeeded", 0, {}),
        ("held", "WAIT", "skipped", 0, {}),
        ("sure", "ASSERT", "succeeded", 0, {}),
        ("look", "AWS_CALL", "succeeded", 1, {"name": "/shop/first"}),
    ]
    assert execution(aws, result["execution_id"])["status"] == "SUCCEEDED"
    phases = [(event.step_id, event.phase) for event in events]
    assert ("first", "started") in phases
    assert phases[-1] == ("look", "succeeded")
    assert [event.done for event in events] == sorted(event.done for event in events)


def test_a_run_that_is_rolled_back(clean: Sandbox, aws: Aws, tmp_path: Path) -> None:
    async def work(running: WorkflowService, _: Spying) -> Any:
        return await running.execute(order(wanted=False))

    result = served(clean, tmp_path, work)
    assert result["status"] == "rolled_back"
    assert result["error"] == {
        "type": "AssertionFailed",
        "step_id": "sure",
        "message": "the condition does not hold",
        "data": {"message": "not wanted"},
    }
    (handler,) = result["rollback"]
    assert (handler["handler"], handler["status"]) == ("take_back", "succeeded")
    assert [(s["operation"], s["status"]) for s in handler["steps"]] == [
        ("DeleteParameter", "succeeded")
    ]
    assert [(s["step_id"], s["status"]) for s in result["steps"]][-1] == ("sure", "failed")
    assert aws("ssm").describe_parameters()["Parameters"] == []


def test_awss_code_comes_back(clean: Sandbox, aws: Aws, tmp_path: Path) -> None:
    aws("ssm").put_parameter(Name="/shop/first", Value="x", Type="String")

    async def work(running: WorkflowService, _: Spying) -> Any:
        return await running.execute(order())

    result = served(clean, tmp_path, work)
    assert result["status"] == "failed"
    assert result["error"]["type"] == "AwsError"
    assert result["error"]["aws_code"] == "ParameterAlreadyExists"
    assert "rollback" not in result


def test_what_is_refused(clean: Sandbox, tmp_path: Path) -> None:
    async def work(running: WorkflowService, access: Spying) -> list[Refused]:
        found = []
        for mode in ("step_by_step", "full"):
            with pytest.raises(Refused) as refused:
                await running.execute(order(mode))
            found.append(refused.value)
        assert access.count("StartExecution") == 0
        assert (await running.execute(order("plan")))["mode"] == "plan"
        return found

    stops, missing = served(clean, tmp_path, work, deploys=False)
    assert (stops.type, stops.data["modes"]) == (
        "InvalidParameters",
        ("full", "plan", "dry_run"),
    )
    assert missing.type == "NotDeployed"
    assert missing.hint == (
        "register it: naftiko workflow deploy stock_parameters@1.0 --role-arn ROLE"
    )


def test_another_definition_is_not_started(clean: Sandbox, aws: Aws, tmp_path: Path) -> None:
    async def work(running: WorkflowService, access: Spying) -> str:
        machine = machine_name(compiled(STOCK)[0])
        aws("stepfunctions").update_state_machine(
            stateMachineArn=f"arn:aws:states:us-east-1:123456789012:stateMachine:{machine}",
            definition='{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}',
        )
        with pytest.raises(Refused) as refused:
            await running.execute(order())
        assert access.count("StartExecution") == 0
        return refused.value.type

    assert served(clean, tmp_path, work) == "IntegrityError"


def test_a_local_run_beside_it(clean: Sandbox, tmp_path: Path) -> None:
    async def work(running: WorkflowService, access: Spying) -> Any:
        local = Order(
            workflow="stock_parameters",
            parameters={"prefix": "/shop"},
            mode="full",
            target="local",
        )
        result = await running.execute(local)
        assert access.count("StartExecution") == 0
        return result

    assert served(clean, tmp_path, work)["outputs"] == {"name": "/shop/first"}


def test_cancel(clean: Sandbox, aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAFTIKO_SANDBOX_TIME_SCALE", "1")

    async def work(running: WorkflowService, _: Spying) -> tuple[Any, Any]:
        begun = await running.execute(order(pause=1), wait_s=0.05)
        id_ = str(begun["execution_id"])
        return begun, await running.go_on(id_, cancel=True)

    begun, result = served(clean, tmp_path, work)
    assert begun["status"] == "running"
    assert result["status"] == "cancelled"
    assert result["error"]["type"] == "Cancelled"


def test_a_start_that_nobody_answered_is_no_second_one(
    clean: Sandbox, aws: Aws, tmp_path: Path
) -> None:
    async def work(running: WorkflowService, access: Spying) -> tuple[Any, int]:
        lost: list[AwsRequest] = []

        async def send(request: AwsRequest, /) -> Any:
            answer = await Spying.__call__(access, request)
            if request.operation == "StartExecution" and not lost:
                lost.append(request)
                raise AwsFailure("timeout")
            return answer

        running.gates.access = Losing(access, send)  # type: ignore[assignment]  # the service reads `call`
        return await running.execute(order()), access.count("StartExecution")

    result, starts = served(clean, tmp_path, work)
    assert (result["status"], starts) == ("succeeded", 2)
    machine = machine_name(compiled(STOCK)[0])
    listed = aws("stepfunctions").list_executions(
        stateMachineArn=f"arn:aws:states:us-east-1:123456789012:stateMachine:{machine}"
    )
    assert [row["name"] for row in listed["executions"]] == [result["execution_id"]]


class Losing:
    """A way to AWS by another function."""

    def __init__(self, access: Spying, call: Any) -> None:
        self.call = call
        self.region = access.region
        self.is_loopback = access.is_loopback


@pytest.mark.parametrize("after", ["StartExecution", "DescribeExecution"])
def test_another_worker_goes_on_watching(
    after: str, clean: Sandbox, aws: Aws, tmp_path: Path
) -> None:
    """The first worker ends right before a request of it is sent."""
    state = tmp_path / "state"

    async def run() -> tuple[Any, int]:
        async with access_to(clean) as access:
            await deployed(access)
            folder = catalog(tmp_path / "catalog")
            reached = asyncio.Event()

            async def stuck(request: AwsRequest, /) -> Any:
                if request.operation == after:
                    reached.set()
                    await asyncio.Event().wait()
                return await Spying.__call__(access, request)

            first = service(access, folder, state)
            first.gates.access = Losing(access, stuck)  # type: ignore[assignment]  # as above
            begun = asyncio.create_task(first.execute(order()))
            await reached.wait()
            await first.close()
            begun.cancel()
            await asyncio.gather(begun, return_exceptions=True)
            second = service(access, folder, state)
            await second.start()
            try:
                (row,) = (await second.executions()).rows
                result = await second.get(row.id)
                while result["status"] == "running":
                    await second.clock.sleep(1)
                    result = await second.get(row.id)
            finally:
                await second.close()
            return result, access.count("StartExecution")

    result, starts = asyncio.run(run())
    assert (result["status"], starts) == ("succeeded", 1)
    assert result["outputs"] == {"name": "/shop/first"}
    assert [step["status"] for step in result["steps"]].count("succeeded") == 4
