"""Programs under test as processes of their own: where they listen, what they cost.

Needs Linux: CPU time and memory of another process are read from its clock and from /proc.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from benchmarks.samples import REGION

ROOT = Path(__file__).resolve().parent.parent
NAFTIKO = str(Path(sys.executable).with_name("naftiko"))
CAPABILITY = "capabilities/stepfunctions.yaml"
REST = "workflow-orchestration-api"
MCP = "workflow-orchestration-mcp"
TOOLS_CAPABILITY = "capabilities/stepfunctions-tools.yaml"
TOOLS = "stepfunctions-tools"
TOOLS_SKILL = "stepfunctions-tools-skill"

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
IDLE_FOR_S = 1.5
"""Longer than what naftiko waits before it loads, in the background, what no one asked for yet."""
IDLE_CPU_S = 0.005
_ANNOUNCED = re.compile(r"^\s+(\w+)\s+http://127\.0\.0\.1:(\d+)", re.ASCII)


class Cores:
    """The core of the process under test, and the core of everything around it."""

    def __init__(self) -> None:
        """Take the last core for the process under test where there is more than one."""
        available = sorted(os.sched_getaffinity(0))
        self.tested = {available[-1]}
        self.around = set(available[:-1]) or self.tested

    @contextlib.contextmanager
    def spawning(self, *, tested: bool) -> Iterator[None]:
        """Let processes that are started meanwhile inherit the right core."""
        os.sched_setaffinity(0, self.tested if tested else self.around)
        try:
            yield
        finally:
            os.sched_setaffinity(0, self.around)


CORES = Cores()


def prepare() -> None:
    """Pin this process, and let it and its children open thousands of connections."""
    os.sched_setaffinity(0, CORES.around)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def aws_environment(upstream_port: int) -> dict[str, str]:
    """Return all that a program under test gets to see: no settings of this machine's owner."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{upstream_port}",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


class Server:
    """A process that listens. `ports` holds what it announced, by name."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        listens: Sequence[str],
        tested: bool = True,
    ) -> None:
        """Start it and wait until everything in `listens` is announced on its stderr."""
        self.started_at = time.perf_counter()
        with CORES.spawning(tested=tested):
            self._process = subprocess.Popen(
                list(command),
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        self.pid = self._process.pid
        self.ports: dict[str, int] = {}
        self._said: list[str] = []
        self._missing = set(listens)
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(START_TIMEOUT_S) or self._missing:
            self.stop()
            said = "".join(self._said)
            raise RuntimeError(f"{' '.join(command)} does not listen; it said:\n{said}")

    def _read(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        for line in stream:
            self._said = [*self._said[-50:], line]
            found = _ANNOUNCED.match(line)
            if found is not None:
                self.ports[found[1]] = int(found[2])
                self._missing.discard(found[1])
                if not self._missing:
                    self._ready.set()
        self._ready.set()

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all its threads so far, also of those that have ended."""
        return time.clock_gettime(_cpu_clock(self.pid))

    @property
    def memory_kib(self) -> int:
        """Memory it holds now."""
        return self._status("VmRSS")

    @property
    def peak_memory_kib(self) -> int:
        """The most it has held."""
        return self._status("VmHWM")

    def settle(self) -> None:
        """Wait until what it does in the background after its start is done."""
        while True:
            before = self.cpu_s
            time.sleep(IDLE_FOR_S)
            if self.cpu_s - before < IDLE_CPU_S:
                return

    def _status(self, name: str) -> int:
        text = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(text.split(f"{name}:", 1)[1].split(None, 1)[0])

    def stop(self) -> None:
        """Stop it and wait for its end."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(STOP_TIMEOUT_S)

    def __enter__(self) -> Self:
        """Return the running server."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Stop it."""
        self.stop()


def start_upstream(*options: str) -> Server:
    """Start the stand-in for AWS, beside the load."""
    command = [sys.executable, "-m", "benchmarks.upstream", *options]
    environment = {"PATH": os.environ.get("PATH", os.defpath)}
    return Server(command, environment=environment, listens=["upstream"], tested=False)


def start_naftiko(upstream: Server) -> Server:
    """Start `naftiko run` on the Step Functions capability, as a user does."""
    command = [NAFTIKO, "run", CAPABILITY, "--port", f"{REST}=0", "--port", f"{MCP}=0"]
    environment = aws_environment(upstream.ports["upstream"])
    return Server(command, environment=environment, listens=["rest", "mcp"])


def start_tools(upstream: Server, **settings: str) -> Server:
    """Start `naftiko run` on the capability whose tools are discovered, with these settings."""
    ports = ["--port", f"{TOOLS}=0", "--port", f"{TOOLS_SKILL}=0"]
    environment = aws_environment(upstream.ports["upstream"]) | settings
    command = [NAFTIKO, "run", TOOLS_CAPABILITY, *ports]
    return Server(command, environment=environment, listens=["mcp", "skill"])


def start_baseline(name: str, upstream: Server) -> Server:
    """Start one of `benchmarks.baselines`, the way an installed command starts."""
    command = [sys.executable, "-c", f"from benchmarks.baselines.{name} import main; main()"]
    environment = aws_environment(upstream.ports["upstream"])
    return Server(command, environment=environment, listens=["baseline"])


def _cpu_clock(pid: int) -> int:
    """Return the id of a process's CPU clock, as clock_getcpuclockid(3) makes it."""
    return (~pid << 3) | 2
