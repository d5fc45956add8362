"""Runs community plans in a process of their own, which may ask and is never believed.

The worker has neither credentials nor network: what it wants of AWS it asks the parent for, and the
parent sends only what the plan names (guard.py). One worker runs one execution; the next one is
started ahead, so that nobody waits for an interpreter. Spec: section 7, "Sandbox".
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass

from naftiko.values import JsonObject
from naftiko.workflow.isolation import frames
from naftiko.workflow.isolation.confine import environment
from naftiko.workflow.isolation.guard import Guard, Refused, is_reading
from naftiko.workflow.isolation.serving import Serving
from naftiko.workflow.isolation.witness import Witness
from naftiko.workflow.vm.environment import Ending, Environment, Start

_BOOT = (
    "import importlib, json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    " importlib.import_module(sys.argv[2]).main(int(sys.argv[3]), int(sys.argv[4]))"
)
"""`-I` keeps the environment's and the working folder's modules out; ours are where they are."""

_EXITS = {
    86: "it needed more memory than it may",
    -signal.SIGXCPU: "it computed longer than it may",
    -signal.SIGKILL: "it was ended",
}


class IsolationFailed(Exception):  # noqa: N818 - what became of the worker
    """The worker ended without a result, or did what it must not. The text is the engine's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLimits:
    """What a worker may use. `silence_s`: so long it may owe a message, waiting for nothing."""

    cpu_s: int = 30
    memory_bytes: int = 1024**3
    silence_s: float = 60.0
    start_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Worker:
    process: Process
    folder: tempfile.TemporaryDirectory[str]
    closed: tuple[str, ...]

    async def end(self) -> int:
        """End it, if it has not, and clear up; return its exit status."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.kill()
        status = await self.process.wait()
        # The pipe's transport is closed at its end, not when somebody collects it.
        transport = getattr(self.process, "_transport", None)
        if transport is not None:
            transport.close()
        self.folder.cleanup()
        return status


class Isolated:
    """Workers for community plans."""

    def __init__(
        self,
        limits: WorkerLimits | None = None,
        module: str = "naftiko.workflow.isolation.worker",
    ) -> None:
        """Start nothing yet. `module`: whose `main` the workers run."""
        self._module = module
        self._limits = limits if limits is not None else WorkerLimits()
        self._next: asyncio.Task[_Worker] | None = None

    def warm(self) -> None:
        """Start the next worker ahead."""
        if self._next is None:
            self._next = asyncio.create_task(self._start())

    async def close(self) -> None:
        """End the worker that waits."""
        task, self._next = self._next, None
        if task is None:
            return
        with suppress(IsolationFailed, OSError):
            await (await task).end()

    async def run(self, plan: JsonObject, start: Start, env: Environment) -> Ending:
        """Run a verified plan from the beginning.

        Raises: IsolationFailed; what the journal raises.
        """
        return await self._execute(plan, {"run": asdict(start)}, env)

    async def resume(
        self,
        plan: JsonObject,
        records: Sequence[JsonObject],
        env: Environment,
        *,
        cancel: bool = False,
    ) -> Ending:
        """Go on with an execution.

        Raises: IsolationFailed; what the journal raises.
        """
        return await self._execute(plan, {"records": [*records], "cancel": cancel}, env)

    async def closed(self) -> tuple[str, ...]:
        """Return how workers are closed in on this machine: `network`, `limits`, `kernel`."""
        self.warm()
        assert self._next is not None
        return (await asyncio.shield(self._next)).closed

    async def _execute(self, plan: JsonObject, what: JsonObject, env: Environment) -> Ending:
        if not is_reading(plan):
            raise IsolationFailed("a plan that changes something cannot run isolated")
        worker = await self._take()
        try:
            return await self._serve(worker, plan, what, env)
        finally:
            await worker.end()

    async def _take(self) -> _Worker:
        self.warm()
        task, self._next = self._next, None
        assert task is not None
        try:
            worker = await task
        except asyncio.CancelledError:
            task.cancel()
            raise
        self.warm()
        return worker

    async def _serve(
        self, worker: _Worker, plan: JsonObject, what: JsonObject, env: Environment
    ) -> Ending:
        process = worker.process
        assert process.stdin is not None
        assert process.stdout is not None
        witness = _witness(plan, what)
        serving = Serving(process.stdin, Guard(plan), env, plan, witness)
        message: JsonObject = {
            "t": "start",
            "plan": plan,
            "principal": asdict(env.principal),
            "limits": asdict(env.limits),
            "seed": env.chance.randbytes(32).hex(),
            **frames.time_of(env.clock),
            **what,
        }
        try:
            await serving.send(message)
            last = await self._converse(process.stdout, serving)
            ending = witness.ending(last.get("status"), last.get("result"))
            if ending is None:
                raise frames.FrameError("the ending has not the form of one")
        except frames.FrameError as error:
            raise IsolationFailed(f"the worker's conversation broke off: {error}") from None
        except Refused as error:
            raise IsolationFailed(
                f"the worker asked for what its plan does not do: {error}"
            ) from None
        except (EOFError, ConnectionError):
            if serving.failure is not None:
                raise serving.failure from None
            status = await _status(process)
            raise IsolationFailed(
                f"the worker ended without a result: {_EXITS.get(status, f'exit status {status}')}"
            ) from None
        finally:
            await serving.close()
        if serving.failure is not None:
            raise serving.failure
        return ending

    async def _converse(self, output: asyncio.StreamReader, serving: Serving) -> JsonObject:
        cancelling = asyncio.create_task(serving.pass_cancel_on())
        try:
            while True:
                message = await self._read(output, serving)
                if message["t"] == "end":
                    return message
                await serving.take(message)
        finally:
            cancelling.cancel()

    async def _read(self, output: asyncio.StreamReader, serving: Serving) -> JsonObject:
        """Return the next message. It may take long only while the parent owes an answer."""
        reading = asyncio.ensure_future(_message(output))
        either: set[asyncio.Future[JsonObject] | asyncio.Future[None]] = {reading, serving.broken}
        try:
            while True:
                done, _ = await asyncio.wait(
                    either,
                    timeout=self._limits.silence_s,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if serving.broken in done:
                    serving.broken.result()
                if reading in done:
                    return reading.result()
                if serving.idle_s() >= self._limits.silence_s:
                    raise IsolationFailed("the worker does nothing")
        finally:
            reading.cancel()

    async def _start(self) -> _Worker:
        folder = tempfile.TemporaryDirectory(prefix="naftiko-worker-")
        limits = self._limits
        paths = json.dumps([path for path in sys.path if path])
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-I", "-B", "-c", _BOOT, paths, self._module),
            *(str(limits.cpu_s), str(limits.memory_bytes)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            cwd=folder.name,
            env=environment(),
            close_fds=True,
            start_new_session=True,  # the terminal's interrupt is the parent's to handle
        )
        worker = _Worker(process=process, folder=folder, closed=())
        try:
            assert process.stdout is not None
            async with asyncio.timeout(limits.start_s):
                message = await _message(process.stdout)
        except (TimeoutError, EOFError, frames.FrameError):
            await worker.end()
            raise IsolationFailed("the worker does not start") from None
        except BaseException:
            await worker.end()
            raise
        closed = message.get("closed")
        ways = tuple(str(way) for way in closed) if isinstance(closed, list) else ()
        return _Worker(process=process, folder=folder, closed=ways)


async def _message(output: asyncio.StreamReader) -> JsonObject:
    header = await output.readexactly(frames.HEADER.size)
    return frames.decode(await output.readexactly(frames.length_of(header)))


async def _status(process: Process) -> int:
    """Return the exit status of a process that closed its output, ended if it lives on."""
    try:
        async with asyncio.timeout(1.0):
            return await process.wait()
    except TimeoutError:
        process.kill()
        return await process.wait()


def _witness(plan: JsonObject, what: JsonObject) -> Witness:
    records = what.get("records")
    begun = what["run"] if "run" in what else records[0] if isinstance(records, list) else None
    execution_id = begun.get("execution_id") if isinstance(begun, dict) else None
    return Witness(plan, str(execution_id or ""), begins="run" in what)
