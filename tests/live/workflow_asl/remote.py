"""A catalog with small workflows, and a service that runs them in the sandbox's Step Functions."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from naftiko.consumes.aws.settings import AwsSettings
from naftiko.consumes.workflows.caller import AwsCaller
from naftiko.sandbox import Sandbox
from naftiko.workflow.asl import Deployment, deploy
from naftiko.workflow.compiler import compile_source, load_data
from naftiko.workflow.ports import AwsAnswer, AwsFailure, AwsRequest
from naftiko.workflow.runtime.plans import Plans
from naftiko.workflow.runtime.policy import Policy
from naftiko.workflow.runtime.service import WorkflowService
from naftiko.workflow.state.ledger import Ledger
from naftiko.workflow.state.memory import MemoryStore
from naftiko.workflow.state.sealing import LocalKey
from naftiko.workflow.state.sqlite import SqliteStore
from tests.live.aws.support import context

ROLE = "arn:aws:iam::123456789012:role/workflows"
KEY = b"k" * 32

STOCK = """
name: stock_parameters
version: "1.0"
description: Puts two parameters and takes them back if the second one is not wanted
metadata: {tier: verified, max_duration: 10m}
parameters:
  - {name: prefix, type: string, required: true, pattern: "/[a-z]+"}
  - {name: wanted, type: boolean, default: true}
  - {name: pause, type: integer, default: 0}
steps:
  - id: first
    type: command
    context: {service: ssm, action: put-parameter}
    input: {Name: "${params.prefix}/first", Value: one, Type: String}
    outputs: {version: {path: Version}}
  - id: held
    type: primitive
    action: wait
    duration: 1h
    timeout: 2h
    condition: "params.pause > 0"
    depends_on: [first]
  - id: sure
    type: primitive
    action: assert
    condition: "params.wanted"
    message: "not wanted"
  - id: look
    type: command
    context: {service: ssm, action: get-parameter}
    input: {Name: "${params.prefix}/first"}
    outputs: {name: {path: Parameter.Name}}
outputs: {name: "${steps.look.name}"}
rollback:
  - on_failure: take_back
    steps: [first, held, sure, look]
    context: {service: ssm, action: delete-parameter}
    input: {Name: "${params.prefix}/first"}
"""


class FastClock:
    """Real time; a second of sleep takes ten milliseconds."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 100)


@cache
def compiled(source: str) -> tuple[dict[str, Any], bytes]:
    made = compile_source(source.encode(), "source.yaml", load_data())
    assert made.plan is not None, [problem.message for problem in made.problems]
    return dict(made.plan), made.data


def catalog(folder: Path, source: str = STOCK) -> Path:
    plan, data = compiled(source)
    tier = plan["metadata"]["tier"]
    home = folder / "workflows" / tier / plan["name"] / plan["version"]
    home.mkdir(parents=True, exist_ok=True)
    (home / "source.yaml").write_text(source)
    (home / "plan.json").write_bytes(data)
    return folder


class Spying:
    """The way to AWS, with every request noted, and a failure put before some of them."""

    def __init__(self, caller: AwsCaller) -> None:
        self._caller = caller
        self.asked: list[AwsRequest] = []
        self.failing: Callable[[AwsRequest], AwsFailure | None] = lambda _: None

    @property
    def call(self) -> Spying:
        return self

    @property
    def region(self) -> str:
        return self._caller.region

    @property
    def is_loopback(self) -> bool:
        return self._caller.is_loopback

    def with_keys(self, credentials: Any) -> AwsCaller:
        return self._caller.with_keys(credentials)

    async def __call__(self, request: AwsRequest, /) -> AwsAnswer:
        self.asked.append(request)
        failure = self.failing(request)
        if failure is not None:
            raise failure
        return await self._caller(request)

    def count(self, operation: str) -> int:
        return [request.operation for request in self.asked].count(operation)


@asynccontextmanager
async def access_to(sandbox: Sandbox) -> AsyncIterator[Spying]:
    caller = AwsCaller(AwsSettings(), context(dict(sandbox.environment()), sandbox=True))
    try:
        yield Spying(caller)
    finally:
        await caller.close()


def service(
    access: Spying, folder: Path, state: Path | None = None, **policy: Any
) -> WorkflowService:
    settings = Policy(
        dev=True, target="step-functions", permission_check="off", isolate=False, **policy
    )
    store = MemoryStore() if state is None else SqliteStore(state)
    keys = None if state is None else LocalKey(KEY)
    clock = FastClock()
    return WorkflowService(
        Plans(folders=[folder], policy=settings, is_loopback=True),
        Ledger(store, clock, keys),
        access,
        clock,
        policy=settings,
        confirm_key=KEY,
        chance=random.Random(0),  # noqa: S311 - delays only
        new_id=lambda: uuid.uuid4().hex,
    )


async def deployed(access: Spying, source: str = STOCK, **more: Any) -> Deployment:
    return await deploy(compiled(source)[0], access, role_arn=ROLE, region="us-east-1", **more)
