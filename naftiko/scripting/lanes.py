"""A few permanent threads, each with a sandbox of its own, that run one script at a time.

Threads that live as long as the process: native libraries keep data for every thread they meet.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from naftiko.errors import RunError

MAX_WAITING = 1000
MAX_WAITING_CHARS = 256 * 1024 * 1024
"""What the contexts of all jobs that wait or run may take."""


class ScriptFault(Exception):  # noqa: N818  # turned into a RunError or a Problem by its receiver
    """A run that gave no result.

    `kind` is syntax, error (the script threw), result (no JSON), timeout, memory or crash. `file`,
    `line` and `column` say where, "" and 0 where unknown.
    """

    def __init__(
        self, kind: str, message: str = "", *, file: str = "", line: int = 0, column: int = 0
    ) -> None:
        """Keep what happened and where."""
        super().__init__(message or kind)
        self.kind = kind
        self.message = message
        self.file = file
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Job:
    """One thing to run. `files` are (name, text); `context` is JSON; `aliases` (variable, key).

    With `check` nothing is run: the files are only parsed.
    """

    files: Sequence[tuple[str, str]]
    context: str = "{}"
    aliases: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 10.0
    memory_bytes: int = 0
    check: bool = False


class Sandbox(Protocol):
    """What runs jobs, one at a time, outside this process. Used by one thread."""

    def run(self, job: Job) -> str | None:
        """Return `result` as JSON text, None where it was never assigned.

        Raises: ScriptFault.
        """
        ...

    def stop(self, job: Job) -> None:
        """Stop that job if it is the one that runs. Called from any thread."""
        ...


@dataclass(slots=True, eq=False)
class _Task:
    job: Job
    future: Future[str | None] = field(default_factory=Future)
    sandbox: Sandbox | None = None


class Lanes:
    """Runs jobs in up to `size` sandboxes; more jobs wait in line."""

    def __init__(self, name: str, size: int, make: Callable[[], Sandbox]) -> None:
        """Start nothing yet."""
        self._name = name
        self._size = size
        self._make = make
        self._queue: queue.SimpleQueue[_Task] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._busy = 0
        self._held = 0

    async def run(self, job: Job) -> str | None:
        """Run a job without holding up the event loop. Cancelling stops the script."""
        task = self._submit(job)
        try:
            return await asyncio.wrap_future(task.future)
        except asyncio.CancelledError:
            if not task.future.cancel() and task.sandbox is not None:
                task.sandbox.stop(job)
            raise

    def run_now(self, job: Job) -> str | None:
        """Run a job and wait for it: while a file is loaded."""
        return self._submit(job).future.result()

    def _submit(self, job: Job) -> _Task:
        task = _Task(job)
        with self._lock:
            held = self._held + len(job.context)
            if self._busy >= self._size + MAX_WAITING or held > MAX_WAITING_CHARS:
                raise RunError(
                    code="too-many-scripts",
                    message="too many scripts are waiting to run",
                    status=503,
                    retryable=True,
                )
            self._busy += 1
            self._held = held
            if self._threads < min(self._size, self._busy):
                self._threads += 1
                name = f"naftiko-{self._name}-{self._threads}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
        self._queue.put(task)
        return task

    def _work(self) -> None:
        sandbox = self._make()
        while True:
            task = self._queue.get()
            try:
                self._do(task, sandbox)
            finally:
                with self._lock:
                    self._busy -= 1
                    self._held -= len(task.job.context)
            del task

    @staticmethod
    def _do(task: _Task, sandbox: Sandbox) -> None:
        task.sandbox = sandbox
        if not task.future.set_running_or_notify_cancel():
            return
        try:
            value = sandbox.run(task.job)
        except BaseException as error:  # noqa: BLE001  # the thread stays; who waits is told
            task.future.set_exception(error)
        else:
            task.future.set_result(value)
