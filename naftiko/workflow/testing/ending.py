"""How an execution ended against what its test expects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.plan import walk
from naftiko.workflow.testing.cases import Expected, Wanted
from naftiko.workflow.testing.checks import operations_named
from naftiko.workflow.testing.difference import difference, shown
from naftiko.workflow.testing.recording import Recorder, filled_in
from naftiko.workflow.testing.report import Mismatch
from naftiko.workflow.vm.environment import Ending


def handlers_of(ending: Ending) -> Iterator[tuple[str, str]]:
    """Yield the rollback handlers of an ending, with their status."""
    for handler in walk.objects(ending.rollback):
        yield str(handler["handler"]), str(handler["status"])


# Comparing


def compare(
    expect: Expected,
    ending: Ending,
    recorder: Recorder,
    answers: Mapping[str, JsonObject],
) -> Iterator[Mismatch]:
    """Yield what is not as expected."""
    if ending.status != expect.status.value:
        because = _because(ending)
        yield Mismatch(
            message=f"the status is `{ending.status}`{because}, expected `{expect.status.value}`",
            location=expect.status.location,
        )
    for name, wanted in expect.outputs:
        if name not in ending.outputs:
            yield Mismatch(message=f"there is no output `{name}`", location=wanted.location)
            continue
        want = filled_in(wanted.value, answers, wanted.location)
        told = difference(want, ending.outputs[name], f"the output `{name}`")
        if told:
            yield Mismatch(message=told, location=wanted.location)
    yield from _compare_calls(expect, recorder)
    yield from _compare_error(expect, ending)
    yield from _compare_steps(expect, ending)
    ran = dict(handlers_of(ending))
    for name, wanted in expect.rollback:
        status = ran.get(name, "not reached")
        if status != wanted.value:
            yield Mismatch(
                message=f"the rollback handler `{name}` is {status}, expected {wanted.value}",
                location=wanted.location,
            )
    if expect.warnings is not None and len(ending.warnings) != expect.warnings.value:
        yield Mismatch(
            message=f"there are {len(ending.warnings)} warnings, expected {expect.warnings.value}",
            location=expect.warnings.location,
        )


def _because(ending: Ending) -> str:
    error = ending.error
    if error is None:
        return ""
    code = f" {error['aws_code']}" if error.get("aws_code") else ""
    at = f" in `{error['step_id']}`" if error.get("step_id") else ""
    return f" ({error['type']}{code}{at}: {error['message']})"


def _compare_calls(expect: Expected, recorder: Recorder) -> Iterator[Mismatch]:
    calls = [operation for _, operation in recorder.called]
    if expect.calls is not None and isinstance(expect.calls.value, list):
        wanted = [str(name).rpartition(":")[2] for name in expect.calls.value]
        if calls != wanted:
            yield Mismatch(
                message=f"the calls are {shown(list(calls))}, expected {shown(list(wanted))}",
                location=expect.calls.location,
            )
    for name, place in expect.not_called:
        count = len(operations_named(name, recorder.called))
        if count:
            yield Mismatch(message=f"`{name}` was called {count} times", location=place)


def _compare_error(expect: Expected, ending: Ending) -> Iterator[Mismatch]:
    error = ending.error or {}
    for name, wanted in expect.error:
        found = error.get(name)
        if found != wanted.value:
            of = {"type": "", "step_id": "step of the ", "aws_code": "AWS code of the "}[name]
            yield Mismatch(
                message=f"the {of}error is {shown(found)}, expected {shown(wanted.value)}",
                location=wanted.location,
            )


def _compare_steps(expect: Expected, ending: Ending) -> Iterator[Mismatch]:
    steps = {str(step["step_id"]): step for step in walk.objects(ending.steps)}
    for step_id, name, wanted in expect.steps:
        step = steps.get(step_id)
        if step is None:
            yield Mismatch(
                message=f"the step `{step_id}` was not reached", location=wanted.location
            )
            continue
        found = step.get(name)
        if name == "error":
            found = walk.mapping(found).get("type")
        told = _part_difference(wanted, found, f"`{name}` of the step `{step_id}`")
        if told:
            yield Mismatch(message=told, location=wanted.location)


def _part_difference(wanted: Wanted, found: JsonValue, what: str) -> str:
    if isinstance(wanted.value, dict) and isinstance(found, dict):
        found = {name: value for name, value in found.items() if name in wanted.value}
    return difference(wanted.value, found, what)
