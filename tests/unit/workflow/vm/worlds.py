"""Scripted surroundings for the machine: AWS as a table, journals that fail when told to."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

from naftiko.workflow.ports import (
    AwsAnswer,
    AwsFailure,
    AwsRequest,
    Principal,
    StepEvent,
)
from naftiko.workflow.simulated import SimulatedClock
from naftiko.workflow.vm.breaker import Breakers
from naftiko.workflow.vm.environment import Ending, Environment, Start
from naftiko.workflow.vm.machine import resume, run
from naftiko.workflow.vm.program import Program

Json = dict[str, Any]
Answer = Json | Exception
Reply = Answer | list[Answer] | Callable[[AwsRequest], Answer]


def fault(code: str, status: int = 400, message: str = "AWS says no") -> AwsFailure:
    return AwsFailure("fault", code=code, status=status, message=message, request_id="r-fault")


class Crash(BaseException):
    """The process ends here."""


class Memory:
    """A journal in memory; it can end the process at a record.

    `kept`: that record is durable, and what follows it never happened; otherwise it is lost, and
    what came before it (a call, say) did happen.
    """

    def __init__(
        self,
        records: list[Json] | None = None,
        crash_after: int | None = None,
        *,
        kept: bool = True,
    ) -> None:
        self.records = records if records is not None else []
        self.left = crash_after
        self.kept = kept

    async def append(self, record: Json, /) -> None:
        if self.left is not None:
            self.left -= 1
        is_last = self.left is not None and self.left <= 0
        if self.kept or not is_last:
            self.records.append(json.loads(json.dumps(record)))
        if is_last:
            raise Crash


class World:
    """Answers by operation: one answer, a list in turn (the last stays), or a function."""

    def __init__(self, replies: dict[str, Reply] | None = None) -> None:
        self.replies = replies or {}
        self.requests: list[AwsRequest] = []
        self.clock = SimulatedClock()
        self.breakers = Breakers()
        self.events: list[StepEvent] = []
        self.journal = Memory()
        self.chance: Any = random.Random(7)  # noqa: S311 - a test

    async def __call__(self, request: AwsRequest, /) -> AwsAnswer:
        self.requests.append(copy.deepcopy(request))
        reply = self.replies.get(request.operation, {})
        if isinstance(reply, list):
            reply = reply.pop(0) if len(reply) > 1 else reply[0]
        elif callable(reply):
            reply = reply(request)
        if isinstance(reply, Exception):
            if isinstance(reply, AwsFailure) and reply.kind == "timeout":
                self.clock.advance(request.timeout_s)
            raise reply
        return AwsAnswer(output=reply, request_id=f"r-{len(self.requests)}")

    @property
    def calls(self) -> list[str]:
        """The operations, in order."""
        return [request.operation for request in self.requests]

    @property
    def sent(self) -> list[tuple[str, Json]]:
        """The operations with their members."""
        return [(request.operation, request.members) for request in self.requests]

    def environment(self, **more: Any) -> Environment:
        """The surroundings of one execution."""
        known = {
            "call": self,
            "clock": self.clock,
            "chance": self.chance,
            "principal": Principal(),
            "journal": self.journal,
            "confirm_key": b"k" * 32,
            "breakers": self.breakers,
            "on_event": self.events.append,
        }
        return Environment(**{**known, **more})

    async def run(
        self, plan: Json, parameters: Json | None = None, mode: str = "full", **more: Any
    ) -> Ending:
        """Run a plan."""
        start = Start(execution_id="e-1", parameters=parameters or {}, mode=mode)
        return await run(Program.load(plan), start, self.environment(**more))

    async def resume(self, plan: Json, **how: Any) -> Ending:
        """Go on from what the journal holds, as another process would."""
        records = copy.deepcopy(self.journal.records)
        environment = self.environment(**how.pop("environment", {}))
        return await resume(Program.load(plan), records, environment, **how)
