"""Every workflow of the catalog that maps: the same calls and the same end here and there.

What its `tests.yaml` makes before is made for both. Ids that AWS draws differ from run to run, so
they must differ in the same way everywhere.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from naftiko import resources
from naftiko.errors import Problems
from naftiko.sandbox import Sandbox
from naftiko.workflow.asl import export
from naftiko.workflow.asl.names import sdk_operation
from naftiko.workflow.catalog import Catalog
from naftiko.workflow.compiler import Compiled, compile_source, load_data
from naftiko.workflow.library import CatalogLibrary
from naftiko.workflow.ports import AwsAnswer, AwsRequest
from naftiko.workflow.simulated import EPOCH
from naftiko.workflow.testing import Case, World, parse_tests, run_case
from naftiko.workflow.testing.difference import filled
from naftiko.workflow.testing.running import EXECUTION_ID
from naftiko.workflow.vm.environment import Ending
from naftiko.workflow.vm.program import Program
from tests.live.workflow_asl.conftest import Ended, Run, renamed
from tests.live.workflow_asl.remote import access_to

CATALOG = Path(str(resources.data_folder("capabilities"))) / "workflow-catalog"
SOURCES = sorted(CATALOG.glob("workflows/*/*/*/source.yaml"))
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)")
_WORD = re.compile(r"[A-Za-z0-9]+")


def cases_of(source: Path) -> tuple[Case, ...]:
    """Return the cases that need no stubs."""
    tests = source.with_name("tests.yaml")
    if not tests.is_file():
        return ()
    found = parse_tests(tests.read_bytes(), str(tests), Problems()) or ()
    return tuple(case for case in found if not case.stubs and case.mode == "full")


def pairs() -> Iterator[Any]:
    for source in SOURCES:
        version = source.parent
        for number, case in enumerate(cases_of(source), 1):
            yield pytest.param(source, case, id=f"{version.parent.name}-{version.name}-{number}")


@cache
def data() -> Any:
    return load_data([CATALOG], CatalogLibrary(Catalog.open([CATALOG])))


@cache
def compiled(source: Path) -> Compiled:
    return compile_source(source.read_bytes(), source.name, data())


@pytest.mark.parametrize(("source", "case"), list(pairs()))
def test_same_calls_and_same_end(source: Path, case: Case, clean: Sandbox, run: Run) -> None:
    plan = compiled(source).plan
    assert plan is not None, [problem.message for problem in compiled(source).problems]
    exported = export(plan)
    if not exported.is_usable:
        assert {p.code for p in exported.problems if p.severity == 0} <= {"WF801", "WF802", "WF803"}
        return
    now = case.now if isinstance(case.now, datetime) else EPOCH
    if isinstance(case.now, timedelta):
        now = datetime.now(UTC).replace(microsecond=0) + case.now
    ending, calls = asyncio.run(in_engine(clean, plan, case, now))
    if (ending.error or {}).get("type") == "InvalidParameters":
        return  # the engine looks at them before it starts anything
    given = asyncio.run(prepared(clean, case))
    ended = run(plan, given, execution_id=EXECUTION_ID, now=now.isoformat())
    assert same_names(ended, calls)
    ids: dict[str, str] = {}
    for (_, there), (_, here) in zip(ended.calls, calls, strict=True):
        assert alike(there, here, ids), (there, here)
    if ending.status == "succeeded":
        assert ended.status == "SUCCEEDED", ended.error
        assert alike(ended.output, ending.outputs, ids), (ended.output, ending.outputs)
        return
    assert ended.error["status"] == ending.status
    shown = {k: v for k, v in (ending.error or {}).items() if k in {"type", "step_id", "aws_code"}}
    if "aws_code" not in ended.error["error"]:
        shown.pop("aws_code", None)  # a code that the service's model does not name
    assert {name: ended.error["error"].get(name) for name in shown} == shown


def same_names(ended: Ended, calls: list[tuple[str, Any]]) -> bool:
    assert ended.operations == [operation for operation, _ in calls], (ended.status, ended.error)
    return True


async def in_engine(
    sandbox: Sandbox, plan: Any, case: Case, now: datetime
) -> tuple[Ending, list[tuple[str, Any]]]:
    """Run the case in the machine; return its end and its calls by Step Functions' names."""
    calls: list[tuple[str, Any]] = []
    async with access_to(sandbox) as access:

        async def call(request: AwsRequest, /) -> AwsAnswer:
            if request.step_id:
                calls.append((sdk_operation(request.operation), renamed(request.members)))
            return await access(request)

        def today() -> datetime:
            return now - case.now if isinstance(case.now, timedelta) else EPOCH

        world = World(call=call, reset=sandbox.reset, today=today)
        outcome = await run_case(Program.load(plan), case, world)
    assert outcome.ending is not None, outcome.mismatches
    return outcome.ending, calls


async def prepared(sandbox: Sandbox, case: Case) -> dict[str, Any]:
    """Make what the case needs on an empty sandbox; return its parameters."""
    sandbox.reset()
    answers: dict[str, Any] = {}
    async with access_to(sandbox) as access:
        for one in case.given:
            members: Any = filled(one.members, answers)
            answer = await access(
                AwsRequest(service=one.service, operation=one.operation, members=members)
            )
            if one.id:
                answers[one.id] = answer.output
    parameters: Any = filled(case.parameters, answers)
    plain: dict[str, Any] = parameters
    return plain


def alike(one: Any, other: Any, ids: dict[str, str]) -> bool:
    """Tell whether two values are the same but for ids; which stands for which is kept."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = {name.lower() for name in one} == {name.lower() for name in other}
        there, here = sorted(one.items(), key=_name), sorted(other.items(), key=_name)
        return names and all(alike(a, b, ids) for (_, a), (_, b) in zip(there, here, strict=True))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(
            alike(a, b, ids) for a, b in zip(one, other, strict=True)
        )
    if isinstance(one, str) and isinstance(other, str) and one != other:
        return alike_texts(one, other, ids)
    return bool(one == other)


def _name(pair: tuple[str, Any]) -> str:
    return pair[0].lower()


def alike_texts(one: str, other: str, ids: dict[str, str]) -> bool:
    one, other = _TIME.sub("", one), _TIME.sub("", other)
    if _WORD.sub("", one) != _WORD.sub("", other):
        return False
    words = zip(_WORD.findall(one), _WORD.findall(other), strict=True)
    return all(ids.setdefault(a, b) == b for a, b in words if a != b)
