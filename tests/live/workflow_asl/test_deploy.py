"""Plans registered as state machines, on the sandbox's Step Functions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from naftiko.sandbox import Sandbox
from naftiko.workflow.asl import DeployError, deploy
from naftiko.workflow.asl.deploy import machine_name
from naftiko.workflow.ports import AwsFailure, AwsRequest
from tests.live.workflow_asl.conftest import Aws
from tests.live.workflow_asl.remote import ROLE, STOCK, Spying, access_to, compiled, deployed
from tests.unit.workflow.asl import samples


def on(sandbox: Sandbox, work: Callable[[Spying], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with access_to(sandbox) as access:
            return await work(access)

    return asyncio.run(run())


def test_it_is_registered_once(clean: Sandbox, aws: Aws) -> None:
    async def twice(access: Spying) -> list[str]:
        return [(await deployed(access)).outcome, (await deployed(access)).outcome]

    assert on(clean, twice) == ["created", "unchanged"]
    name = machine_name(compiled(STOCK)[0])
    machine = f"arn:aws:states:us-east-1:123456789012:stateMachine:{name}"
    client = aws("stepfunctions")
    found = client.describe_state_machine(stateMachineArn=machine)
    assert (found["type"], found["roleArn"]) == ("STANDARD", ROLE)
    tags = client.list_tags_for_resource(resourceArn=machine)["tags"]
    assert {tag["key"]: tag["value"] for tag in tags} == {
        "naftiko:workflow": "stock_parameters",
        "naftiko:version": "1.0",
        "naftiko:checksum": compiled(STOCK)[0]["checksum"],
    }


def test_another_definition_is_left_alone(clean: Sandbox, aws: Aws) -> None:
    name = machine_name(compiled(STOCK)[0])
    aws("stepfunctions").create_state_machine(
        name=name,
        roleArn=ROLE,
        definition='{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}',
    )
    with pytest.raises(DeployError, match="with another definition or role") as refused:
        on(clean, deployed)
    assert "--update" in refused.value.hint

    async def update(access: Spying) -> str:
        return (await deployed(access, update=True)).outcome

    assert on(clean, update) == "updated"
    assert on(clean, update) == "unchanged"


def test_another_role_is_another_machine(clean: Sandbox) -> None:
    on(clean, deployed)

    async def other(access: Spying) -> None:
        role = "arn:aws:iam::123456789012:role/other"
        await deploy(compiled(STOCK)[0], access, role_arn=role, region="us-east-1")

    with pytest.raises(DeployError, match="another definition or role"):
        on(clean, other)


def test_what_does_not_map_is_refused(clean: Sandbox) -> None:
    plan = samples.plan(
        [{**samples.put("one", samples.lit("/a")), "region": samples.lit("eu-west-1")}]
    )

    async def work(access: Spying) -> None:
        await deploy(plan, access, role_arn=ROLE, region="us-east-1")

    with pytest.raises(DeployError) as refused:
        on(clean, work)
    assert [problem.code for problem in refused.value.problems] == ["WF801"]


@pytest.mark.parametrize(
    "given", [{"role_arn": "arn:aws:iam::1:user/x"}, {"name": "no good"}, {"name": "n" * 81}]
)
def test_names_are_looked_at_before_any_call(clean: Sandbox, given: dict[str, str]) -> None:
    async def work(access: Spying) -> list[AwsRequest]:
        fields: Any = {"role_arn": ROLE, **given}
        with pytest.raises(DeployError):
            await deploy(compiled(STOCK)[0], access, region="us-east-1", **fields)
        return access.asked

    assert on(clean, work) == []


def test_where_the_validation_may_not_be_asked(clean: Sandbox) -> None:
    async def work(access: Spying) -> tuple[str, int]:
        def denied(request: AwsRequest) -> AwsFailure | None:
            if request.operation != "ValidateStateMachineDefinition":
                return None
            return AwsFailure("fault", code="AccessDeniedException", status=400)

        access.failing = denied
        made = await deployed(access)
        return made.outcome, len(made.warnings)

    assert on(clean, work) == ("created", 1)


def test_the_name_of_a_machine_fits() -> None:
    plan = samples.plan([], workflow_id="w" * 100, checksum="sha256:0123456789")
    assert machine_name(plan) == f"naftiko-{'w' * 63}-01234567"
    assert len(machine_name(plan)) == 80
