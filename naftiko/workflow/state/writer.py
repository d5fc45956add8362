"""One thread with one SQLite connection; what waits together is committed together.

Executions that run side by side share the price of making a record durable: all that has gathered
while the last commit was written goes into the next one.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

MAX_TOGETHER = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    work: Callable[[sqlite3.Connection], Any]  # what it returns is what `run` returns
    writes: bool
    future: Future[Any] = field(default_factory=Future)


class Writer:
    """Runs work on a connection, off the loop. Work must change nothing but the database."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """Take what opens the connection, in the thread."""
        self._connect = connect
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def open(self) -> None:
        """Open the connection.

        Raises: what `connect` raises.
        """
        ready: Future[None] = Future()
        # Not a daemon's work to be cut off: a commit under way is finished at exit.
        self._thread = threading.Thread(target=self._serve, args=(ready,), name="naftiko-state")
        self._thread.daemon = True
        self._thread.start()
        await asyncio.wrap_future(ready)

    async def run(self, work: Callable[[sqlite3.Connection], T], *, writes: bool = True) -> T:
        """Run work; it is durable when this returns. What it raises is raised, and undone.

        Raises: RuntimeError: closed.
        """
        if self._thread is None:
            raise RuntimeError("the store is not open")
        job = _Job(work=work, writes=writes)
        self._jobs.put(job)
        result: T = await asyncio.wrap_future(job.future)
        return result

    async def close(self) -> None:
        """Finish what waits and close the connection."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._jobs.put(None)
        await asyncio.to_thread(thread.join)

    def _serve(self, ready: Future[None]) -> None:
        try:
            connection = self._connect()
        except BaseException as error:  # noqa: BLE001 - it is the caller's, in another thread
            ready.set_exception(error)
            return
        ready.set_result(None)
        try:
            is_open = True
            while is_open:
                jobs, is_open = self._gather()
                _run_together(connection, jobs)
        finally:
            connection.close()

    def _gather(self) -> tuple[list[_Job], bool]:
        first = self._jobs.get()
        jobs: list[_Job] = []
        while first is not None:
            if first.future.set_running_or_notify_cancel():
                jobs.append(first)
            if len(jobs) >= MAX_TOGETHER:
                return jobs, True
            try:
                first = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, True
        return jobs, False


def _run_together(connection: sqlite3.Connection, jobs: list[_Job]) -> None:
    done: list[tuple[_Job, Any, BaseException | None]] = []
    is_change = any(job.writes for job in jobs)
    try:
        if is_change:
            connection.execute("BEGIN IMMEDIATE")
        done.extend(_run_one(connection, job) for job in jobs)
        if is_change:
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        for job in jobs:
            job.future.set_exception(error)
        return
    for job, result, failure in done:
        if failure is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(failure)


def _run_one(connection: sqlite3.Connection, job: _Job) -> tuple[_Job, Any, BaseException | None]:
    if not job.writes:
        try:
            return job, job.work(connection), None
        except Exception as error:  # noqa: BLE001 - it is the caller's, in another thread
            return job, None, error
    connection.execute("SAVEPOINT job")
    try:
        result = job.work(connection)
    except Exception as error:
        # A full disk ends the whole transaction, and the savepoint with it.
        if not connection.in_transaction:
            raise
        connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")
        return job, None, error
    connection.execute("RELEASE job")
    return job, result, None
