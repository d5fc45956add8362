"""Runs JavaScript in V8, in processes of its own that can be stopped."""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path

from naftiko.scripting.lanes import Job, ScriptFault

WORKER = Path(__file__).with_name("javascript_worker.py")
START_S = 20.0
GRACE_S = 1.0
"""The process stops a script itself; this much later it is stopped."""
RUNS = 500
"""A process is replaced after so many, whatever it may have kept."""
EXIT_MEMORY = 86
MAX_REPLY_BYTES = 64 * 1024 * 1024
KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
"""Without these some interpreters do not start; nothing else of the environment is passed on."""


class JavaScriptSandbox:
    """One process, started when it is first needed and again after it died."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._job: Job | None = None
        self._runs = 0
        atexit.register(self._end)

    def run(self, job: Job) -> str | None:
        """Return `result` as JSON text, None where it was never assigned."""
        with self._lock:
            self._job = job
            if self._runs >= RUNS:
                self._end()
        try:
            return self._ask(job)
        finally:
            with self._lock:
                self._job = None

    def stop(self, job: Job) -> None:
        """Stop that job: its process ends, the next job gets another."""
        with self._lock:
            if self._job is job and self._process is not None:
                self._process.kill()

    def _ask(self, job: Job) -> str | None:
        request = {
            "files": list(job.files),
            "context": job.context,
            "aliases": list(job.aliases.items()),
            "timeout": job.timeout_s,
            "memory": job.memory_bytes,
            "check": job.check,
        }
        body = json.dumps(request).encode()
        process = self._started()
        try:
            assert process.stdin is not None
            process.stdin.write(len(body).to_bytes(4, "big") + body)
            process.stdin.flush()
            reply = self._receive(process, job.timeout_s + GRACE_S)
        except (OSError, EOFError):
            raise self._died(process) from None
        except TimeoutError:
            self._end()
            raise ScriptFault("timeout") from None
        self._runs += 1
        if reply.get("kind") == "timeout":
            # What V8 does in one of its own functions nobody can stop: the next job must not wait.
            self._end()
        return _result(reply)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        self._runs = 0
        try:
            process = _start()
            with self._lock:
                self._process = process
            self._receive(process, START_S)
        except (OSError, EOFError, TimeoutError):
            self._end()
            raise ScriptFault("crash", "the JavaScript process does not start") from None
        return process

    def _receive(self, process: subprocess.Popen[bytes], timeout_s: float) -> dict[str, object]:
        assert process.stdout is not None
        until = time.monotonic() + timeout_s
        size = int.from_bytes(_read(process.stdout.fileno(), 4, until), "big")
        if size > MAX_REPLY_BYTES:
            raise EOFError
        reply: dict[str, object] = json.loads(_read(process.stdout.fileno(), size, until))
        return reply

    def _died(self, process: subprocess.Popen[bytes]) -> ScriptFault:
        """V8 traps when it finds no memory; the process itself ends with EXIT_MEMORY."""
        try:
            code = process.wait(timeout=GRACE_S)
        except subprocess.TimeoutExpired:  # it has closed its pipes and goes on all the same
            code = 0
        self._end()
        if code == EXIT_MEMORY or code < 0:
            return ScriptFault("memory")
        return ScriptFault("crash", "the JavaScript process ended")

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                _close(pipe)


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  # our own file, this interpreter
        [sys.executable or "python3", "-I", "-S", str(WORKER), _site()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"TZ": "UTC"} | {name: os.environ[name] for name in KEPT if name in os.environ},
        cwd=os.path.sep,
    )


def _close(pipe: object) -> None:
    try:
        pipe.close()  # type: ignore[attr-defined]  # a pipe of Popen
    except OSError:  # what was not yet written meets a process that is gone
        return


def _site() -> str:
    spec = importlib.util.find_spec("py_mini_racer")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent.parent)


def _read(fd: int, size: int, until: float) -> bytes:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    parts: list[bytes] = []
    while size:
        left = until - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise TimeoutError
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _result(reply: dict[str, object]) -> str | None:
    kind = reply.get("kind")
    if kind is None:
        found = reply.get("result")
        return found if isinstance(found, str) else None
    raise ScriptFault(
        str(kind),
        str(reply.get("message", "")),
        file=str(reply.get("file", "")),
        line=_number(reply.get("line")),
        column=_number(reply.get("column")),
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
