"""A service on scripted surroundings: AWS as a table, time that passes by sleeping."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from naftiko.workflow.ports import AwsAnswer, AwsRequest, CallAws, Clock
from naftiko.workflow.runtime.orders import Order
from naftiko.workflow.runtime.plans import Plans
from naftiko.workflow.runtime.policy import Policy
from naftiko.workflow.runtime.service import WorkflowService
from naftiko.workflow.state.ledger import Ledger
from naftiko.workflow.state.memory import MemoryStore
from naftiko.workflow.state.sealing import LocalKey
from naftiko.workflow.state.store import Store
from tests.unit.workflow.vm.worlds import Json, World

STATE_KEY = bytes(range(32))
IDENTITY: Json = {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:root"}


@dataclass
class Entrance:
    """`Access` on a world."""

    world: World
    region: str = "us-east-1"
    is_loopback: bool = True
    sessions: list[Json] = field(default_factory=list)

    @property
    def call(self) -> CallAws:
        return self.world

    def with_keys(self, credentials: Json) -> CallAws:
        self.sessions.append(credentials)

        async def call(request: AwsRequest, /) -> AwsAnswer:
            return await self.world(request)

        return call


class Gate:
    """Answers once it is opened; `waiting` says how many wait for that."""

    def __init__(self, world: World, operation: str) -> None:
        self.open = asyncio.Event()
        self.waiting = 0
        self._world = world
        self._operation = operation

    async def __call__(self, request: AwsRequest, /) -> AwsAnswer:
        if request.operation == self._operation:
            self.waiting += 1
            await self.open.wait()
        return await self._world(request)

    async def reached(self, count: int = 1) -> None:
        async with asyncio.timeout(5):
            while self.waiting < count:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)


class Still:
    """A clock that is moved by nobody: more than a second lasts to the end of the test."""

    def __init__(self, world: World) -> None:
        self._clock = world.clock

    def now(self) -> Any:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await (asyncio.sleep(0) if seconds <= 1 else asyncio.Event().wait())


class Numbers:
    """Ids in order: e-1, e-2."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def __call__(self) -> str:
        return f"e-{next(self._count)}"


def service(
    catalog: Path,
    world: World,
    *,
    store: Store | None = None,
    clock: Clock | None = None,
    call: CallAws | None = None,
    new_id: Callable[[], str] | None = None,
    key: bytes = STATE_KEY,
    loopback: bool = True,
    leave_s: float = 1.0,
    **policy: Any,
) -> WorkflowService:
    """Return a service on a catalog; nothing is opened yet."""
    world.replies.setdefault("GetCallerIdentity", IDENTITY)
    store = store if store is not None else MemoryStore()
    clock = clock or Still(world)
    entrance: Any = Entrance(world, is_loopback=loopback)
    if call is not None:
        entrance = _Through(entrance, call)
    chosen = Policy(**{"isolate": False, **policy})
    return WorkflowService(
        Plans(folders=[catalog], policy=chosen, is_loopback=loopback),
        Ledger(store, clock, LocalKey(key) if store.shared else None),
        entrance,
        clock,
        policy=chosen,
        confirm_key=b"k" * 32,
        chance=random.Random(3),  # noqa: S311 - spreads retries
        new_id=new_id or Numbers(),
        leave_s=leave_s,
    )


class _Through:
    def __init__(self, entrance: Entrance, call: CallAws) -> None:
        self.region, self.is_loopback = entrance.region, entrance.is_loopback
        self.call, self.with_keys = call, entrance.with_keys


@asynccontextmanager
async def serving(made: WorkflowService) -> AsyncIterator[WorkflowService]:
    """Close it in the end."""
    try:
        yield made
    finally:
        await made.close()


def order(workflow: str, mode: str = "full", key: str | None = None, **parameters: Any) -> Order:
    return Order(workflow=workflow, parameters=parameters, mode=mode, idempotency_key=key)


def running(test: Awaitable[None]) -> None:
    """Run a test to its end."""

    async def limited() -> None:
        async with asyncio.timeout(15):
            await test

    asyncio.run(limited())
