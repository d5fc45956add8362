"""The examples of docs/embedding.md, run as written."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.case_files import ROOT

BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/embedding.md").read_text(), re.DOTALL)
BLOCKING = "naftiko.serve("


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("code", [block for block in BLOCKS if BLOCKING not in block])
def test_example_runs(code: str) -> None:
    done = run(code)

    assert done.returncode == 0, done.stderr
    if "print(" in code:
        assert "ann" in done.stdout or "28.5" in done.stdout


def test_serve_example_serves_until_it_is_stopped() -> None:
    (code,) = [block for block in BLOCKS if BLOCKING in block]
    stopping = (
        "import os, signal\n"
        "import naftiko.serving as s\n"
        "started = lambda host: os.kill(os.getpid(), signal.SIGTERM)\n"
        "options_of = s.ServeOptions\n"
    )
    code = code.replace("options=options)", "options=options, on_started=started)")

    done = run(stopping + code)

    assert done.returncode == 0, done.stderr
