"""`naftiko` as a process of its own: what it prints, how it ends."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

LAST_LINE = "Ctrl-C stops it"
WAIT_S = 60


@dataclass
class Running:
    """A running command. `said` is what it wrote to stderr so far."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)
    _lines: queue.SimpleQueue[str | None] = field(default_factory=queue.SimpleQueue)

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def until(self, text: str) -> str:
        """Read stderr up to a line with this text, and return that line."""
        while (line := self._lines.get(timeout=WAIT_S)) is not None:
            self.said.append(line)
            if text in line:
                return line
        raise AssertionError(f"it never said {text!r}:\n" + "\n".join(self.said))

    def urls(self) -> dict[str, str]:
        """Return what it listens on, by the word before it."""
        self.until(LAST_LINE)
        found = (re.match(r"  (\w+) +(http://\S+)", line) for line in self.said)
        return {match[1]: match[2] for match in found if match}

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, read the rest, and return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(WAIT_S)
        while (line := self._lines.get(timeout=WAIT_S)) is not None:
            self.said.append(line)
        return code

    def out(self) -> str:
        """Return what it wrote to stdout; for a command that has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.read()


@contextlib.contextmanager
def running(
    *arguments: str | Path,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    python: str | Path = sys.executable,
) -> Iterator[Running]:
    """Start `naftiko` with these arguments; it is gone when the block ends."""
    process = subprocess.Popen(
        [python, "-m", "naftiko", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**os.environ, "NO_COLOR": "1", **(environment or {})},
    )
    with process:
        try:
            yield Running(process)
        finally:
            if process.poll() is None:
                process.kill()
