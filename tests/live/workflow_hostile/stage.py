"""A service whose AWS is the peer, every request noted with what came of it."""

from __future__ import annotations

import asyncio
import copy
import itertools
import logging
import random
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from naftiko.consumes.aws.settings import AwsSettings
from naftiko.consumes.workflows.caller import AwsCaller
from naftiko.workflow.ports import AwsAnswer, AwsFailure, AwsRequest, CallAws, StepEvent
from naftiko.workflow.runtime.orders import Order
from naftiko.workflow.runtime.plans import Plans
from naftiko.workflow.runtime.policy import Policy
from naftiko.workflow.runtime.service import WorkflowService
from naftiko.workflow.simulated import EPOCH
from naftiko.workflow.state.ledger import SWEEP_S, Ledger
from naftiko.workflow.state.memory import MemoryStore
from tests.live.aws.support import context, environment
from tests.live.workflow_hostile.answers import good
from tests.live.workflow_hostile.peer import Asked, Peer, Raw, listening
from tests.live.workflow_hostile.reference import Outcome
from tests.unit.workflow.runtime.catalogs import catalog, compiled
from tests.unit.workflow.vm.worlds import Json

T = TypeVar("T")
SOURCE = (Path(__file__).parent / "source.yaml").read_text(encoding="utf-8")
ENOUGH = 6
"""So many answers to one operation are hostile; then the peer gets tired, and says good ones."""


@cache
def plan() -> Json:
    return dict(compiled(SOURCE))


@dataclass
class Seen:
    """What came of one execution."""

    result: Json
    requests: list[tuple[AwsRequest, Outcome]]
    asked: list[Asked]
    events: list[StepEvent]
    logged: list[str]


@dataclass
class Access:
    """The real caller, overheard."""

    caller: AwsCaller
    heard: list[tuple[AwsRequest, Outcome]] = field(default_factory=list)
    region: str = "us-east-1"
    is_loopback: bool = True

    @property
    def call(self) -> CallAws:
        return self._send

    def with_keys(self, credentials: Json) -> CallAws:
        return self.caller.with_keys(credentials)

    async def _send(self, request: AwsRequest, /) -> AwsAnswer:
        noted = copy.deepcopy(request)
        try:
            answer = await self.caller(request)
        except AwsFailure as failure:
            if request.service != "sts":
                self.heard.append((noted, failure))
            raise
        except Exception:
            # What the engine makes of an answer that nobody can read.
            self.heard.append((noted, AwsFailure("connection")))
            raise
        if request.service != "sts":
            self.heard.append((noted, copy.deepcopy(answer.output)))
        return answer


class Steady:
    """Waits of the machine take no time; those of the ledger (minutes) last to the end."""

    def __init__(self) -> None:
        self._elapsed = 0.0

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds >= SWEEP_S:
            await asyncio.Event().wait()
        self._elapsed += seconds
        await asyncio.sleep(0)


class Impatient(AwsCaller):
    """The caller, which waits at most so long for an answer."""

    longest_s: float | None = None

    async def __call__(self, request: AwsRequest, /) -> AwsAnswer:
        if self.longest_s is not None:
            request = replace(request, timeout_s=min(self.longest_s, request.timeout_s))
        return await super().__call__(request)


class Stage:
    """One loop, one peer, one caller: for many executions."""

    def __init__(self, folder: Path) -> None:
        self.policy = Policy(permission_check="off", isolate=False)
        root = catalog(folder, SOURCE)
        self.plans = Plans(folders=[root], policy=self.policy, is_loopback=True)
        self.runner = asyncio.Runner()
        self.peer = Peer()
        self._stack = AsyncExitStack()
        self._ids = itertools.count(1)

    def open(self) -> None:
        self.do(self._stack.enter_async_context(listening(self.peer)))
        self.caller = Impatient(AwsSettings(), context(environment(self.peer.url)))

    def close(self) -> None:
        self.do(self.caller.close())
        self.do(self._stack.aclose())
        self.runner.close()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def run(self, answers: dict[str, list[Raw]], mode: str = "full") -> Seen:
        """Execute the workflow once; an operation's answers are given in turn."""
        counts: dict[str, int] = {}

        def answer(asked: Asked) -> Raw:
            count = counts[asked.operation] = counts.get(asked.operation, 0) + 1
            given = answers.get(asked.operation)
            if not given or count > ENOUGH:
                return good(asked.operation)
            return given[(count - 1) % len(given)]

        self.peer.answer = answer
        self.peer.asked = []
        return self.do(self._run(mode))

    async def _run(self, mode: str) -> Seen:
        clock = Steady()
        access = Access(self.caller)
        made = WorkflowService(
            self.plans,
            Ledger(MemoryStore(), clock),
            access,
            clock,
            policy=self.policy,
            confirm_key=b"k" * 32,
            chance=random.Random(1),  # noqa: S311 - spreads retries
            new_id=lambda: f"e-{next(self._ids)}",
        )
        made.scans = False
        events: list[StepEvent] = []
        try:
            with listened() as logged:
                order = Order(workflow="passing_on", parameters={}, mode=mode)
                result = await made.execute(order, on_event=events.append)
                assert await made.get(str(result["execution_id"])) == result
        finally:
            await made.close()
        return Seen(dict(result), access.heard, self.peer.asked, events, logged)


class listened:  # noqa: N801 - used as a function
    """Collect what the engine logs."""

    def __enter__(self) -> list[str]:
        self.lines: list[str] = []
        self.handler = logging.Handler()
        self.handler.emit = self._emit  # type: ignore[method-assign]  # a handler of one line
        logging.getLogger("naftiko").addHandler(self.handler)
        return self.lines

    def _emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.getMessage()} {record.exc_info or ''}")

    def __exit__(self, *_: object) -> None:
        logging.getLogger("naftiko").removeHandler(self.handler)


def messages(value: Any) -> Iterator[str]:
    """Yield the engine's own words in a result: not what stands under `outputs` or `data`."""
    if isinstance(value, list):
        for inner in value:
            yield from messages(inner)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name in {"message", "reason", "type", "status", "step_id"}:
                yield str(inner)
            elif name not in {"outputs", "data"}:
                yield from messages(inner)
