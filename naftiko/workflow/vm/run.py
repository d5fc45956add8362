"""One execution under way: its clock, its deadlines, what it has used. Spec: sections 6.4, 6.9."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.ports import AwsAnswer, AwsFailure, AwsRequest, StepEvent
from naftiko.workflow.vm.breaker import Breaker
from naftiko.workflow.vm.environment import Environment
from naftiko.workflow.vm.failures import Halt, StepFailure
from naftiko.workflow.vm.masking import Masking
from naftiko.workflow.vm.program import Call, Program
from naftiko.workflow.vm.records import History, Recorder
from naftiko.workflow.vm.retry import BREAKING, class_of
from naftiko.workflow.vm.scope import Facts, Frame

GRACE_S = 2.0
"""How long after its own timeout a request is given up that did not keep it."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """Until when, in monotonic seconds. `kind`: `step`, `workflow` or `rollback`.

    A wait against a `rollback` deadline does not look whether the execution was cancelled.
    """

    at: float
    kind: str

    def within(self, seconds: float, clock_s: float) -> Deadline:
        """Return the deadline of a step that begins now and may take `seconds`."""
        own = clock_s + seconds
        if own >= self.at:
            return self
        return Deadline(own, "rollback" if self.kind == "rollback" else "step")

    def expired(self) -> Halt | StepFailure:
        """Return what is to be raised when it has passed."""
        if self.kind == "workflow":
            return Halt("timed_out")
        return StepFailure("StepTimeout", "the step did not end within its time")


class Run:
    """What all operations of an execution share."""

    def __init__(
        self, program: Program, env: Environment, facts: Facts, mode: str, history: History
    ) -> None:
        """Go on from `history`, which may be empty."""
        self.program = program
        self.env = env
        self.clock = env.clock
        self.facts = facts
        self.mode = mode
        self.history = history
        used = history.used_s(env.clock.now().timestamp())
        self.recorder = Recorder(env.journal, env.clock, used)
        self.deadline = Deadline(self.recorder.began + program.max_duration_s, "workflow")
        self.frame = Frame(facts)
        self.warnings: list[JsonValue] = []
        self.stored_bytes = 0
        self.finished = 0
        self.cancel_asked = False
        self.confirm_token: str | None = None
        self.secrets = Masking()
        for name in program.sensitive:
            self.secrets.add(facts.parameters.get(name))
        self.flying = {
            part
            for key in history.flights
            if key not in history.done
            for part in (key, key.split("[", 1)[0])
        }

    def stopping(self) -> Halt | None:
        """Return why the execution may not begin another operation."""
        if self.cancel_asked or self.env.cancelled.is_set():
            return Halt("cancelled")
        if self.env.revoked(self.program.checksum):
            return Halt("revoked")
        if self.clock.monotonic() >= self.deadline.at:
            return Halt("timed_out")
        return None

    def error_of(self, failure: StepFailure, step_id: str | None) -> JsonObject:
        """Return the error object of a failure, without the secrets that AWS may have repeated."""
        error = failure.to_json(step_id)
        if "data" in error:
            error["data"] = self.secrets.masked(error["data"])
        code = error.get("aws_code")
        if code is not None and self.secrets.masked(code) != code:
            del error["aws_code"]
        return error

    def event(self, step_id: str, op: str, phase: str, attempt: int = 0) -> None:
        """Tell that something happened."""
        self.env.on_event(
            StepEvent(
                execution_id=self.facts.execution_id,
                step_id=step_id,
                op=op,
                phase=phase,
                done=self.finished,
                total=len(self.program.ops),
                attempt=attempt,
            )
        )

    def warn(self, step_id: str, message: str) -> None:
        """Note what did not stop the execution."""
        found: JsonObject = {"step_id": step_id, "message": message}
        if found not in self.warnings:
            self.warnings.append(found)

    async def sleep(self, seconds: float, deadline: Deadline) -> None:
        """Wait, but not past the deadline and not once cancelled.

        Raises: Halt, StepFailure[StepTimeout].
        """
        left = deadline.at - self.clock.monotonic()
        await self._rest(max(0.0, min(seconds, left)), deadline)
        if deadline.kind != "rollback" and self.env.cancelled.is_set():
            raise Halt("cancelled")
        if seconds >= left:
            raise deadline.expired()

    async def _rest(self, seconds: float, deadline: Deadline) -> None:
        if deadline.kind == "rollback":
            await self.clock.sleep(seconds)
            return
        if self.env.cancelled.is_set():
            return
        sleeping = asyncio.ensure_future(self.clock.sleep(seconds))
        stopping = asyncio.ensure_future(self.env.cancelled.wait())
        both = (sleeping, stopping)
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    def breaker(self, call: Call, region: str | None) -> Breaker:
        """Return the breaker in front of a service.

        Raises: AwsFailure of kind `circuit`, while it is open.
        """
        principal = self.facts.principal
        found = self.env.breakers.of(principal.account_id, region or principal.region, call.service)
        if not found.admits(self.clock):
            raise AwsFailure("circuit", sent=False)
        return found

    async def send(self, request: AwsRequest, breaker: Breaker) -> AwsAnswer:
        """Send one request and tell the breaker what came of it.

        Raises: AwsFailure.
        """
        heard = False
        try:
            async with asyncio.timeout(request.timeout_s + GRACE_S):
                answer = await self.env.call(request)
            heard = True
            breaker.succeeded()
        except TimeoutError:
            heard = True
            breaker.failed(self.clock)
            raise AwsFailure("timeout") from None
        except AwsFailure as failure:
            heard = failure.kind != "not_sent"
            if class_of(failure) in BREAKING:
                breaker.failed(self.clock)
            elif heard:
                breaker.succeeded()
            raise
        finally:
            if not heard:
                breaker.abandoned()
        return answer

    def keep(self, size: int) -> None:
        """Count what is kept of answers.

        Raises: StepFailure[TypeMismatch].
        """
        limits = self.env.limits
        self.stored_bytes += size
        if size > limits.step_output_bytes:
            raise StepFailure(
                "TypeMismatch",
                f"the selected outputs are larger than {limits.step_output_bytes // 1024} KiB",
            )
        if self.stored_bytes > limits.execution_output_bytes:
            whole = limits.execution_output_bytes // (1024 * 1024)
            raise StepFailure(
                "TypeMismatch", f"the execution's selected outputs are larger than {whole} MiB"
            )
