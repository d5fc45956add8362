"""A worker that kills itself: `python -m ...crashing FOLDER APPENDS`, after so many records.

It runs a plan on the machine, its journal on the SQLite file in FOLDER.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

from naftiko.values import JsonObject
from naftiko.workflow.ports import AwsAnswer, AwsRequest, Journal, Principal
from naftiko.workflow.simulated import SimulatedClock
from naftiko.workflow.state.ledger import Ledger, NewExecution, Opened
from naftiko.workflow.state.sealing import LocalKey
from naftiko.workflow.state.sqlite import SqliteStore
from naftiko.workflow.vm.environment import Environment, Start
from naftiko.workflow.vm.machine import run
from naftiko.workflow.vm.program import Program
from tests.live.workflow_state.support import Hands
from tests.unit.workflow.isolation.plans import everything

KEY = bytes(range(32))


async def aws(request: AwsRequest, /) -> AwsAnswer:
    """Answer the calls of the plan, each the same every time."""
    match request.operation:
        case "ListBuckets":
            buckets = [{"Name": f"b{n}", "CreationDate": "2026-01-01T00:00:00Z"} for n in range(3)]
            return AwsAnswer(output={"Buckets": [*buckets]}, request_id="r1")
        case "DescribeDBInstances":
            return AwsAnswer(output={"DBInstances": [{"DBInstanceStatus": "available"}]})
    return AwsAnswer(output={"LocationConstraint": "here"})


class Mortal:
    """A journal whose process is killed at once after so many records."""

    def __init__(self, journal: Journal, appends: int) -> None:
        self._journal = journal
        self._left = appends
        self._die()

    async def append(self, record: JsonObject, /) -> None:
        await self._journal.append(record)
        self._left -= 1
        self._die()

    def _die(self) -> None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def environment(journal: Journal) -> Environment:
    clock = SimulatedClock()
    return Environment(
        call=clock.calling(aws),
        clock=clock,
        chance=random.Random(1),  # noqa: S311 - the same in every run
        principal=Principal(),
        journal=journal,
        confirm_key=b"k",
    )


async def main(folder: Path, appends: int) -> None:
    ledger = Ledger(SqliteStore(folder), Hands(), LocalKey(KEY), worker=str(os.getpid()))
    await ledger.start()
    opened = await ledger.open(
        NewExecution(
            id="x1",
            workflow_id="probe_v1_0",
            checksum="sha256:00",
            principal="p",
            region="us-east-1",
            parameters={},
        )
    )
    assert isinstance(opened, Opened)
    start = Start(execution_id="x1", parameters={}, mode="full")
    env = environment(Mortal(opened, appends))
    ending = await run(Program.load(everything()), start, env)
    await opened.finish(ending.status, reuse=False)
    await ledger.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
