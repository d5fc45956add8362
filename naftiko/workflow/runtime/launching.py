"""Executions begin, or are taken up again; those that this process works at are found here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from naftiko.values import JsonObject
from naftiko.workflow.ports import AwsFailure, Principal
from naftiko.workflow.runtime.announced import Announced
from naftiko.workflow.runtime.orders import Order
from naftiko.workflow.runtime.plans import Plans, Runnable
from naftiko.workflow.runtime.policy import Refused
from naftiko.workflow.runtime.remote_machine import TARGET, machine_of
from naftiko.workflow.runtime.shared import Shared
from naftiko.workflow.runtime.waiting import Aside, ended, look_at
from naftiko.workflow.runtime.worker import LATER_S, Running, Work, Worker
from naftiko.workflow.state.ledger import Joined, KeyReused, Ledger, NewExecution, Opened
from naftiko.workflow.state.sealing import StateUnreadable
from naftiko.workflow.vm.environment import Ending, Start
from naftiko.workflow.vm.machine import begin
from naftiko.workflow.vm.retry import code_of

logger = logging.getLogger("naftiko")


class Launcher:
    """Opens executions, and makes tasks of them.

    What it does in between is done `aside`: a caller who stops waiting leaves nothing half open.
    """

    def __init__(
        self, shared: Shared, plans: Plans, ledger: Ledger, new_id: Callable[[], str]
    ) -> None:
        """Take the parts; nothing is launched yet."""
        self.running: dict[str, Running] = {}
        self.aside = Aside()
        self._shared = shared
        self._plans = plans
        self._ledger = ledger
        self._new_id = new_id
        self._worker = Worker(shared, plans, ledger)
        self._admitted = 0
        self._given_up: set[str] = set()

    async def admit(
        self,
        runnable: Runnable,
        order: Order,
        parameters: JsonObject,
        principal: Principal,
        warnings: Sequence[str],
    ) -> Joined | tuple[str, Running]:
        """Launch a new execution, or find the one that does the same already.

        Raises: Refused[Busy, IdempotencyConflict]; StateUnavailable.
        """
        policy = self._shared.policy
        if self._admitted >= policy.max_parallel + policy.max_queued:
            raise Refused("Busy", f"{self._admitted} executions run or wait here already")
        self._admitted += 1  # until it is launched, which counts it itself
        return await self.aside.do(self._begin(runnable, order, parameters, principal, warnings))

    async def _begin(
        self,
        runnable: Runnable,
        order: Order,
        parameters: JsonObject,
        principal: Principal,
        warnings: Sequence[str],
    ) -> Joined | tuple[str, Running]:
        """Write an execution down, so that it is not lost even while it waits for a place."""
        try:
            opened = await self._open(runnable, order, parameters, principal)
            if isinstance(opened, Joined):
                return opened
            start = Start(
                execution_id=opened.id,
                parameters=order.parameters,
                mode=order.mode,
                idempotency_key=order.idempotency_key,
            )
            env = replace(self._shared.bare(principal), journal=opened.journal)
            more: JsonObject = {}
            if self._shared.gates.is_for_remote(order):
                more = {"target": TARGET, "machine": machine_of(runnable.plan, principal)}
            try:
                record = await begin(runnable.program, start, env, more)
            except BaseException:
                await opened.abandon()
                raise
            return opened.id, self._launch(opened, runnable, [record], warnings, is_new=True)
        finally:
            self._admitted -= 1

    async def _open(
        self, runnable: Runnable, order: Order, parameters: JsonObject, principal: Principal
    ) -> Opened | Joined:
        new = NewExecution(
            id=self._new_id(),
            workflow_id=str(runnable.plan["workflow_id"]),
            checksum=runnable.verified.checksum,
            principal=principal.arn,
            region=principal.region,
            parameters=parameters,
            mode=order.mode,
            cache=runnable.is_cached,
            idempotency_key=order.idempotency_key,
            target=order.target or self._shared.policy.target,
        )
        try:
            return await self._ledger.open(new)
        except KeyReused:
            raise Refused(
                "IdempotencyConflict",
                "the idempotency key was used with another workflow or other parameters",
            ) from None

    async def reopen(
        self, execution_id: str, confirm_token: str | None, *, cancel: bool
    ) -> Running | None:
        """Go on with an execution that nobody works at; None if another worker does.

        Raises: StateUnavailable, StateUnreadable.
        """
        return await self.aside.do(self._reopened(execution_id, confirm_token, cancel=cancel))

    async def _reopened(
        self, execution_id: str, confirm_token: str | None, *, cancel: bool
    ) -> Running | None:
        opened = await self._ledger.reopen(execution_id)
        if opened is None:
            return self.running.get(execution_id)
        if cancel:
            opened.cancelled.set()
        runnable = self._runnable_of(opened)
        return self._launch(opened, runnable, opened.records, confirm_token=confirm_token)

    async def take_up(self, execution_id: str) -> bool:
        """Go on with what another worker left; tell whether that can be done here."""
        return await self.aside.do(self._taken_up(execution_id))

    async def _taken_up(self, execution_id: str) -> bool:
        try:
            opened = await self._ledger.reopen(execution_id)
        except (StateUnreadable, AwsFailure) as error:
            level = logging.DEBUG if execution_id in self._given_up else logging.WARNING
            # What AWS says is data: of its refusals the log shows the code.
            why = code_of(error) or error.kind if isinstance(error, AwsFailure) else error
            logger.log(level, "the execution %s cannot be resumed: %s", execution_id, why)
            self._given_up.add(execution_id)
            return False
        if opened is None:
            return False
        if self._plans.entry_of(opened.row.checksum) is None and not opened.cancelled.is_set():
            # Another worker may have it, or this one after its catalog has been brought up to date.
            logger.warning("the execution %s waits for its plan, which is not here", opened.id)
            await opened.put_off(LATER_S)
            return False
        self._launch(opened, self._runnable_of(opened), opened.records)
        return True

    def _runnable_of(self, opened: Opened) -> Runnable | None:
        """Return the workflow of an execution; None where it may no longer run."""
        entry = self._plans.entry_of(opened.row.checksum)
        if entry is None:
            return None
        try:
            return self._plans.runnable(entry.ref, self._shared.clock.now())
        except Refused as error:
            logger.warning("the execution %s cannot go on: %s", opened.id, error.message)
            return None

    def _launch(
        self,
        opened: Opened,
        runnable: Runnable | None,
        records: Sequence[JsonObject],
        warnings: Sequence[str] = (),
        *,
        confirm_token: str | None = None,
        is_new: bool = False,
    ) -> Running:
        running = Running(journal=Announced(opened.journal), cancelled=opened.cancelled)
        self.running[opened.id] = running
        self._admitted += 1
        work = Work(
            opened=opened,
            runnable=runnable,
            running=running,
            records=records,
            warnings=warnings,
            confirm_token=confirm_token,
            is_new=is_new,
        )
        task = asyncio.create_task(self._worked(work), name=f"workflow execution {opened.id}")
        task.add_done_callback(look_at)
        running.task = task
        return running

    async def _worked(self, work: Work) -> Ending:
        try:
            return await self._worker.work(work)
        finally:
            self._admitted -= 1
            self.running.pop(work.opened.id, None)

    async def leave(self, within_s: float) -> None:
        """Let go of everything that runs; changes under way are waited for, `within_s` each."""
        leaving = [self._leave(one, within_s) for one in self.running.values()]
        await asyncio.gather(*leaving, return_exceptions=True)

    async def _leave(self, running: Running, within_s: float) -> None:
        task = running.task
        assert task is not None  # launched
        await running.journal.leave(task, self._shared.clock, within_s)
        await ended([task])
