"""A worker that ends: what it has begun to change is answered and recorded, for a short while."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from naftiko.workflow.runtime.policy import Refused
from naftiko.workflow.runtime.service import LEAVE_S, WorkflowService
from naftiko.workflow.simulated import SimulatedClock
from naftiko.workflow.state.memory import MemoryStore
from tests.unit.workflow.runtime.catalogs import catalog, dedent
from tests.unit.workflow.runtime.services import (
    Gate,
    Numbers,
    order,
    running,
    service,
    serving,
)
from tests.unit.workflow.vm.worlds import Json, World

TAGGING = dedent("""
    name: tagging
    version: "1.0"
    description: "Puts a tag on each of some databases, three at a time"
    metadata: {tier: verified}
    parameters:
      - {name: names, type: array, items: string, required: true}
    steps:
      - id: each
        type: primitive
        action: for_each
        over: "${params.names}"
        max_items: 10
        max_concurrency: 3
        do:
          - id: tag
            type: command
            context: {service: rds, action: AddTagsToResource}
            input: {ResourceName: "${item}", Tags: [{Key: owner, Value: ops}]}
""")
NAMES = [f"arn:aws:rds:us-east-1:123456789012:db:d{number}" for number in range(5)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return catalog(tmp_path, TAGGING)


async def begun(made: WorkflowService, gate: Gate) -> asyncio.Task[Json]:
    asked = asyncio.ensure_future(made.execute(order("tagging", names=NAMES)))
    await gate.reached(3)
    return asked


async def gone_on(root: Path, aws: World, store: MemoryStore) -> Any:
    async with serving(service(root, aws, store=store, new_id=Numbers())) as two:
        await two.start()
        await two.resume_due()
        return await two.go_on("e-1")


def tagged(aws: World) -> list[str]:
    return sorted(str(one["ResourceName"])[-2:] for _, one in aws.sent if "ResourceName" in one)


@pytest.mark.parametrize("clock", ["still", "simulated"])
def test_changes_under_way_are_recorded_and_no_other_begins(root: Path, clock: str) -> None:
    async def test() -> None:
        aws, store = World({"AddTagsToResource": {}}), MemoryStore()
        gate = Gate(aws, "AddTagsToResource")
        call = aws.clock.calling(gate) if clock == "simulated" else gate
        how: Any = {"clock": aws.clock} if clock == "simulated" else {}
        one = service(root, aws, store=store, call=call, new_id=Numbers(), leave_s=LEAVE_S, **how)
        asked = await begun(one, gate)
        closing = asyncio.ensure_future(one.close())
        for _ in range(50):
            await asyncio.sleep(0)
        assert not closing.done()
        with pytest.raises(Refused) as refused:
            await one.execute(order("tagging", names=NAMES[:1]))
        assert refused.value.type == "Busy"
        gate.open.set()
        await closing
        with pytest.raises(Refused):
            await asked
        assert tagged(aws) == ["d0", "d1", "d2"]
        end = await gone_on(root, aws, store)
        assert end["status"] == "succeeded", end
        assert tagged(aws) == ["d0", "d1", "d2", "d3", "d4"], "each of them once"

    running(test())


def test_who_does_not_answer_in_time_is_left_and_its_outcome_is_unknown(root: Path) -> None:
    async def test() -> None:
        aws, store = World({"AddTagsToResource": {}}), MemoryStore()
        gate = Gate(aws, "AddTagsToResource")
        clock = SimulatedClock()
        one = service(
            root, aws, store=store, call=gate, clock=clock, new_id=Numbers(), leave_s=LEAVE_S
        )
        asked = await begun(one, gate)
        before = clock.monotonic()
        await one.close()
        assert clock.monotonic() - before >= LEAVE_S
        with pytest.raises(Refused):
            await asked
        end = await gone_on(root, aws, store)
        assert (end["status"], end["error"]["type"]) == ("failed", "AmbiguousOutcome")
        assert tagged(aws) == [], "nothing is repeated"

    running(test())


def test_what_only_reads_or_waits_is_not_waited_for(tmp_path: Path) -> None:
    reading = dedent("""
        name: reading
        version: "1.0"
        description: "Lists the databases that there are"
        steps:
          - id: list
            type: command
            context: {service: rds, action: DescribeDBInstances}
    """)

    async def test() -> None:
        aws, root = World(), catalog(tmp_path, reading)
        gate = Gate(aws, "DescribeDBInstances")
        one = service(root, aws, call=gate, leave_s=LEAVE_S)
        asked = asyncio.ensure_future(one.execute(order("reading")))
        await gate.reached()
        await one.close()
        with pytest.raises(Refused):
            await asked

    running(test())
