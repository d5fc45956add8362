"""One AWS call that changes something: announced, sent, repeated where that does no harm.

Spec: sections 6.3 (retry, ambiguity), 6.7 (idempotency).
"""

from __future__ import annotations

import math

from naftiko.values import JsonObject
from naftiko.workflow.ports import AwsFailure, AwsRequest
from naftiko.workflow.vm.calls import Tally, Where, failed, read, region_of, request_of, selected
from naftiko.workflow.vm.data import Path, WrongData, fits, moment
from naftiko.workflow.vm.failures import Halt, StepFailure
from naftiko.workflow.vm.program import Call
from naftiko.workflow.vm.records import Flight
from naftiko.workflow.vm.retry import class_of, delay_s, is_gone, is_retried, is_unknown
from naftiko.workflow.vm.run import Deadline, Run


async def change(
    run: Run,
    call: Call,
    members: JsonObject,
    where: Where,
    tally: Tally,
    *,
    is_undoing: bool = False,
) -> JsonObject:
    """Make a call that changes something; return its selected outputs.

    `is_undoing`: it takes back what another call did, and is content if that is gone already.

    Raises: StepFailure (with `effect`, if it is known to have had one), Halt.
    """
    sending = _Change(run, call, members, region_of(call, where), where, tally)
    sending.is_undoing = is_undoing
    return await sending.outputs()


class _Change:
    """A mutating call with its attempts, each announced before it is made."""

    def __init__(
        self,
        run: Run,
        call: Call,
        members: JsonObject,
        region: str | None,
        where: Where,
        tally: Tally,
    ) -> None:
        self._run = run
        self._call = call
        self._region = region
        self._where = where
        self._tally = tally
        flight = run.history.flights.get(where.key)
        self._resumed = flight is not None
        self._flight = flight or Flight(attempts=0, first=0.0, members=members, open=False)
        self.is_undoing = False
        self._max_attempts = call.retry.max_attempts
        self._tries = self._flight.attempts

    async def outputs(self) -> JsonObject:
        """Return the selected outputs."""
        if self._resumed:
            await self._take_over()
        while True:
            self._tries += 1
            self._tally.attempts = self._tries
            try:
                return self._selected(await self._attempt())
            except AwsFailure as failure:
                self._tally.note(failure.request_id)
                found = await self._after(failure)
                if found is not None:
                    return found

    async def _take_over(self) -> None:
        """Go on where another process stopped: an attempt without outcome is ambiguous."""
        flight = self._flight
        if flight.open:
            flight.open, flight.ambiguous = False, True
            # What the crash interrupted does not count: the rules allow it to be repeated.
            self._max_attempts = max(self._max_attempts, flight.attempts + 1)
        halt = self._run.stopping() if self._where.deadline.kind != "rollback" else None
        if flight.ambiguous and (halt is not None or not self._may_repeat):
            raise await self._unknown(halt)
        if halt is not None:
            raise halt

    @property
    def _may_repeat(self) -> bool:
        return self._call.idempotency.kind != "none" or self._call.retry.ambiguous

    async def _attempt(self) -> JsonObject:
        run, flight = self._run, self._flight
        breaker = run.breaker(self._call, self._region)
        heard = False
        try:
            attempt = flight.attempts + 1
            now = run.clock.now().timestamp()
            body: JsonObject = {"attempt": attempt, "first": flight.first or now}
            if not flight.attempts:
                body["members"] = flight.members
                flight.first = now
            await run.recorder.write("intent", self._where.key, body)
            flight.attempts = attempt
            heard = True
        finally:
            if not heard:
                breaker.abandoned()
        answer = await run.send(self._request(attempt), breaker)
        self._tally.note(answer.request_id)
        return answer.output

    def _request(self, attempt: int) -> AwsRequest:
        members = self._flight.members
        return request_of(self._run, self._call, members, self._region, self._where, attempt)

    async def _after(self, failure: AwsFailure) -> JsonObject | None:
        """Return outputs after all, or None to try again."""
        flight, rule = self._flight, self._call.idempotency
        unknown = is_unknown(failure)
        flight.ambiguous = flight.ambiguous or unknown
        if self.is_undoing and is_gone(failure):
            return {}
        if rule.kind == "natural" and failure.code == rule.exists_error and flight.attempts > 1:
            found = await self._observed()
            if found is not None:
                return found
        elif self._is_retried(failure, unknown):
            if failure.kind != "circuit":
                miss: JsonObject = {"attempt": flight.attempts, "ambiguous": unknown}
                await self._run.recorder.write("miss", self._where.key, miss)
            await self._pause()
            return None
        if flight.ambiguous:
            raise await self._unknown(None)
        raise failed(self._call, failure)

    def _is_retried(self, failure: AwsFailure, unknown: bool) -> bool:
        if self._tries >= self._max_attempts or (unknown and not self._may_repeat):
            return False
        return is_retried(self._call.retry, class_of(failure), failure.code)

    async def _pause(self) -> None:
        run = self._run
        delay = delay_s(self._call.retry, self._tries, run.env.chance)
        try:
            await run.sleep(delay, self._where.deadline)
        except Halt as halt:
            if not self._flight.ambiguous:
                raise
            raise await self._unknown(halt) from None
        except StepFailure:
            if not self._flight.ambiguous:
                raise
            raise await self._unknown(None) from None

    async def _unknown(self, halt: Halt | None) -> StepFailure:
        """Return the failure of a call of which nobody knows whether it took place."""
        observed = None
        if halt is None or halt.reason != "revoked":
            observed = await self._observed()
        known = "it has" if observed is not None else "whether it has is not known"
        return StepFailure(
            "AmbiguousOutcome",
            f"`{self._call.operation}` was not answered and may have had its effect: {known}",
            effect=observed is not None,
            outputs=observed,
            halted=halt,
        )

    async def _observed(self) -> JsonObject | None:
        """Return what the observer sees, if it was created at or after the first attempt."""
        observer, run = self._call.idempotency.observer, self._run
        if observer is None or observer.created is None:
            return None
        now = run.clock.monotonic()
        deadline = Deadline(now + run.env.limits.observe_s, "rollback")
        where = self._where
        at = Where(frame=where.frame, key=where.key, step_id=where.step_id, deadline=deadline)
        try:
            answer = await read(run, observer.call, at, Tally())
            created = moment(observer.created.get(answer))
        except (StepFailure, WrongData):
            return None
        # AWS gives whole seconds: a creation within the second of the attempt is ours.
        if created is None or created < math.floor(self._flight.first):
            return None
        return self._adopted(answer, observer.created)

    def _adopted(self, answer: JsonObject, created: Path) -> JsonObject:
        """Select from what the observer saw: the same members, beside the time of creation."""
        prefix = Path(text=created.text, parts=created.parts[:-1])
        found: JsonObject = {}
        for item in self._call.selected:
            try:
                value = item.path.under(prefix).get(answer)
            except WrongData:
                value = None
            if value is None:
                value = self._flight.members.get(str(item.path.parts[-1]))
            if value is not None and fits(value, item.type_):
                found[item.name] = value
        return found

    def _selected(self, answer: JsonObject) -> JsonObject:
        try:
            return selected(self._run, self._call, answer)
        except StepFailure as failure:
            failure.effect = True
            failure.outputs = _whatever_fits(self._call, answer)
            raise


def _whatever_fits(call: Call, answer: JsonObject) -> JsonObject:
    """Return what a rollback may need of an answer that is wrong elsewhere: scalars only."""
    found: JsonObject = {}
    for item in call.selected:
        try:
            value = item.path.get(answer)
        except WrongData:
            continue
        if isinstance(value, str | int | float) and fits(value, item.type_):
            short = not isinstance(value, str) or len(value) <= 4_096
            if short:
                found[item.name] = value
    return found
