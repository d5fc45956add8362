"""What an execution is given from outside, what it starts from, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.ports import (
    CallAws,
    Chance,
    Clock,
    Journal,
    Principal,
    Revoked,
    StepEvent,
)
from naftiko.workflow.vm.breaker import Breakers

MODES = ("step_by_step", "full", "plan", "dry_run")

STATUSES = (
    "pending",
    "running",
    "awaiting_confirmation",
    "succeeded",
    "failed",
    "rolled_back",
    "rollback_failed",
    "cancelled",
    "timed_out",
    "expired",
)

FINAL = frozenset(STATUSES[3:])
"""Statuses after which nothing more happens."""


class Cancelled(Protocol):
    """Tells whether the caller has cancelled: `asyncio.Event` is one."""

    def is_set(self) -> bool:
        """Return whether it was cancelled."""
        ...

    async def wait(self) -> object:
        """Return once it is."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The numbers of the specification's section 13 that the machine keeps."""

    step_output_bytes: int = 256 * 1024
    execution_output_bytes: int = 4 * 1024 * 1024
    page_items: int = 10_000
    rollback_s: float = 300.0
    confirmation_s: float = 900.0
    poll_attempt_s: float = 60.0
    observe_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The surroundings of one execution.

    `confirm_key` makes the confirmation tokens: workers that share executions share it.
    `breakers` are shared by all executions of the process.
    """

    call: CallAws
    clock: Clock
    chance: Chance
    principal: Principal
    journal: Journal
    confirm_key: bytes
    breakers: Breakers = field(default_factory=Breakers)
    on_event: Callable[[StepEvent], None] = lambda _: None
    cancelled: Cancelled = field(default_factory=asyncio.Event)
    revoked: Revoked = lambda _: False
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """An execution to be started. `mode` is one of MODES."""

    execution_id: str
    parameters: JsonObject
    mode: str = "step_by_step"
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run of the machine ended. `result` is the object of section 8.

    `awaiting_confirmation` is no end of the execution: `resume` goes on.
    """

    status: str
    result: JsonObject

    @property
    def steps(self) -> list[JsonValue]:
        """The steps that were reached."""
        steps = self.result["steps"]
        assert isinstance(steps, list)
        return steps

    @property
    def outputs(self) -> JsonObject:
        """What the workflow gives."""
        outputs = self.result["outputs"]
        assert isinstance(outputs, dict)
        return outputs

    @property
    def error(self) -> JsonObject | None:
        """Why it did not succeed."""
        error = self.result.get("error")
        return error if isinstance(error, dict) else None

    @property
    def rollback(self) -> list[JsonValue]:
        """What the handlers did."""
        found = self.result.get("rollback")
        return found if isinstance(found, list) else []

    @property
    def next(self) -> JsonObject | None:
        """The operation that awaits confirmation."""
        found = self.result.get("next")
        return found if isinstance(found, dict) else None

    @property
    def warnings(self) -> list[JsonValue]:
        """What did not stop the execution but should be known."""
        found = self.result["warnings"]
        assert isinstance(found, list)
        return found
