"""The machine: runs a program, or goes on with one from its records. Spec: section 6.

One execution is one coroutine. Everything it does outside goes through its environment; everything
that must survive a crash is in its journal before the next call is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from naftiko.values import JsonObject
from naftiko.workflow.ports import Principal
from naftiko.workflow.times import time_text
from naftiko.workflow.vm.calls import Where
from naftiko.workflow.vm.confirm import fits_token, is_expired, next_of
from naftiko.workflow.vm.environment import MODES, Ending, Environment, Start
from naftiko.workflow.vm.failures import Halt, InvalidParameters, StepFailure
from naftiko.workflow.vm.modes import preview
from naftiko.workflow.vm.parameters import check_parameters
from naftiko.workflow.vm.program import ConditionNode, LoopNode, Node, Program
from naftiko.workflow.vm.records import History
from naftiko.workflow.vm.results import ending, outputs_of, refused
from naftiko.workflow.vm.rollback import RolledBack, roll_back
from naftiko.workflow.vm.run import Run
from naftiko.workflow.vm.scope import Facts, start_time
from naftiko.workflow.vm.steps import run_op

_HALTED = {
    "cancelled": ("Cancelled", "the execution was cancelled"),
    "timed_out": ("StepTimeout", "the execution did not end within its max_duration"),
    "revoked": ("IntegrityError", "the plan was revoked while it ran"),
}
_STATUS = {"cancelled": "cancelled", "timed_out": "timed_out", "revoked": "failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stop:
    """Why and where an execution did not reach its end."""

    reason: str
    step_id: str
    error: JsonObject


async def run(program: Program, start: Start, env: Environment) -> Ending:
    """Run a program from the beginning.

    Raises: LeaseLost, and what the journal raises: then the execution goes on elsewhere.
    """
    try:
        under_way = await _started(program, start, env)
    except InvalidParameters as wrong_parameters:
        error = wrong_parameters.to_json()
        return refused(program, start.execution_id, start.mode, env.clock.now(), error)
    return await _go(under_way)


async def begin(
    program: Program, start: Start, env: Environment, more: JsonObject | None = None
) -> JsonObject:
    """Write down that an execution is to run, and with what: from then on it can be resumed.

    `more` is what else the record is to say. Returns the record.

    Raises: InvalidParameters; LeaseLost, and what the journal raises.
    """
    under_way = await _started(program, start, env, more)
    assert under_way.history.start is not None  # just written
    return under_way.history.start


async def _started(
    program: Program, start: Start, env: Environment, more: JsonObject | None = None
) -> Run:
    parameters = check_parameters(program, start.parameters)
    if start.mode not in MODES:
        wrong = f"the mode must be one of {', '.join(MODES)}"
        raise InvalidParameters([{"name": "execution_mode", "message": wrong}])
    now = env.clock.now()
    facts = Facts(
        execution_id=start.execution_id,
        parameters=parameters,
        now=now.replace(microsecond=0),
        principal=env.principal,
    )
    under_way = Run(program, env, facts, start.mode, History())
    body = {**_start_record(program, start, facts), **(more or {})}
    record = await under_way.recorder.write("start", body=body)
    under_way.history.start = record
    return under_way


def _start_record(program: Program, start: Start, facts: Facts) -> JsonObject:
    principal = facts.principal
    return {
        "execution_id": start.execution_id,
        "checksum": program.checksum,
        "parameters": facts.parameters,
        "mode": start.mode,
        "now": time_text(facts.now),
        "principal": {
            "account_id": principal.account_id,
            "arn": principal.arn,
            "region": principal.region,
            "partition": principal.partition,
        },
        "idempotency_key": start.idempotency_key,
    }


async def resume(
    program: Program,
    records: Sequence[JsonObject],
    env: Environment,
    *,
    confirm_token: str | None = None,
    cancel: bool = False,
) -> Ending:
    """Go on with an execution: after a crash, a confirmation or a request to cancel.

    Finished operations are not repeated. An execution that is over answers with its result again.

    Raises: LeaseLost, and what the journal raises; ValueError, if the records have no start.
    """
    history = History(records)
    start = history.start
    if start is None:
        raise ValueError("the records have no start")
    facts = _facts(start)
    mode = str(start["mode"])
    if start["checksum"] != program.checksum:
        message = "the execution belongs to another plan"
        error: JsonObject = {"type": "IntegrityError", "step_id": None, "message": message}
        return refused(program, facts.execution_id, mode, facts.now, error)
    if history.end is not None:
        result = history.end["result"]
        assert isinstance(result, dict)
        return Ending(status=str(result["status"]), result=result)
    under_way = Run(program, env, facts, mode, history)
    under_way.cancel_asked = cancel
    pending = history.awaiting
    if pending is None or cancel or history.failing is not None:
        return await _go(under_way)
    return await _confirmed(under_way, pending, confirm_token)


async def _confirmed(run: Run, pending: JsonObject, token: str | None) -> Ending:
    env, facts = run.env, run.facts
    _restore(run)
    if is_expired(run.history, run.clock.now().timestamp()):
        error: JsonObject = {
            "type": "ConfirmationExpired",
            "step_id": pending["step_id"],
            "message": "the operation was not confirmed in time; what was done before it stays",
        }
        return await _end(run, ending(run, "expired", error=error))
    if token is not None and not fits_token(env, facts.execution_id, pending, token):
        wrong: JsonObject = {
            "type": "InvalidParameters",
            "step_id": pending["step_id"],
            "message": "the token is not that of the operation that awaits confirmation",
        }
        next_ = next_of(env, facts.execution_id, pending)
        return ending(run, "awaiting_confirmation", next_=next_, error=wrong)
    run.confirm_token = token
    return await _go(run)


def _facts(start: JsonObject) -> Facts:
    parameters, principal = start["parameters"], start["principal"]
    assert isinstance(parameters, dict)
    assert isinstance(principal, dict)
    return Facts(
        execution_id=str(start["execution_id"]),
        parameters=parameters,
        now=start_time(str(start["now"])),
        principal=Principal(**{name: str(value) for name, value in principal.items()}),
    )


async def _go(run: Run) -> Ending:
    if run.mode in {"plan", "dry_run"}:
        return await _end(run, await preview(run))
    if run.history.failing is not None:
        _restore(run)
        return await _fail(run, _stop_of(run.history.failing))
    stop = await _run_steps(run)
    if stop is None:
        return await _succeed(run)
    if stop.reason == "awaiting":
        return ending(run, "awaiting_confirmation", next_=stop.error)
    await run.recorder.write(
        "failing", body={"step_id": stop.step_id, "reason": stop.reason, "error": stop.error}
    )
    return await _fail(run, stop)


def _restore(run: Run) -> None:
    """Bring the scope to where the records end."""
    for node in run.program.ops:
        done = run.history.done.get(node.common.step_id)
        if done is not None:
            run.frame.settle(node.common, done)
            for name in node.common.hidden:
                run.secrets.add(done.outputs.get(name))
            if isinstance(node, ConditionNode):
                run.frame.registers[node.dest] = done.outputs.get("value") is True


def _stop_of(record: JsonObject) -> _Stop:
    error = record["error"]
    assert isinstance(error, dict)
    return _Stop(reason=str(record["reason"]), step_id=str(record["step_id"]), error=error)


async def _run_steps(run: Run) -> _Stop | None:
    for node in run.program.ops:
        common = node.common
        where = Where(
            frame=run.frame, key=common.step_id, step_id=common.step_id, deadline=run.deadline
        )
        try:
            done = await run_op(run, node, where)
        except Halt as halt:
            return _halted(run, common.step_id, halt)
        run.finished += 1
        if done.status == "failed" and common.on_error == "fail":
            return _Stop(reason="failed", step_id=common.step_id, error=done.error or {})
    return None


def _halted(run: Run, step_id: str, halt: Halt) -> _Stop:
    if halt.reason == "awaiting":
        assert halt.pending is not None
        next_ = next_of(run.env, run.facts.execution_id, halt.pending)
        return _Stop(reason="awaiting", step_id=step_id, error=next_)
    type_, message = _HALTED[halt.reason]
    error: JsonObject = {"type": type_, "step_id": step_id, "message": message}
    return _Stop(reason=halt.reason, step_id=step_id, error=error)


async def _succeed(run: Run) -> Ending:
    try:
        outputs = outputs_of(run)
    except StepFailure as failure:
        return await _end(run, ending(run, "failed", error=run.error_of(failure, None)))
    return await _end(run, ending(run, "succeeded", outputs=outputs))


async def _fail(run: Run, stop: _Stop) -> Ending:
    if stop.reason == "revoked":
        return await _revoked(run, stop.error)
    try:
        rolled_back = await roll_back(run, _ids_of(run, stop.step_id))
    except Halt:
        type_, message = _HALTED["revoked"]
        error: JsonObject = {"type": type_, "step_id": stop.step_id, "message": message}
        return await _revoked(run, error)
    status = _STATUS.get(stop.reason) or _status_after(rolled_back)
    how = ending(run, status, error=stop.error, rollback=rolled_back.handlers)
    return await _end(run, how)


async def _revoked(run: Run, error: JsonObject) -> Ending:
    run.warn("", "nothing was rolled back: a revoked plan makes no more calls")
    return await _end(run, ending(run, "failed", error=error))


def _status_after(rolled_back: RolledBack) -> str:
    if not rolled_back.ran:
        return "failed"
    return "rolled_back" if rolled_back.clean else "rollback_failed"


def _ids_of(run: Run, step_id: str) -> frozenset[str]:
    """Return the ids by which a handler may cover an operation."""
    node: Node = run.program.ops[run.program.positions[step_id]]
    ids = {step_id}
    if isinstance(node, ConditionNode):
        ids.add(node.dest)
    if isinstance(node, LoopNode):
        ids.update(inner.common.step_id for inner in node.body)
    return frozenset(ids)


async def _end(run: Run, how: Ending) -> Ending:
    await run.recorder.write("end", body={"status": how.status, "result": how.result})
    return how
