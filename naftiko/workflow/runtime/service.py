"""Executes workflows: gates, ledger, machine; joins, confirms, cancels, resumes. Spec: section 6.

One service a process. Executions are tasks of their own: a caller who stops waiting leaves its
execution running, and finds it again by its id.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from naftiko.values import JsonObject
from naftiko.workflow.ports import Chance, Clock, LeaseLost, Principal
from naftiko.workflow.runtime.gates import Access, Gates
from naftiko.workflow.runtime.launching import Launcher
from naftiko.workflow.runtime.orders import OnEvent, Order, check_order
from naftiko.workflow.runtime.plans import Plans
from naftiko.workflow.runtime.policy import Policy, Refused
from naftiko.workflow.runtime.preview import preview
from naftiko.workflow.runtime.shared import Shared
from naftiko.workflow.runtime.waiting import done_within, ended
from naftiko.workflow.runtime.worker import Later, Running
from naftiko.workflow.state.ledger import Joined, Ledger
from naftiko.workflow.state.store import Execution, Page, StateUnavailable
from naftiko.workflow.vm.environment import Start
from naftiko.workflow.vm.failures import InvalidParameters
from naftiko.workflow.vm.parameters import check_parameters
from naftiko.workflow.vm.program import Program
from naftiko.workflow.vm.snapshot import snapshot

logger = logging.getLogger("naftiko")

SCAN_S = 10.0
LOOK_S = 1.0
DUE_AT_ONCE = 100
LEAVE_S = 5.0
"""How long a worker that ends waits for the changes that are under way."""


class WorkflowService:
    """Runs the workflows of a catalog."""

    def __init__(
        self,
        plans: Plans,
        ledger: Ledger,
        access: Access,
        clock: Clock,
        *,
        policy: Policy,
        confirm_key: bytes,
        chance: Chance | None = None,
        new_id: Callable[[], str],
        leave_s: float = LEAVE_S,
    ) -> None:
        """Take the parts; nothing is opened yet."""
        self.plans = plans
        self.ledger = ledger
        self.clock = clock
        self.policy = policy
        self.gates = Gates(access, clock, policy)
        self._new_id = new_id
        self._leave_s = leave_s
        self._shared = Shared(
            self.gates,
            clock,
            policy=policy,
            chance=chance or random.SystemRandom(),
            confirm_key=confirm_key,
        )
        self._launcher = Launcher(self._shared, plans, ledger, new_id)
        self._scanning: asyncio.Task[None] | None = None
        self._started = asyncio.Lock()
        self._is_open = False
        self._is_leaving = False
        self.scans = True
        """Whether it takes up what other workers left, without being asked."""

    # -- life ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the ledger, and take up what other workers left.

        Raises: StateError, StateUnavailable.
        """
        async with self._started:
            if self._is_open:
                return
            await self.ledger.start()
            self._is_open = True
            if self.scans:
                self._scanning = asyncio.create_task(self._scan())

    async def close(self) -> None:
        """Let go of everything that runs, to be resumed by the next worker.

        Changes that AWS is about to make are waited for, for a short while, so that the next worker
        knows what came of them.
        """
        self._is_leaving = True
        try:
            scanning, self._scanning = self._scanning, None
            await ended([scanning] if scanning is not None else [])
            await self._launcher.aside.settled()
            await self._launcher.leave(self._leave_s)
            await self._shared.isolated.close()
            if self._is_open:
                self._is_open = False
                await self.ledger.close()
        finally:
            self._is_leaving = False

    async def _scan(self) -> None:
        while True:
            try:
                await self.resume_due()
            except StateUnavailable as error:
                logger.warning("the workflow state does not answer: %s", error)
            await self.clock.sleep(SCAN_S)

    async def resume_due(self) -> int:
        """Take up executions whose worker has gone, and end those whose confirmation is late."""
        rows = await self.ledger.due(DUE_AT_ONCE)
        taken = 0
        for row in rows:
            if row.id in self._launcher.running:
                continue
            if await self._launcher.take_up(row.id):
                taken += 1
        return taken

    def _check_open(self) -> None:
        if self._is_leaving:
            raise Refused("Busy", "this worker ends")

    # -- what callers ask ---------------------------------------------------------------------

    async def execute(
        self, order: Order, *, on_event: OnEvent | None = None, wait_s: float | None = None
    ) -> JsonObject:
        """Execute a workflow; returns its result, or what is known after `wait_s`.

        Raises: Refused; StateUnavailable.
        """
        self._check_open()
        await self.start()
        check_order(order)
        await self.plans.looked()
        runnable = self.plans.runnable(order.workflow, self.clock.now())
        principal = await self.gates.principal(order.mode)
        parameters = _checked(runnable.program, order.parameters)
        await self.gates.check_target(runnable, order, principal)
        warnings = [
            *await self.gates.permitted(runnable, parameters, principal, order),
            *self.plans.advice(runnable.entry),
        ]
        if order.mode in {"plan", "dry_run"}:
            start = Start(execution_id=self._new_id(), parameters=order.parameters, mode=order.mode)
            return await preview(self._shared, runnable, start, principal, warnings)
        opened = await self._launcher.admit(runnable, order, parameters, principal, warnings)
        if isinstance(opened, Joined):
            return await self._joined(opened.row, on_event, wait_s)
        return await self._wait(*opened, on_event, wait_s)

    async def go_on(
        self,
        execution_id: str,
        *,
        confirm_token: str | None = None,
        cancel: bool = False,
        on_event: OnEvent | None = None,
        wait_s: float | None = None,
    ) -> JsonObject:
        """Confirm what an execution waits for, or cancel it.

        Raises: Refused[UnknownExecution, Busy]; StateUnavailable, StateUnreadable.
        """
        self._check_open()
        await self.start()
        launcher = self._launcher
        running = launcher.running.get(execution_id)
        if running is None:
            row = await self._row(execution_id)
            if row.is_finished:
                return await self.get(execution_id)
            running = await launcher.reopen(execution_id, confirm_token, cancel=cancel)
        if running is None:
            # This process may be about to take it up of its own accord.
            await launcher.aside.settled()
            running = launcher.running.get(execution_id)
        if running is None:
            return await self._elsewhere(execution_id, cancel=cancel)
        if cancel:
            running.cancelled.set()
        return await self._wait(execution_id, running, on_event, wait_s)

    async def get(self, execution_id: str) -> JsonObject:
        """Return an execution as it stands.

        Raises: Refused[UnknownExecution]; StateUnavailable, StateUnreadable.
        """
        await self.start()
        found = await self.ledger.read(execution_id)
        if found is None:
            raise _unknown(execution_id)
        row, records = found
        # That of a plan which has run here, or lies in the catalog.
        program = self.plans.program(row.checksum)
        return snapshot(row.id, row.status, records, program, self._shared.bare(Principal()))

    async def executions(
        self, status: str | None = None, limit: int = 100, cursor: str | None = None
    ) -> Page:
        """Return executions, newest first."""
        await self.start()
        return await self.ledger.list(status, limit, cursor)

    # -- waiting ------------------------------------------------------------------------------

    async def _wait(
        self,
        execution_id: str,
        running: Running,
        on_event: OnEvent | None,
        wait_s: float | None,
    ) -> JsonObject:
        task = running.task
        assert task is not None  # launched
        with running.told(on_event):
            await done_within(task, self.clock, wait_s)
        if not task.done():
            return await self.get(execution_id)
        if task.cancelled():
            raise Refused(
                "Busy",
                "this worker ends, and the execution goes on once another one begins",
                execution_id=execution_id,
            )
        if isinstance(task.exception(), LeaseLost | Later):
            return await self.get(execution_id)
        return task.result().result

    async def _joined(
        self, row: Execution, on_event: OnEvent | None, wait_s: float | None
    ) -> JsonObject:
        """Wait for the execution that does the same already."""
        until = None if wait_s is None else self.clock.monotonic() + wait_s
        found: Execution | None = row
        while found is not None and not found.is_finished:
            left = None if until is None else max(0.0, until - self.clock.monotonic())
            running = self._launcher.running.get(row.id)
            if running is not None:
                return await self._wait(row.id, running, on_event, left)
            if found.status == "awaiting_confirmation" or left == 0.0:
                break
            await self.clock.sleep(LOOK_S)
            found = await self.ledger.peek(row.id)
        result = await self.get(row.id)
        return {**result, "cached": row.is_finished}

    async def _elsewhere(self, execution_id: str, *, cancel: bool) -> JsonObject:
        """Answer for an execution that another worker runs."""
        if cancel:
            await self.ledger.ask_cancel(execution_id)
        return await self.get(execution_id)

    async def _row(self, execution_id: str) -> Execution:
        row = await self.ledger.peek(execution_id)
        if row is None:
            raise _unknown(execution_id)
        return row


def _checked(program: Program, parameters: JsonObject) -> JsonObject:
    """Return the parameters as the schema has them.

    Raises: Refused[InvalidParameters].
    """
    try:
        return check_parameters(program, parameters)
    except InvalidParameters as error:
        found = error.to_json()
        raise Refused("InvalidParameters", str(found["message"]), data=found.get("data")) from None


def _unknown(execution_id: str) -> Refused:
    return Refused("UnknownExecution", f"there is no execution `{execution_id[:64]}`")
