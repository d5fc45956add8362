"""Workers that are killed: `python -m tests.live.workflow_crash.worker` makes one for each line.

A line is a task as JSON; the process that does it is a fork of this one, which has imported
everything but started nothing. What it sends to AWS it writes to a file first.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from naftiko.consumes.aws.settings import AwsSettings
from naftiko.consumes.workflows.caller import AwsCaller
from naftiko.workflow.ports import AwsAnswer, AwsRequest, CallAws
from naftiko.workflow.runtime.orders import Order
from naftiko.workflow.runtime.plans import Plans
from naftiko.workflow.runtime.policy import Policy
from naftiko.workflow.runtime.service import WorkflowService
from naftiko.workflow.state.dynamodb import DynamoStore
from naftiko.workflow.state.ledger import Ledger
from naftiko.workflow.state.sealing import LocalKey
from naftiko.workflow.state.sqlite import SqliteStore
from naftiko.workflow.state.store import Record, Store
from tests.live.aws.support import context

HASTE = 1_000.0
"""So much faster do waits go by."""


class Hasty:
    """The machine's time, some seconds off, in which waits are short."""

    def __init__(self, ahead_s: float) -> None:
        self._ahead = timedelta(seconds=ahead_s)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / HASTE)


class Logged:
    """`Access` that notes what is sent."""

    def __init__(self, caller: AwsCaller, log: Path, refused: list[str]) -> None:
        self._caller, self._log, self._refused = caller, log, refused
        self.region, self.is_loopback = caller.region, caller.is_loopback

    @property
    def call(self) -> CallAws:
        return self._send

    def with_keys(self, credentials: Any) -> CallAws:
        return self._caller.with_keys(credentials)

    async def _send(self, request: AwsRequest, /) -> AwsAnswer:
        said = [request.step_id, request.operation, request.members, request.mutating]
        with self._log.open("a") as file:
            file.write(json.dumps(said) + "\n")
        if request.step_id in self._refused:
            from naftiko.workflow.ports import AwsFailure

            raise AwsFailure("fault", code="AccessDenied", status=403)
        return await self._caller(request)


def mortal(store: Any, at: int, *, kept: bool) -> Store:
    """Make a store end the process at its `at`th record: after it is durable, or before."""
    append = store.append
    left = [at]

    async def dying(execution_id: str, record: Record, head: bytes, owner: str, /) -> bool:
        left[0] -= 1
        if left[0] == 0 and not kept:
            os.kill(os.getpid(), signal.SIGKILL)
        found: bool = await append(execution_id, record, head, owner)
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    store.append = dying
    made: Store = store
    return made


async def work(task: dict[str, Any]) -> dict[str, Any]:
    caller = AwsCaller(AwsSettings(), context(task["environment"], sandbox=True))
    clock = Hasty(task["ahead_s"])
    if task["store"] == "sqlite":
        store: Any = SqliteStore(Path(task["folder"]) / "state")
    else:
        store = DynamoStore(caller, clock, task["store"])
        await store.ensure_table()
    if task["at"]:
        store = mortal(store, task["at"], kept=task["kept"])
    policy = Policy(isolate=False)
    made = WorkflowService(
        Plans(folders=[Path(task["catalog"])], policy=policy, is_loopback=True),
        Ledger(store, clock, LocalKey(bytes.fromhex(task["key"])), worker=str(os.getpid())),
        Logged(caller, Path(task["folder"]) / "calls", task["refused"]),
        clock,
        policy=policy,
        confirm_key=b"k" * 32,
        chance=random.Random(1),  # noqa: S311 - spreads retries
        new_id=lambda: "x-1",
    )
    try:
        if task["order"] is not None:
            found = await made.execute(Order(**task["order"]))
        else:
            await made.start()
            await made.resume_due()
            found = await made.go_on("x-1", cancel=task["cancel"], confirm_token=task["token"])
        return dict(found)
    finally:
        await made.close()
        await caller.close()


def main() -> None:
    from naftiko.awsapi.catalog import service_model
    from naftiko.workflow.isolation import isolated  # noqa: F401 - imported before the forks

    for name in ("rds", "sts", "dynamodb"):
        service_model(name)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            found = asyncio.run(work(json.loads(line)))
            sys.stdout.write(json.dumps(found) + "\n")
            sys.stdout.flush()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
            sys.stdout.write(json.dumps({"killed": killed}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
