"""The process that runs one community plan: the machine, no network, no credentials, no files.

Started by isolated.py. It reads messages (frames.py) from standard input and writes them to
standard output; every request to AWS, record, event and wait is the parent's to do or refuse.
Spec: section 7, "Sandbox".
"""

from __future__ import annotations

import asyncio
import importlib
import os
import pkgutil
import random
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import BinaryIO, TypeAlias

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow import expressions, vm
from naftiko.workflow.isolation import frames
from naftiko.workflow.isolation.confine import confine
from naftiko.workflow.ports import AwsAnswer, AwsRequest, LeaseLost, Principal, StepEvent
from naftiko.workflow.vm.environment import Ending, Environment, Limits, Start
from naftiko.workflow.vm.machine import resume, run
from naftiko.workflow.vm.program import Program

EXIT_MEMORY = 86
EXIT_LOST = 87

_LATER = ("_strptime", "decimal", "uuid", "zoneinfo", "encodings.idna", "unicodedata")
"""Modules of the standard library that others import when they are first used."""


class Parent:
    """The other side: AWS, journal and clock of the machine that runs here."""

    def __init__(self, output: BinaryIO) -> None:
        """Write to `output`; answers come through `receive`."""
        self._output = output
        self._waiting: dict[int, asyncio.Future[JsonObject]] = {}
        self._count = 0
        self._now = datetime.min
        self._monotonic = 0.0
        self.is_revoked = False

    def send(self, message: JsonObject) -> None:
        """Write a message; blocks while the parent does not read."""
        self._output.write(frames.encode(message))
        self._output.flush()

    def receive(self, message: JsonObject) -> None:
        """Take an answer, and the time it came with."""
        self.set_time(message)
        self.is_revoked = message["revoked"] is True
        number = message["id"]
        assert isinstance(number, int)
        waiting = self._waiting.pop(number, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(message)

    def set_time(self, message: JsonObject) -> None:
        """Take the parent's time: between two messages none passes here."""
        self._now, self._monotonic = frames.read_time(message)

    def now(self) -> datetime:
        """Return the time as the parent last said it."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Wait for the parent to say that they are over."""
        await self._ask({"t": "sleep", "seconds": seconds})

    async def call(self, request: AwsRequest, /) -> AwsAnswer:
        """Have a request sent.

        Raises: AwsFailure.
        """
        answer = await self._ask({"t": "call", "request": frames.write_request(request)})
        failure, value = answer.get("failure"), answer.get("value")
        if isinstance(failure, dict):
            raise frames.read_failure(failure)
        assert isinstance(value, dict)
        return frames.read_answer(value)

    async def append(self, record: JsonObject, /) -> None:
        """Have a record kept.

        Raises: LeaseLost.
        """
        answer = await self._ask({"t": "append", "record": record})
        if answer.get("lost") is True:
            raise LeaseLost

    def event(self, event: StepEvent) -> None:
        """Tell what happened."""
        self.send({"t": "event", "event": frames.write_event(event)})

    def revoked(self, _: str, /) -> bool:
        """Return whether the plan was revoked, as of the last answer."""
        return self.is_revoked

    async def _ask(self, message: JsonObject) -> JsonObject:
        self._count += 1
        number = self._count
        waiting: asyncio.Future[JsonObject] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        self.send({**message, "id": number})
        try:
            return await waiting
        except asyncio.CancelledError:
            if self._waiting.pop(number, None) is not None:
                self.send({"t": "drop", "id": number})
            raise


class _Input(asyncio.Protocol):
    """Cuts standard input into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.messages: asyncio.Queue[JsonObject] = asyncio.Queue()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= frames.HEADER.size:
            end = frames.HEADER.size + frames.length_of(bytes(self._buffer[: frames.HEADER.size]))
            if len(self._buffer) < end:
                return
            self.messages.put_nowait(frames.decode(bytes(self._buffer[frames.HEADER.size : end])))
            del self._buffer[:end]

    def connection_lost(self, error: Exception | None) -> None:
        os._exit(0)  # the parent is gone: there is nobody to work for


Work: TypeAlias = Callable[[JsonObject, Parent, asyncio.Event], Awaitable[Ending]]


def main(cpu_s: int, memory_bytes: int, work: Work | None = None) -> None:
    """Close in, wait for a plan, run it, tell how it ended. `work` stands for the machine."""
    _preload()
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no message
    try:
        asyncio.run(_serve(Parent(output), cpu_s, memory_bytes, work or _work))
    except MemoryError:
        os._exit(EXIT_MEMORY)
    except LeaseLost:
        os._exit(EXIT_LOST)
    os._exit(0)


def _preload() -> None:
    for package in (vm, expressions):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    for name in _LATER:
        importlib.import_module(name)


async def _serve(parent: Parent, cpu_s: int, memory_bytes: int, work: Work) -> None:
    reader = _Input()
    await asyncio.get_running_loop().connect_read_pipe(lambda: reader, sys.stdin)
    closed: list[JsonValue] = [*confine(cpu_s, memory_bytes)]
    parent.send({"t": "ready", "closed": closed})
    start = await reader.messages.get()
    parent.set_time(start)
    cancelled = asyncio.Event()
    listening = asyncio.create_task(_listen(reader, parent, cancelled))
    ending = await work(start, parent, cancelled)
    listening.cancel()
    parent.send({"t": "end", "status": ending.status, "result": ending.result})


async def _listen(reader: _Input, parent: Parent, cancelled: asyncio.Event) -> None:
    while True:
        message = await reader.messages.get()
        if message["t"] == "reply":
            parent.receive(message)
        elif message["t"] == "cancel":
            cancelled.set()


async def _work(start: JsonObject, parent: Parent, cancelled: asyncio.Event) -> Ending:
    plan, principal, limits = start["plan"], start["principal"], start["limits"]
    assert isinstance(plan, dict)
    assert isinstance(principal, dict)
    assert isinstance(limits, dict)
    seed = str(start["seed"])
    env = Environment(
        call=parent.call,
        clock=parent,
        chance=random.Random(seed),  # noqa: S311 - spreads retries; no secret comes from it
        principal=Principal(**principal),  # type: ignore[arg-type] # as isolated.py wrote it
        journal=parent,
        # Reading plans never stop for a confirmation, so that no token is worth anything.
        confirm_key=bytes.fromhex(seed),
        on_event=parent.event,
        cancelled=cancelled,
        revoked=parent.revoked,
        limits=Limits(**limits),  # type: ignore[arg-type] # as isolated.py wrote it
    )
    program = Program.load(plan)
    records = start.get("records")
    if isinstance(records, list):
        return await resume(program, _records(records), env, cancel=start.get("cancel") is True)
    given = start["run"]
    assert isinstance(given, dict)
    return await run(program, Start(**given), env)  # type: ignore[arg-type] # as isolated.py wrote it


def _records(values: list[JsonValue]) -> Sequence[JsonObject]:
    return [value for value in values if isinstance(value, dict)]
