"""What all executions of a process share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from naftiko.values import JsonObject
from naftiko.workflow.isolation.isolated import Isolated
from naftiko.workflow.ports import Chance, Clock, Principal
from naftiko.workflow.runtime.gates import Gates
from naftiko.workflow.runtime.plans import Runnable
from naftiko.workflow.runtime.policy import Policy
from naftiko.workflow.vm.breaker import Breakers
from naftiko.workflow.vm.environment import Environment


class Shared:
    """The way to AWS and its breakers, the places to run in, the process of community plans."""

    def __init__(
        self, gates: Gates, clock: Clock, *, policy: Policy, chance: Chance, confirm_key: bytes
    ) -> None:
        """Take the parts; no process is started yet."""
        self.gates = gates
        self.clock = clock
        self.policy = policy
        self.slots = asyncio.Semaphore(policy.max_parallel)
        self.isolated = Isolated()
        self._chance = chance
        self._confirm_key = confirm_key
        self._breakers = Breakers()

    def bare(self, principal: Principal) -> Environment:
        """Return surroundings in which nothing is written down."""
        return Environment(
            call=self.gates.call,
            clock=self.clock,
            chance=self._chance,
            principal=principal,
            journal=_Nowhere(),
            confirm_key=self._confirm_key,
            breakers=self._breakers,
        )

    def is_apart(self, runnable: Runnable) -> bool:
        """Tell whether a workflow runs in a process of its own."""
        return self.policy.isolate and runnable.verified.tier == "community"


class _Nowhere:
    """A journal for what leaves no trace."""

    async def append(self, record: JsonObject, /) -> None:
        """Keep nothing."""


def add_warnings(result: JsonObject, texts: Sequence[str]) -> None:
    """Add to the warnings of a result what is about no step."""
    shown = result.get("warnings")
    if isinstance(shown, list):
        shown.extend({"step_id": "", "message": text} for text in texts)
