"""Runs workflows in a process of its own: reads what to measure from stdin, prints the figure.

AWS is where the environment says. Lines:

    boto3                  a bare boto3 call; milliseconds
    first STORE            from an order to the answer of its first call; milliseconds
    operation              the machine, a scripted AWS; milliseconds an operation
    parallel STORE         32 executions of 20 calls of 20 ms at once; milliseconds
    sleeps                 32 coroutines with 20 sleeps of that length; milliseconds
    scan                   who is due among 10,000 interrupted executions; milliseconds
    resume                 to open that store again and take the first hundred up; milliseconds

STORE is `memory` or `sqlite`.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import boto3
import uvloop

from benchmarks.samples import MACHINES, REGION, STARTED
from benchmarks.workflow_samples import (
    CALL_S,
    LONG,
    PARALLEL,
    STEPS,
    STORED,
    compiled,
    make_catalog,
    stepping,
)
from naftiko.cli.workflows.aws import open_caller
from naftiko.consumes.workflows.caller import AwsCaller
from naftiko.plan.masking import Masker
from naftiko.values import JsonObject
from naftiko.workflow.ports import AwsAnswer, AwsRequest, CallAws, Principal
from naftiko.workflow.runtime.plans import Plans
from naftiko.workflow.runtime.policy import Policy
from naftiko.workflow.runtime.service import Order, WorkflowService
from naftiko.workflow.state.ledger import Ledger, NewExecution
from naftiko.workflow.state.memory import MemoryStore
from naftiko.workflow.state.sealing import LocalKey
from naftiko.workflow.state.sqlite import SqliteStore
from naftiko.workflow.vm.environment import Environment, Start
from naftiko.workflow.vm.machine import run
from naftiko.workflow.vm.program import Program

LOOKS = 15
RUNS = 5
AT_ONCE = 500


class WallClock:
    """Real time, but that nobody is woken up to look for work."""

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class Watched:
    """An access that notes when the first answer but that of who calls it has come."""

    def __init__(self, caller: AwsCaller) -> None:
        """Watch a caller."""
        self._caller = caller
        self.answered_at: float | None = None

    @property
    def call(self) -> CallAws:
        """The function."""
        return self._called

    @property
    def region(self) -> str:
        """The region."""
        return self._caller.region

    @property
    def is_loopback(self) -> bool:
        """Whether AWS is on this machine."""
        return self._caller.is_loopback

    def with_keys(self, credentials: JsonObject) -> CallAws:
        """Return the function with other credentials."""
        return self._caller.with_keys(credentials)

    async def _called(self, request: AwsRequest, /) -> AwsAnswer:
        answer = await self._caller(request)
        if self.answered_at is None and request.service != "sts":
            self.answered_at = time.perf_counter()
        return answer


class Child:
    """What is measured, with a catalog and a folder for state."""

    def __init__(self, folder: Path) -> None:
        """Compile the workflows."""
        self._folder = folder
        self._numbers = itertools.count()
        (folder / "catalog").mkdir()
        make_catalog(folder)
        self._boto3 = boto3.client("stepfunctions", region_name=REGION)
        self._long = Program.load(compiled(stepping("long_one", LONG, "enterprise")))
        self._key = LocalKey(secrets.token_bytes(32))

    def measure(self, what: str, store: str) -> float:
        """Return one figure."""
        if what == "boto3":
            return median(self._bare_ms() for _ in range(LOOKS))
        measures: dict[str, Callable[[], Awaitable[float]]] = {
            "first": lambda: self._first_ms(store),
            "operation": self._operation_ms,
            "parallel": lambda: self._parallel_ms(store),
            "sleeps": _sleeps_ms,
            "scan": self._scan_ms,
            "resume": self._resume_ms,
        }
        return uvloop.run(_await(measures[what]()))

    def _bare_ms(self) -> float:
        start = time.perf_counter()
        self._boto3.list_state_machines()
        return (time.perf_counter() - start) * 1000

    def _ledger(self, store: str, folder: Path) -> Ledger:
        if store == "memory":
            return Ledger(MemoryStore(), WallClock())
        return Ledger(SqliteStore(folder), WallClock(), self._key)

    @asynccontextmanager
    async def _service(
        self, store: str, folder: Path | None = None
    ) -> AsyncIterator[tuple[WorkflowService, Watched]]:
        caller = open_caller(None, Masker())
        access = Watched(caller)
        policy = Policy()
        service = WorkflowService(
            Plans(folders=[self._folder / "catalog"], policy=policy, is_loopback=True),
            self._ledger(store, folder or Path(tempfile.mkdtemp(dir=self._folder))),
            access,
            WallClock(),
            policy=policy,
            confirm_key=secrets.token_bytes(32),
            new_id=lambda: secrets.token_hex(16),
        )
        try:
            yield service, access
        finally:
            await service.close()
            await caller.close()

    async def _execute(self, service: WorkflowService, workflow: str) -> None:
        order = Order(workflow=workflow, parameters={"number": next(self._numbers)}, mode="full")
        result = await service.execute(order)
        if result["status"] != "succeeded":
            raise RuntimeError(str(result.get("error")))

    async def _first_ms(self, store: str) -> float:
        async with self._service(store) as (service, access):
            await self._execute(service, "one_step")
            times = []
            for _ in range(LOOKS):
                access.answered_at = None
                start = time.perf_counter()
                await self._execute(service, "one_step")
                assert access.answered_at is not None
                times.append((access.answered_at - start) * 1000)
            return median(times)

    async def _parallel_ms(self, store: str) -> float:
        async with self._service(store) as (service, _):
            # Connections are opened, and models read, before the clock runs.
            await asyncio.gather(*(self._execute(service, "twenty_steps") for _ in range(PARALLEL)))
            start = time.perf_counter()
            await asyncio.gather(*(self._execute(service, "twenty_steps") for _ in range(PARALLEL)))
            return (time.perf_counter() - start) * 1000

    async def _operation_ms(self) -> float:
        times = []
        for _ in range(RUNS):
            environment = Environment(
                call=_scripted,
                clock=WallClock(),
                chance=random.Random(1),  # noqa: S311 - only spreads delays
                principal=Principal(),
                journal=_Nowhere(),
                confirm_key=b"k" * 32,
            )
            start = time.perf_counter()
            ending = await run(
                self._long,
                Start(execution_id="e", parameters={"number": 1}, mode="full"),
                environment,
            )
            times.append((time.perf_counter() - start) * 1000 / LONG)
            if ending.status != "succeeded":
                raise RuntimeError(str(ending.error))
        return median(times)

    async def _interrupted(self) -> Path:
        """Return a folder with executions whose worker has gone."""
        folder = self._folder / "interrupted"
        if folder.exists():
            return folder
        folder.mkdir()
        ledger = self._ledger("sqlite", folder)
        await ledger.start()
        numbers = iter(range(STORED))
        checksum = f"sha256:{'0' * 64}"

        async def store() -> None:
            for number in numbers:
                opened = await ledger.open(
                    NewExecution(
                        id=f"e{number:05d}",
                        workflow_id="gone_v1_0",
                        checksum=checksum,
                        principal="arn:aws:iam::123456789012:root",
                        region=REGION,
                        parameters={"number": number},
                    )
                )
                assert not isinstance(opened, tuple)
                await opened.append({"r": "start", "number": number})
                await opened.give_back()

        await asyncio.gather(*(store() for _ in range(AT_ONCE)))
        await ledger.close()
        return folder

    async def _scan_ms(self) -> float:
        ledger = self._ledger("sqlite", await self._interrupted())
        await ledger.start()
        try:
            start = time.perf_counter()
            found = await ledger.due(STORED)
            elapsed = (time.perf_counter() - start) * 1000
        finally:
            await ledger.close()
        if len(found) != STORED:
            raise RuntimeError(f"{len(found)} executions are due, not {STORED}")
        return elapsed

    async def _resume_ms(self) -> float:
        ledger = self._ledger("sqlite", await self._interrupted())
        start = time.perf_counter()
        await ledger.start()
        try:
            opened = [await ledger.reopen(row.id) for row in await ledger.due(100)]
            elapsed = (time.perf_counter() - start) * 1000
            for one in opened:
                assert one is not None
                await one.give_back()
        finally:
            await ledger.close()
        return elapsed


class _Nowhere:
    async def append(self, record: JsonObject, /) -> None:
        """Keep nothing."""


async def _scripted(request: AwsRequest, /) -> AwsAnswer:
    output = MACHINES if request.operation == "ListStateMachines" else STARTED
    return replace(AwsAnswer(output={}), output={**output})


async def _sleeps_ms() -> float:
    async def one() -> None:
        for _ in range(STEPS):
            await asyncio.sleep(CALL_S)

    start = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(PARALLEL)))
    return (time.perf_counter() - start) * 1000


async def _await(figure: Awaitable[float]) -> float:
    return await figure


def main() -> None:
    """Answer until stdin ends."""
    os.environ.setdefault("AWS_REGION", REGION)
    with tempfile.TemporaryDirectory() as folder:
        child = Child(Path(folder))
        for line in sys.stdin:
            what, _, store = line.strip().partition(" ")
            print(f"{child.measure(what, store):.4f}", flush=True)


if __name__ == "__main__":
    main()
