"""What is done with one opened execution, from its place in the queue to its end.

Spec: section 6.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from naftiko.errors import StartError
from naftiko.values import JsonObject
from naftiko.workflow.catalog import Entry
from naftiko.workflow.isolation.isolated import IsolationFailed
from naftiko.workflow.ports import AwsFailure, LeaseLost, Principal, StepEvent
from naftiko.workflow.runtime.announced import Announced
from naftiko.workflow.runtime.orders import OnEvent
from naftiko.workflow.runtime.plans import Plans, Runnable
from naftiko.workflow.runtime.policy import Refused
from naftiko.workflow.runtime.remote import RemoteOrder, RemoteRun
from naftiko.workflow.runtime.remote_machine import is_remote, stop_remote
from naftiko.workflow.runtime.shared import Shared, add_warnings
from naftiko.workflow.state.ledger import Ledger, Opened
from naftiko.workflow.state.store import StateUnavailable
from naftiko.workflow.times import time_text
from naftiko.workflow.vm.environment import Ending, Environment
from naftiko.workflow.vm.machine import resume
from naftiko.workflow.vm.retry import code_of
from naftiko.workflow.vm.snapshot import snapshot

logger = logging.getLogger("naftiko")

REVOCATION_S = 1.0
LATER_S = 30.0


@dataclass(slots=True, kw_only=True)
class Running:
    """An execution that this process works at."""

    journal: Announced
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    listeners: list[OnEvent] = field(default_factory=list)
    task: asyncio.Task[Ending] | None = None
    latest: StepEvent | None = None

    def tell(self, event: StepEvent) -> None:
        """Pass an event on to everybody who waits."""
        self.latest = event
        for listener in self.listeners:
            listener(event)

    @contextmanager
    def told(self, on_event: OnEvent | None) -> Iterator[None]:
        """Tell somebody of the events meanwhile, beginning with the latest one."""
        if on_event is None:
            yield
            return
        if self.latest is not None:  # what happened before somebody listened
            on_event(self.latest)
        self.listeners.append(on_event)
        try:
            yield
        finally:
            self.listeners.remove(on_event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one launch of an execution is to do."""

    opened: Opened
    runnable: Runnable | None
    running: Running
    records: Sequence[JsonObject]
    warnings: Sequence[str]
    confirm_token: str | None
    is_new: bool


class Later(Exception):  # noqa: N818 - an event: somebody resumes it in a while
    """An execution that has begun cannot be continued here and now."""


class Worker:
    """Runs executions that have been opened."""

    def __init__(self, shared: Shared, plans: Plans, ledger: Ledger) -> None:
        """Take the parts."""
        self._shared = shared
        self._plans = plans
        self._ledger = ledger

    async def work(self, work: Work) -> Ending:
        """Run an execution once there is a place for it; it is closed when this returns.

        Raises: Later, LeaseLost, StateUnavailable; CancelledError: another worker goes on with it.
        """
        opened = work.opened
        try:
            async with self._shared.slots:
                return await self._run(work)
        except asyncio.CancelledError:
            with suppress(LeaseLost, StateUnavailable):
                await opened.give_back()
            raise
        except Later as later:
            logger.warning("the execution %s cannot go on now: %s", opened.id, later)
            with suppress(LeaseLost, StateUnavailable):
                await opened.put_off(LATER_S)
            raise
        except (LeaseLost, StateUnavailable):
            logger.warning("the execution %s goes on once its lease is over", opened.id)
            raise
        except Exception:
            logger.exception("the execution %s was stopped by an error of the engine", opened.id)
            raise
        finally:
            await opened.abandon()

    async def _run(self, work: Work) -> Ending:
        opened, runnable = work.opened, work.runnable
        if opened.row.status != "running":
            await opened.set_status("running")
        if not work.records:
            ending = await self._broken(opened, "Cancelled", "it was interrupted before it began")
        elif runnable is None:
            await stop_remote(work.records, self._shared.gates.call)
            ending = await self._broken(opened, "IntegrityError", "its plan may no longer run here")
        else:
            ending = await _while_ours(self._executed(work, runnable), opened)
        add_warnings(ending.result, work.warnings)
        if ending.status == "awaiting_confirmation":
            await opened.wait_for_confirmation(self._patience_s(ending))
        else:
            reuse = runnable is not None and runnable.is_cached and ending.status == "succeeded"
            await opened.finish(ending.status, reuse=reuse)
        logger.info("workflow execution %s: %s", opened.id, ending.status)
        return ending

    def _patience_s(self, ending: Ending) -> float:
        """Return for how long a confirmation may still come."""
        assert ending.next is not None  # it awaits one
        until = datetime.fromisoformat(str(ending.next["expires_at"]))
        return max(0.0, (until - self._shared.clock.now()).total_seconds())

    async def _executed(self, work: Work, runnable: Runnable) -> Ending:
        opened = work.opened
        if is_remote(work.records):
            return await self._watched(work, runnable)
        try:
            env = await self._environment(work, runnable)
        except (Refused, AwsFailure) as error:
            if not work.is_new:
                raise Later("AWS does not let it go on") from None
            code = code_of(error) if isinstance(error, AwsFailure) else error.data.get("aws_code")
            message = "AWS does not let the execution begin"
            return await self._broken(opened, "AwsError", message, aws_code=str(code or ""))
        except StartError as error:
            return await self._broken(opened, "PermissionDenied", error.message)
        cancel = opened.cancelled.is_set()
        if not self._shared.is_apart(runnable):
            token = work.confirm_token
            return await resume(
                runnable.program, work.records, env, confirm_token=token, cancel=cancel
            )
        try:
            return await self._shared.isolated.resume(
                runnable.plan, work.records, env, cancel=cancel
            )
        except IsolationFailed as error:
            return await self._broken(opened, "IsolationFailed", str(error))

    async def _watched(self, work: Work, runnable: Runnable) -> Ending:
        """Run it in Step Functions, or watch it there."""
        opened, start, gates = work.opened, work.records[0], self._shared.gates
        parameters, principal = start["parameters"], start["principal"]
        assert isinstance(parameters, dict)
        assert isinstance(principal, dict)
        try:
            _check_place(await gates.principal("full"), principal)
        except Refused as error:
            raise Later(error.message) from None
        order = RemoteOrder(machine=str(start["machine"]), parameters=parameters)
        remote = RemoteRun(
            plan=runnable.plan,
            program=runnable.program,
            execution_id=opened.id,
            call=gates.call,
            clock=self._shared.clock,
            journal=opened.journal,
            principal=Principal(**{name: str(value) for name, value in principal.items()}),
            cancelled=work.running.cancelled,
            revoked=self._revocation(runnable.entry),
            tell=work.running.tell,
            records=work.records,
            order=order if work.is_new else None,
            cancel=opened.cancelled.is_set(),
        )
        return await remote.ended()

    async def _environment(self, work: Work, runnable: Runnable) -> Environment:
        gates, start = self._shared.gates, work.records[0]
        principal = await gates.principal("full")
        recorded, parameters = start["principal"], start["parameters"]
        assert isinstance(recorded, dict)
        assert isinstance(parameters, dict)
        _check_place(principal, recorded)
        return replace(
            self._shared.bare(principal),
            call=await gates.call_of(work.opened.id, runnable, parameters, principal),
            journal=work.running.journal,
            on_event=work.running.tell,
            cancelled=work.running.cancelled,
            revoked=self._revocation(runnable.entry),
        )

    def _revocation(self, entry: Entry) -> Callable[[str], bool]:
        """Return what looks at most every second whether a plan has been revoked."""
        looked: list[float] = []
        answer = False

        def revoked(checksum: str) -> bool:
            nonlocal answer
            now = self._shared.clock.monotonic()
            if not looked or now - looked[0] >= REVOCATION_S:
                looked[:] = [now]
                answer = self._plans.is_revoked_checksum(entry, checksum)
            return answer

        return revoked

    async def _broken(
        self, opened: Opened, type_: str, message: str, *, aws_code: str = ""
    ) -> Ending:
        """End an execution that cannot go on."""
        found = await self._ledger.read(opened.id)
        records = found[1] if found is not None else ()
        program = self._plans.program(opened.row.checksum)
        error: JsonObject = {"type": type_, "step_id": None, "message": message}
        if aws_code:
            error["aws_code"] = aws_code
        known = snapshot(opened.id, "failed", records, program, self._shared.bare(Principal()))
        now = self._shared.clock.now()
        result: JsonObject = {**known, "error": error, "finished_at": time_text(now)}
        at = round(now.timestamp(), 3)
        await opened.append({"r": "end", "at": at, "e": 0, "status": "failed", "result": result})
        return Ending(status="failed", result=result)


def _check_place(principal: Principal, recorded: JsonObject) -> None:
    """See that an execution goes on where it began: its machine and its things are there alone.

    Raises: Later.
    """
    if (principal.account_id, principal.region) != (recorded["account_id"], recorded["region"]):
        raise Later("it began in another account or region")


async def _while_ours(machine: Coroutine[object, object, Ending], opened: Opened) -> Ending:
    """Run the machine until it ends, or until another worker has the execution.

    Raises: LeaseLost.
    """
    work = asyncio.create_task(machine)
    lost = asyncio.create_task(opened.lost.wait())
    try:
        await asyncio.wait({work, lost}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise LeaseLost
        return work.result()
    finally:
        for task in (work, lost):
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task
