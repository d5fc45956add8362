"""Runs Python in Monty: an interpreter of a part of the language, in processes of its own."""

from __future__ import annotations

import atexit
import json
import os
import signal
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from naftiko.scripting.lanes import Job, ScriptFault

if TYPE_CHECKING:
    import pydantic_monty

MAX_RECURSION = 200
STOP = "raise SystemExit\n"
"""Before a text that is only to be parsed: all of a text is compiled before any of it runs."""

TAKE = """
import json as _json
try:
    _text = _json.dumps([result], allow_nan=False)
except NameError:
    _text = ''
_text
"""


class PythonSandbox:
    """Runs each job in a fresh session of a worker process."""

    def __init__(self, size: int) -> None:
        """Start nothing yet. `size` is how many of these there are."""
        self._size = size
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._pid: int | None = None

    def run(self, job: Job) -> str | None:
        """Return `result` as JSON text, None where it was never assigned."""
        import pydantic_monty

        limits: pydantic_monty.ResourceLimits = {
            "max_feed_duration_secs": job.timeout_s,
            "max_memory": job.memory_bytes or None,
            "max_recursion_depth": MAX_RECURSION,
            "max_total_sleep_secs": 0,
        }
        try:
            with _pool(self._size).checkout(limits=limits, os_policy={"sleep": "zero"}) as session:
                self._begin(job, session.worker_pid)
                if not job.check:
                    return _run(session, job)
                _check(session, job)
                return None
        except pydantic_monty.MontyCrashedError as error:
            kind = "timeout" if error.timed_out else "crash"
            raise ScriptFault(kind, "the Python process ended") from None
        except OSError:
            raise ScriptFault("crash", "the Python process does not start") from None
        finally:
            self._begin(None, None)

    def stop(self, job: Job) -> None:
        """Stop that job: its process ends, the pool starts another."""
        with self._lock:
            if self._job is job and self._pid is not None:
                os.kill(self._pid, signal.SIGKILL)

    def _begin(self, job: Job | None, pid: int | None) -> None:
        with self._lock:
            self._job, self._pid = job, pid


def _check(session: pydantic_monty.MontySession, job: Job) -> None:
    import pydantic_monty

    for name, text in job.files:
        try:
            session.feed_run(STOP + text, print_callback=_quiet)
        except pydantic_monty.MontySyntaxError as error:
            frames = error.traceback()
            line, column = (frames[-1].line - 1, frames[-1].column) if frames else (1, 1)
            message = _first(error)
            raise ScriptFault("syntax", message, file=name, line=line, column=column) from None
        except pydantic_monty.MontyRuntimeError:
            continue


def _run(session: pydantic_monty.MontySession, job: Job) -> str | None:
    import pydantic_monty

    context = json.loads(job.context)
    inputs: dict[str, Any] = {"context": context}
    inputs |= {name: context[key] for name, key in job.aliases.items()}
    text = "\n".join(text for _, text in job.files) + "\nNone\n"
    try:
        session.feed_run(text, inputs=inputs, print_callback=_quiet)
    except pydantic_monty.MontySyntaxError as error:
        raise _fault("error", error, job.files) from None
    except pydantic_monty.MontyRuntimeError as error:
        raise _fault(_kind(error), error, job.files) from None
    try:
        found = session.feed_run(TAKE, print_callback=_quiet)
    except pydantic_monty.MontyError as error:
        kind = _kind(error) if isinstance(error, pydantic_monty.MontyRuntimeError) else "result"
        message = f"`result` cannot be turned into JSON: {_first(error)}"
        raise ScriptFault("result" if kind == "error" else kind, message) from None
    if not isinstance(found, str) or not found:
        return None
    return found[1:-1]


def _kind(error: pydantic_monty.MontyRuntimeError) -> str:
    text = str(error)
    if text.startswith("TimeoutError: feed time limit") and not error.traceback():
        return "timeout"
    return "memory" if text.startswith("MemoryError: memory limit") else "error"


def _fault(
    kind: str,
    error: pydantic_monty.MontyRuntimeError | pydantic_monty.MontySyntaxError,
    files: Sequence[tuple[str, str]],
) -> ScriptFault:
    frames = error.traceback()
    if not frames:
        return ScriptFault(kind, _first(error))
    name, line = _place(files, frames[-1].line)
    return ScriptFault(kind, _first(error), file=name, line=line, column=frames[-1].column)


def _place(files: Sequence[tuple[str, str]], line: int) -> tuple[str, int]:
    """Turn a line of all files together into a file and a line of it."""
    for name, text in files:
        lines = text.count("\n") + 1
        if line <= lines:
            return name, line
        line -= lines
    return files[-1][0], 1


def _first(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:500]


def _quiet(_stream: str, _text: str) -> None:
    """What a script prints goes nowhere."""


_POOLS: list[pydantic_monty.Monty] = []
_POOL_LOCK = threading.Lock()


def _pool(size: int) -> pydantic_monty.Monty:
    import pydantic_monty

    with _POOL_LOCK:
        if not _POOLS:
            pool = pydantic_monty.Monty(max_processes=size, max_checkouts_per_worker=500)
            _POOLS.append(pool.__enter__())
            atexit.register(pool.__exit__, None, None, None)
        return _POOLS[0]
