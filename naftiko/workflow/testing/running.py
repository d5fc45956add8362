"""Runs the tests of a workflow: its plan in the machine, AWS one for tests. Spec: section 12.

Waits and the clock are simulated, so that hours pass in no time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from naftiko.values import JsonObject
from naftiko.workflow.ports import (
    AwsFailure,
    AwsRequest,
    CallAws,
    Principal,
)
from naftiko.workflow.security.session import allowed_calls, guarded
from naftiko.workflow.simulated import EPOCH, SimulatedClock
from naftiko.workflow.testing.cases import Case, Given
from naftiko.workflow.testing.ending import compare, handlers_of
from naftiko.workflow.testing.recording import CannotBegin, Recorder, Records, filled_in
from naftiko.workflow.testing.report import Outcome, Report, coverage
from naftiko.workflow.vm.environment import Ending, Environment, Start
from naftiko.workflow.vm.machine import resume, run
from naftiko.workflow.vm.program import Program

EXECUTION_ID = "00000000-0000-4000-8000-000000000001"
_MAX_CONFIRMATIONS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The AWS that tests run against. `reset` empties it; `today` is the time that it has.

    Every test begins with an empty AWS.
    """

    call: CallAws
    reset: Callable[[], object]
    today: Callable[[], datetime] = lambda: EPOCH
    principal: Principal = field(default_factory=Principal)


# Running


async def run_tests(plan: JsonObject, cases: Sequence[Case], world: World) -> Report:
    """Run all cases, one after the other; each begins with an empty AWS."""
    program = Program.load(plan)
    outcomes = tuple([await run_case(program, case, world) for case in cases])
    return Report(outcomes=outcomes, coverage=coverage(plan, outcomes))


async def run_case(program: Program, case: Case, world: World) -> Outcome:
    """Run one case."""
    world.reset()
    try:
        answers = await _prepare(case.given, world.call)
        recorder = Recorder(case.stubs, world.call, answers)
        journal = Records()
        ending = await _execute(program, case, world, recorder, journal, answers)
        mismatches = tuple(compare(case.expect, ending, recorder, answers))
    except CannotBegin as error:
        return Outcome(
            case=case,
            mismatches=(error.mismatch,),
            calls=(),
            reached=frozenset(),
            handlers=frozenset(),
            ending=None,
        )
    return Outcome(
        case=case,
        mismatches=mismatches,
        calls=tuple(operation for _, operation in recorder.called),
        reached=frozenset(journal.reached()),
        handlers=frozenset(name for name, status in handlers_of(ending) if status != "skipped"),
        ending=ending,
    )


async def _prepare(given: Sequence[Given], call: CallAws) -> dict[str, JsonObject]:
    answers: dict[str, JsonObject] = {}
    for one in given:
        members = filled_in(one.members, answers, one.location)
        assert isinstance(members, dict)
        request = AwsRequest(service=one.service, operation=one.operation, members=members)
        try:
            answer = await call(request)
        except AwsFailure as failure:
            said = f": {failure.message}" if failure.message else ""
            raise CannotBegin(
                f"`given`: {one.operation} failed with {failure.code or failure.kind}{said}",
                one.location,
            ) from None
        if one.id:
            answers[one.id] = answer.output
    return answers


async def _execute(
    program: Program,
    case: Case,
    world: World,
    recorder: Recorder,
    journal: Records,
    answers: Mapping[str, JsonObject],
) -> Ending:
    clock = SimulatedClock(_time(case, world))
    call = guarded(recorder, allowed_calls(program.plan))
    environment = Environment(
        call=clock.calling(call),
        clock=clock,
        chance=random.Random(0),  # noqa: S311 - for delays, the same in every run
        principal=world.principal,
        journal=journal,
        confirm_key=bytes(32),
    )
    parameters = filled_in(case.parameters, answers, case.location)
    assert isinstance(parameters, dict)
    start = Start(execution_id=EXECUTION_ID, parameters=parameters, mode=case.mode)
    ending = await run(program, start, environment)
    for _ in range(_MAX_CONFIRMATIONS):
        next_ = ending.next
        if next_ is None or ending.status != "awaiting_confirmation":
            break
        if case.confirm is not None and str(next_["step_id"]) not in case.confirm:
            break
        token = str(next_["confirm_token"])
        ending = await resume(program, journal.records, environment, confirm_token=token)
    return ending


def _time(case: Case, world: World) -> datetime:
    match case.now:
        case None:
            return EPOCH
        case timedelta() as later:
            return world.today().astimezone(UTC) + later
        case time:
            return time
