"""Executions that Step Functions runs: started, watched, stopped, told of. Spec: section 11.

The execution's name there is its id here, so that starting it again finds the one that runs. What
the machine's history tells is written to the ledger as the engine's own machine would have written
it: whoever asks sees how far it is, and another worker goes on watching after a crash.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.asl import execution_input
from naftiko.workflow.ports import (
    AwsFailure,
    CallAws,
    Clock,
    Journal,
    Principal,
    StepEvent,
)
from naftiko.workflow.runtime.policy import Refused
from naftiko.workflow.runtime.remote_history import MESSAGES, RemoteHistory, error_of
from naftiko.workflow.runtime.remote_machine import TARGET, check_deployed, logger, send
from naftiko.workflow.times import time_text
from naftiko.workflow.vm.confirm import MASK
from naftiko.workflow.vm.environment import Cancelled, Ending
from naftiko.workflow.vm.program import Program
from naftiko.workflow.vm.records import Done, History, Recorder
from naftiko.workflow.vm.results import step_of
from naftiko.workflow.vm.retry import class_of, code_of

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 15.0
STARTS = 6
LOST_S = 600.0
"""How long Step Functions may give no answer before the execution is given up here."""

PAGE = 1_000
MAX_PAGES = 26
"""An execution has 25,000 events at most."""

_RUNNING = frozenset({"RUNNING", "PENDING_REDRIVE"})
_FAILED = frozenset({"failed", "rolled_back", "rollback_failed", "timed_out"})
_NOT_ROLLED_BACK = (
    "nothing was rolled back: an execution that is stopped in Step Functions ends at once, and a "
    "call under way may have had its effect"
)


class Events(Protocol):
    """What hears how an execution goes on."""

    def __call__(self, event: StepEvent, /) -> None:
        """Take an event."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteOrder:
    """What is to be started. `parameters` have been checked, and `machine` too."""

    machine: str
    parameters: JsonObject
    mode: str = "full"
    idempotency_key: str | None = None


@dataclass(slots=True, kw_only=True)
class RemoteRun:
    """One execution, watched to its end. `records` are those of the ledger so far."""

    plan: JsonObject
    program: Program
    execution_id: str
    call: CallAws
    clock: Clock
    journal: Journal
    principal: Principal
    cancelled: Cancelled
    revoked: Callable[[str], bool]
    tell: Events
    records: Sequence[JsonObject] = ()
    order: RemoteOrder | None = None
    cancel: bool = False
    warnings: list[JsonValue] = field(default_factory=list)
    _stopped: str = ""
    _known: History = field(init=False)
    _remote: RemoteHistory = field(init=False)
    _recorder: Recorder = field(init=False)

    def __post_init__(self) -> None:
        """Read what is known already."""
        self._known = History(self.records)
        self._remote = RemoteHistory(self.program)
        used = self._known.used_s(self.clock.now().timestamp())
        self._recorder = Recorder(self.journal, self.clock, used)

    async def ended(self) -> Ending:
        """Start the execution, or find it, and watch it to its end.

        Raises: LeaseLost, and what the journal raises.
        """
        if self._known.end is not None:
            result = self._known.end["result"]
            assert isinstance(result, dict)
            return Ending(status=str(result["status"]), result=result)
        if self._known.start is None:
            await self._begin()
        refused = await self._start()
        if refused is not None:
            return await self._end("failed", error=refused)
        return await self._watch()

    # -- starting -----------------------------------------------------------------------------

    async def _begin(self) -> None:
        order = self.order
        if order is None:
            raise ValueError("the records have no start")
        principal = self.principal
        self._known.start = await self._recorder.write(
            "start",
            body={
                "execution_id": self.execution_id,
                "checksum": self.program.checksum,
                "parameters": order.parameters,
                "mode": order.mode,
                "now": time_text(self.clock.now()),
                "principal": {
                    "account_id": principal.account_id,
                    "arn": principal.arn,
                    "region": principal.region,
                    "partition": principal.partition,
                },
                "idempotency_key": order.idempotency_key,
                "target": TARGET,
                "machine": order.machine,
            },
        )

    async def _start(self) -> JsonObject | None:
        """Start it, whether it runs already or not; returns the error if it cannot be."""
        if any(record["r"] == "remote" for record in self.records):
            return None
        refused = await self._check_start()
        if refused is not None:
            return refused
        members: JsonObject = {
            "stateMachineArn": self._text("machine"),
            "name": self.execution_id,
            "input": json.dumps(self._input(), ensure_ascii=False, separators=(",", ":")),
        }
        failure = await self._request_start(members)
        if failure is not None:
            return _error(
                "AwsError",
                "Step Functions did not start the execution",
                aws_code=code_of(failure) or failure.kind,
            )
        await self._recorder.write("remote", body={"execution": self._arn})
        return None

    async def _check_start(self) -> JsonObject | None:
        if self.cancel or self.cancelled.is_set():
            return await self._cancelled_before()
        if self.order is not None:
            return None  # it has been looked at before the order was taken
        try:
            await check_deployed(self.plan, self.call, self.principal)
        except Refused as refused:
            return {**refused.to_json(), "step_id": None}
        return None

    async def _cancelled_before(self) -> JsonObject | None:
        """Return the error of an execution that was cancelled and need not be started any more.

        None if a worker before this one has started it: then it is stopped there.
        """
        pause = FIRST_PAUSE_S
        for attempt in range(1, STARTS + 1):
            try:
                await send(self.call, "DescribeExecution", {"executionArn": self._arn})
            except AwsFailure as failure:
                if failure.code == "ExecutionDoesNotExist":
                    break
                if attempt == STARTS or not class_of(failure):
                    await self._stop()
                    self._warn("whether the execution had begun there is not known")
                    break
                await self.clock.sleep(pause)
                pause = min(LONGEST_PAUSE_S, 2 * pause)
            else:
                return None
        return _error("Cancelled", "the execution was cancelled before it began")

    async def _request_start(self, members: JsonObject) -> AwsFailure | None:
        """Ask for the start, again where nobody knows what became of it: the name is the same."""
        pause = FIRST_PAUSE_S
        for attempt in range(1, STARTS + 1):
            try:
                await send(self.call, "StartExecution", members, mutating=True)
            except AwsFailure as failure:
                if failure.code == "ExecutionAlreadyExists":
                    return None  # a worker before this one has started it
                if not class_of(failure) or attempt == STARTS:
                    return failure
                await self.clock.sleep(pause)
                pause = min(LONGEST_PAUSE_S, 2 * pause)
            else:
                return None
        return None

    def _input(self) -> JsonObject:
        start = self._known.start
        assert start is not None  # written or read by now
        parameters, principal = start["parameters"], start["principal"]
        assert isinstance(parameters, dict)
        assert isinstance(principal, dict)
        return execution_input(
            self.plan,
            parameters,
            execution_id=self.execution_id,
            now=datetime.fromisoformat(self._text("now")).astimezone(UTC),
            principal=Principal(**{name: str(value) for name, value in principal.items()}),
        )

    def _text(self, name: str) -> str:
        assert self._known.start is not None
        return str(self._known.start[name])

    @property
    def _arn(self) -> str:
        machine = self._text("machine").replace(":stateMachine:", ":execution:", 1)
        return f"{machine}:{self.execution_id}"

    # -- watching -----------------------------------------------------------------------------

    async def _watch(self) -> Ending:
        heard = self.clock.monotonic()
        pause = FIRST_PAUSE_S
        while True:
            self._look_for_stop()
            if self._stopped:
                await self._stop()
            found = await self._describe()
            if found is not None:
                heard = self.clock.monotonic()
                await self._read_history()
                if str(found.get("status")) not in _RUNNING:
                    return await self._ending_of(found)
            elif self.clock.monotonic() - heard > LOST_S:
                error = _error(
                    "AwsError", "Step Functions does not tell what became of the execution"
                )
                self._warn("the execution may still run there")
                return await self._end("failed", error=error)
            await self._rest(pause)
            pause = min(LONGEST_PAUSE_S, 1.5 * pause)

    def _look_for_stop(self) -> None:
        if self._stopped:
            return
        if self.cancel or self.cancelled.is_set():
            self._stopped = "cancelled"
        elif self.revoked(self.program.checksum):
            self._stopped = "revoked"

    async def _stop(self) -> None:
        members: JsonObject = {
            "executionArn": self._arn,
            "error": "IntegrityError" if self._stopped == "revoked" else "Cancelled",
        }
        try:
            await send(self.call, "StopExecution", members, mutating=True)
        except AwsFailure as failure:
            logger.warning(
                "the execution %s was not stopped: %s",
                self.execution_id,
                code_of(failure) or failure.kind,
            )

    async def _describe(self) -> JsonObject | None:
        """Return what Step Functions tells of the execution; None if it does not."""
        try:
            return await send(self.call, "DescribeExecution", {"executionArn": self._arn})
        except AwsFailure:
            return None

    async def _read_history(self) -> None:
        """Read the events since the last look, the newest first, as far back as is needed."""
        events: list[JsonObject] = []
        members: JsonObject = {
            "executionArn": self._arn,
            "reverseOrder": True,
            "maxResults": PAGE,
            "includeExecutionData": True,
        }
        try:
            for _ in range(MAX_PAGES):
                answer = await send(self.call, "GetExecutionHistory", members)
                rows = answer.get("events")
                listed = rows if isinstance(rows, list) else []
                page = [row for row in listed if isinstance(row, dict)]
                events.extend(page)
                token = answer.get("nextToken")
                if not token or not page or _id(page[-1]) <= self._remote.last + 1:
                    break
                members = {**members, "nextToken": token}
        except AwsFailure as failure:
            if not class_of(failure):
                self._warn("the history of the execution cannot be read: its steps are not known")
            return
        for step_id, done in self._remote.read(events[::-1]):
            await self._note(step_id, done)

    async def _note(self, step_id: str, done: Done | None) -> None:
        if step_id not in self._known.done:
            node = self.program.ops[self.program.positions[step_id]]
            if done is not None:
                await self._recorder.write("done", step_id, done.to_json())
            self.tell(
                StepEvent(
                    execution_id=self.execution_id,
                    step_id=step_id,
                    op=node.common.op,
                    phase="started" if done is None else done.status,
                    done=len(self._remote.dones),
                    total=len(self.program.ops),
                    attempt=done.attempts if done is not None else 0,
                )
            )

    async def _rest(self, seconds: float) -> None:
        if self._stopped:
            await self.clock.sleep(seconds)
            return
        sleeping = asyncio.ensure_future(self.clock.sleep(seconds))
        stopping = asyncio.ensure_future(self.cancelled.wait())
        both = (sleeping, stopping)
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    # -- the end ------------------------------------------------------------------------------

    async def _ending_of(self, found: JsonObject) -> Ending:
        status = str(found.get("status"))
        if status == "SUCCEEDED":
            return await self._succeeded(found)
        if status == "ABORTED":
            self._warn(_NOT_ROLLED_BACK)
            if self._stopped == "revoked":
                error = _error("IntegrityError", "the plan was revoked while it ran")
                return await self._end("failed", error=error)
            message = "the execution was cancelled"
            if not self._stopped:
                message = "the execution was stopped in Step Functions"
            return await self._end("cancelled", error=_error("Cancelled", message))
        if status == "TIMED_OUT":
            self._warn("nothing was rolled back: Step Functions ended the execution")
            error = _error("StepTimeout", "the execution did not end within its max_duration")
            return await self._end("timed_out", error=error)
        return await self._failed(found)

    async def _succeeded(self, found: JsonObject) -> Ending:
        try:
            outputs = json.loads(str(found.get("output")))
        except ValueError:
            outputs = None
        if not isinstance(outputs, dict):
            error = _error("TypeMismatch", "Step Functions gives no outputs")
            return await self._end("failed", error=error)
        secret = {name for name, _, is_secret in self.program.outputs if is_secret}
        shown = {
            name: MASK if name in secret and value is not None else value
            for name, value in outputs.items()
        }
        return await self._end("succeeded", outputs=shown)

    async def _failed(self, found: JsonObject) -> Ending:
        """Read the error from the cause that the machine's own end gives."""
        try:
            cause = json.loads(str(found.get("cause")))
        except ValueError:
            cause = None
        status = cause.get("status") if isinstance(cause, dict) else None
        error = error_of(cause.get("error"), self.program) if isinstance(cause, dict) else None
        if status not in _FAILED or error is None:
            self._warn("nothing was rolled back: the state machine itself failed")
            said = AwsFailure("fault", code=str(found.get("error", "")))
            error = _error("AwsError", "the state machine failed", aws_code=code_of(said))
            return await self._end("failed", error=error)
        if status == "timed_out":
            error["message"] = "the execution did not end within its max_duration"
        return await self._end(str(status), error=error)

    async def _end(
        self, status: str, *, outputs: JsonObject | None = None, error: JsonObject | None = None
    ) -> Ending:
        if error is not None and error["type"] == "Cancelled":
            status = "cancelled"
        dones = {**self._known.done, **self._remote.dones}
        result: JsonObject = {
            "execution_id": self.execution_id,
            "workflow": self.program.workflow,
            "status": status,
            "mode": self._text("mode"),
            "cached": False,
            "started_at": self._text("now"),
            "finished_at": time_text(self.clock.now()),
            "steps": [
                step_of(node, dones[node.common.step_id])
                for node in self.program.ops
                if node.common.step_id in dones
            ],
            "outputs": outputs or {},
            "warnings": self.warnings,
        }
        if error is not None:
            result["error"] = error
        handlers = self._remote.handlers()
        if handlers:
            result["rollback"] = handlers
        await self._recorder.write("end", body={"status": status, "result": result})
        return Ending(status=status, result=result)

    def _warn(self, message: str) -> None:
        found: JsonObject = {"step_id": "", "message": message}
        if found not in self.warnings:
            self.warnings.append(found)


def _error(type_: str, message: str = "", *, aws_code: str = "") -> JsonObject:
    error: JsonObject = {"type": type_, "step_id": None, "message": message or MESSAGES[type_]}
    if aws_code:
        error["aws_code"] = aws_code
    return error


def _id(event: JsonObject) -> int:
    number = event.get("id")
    return number if isinstance(number, int) else 0
