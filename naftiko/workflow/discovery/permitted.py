"""Whether the caller may do what workflows do: asked of AWS for many at once, never for long.

Whoever looks for a workflow does not wait for IAM: what it has not said in time is unknown, and
known the next time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from naftiko.workflow.discovery.shelf import Said
from naftiko.workflow.ports import AwsFailure, Clock, Principal
from naftiko.workflow.runtime.gates import Gates
from naftiko.workflow.runtime.policy import Policy, Refused
from naftiko.workflow.runtime.waiting import done_within, ended, look_at
from naftiko.workflow.security.permissions import PermissionResult, Question

logger = logging.getLogger("naftiko")

WAIT_S = 2.0
"""How long an answer waits for IAM."""
REST_S = 30.0
"""For how long nobody waits for it again after it has not answered in time."""

_UNKNOWN = PermissionResult(status="unknown", lasts=False)


class Permitted:
    """Asks for permissions, with the server's own credentials."""

    def __init__(self, gates: Gates, clock: Clock, policy: Policy) -> None:
        """Ask nobody yet."""
        self._gates = gates
        self._clock = clock
        self._mode = policy.permission_check
        self._asking: set[asyncio.Task[list[PermissionResult]]] = set()
        self._silent_until: float | None = None
        self._principal: Principal | None = None

    @property
    def is_asking(self) -> bool:
        """Whether a question is under way."""
        return bool(self._asking)

    @property
    def whom(self) -> str:
        """As whom AWS was called when it was last asked; "" before that."""
        return self._principal.arn if self._principal is not None else ""

    async def of(self, plans: Sequence[Said]) -> Sequence[PermissionResult]:
        """Tell of each plan whether the caller may do what it does. Never raises, never hangs."""
        if self._mode == "off":
            return [PermissionResult(status="off") for _ in plans]
        unknown = [_UNKNOWN for _ in plans]
        now = self._clock.monotonic()
        if self._silent_until is not None and now < self._silent_until:
            return unknown
        asking = asyncio.create_task(self._asked(tuple(plans)))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        asking.add_done_callback(look_at)
        await done_within(asking, self._clock, WAIT_S)
        if not asking.done():
            self._be_silent("IAM takes its time: whether workflows may be run is unknown")
            return unknown
        try:
            found = asking.result()
        except (AwsFailure, Refused) as error:
            # What AWS says is data: the log shows the engine's own words.
            why = error.message if isinstance(error, Refused) else error.kind
            self._be_silent(f"AWS does not say what may be run: {why}")
            return unknown
        if not all(one.lasts for one in found):
            self._be_silent("IAM does not answer: whether workflows may be run is unknown")
        return found

    async def _asked(self, plans: Sequence[Said]) -> list[PermissionResult]:
        self._principal = await self._gates.principal("full")
        questions = [
            Question(checksum=one.checksum, required=one.required, read_only=one.read_only)
            for one in plans
        ]
        found = await self._gates.may_run(questions, self._principal)
        if all(one.lasts for one in found):
            self._silent_until = None
        return found

    def _be_silent(self, why: str) -> None:
        logger.info(why)
        self._silent_until = self._clock.monotonic() + REST_S

    async def close(self) -> None:
        """Stop asking."""
        await ended([*self._asking])
