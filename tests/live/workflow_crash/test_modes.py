"""The seed's workflow on the sandbox in every mode, and with a failure at every point in turn."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from naftiko.consumes.aws.settings import AwsSettings
from naftiko.consumes.workflows.caller import AwsCaller
from naftiko.sandbox import Sandbox
from naftiko.workflow.ports import AwsAnswer, AwsFailure, AwsRequest, Principal
from naftiko.workflow.simulated import SimulatedClock
from naftiko.workflow.vm.environment import Ending, Environment, Start
from naftiko.workflow.vm.machine import resume, run
from naftiko.workflow.vm.program import Program
from tests.live.aws.support import context
from tests.live.workflow_crash.conftest import Json, fill, snapshots
from tests.unit.workflow.runtime.catalogs import SEED, compiled
from tests.unit.workflow.vm.worlds import Memory

KEPT = ["db1-2-days", "db2-2-days", "db2-20-days", "db2-30-days"]
OLD = ["db1-20-days", "db1-30-days"]
STEPS = (
    "validate_instance",
    "create_snapshot",
    "verify_snapshot",
    "cleanup_old_snapshots__1",
    "cleanup_old_snapshots__3__1",
)


def denied() -> AwsFailure:
    return AwsFailure("fault", code="AccessDenied", status=403)


def throttled() -> AwsFailure:
    return AwsFailure("fault", code="ThrottlingException", status=400)


def unsent() -> AwsFailure:
    return AwsFailure("connection", sent=False)


def lost() -> AwsFailure:
    return AwsFailure("connection")


FAULTS: dict[str, tuple[Callable[[], AwsFailure], bool]] = {
    "denied": (denied, False),
    "throttled": (throttled, False),
    "before it is sent": (unsent, False),
    "after it is done": (lost, True),
}


class World:
    """The sandbox, failing in one step: always, or the first time."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._caller = AwsCaller(AwsSettings(), context(dict(sandbox.environment()), sandbox=True))
        self.clock = SimulatedClock(datetime.now(UTC))
        self.journal = Memory()
        self.calls: list[AwsRequest] = []
        self.step, self.fault, self.times = "", "denied", 10**6

    async def call(self, request: AwsRequest, /) -> AwsAnswer:
        self.calls.append(request)
        is_observing = self.step == "create_snapshot" and not request.mutating
        if request.step_id != self.step or self.times <= 0 or is_observing:
            return await self._caller(request)
        self.times -= 1
        make, is_done = FAULTS[self.fault]
        if is_done:
            await self._caller(request)
        raise make()

    @property
    def changes(self) -> list[tuple[str, str]]:
        return [
            (one.operation, str(one.members["DBSnapshotIdentifier"]))
            for one in self.calls
            if one.mutating
        ]

    def run(self, mode: str = "full", **resumed: Any) -> Ending:
        program = Program.load(compiled(SEED))

        async def ended() -> Ending:
            env = Environment(
                call=self.clock.calling(self.call),
                clock=self.clock,
                chance=random.Random(1),  # noqa: S311 - spreads retries
                principal=Principal(),
                journal=self.journal,
                confirm_key=b"k" * 32,
            )
            try:
                if resumed:
                    return await resume(program, self.journal.records, env, **resumed)
                given: Json = {"instance_id": "db1"}
                return await run(program, Start(execution_id="e", parameters=given, mode=mode), env)
            finally:
                await self._caller.close()

        return asyncio.run(ended())


@pytest.fixture
def rds(sandbox: Sandbox) -> Any:
    return fill(sandbox)


@pytest.fixture
def world(sandbox: Sandbox, rds: Any) -> World:
    return World(sandbox)


def own(rds: Any) -> list[str]:
    return [name for name in snapshots(rds) if name.startswith("db1-202")]


@pytest.mark.parametrize("mode", ["plan", "dry_run"])
def test_shown_and_nothing_changed(world: World, rds: Any, mode: str) -> None:
    ending = world.run(mode)
    assert ending.status == "succeeded"
    assert snapshots(rds) == sorted([*KEPT, *OLD])
    assert not world.changes
    assert bool(world.calls) == (mode == "dry_run")


def test_step_by_step_confirms_the_very_snapshots(world: World, rds: Any) -> None:
    first = world.run("step_by_step")
    assert first.next is not None
    assert first.next["rendered"]["operation"] == "CreateDBSnapshot"  # type: ignore[index,call-overload]
    assert not world.changes
    second = world.run(confirm_token=first.next["confirm_token"])
    assert second.next is not None
    shown = second.next["rendered"]
    assert shown["count"] == 2  # type: ignore[index,call-overload]
    assert [name in str(shown) for name in (*OLD, *KEPT)] == [True, True] + [False] * 4
    assert len(world.changes) == 1
    third = world.run(confirm_token=second.next["confirm_token"])
    assert third.status == "succeeded"
    assert snapshots(rds) == sorted([*KEPT, *own(rds)])


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_keeps_failing(world: World, rds: Any, step: str, fault: str) -> None:
    world.step, world.fault = step, fault
    ending = world.run()
    if (step, fault) == ("create_snapshot", "after it is done"):
        assert ending.status == "succeeded", "it is seen that it was done"
        assert len(own(rds)) == 1
        return
    assert ending.status in {"failed", "rolled_back"}, ending.error
    assert set(KEPT) <= set(snapshots(rds)), "what is young, or another's, is not touched"
    made = [name for operation, name in world.changes if operation == "CreateDBSnapshot"]
    deleted = {name for operation, name in world.changes if operation == "DeleteDBSnapshot"}
    assert deleted <= {*OLD, *made}
    if step in {"verify_snapshot", "create_snapshot"}:
        assert own(rds) == [], "what it made is taken back"
    if step == "verify_snapshot":
        assert ending.status == "rolled_back"
    if step in STEPS[:4]:
        assert set(OLD) <= set(snapshots(rds))
    if step == STEPS[4]:
        assert ending.status == "failed"
        assert len(own(rds)) == 1, "no handler covers the cleanup: the backup stays"


@pytest.mark.parametrize("fault", ["throttled", "before it is sent", "after it is done"])
def test_a_creation_that_fails_once(world: World, rds: Any, fault: str) -> None:
    world.step, world.fault, world.times = "create_snapshot", fault, 1
    ending = world.run()
    assert ending.status == "succeeded", ending.error
    assert snapshots(rds) == sorted([*KEPT, *own(rds)])
    assert len(own(rds)) == 1
    assert [name for name, _ in world.changes].count("CreateDBSnapshot") == 2
