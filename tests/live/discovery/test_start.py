"""Starting while the service that is asked does not answer: signals end it, ports are kept."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from naftiko.errors import ExitCode
from tests.live.cli.processes import running
from tests.live.discovery.reports import EXAMPLE
from tests.live.scripted import scripted_api

LONGEST = "1m"
ENDS_S = 15
FREE = ["--port", "reports-mcp=0", "--port", "reports-api=0"]


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A service that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(ENDS_S)
        yield listening


@pytest.fixture
def patient(tmp_path: Path) -> Path:
    """The example, which waits for its tools as long as one can."""
    path = tmp_path / "discovery.yaml"
    text = EXAMPLE.read_text(encoding="utf-8")
    assert "wait: 5s" in text
    path.write_text(text.replace("wait: 5s", f"wait: {LONGEST}"), "utf-8")
    return path


def url_of(listening: socket.socket) -> str:
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["term", "int"]
)
@pytest.mark.parametrize("stdio", [False, True], ids=["http", "stdio"])
def test_a_signal_ends_the_wait(
    patient: Path, silent: socket.socket, number: signal.Signals, code: int, stdio: bool
) -> None:
    listening = ["--stdio", "reports-mcp"] if stdio else FREE
    environment = {"REPORTS_URL": url_of(silent)}
    with running("run", patient, *listening, environment=environment) as process:
        asked, _ = silent.accept()
        with asked:
            assert asked.recv(4) == b"GET "
            if stdio:
                until_signals_are_heard(process.process.pid, number)
            assert process.stop(number) == code
        assert "Traceback" not in "\n".join(process.said)


def until_signals_are_heard(pid: int, number: signal.Signals) -> None:
    """Wait until the process has a handler of its own for this signal."""
    from tests.live.waiting import until

    def caught() -> bool:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        line = next(item for item in status.splitlines() if item.startswith("SigCgt:"))
        return bool(int(line.split()[1], 16) >> (number - 1) & 1)

    until(lambda: caught() or None)


def test_a_taken_port_is_found_before_anything_is_asked() -> None:
    with scripted_api() as api, socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ports = [*FREE[2:], "--port", f"reports-mcp={port}"]
        ended = subprocess.run(
            [sys.executable, "-m", "naftiko", "run", EXAMPLE, *ports],
            env={**os.environ, "REPORTS_URL": api.url},
            capture_output=True,
            text=True,
            timeout=ENDS_S,
            check=False,
        )
        assert ended.returncode == ExitCode.CANNOT_START
        assert f"port {port}" in ended.stderr
        assert api.requests == []
