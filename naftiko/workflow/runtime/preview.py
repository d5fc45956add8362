"""The modes that leave no trace: `plan` and `dry_run`. Spec: section 6."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from naftiko.values import JsonObject
from naftiko.workflow.isolation.isolated import IsolationFailed
from naftiko.workflow.ports import AwsFailure, Principal
from naftiko.workflow.runtime.plans import Runnable
from naftiko.workflow.runtime.policy import Refused
from naftiko.workflow.runtime.shared import Shared, add_warnings
from naftiko.workflow.vm.environment import Ending, Environment, Start
from naftiko.workflow.vm.machine import run
from naftiko.workflow.vm.retry import code_of


async def preview(
    shared: Shared,
    runnable: Runnable,
    start: Start,
    principal: Principal,
    warnings: Sequence[str],
) -> JsonObject:
    """Return what an execution would do.

    Raises: Refused[AwsError, IsolationFailed]; StartError.
    """
    env = shared.bare(principal)
    if start.mode == "plan":
        ending = await run(runnable.program, start, env)
    else:
        ending = await _dry_run(shared, runnable, start, env)
    add_warnings(ending.result, warnings)
    return ending.result


async def _dry_run(shared: Shared, runnable: Runnable, start: Start, env: Environment) -> Ending:
    try:
        call = await shared.gates.call_of(
            start.execution_id, runnable, start.parameters, env.principal
        )
    except AwsFailure as failure:
        raise Refused(
            "AwsError",
            "AWS does not let the execution begin",
            aws_code=code_of(failure) or failure.kind,
        ) from None
    env = replace(env, call=call)
    async with shared.slots:
        if not shared.is_apart(runnable):
            return await run(runnable.program, start, env)
        try:
            return await shared.isolated.run(runnable.plan, start, env)
        except IsolationFailed as error:
            raise Refused("IsolationFailed", str(error)) from None
