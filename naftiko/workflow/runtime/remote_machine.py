"""State machines of Step Functions: whether a plan's is there, and requests about it."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
from collections.abc import Sequence

from naftiko.values import JsonObject
from naftiko.workflow.asl import definition_text, export
from naftiko.workflow.asl.deploy import SERVICE, machine_arn, machine_name, same_definition
from naftiko.workflow.ports import (
    AwsFailure,
    AwsRequest,
    CallAws,
    Principal,
)
from naftiko.workflow.runtime.policy import Refused
from naftiko.workflow.vm.retry import code_of

logger = logging.getLogger("naftiko")

TARGET = "step-functions"
MODES = ("full", "plan", "dry_run")


def check_mode(mode: str) -> None:
    """Refuse what only the engine can do.

    Raises: Refused[InvalidParameters].
    """
    if mode not in MODES:
        raise Refused(
            "InvalidParameters",
            f"Step Functions cannot run a workflow `{mode}`: it does not stop for confirmations",
            hint=f"take one of the modes {', '.join(MODES)}, or run it in the engine",
            modes=MODES,
        )


STARTING = ("states:DescribeExecution", "states:DescribeStateMachine", "states:StartExecution")
"""What whoever has Step Functions run a plan needs."""


def permissions(plan: JsonObject) -> tuple[list[str], dict[str, list[str]]]:
    """Return the actions that the caller itself needs, and their resources, as templates."""
    name = machine_name(plan)
    place = "arn:${partition}:states:${region}:${account_id}"
    machine, executions = f"{place}:stateMachine:{name}", f"{place}:execution:{name}:*"
    resources = {
        "states:DescribeExecution": [executions],
        "states:DescribeStateMachine": [machine],
        "states:StartExecution": [machine],
    }
    return sorted(resources), resources


@functools.lru_cache(maxsize=64)
def _exported(text: str, partition: str) -> tuple[str, str]:
    """Return a plan's definition, or what cannot be mapped."""
    made = export(json.loads(text), partition=partition)
    wrong = next((one.message for one in made.problems if one.severity == 0), "")
    return ("", wrong) if wrong else (definition_text(made.definition), "")


def machine_of(plan: JsonObject, principal: Principal) -> str:
    """Return the ARN of a plan's state machine."""
    return machine_arn(
        machine_name(plan),
        partition=principal.partition,
        region=principal.region,
        account_id=principal.account_id,
    )


async def check_deployed(plan: JsonObject, call: CallAws, principal: Principal) -> None:
    """See that a plan's state machine is there, and is what this engine would have registered.

    Raises: Refused[NotDeployed, IntegrityError, AwsError].
    """
    ref = f"{plan['name']}@{plan['version']}"
    text = json.dumps(plan, sort_keys=True)
    definition, wrong = await asyncio.to_thread(_exported, text, principal.partition)
    if wrong:
        raise Refused(
            "NotDeployed", f"`{ref}` cannot run in Step Functions: {wrong}", hint="run it locally"
        )
    command = f"naftiko workflow deploy {ref} --role-arn ROLE"
    try:
        members: JsonObject = {"stateMachineArn": machine_of(plan, principal)}
        found = await send(call, "DescribeStateMachine", members)
    except AwsFailure as failure:
        if failure.code == "StateMachineDoesNotExist":
            raise Refused(
                "NotDeployed",
                f"`{ref}` is not registered with Step Functions in {principal.region}",
                hint=f"register it: {command}",
            ) from None
        raise Refused(
            "AwsError",
            "Step Functions does not tell about the state machine",
            aws_code=code_of(failure) or failure.kind,
        ) from None
    is_ours = same_definition(found.get("definition"), definition)
    if not is_ours or found.get("type", "STANDARD") != "STANDARD":
        raise Refused(
            "IntegrityError",
            f"the state machine of `{ref}` is not what its plan says",
            hint=f"register it again: {command} --update",
        )


def is_remote(records: Sequence[JsonObject]) -> bool:
    """Tell whether an execution was handed to Step Functions."""
    return any(record["r"] == "start" and record.get("target") == TARGET for record in records)


async def stop_remote(records: Sequence[JsonObject], call: CallAws) -> None:
    """Stop an execution whose plan may no longer run, if Step Functions runs it."""
    if not is_remote(records):
        return
    start = next(record for record in records if record["r"] == "start")
    machine = str(start["machine"]).replace(":stateMachine:", ":execution:", 1)
    arn = f"{machine}:{start['execution_id']}"
    try:
        await send(call, "StopExecution", {"executionArn": arn}, mutating=True)
    except AwsFailure as failure:
        logger.warning(
            "the execution %s was not stopped: %s", arn, code_of(failure) or failure.kind
        )


async def send(
    call: CallAws, operation: str, members: JsonObject, *, mutating: bool = False
) -> JsonObject:
    """Ask Step Functions.

    Raises: AwsFailure.
    """
    request = AwsRequest(
        service=SERVICE, operation=operation, members=members, mutating=mutating, timeout_s=30.0
    )
    return (await call(request)).output
