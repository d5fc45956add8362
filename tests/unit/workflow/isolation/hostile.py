"""A worker whose machine has been taken over: it does what `prefix` says, from within."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any

from naftiko.workflow.isolation import worker
from naftiko.workflow.isolation.worker import Parent
from naftiko.workflow.ports import AwsRequest, StepEvent
from naftiko.workflow.vm.environment import Ending

REQUESTS: dict[str, dict[str, Any]] = {
    "other_operation": {"operation": "DeleteBucket"},
    "other_service": {"service": "iam"},
    "other_member": {"members": {"Prefix": "x", "MaxBuckets": 10, "ContinuationToken": "y"}},
    "other_constant": {"members": {"Prefix": "x", "MaxBuckets": 11}},
    "boolean_constant": {"members": {"Prefix": "x", "MaxBuckets": True}},
    "no_constant": {"members": {"Prefix": "x"}},
    "other_step": {"step_id": "other"},
    "mutating": {"mutating": True},
    "region": {"region": "eu-west-1"},
    "long": {"timeout_s": 61.0},
    "endless": {"timeout_s": 1e300},
}


def main(cpu_s: int, memory_bytes: int) -> None:
    worker.main(cpu_s, memory_bytes, work)


async def work(start: dict[str, Any], parent: Parent, _: asyncio.Event) -> Ending:
    asked = start["run"]["parameters"]["do"]
    if asked in REQUESTS:
        await parent.call(AwsRequest(**{**ALLOWED, **REQUESTS[asked]}))
        return ending("it was sent")
    if asked == "backwards":
        await parent.call(AwsRequest(**{**ALLOWED, **LATER}))
        await parent.call(AwsRequest(**ALLOWED))
    if asked.startswith("read:"):
        return ending(attempt(lambda: Path(asked.removeprefix("read:")).read_text()))
    return ending(await DEEDS[asked](parent))


LATER = {
    "step_id": "ready",
    "service": "rds",
    "operation": "DescribeDBInstances",
    "members": {},
}
ALLOWED: dict[str, Any] = {
    "service": "s3",
    "operation": "ListBuckets",
    "members": {"Prefix": "x", "MaxBuckets": 10},
    "step_id": "fetch",
    "mutating": False,
}


def ending(found: Any) -> Ending:
    return Ending(status="succeeded", result={"found": found})


def attempt(deed: Any) -> str:
    try:
        return f"done: {deed()}"
    except OSError as error:
        return f"refused: {error.strerror}"


async def environment(_: Parent) -> Any:
    return dict(os.environ)


async def write(_: Parent) -> Any:
    return attempt(lambda: Path("left-behind").write_text("x"))


async def connect(_: Parent) -> Any:
    return attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))


async def fork(_: Parent) -> Any:
    return attempt(os.fork)


async def execute(_: Parent) -> Any:
    return attempt(lambda: os.execv(sys.executable, ["x"]))  # noqa: S606 - it must not come to it


async def signal_parent(_: Parent) -> Any:
    return attempt(lambda: os.kill(os.getppid(), 0))


async def loop(_: Parent) -> Any:
    while True:
        pass


async def hoard(_: Parent) -> Any:
    held = []
    while True:
        held.append(bytearray(16 * 1024 * 1024))


async def vanish(_: Parent) -> Any:
    os._exit(3)


async def say_nothing(_: Parent) -> Any:
    await asyncio.get_running_loop().create_future()


async def babble(parent: Parent) -> Any:
    parent._output.write(b"\x00\x00\x00\x05hello")
    parent._output.flush()
    return await say_nothing(parent)


async def boast(parent: Parent) -> Any:
    parent._output.write(b"\xff\xff\xff\xff")
    parent._output.flush()
    return await say_nothing(parent)


async def nest(parent: Parent) -> Any:
    text = b"[" * 200_000
    parent._output.write(len(text).to_bytes(4, "big") + text)
    parent._output.flush()
    return await say_nothing(parent)


async def flood(parent: Parent) -> Any:
    await asyncio.gather(*(parent.sleep(3600.0) for _ in range(100)))


async def oversleep(parent: Parent) -> Any:
    await parent.sleep(1e300)


async def impersonate(parent: Parent) -> Any:
    forged: Any = {"execution_id": "another", "op": "AWS_CALL", "phase": "started"}
    parent.event(StepEvent(**forged, step_id="fetch"))
    parent.event(StepEvent(**forged, step_id="a step of nobody"))
    return "done"


DEEDS = {
    deed.__name__: deed
    for deed in (
        environment,
        write,
        connect,
        fork,
        execute,
        signal_parent,
        loop,
        hoard,
        vanish,
        say_nothing,
        babble,
        boast,
        nest,
        flood,
        oversleep,
        impersonate,
    )
}
