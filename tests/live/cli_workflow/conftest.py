"""A folder of its own for each test, with keys in it, and `naftiko workflow` in this process."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.live.cli.config_clients import Naftiko, Ran, in_process

Workflow = Callable[..., Ran]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that commands run in; neither keys nor state of the user's are in reach."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAFTIKO_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("NAFTIKO_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("NAFTIKO_STATE_KEY", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())  # nobody to ask
    return tmp_path


@pytest.fixture
def naftiko(capsys: pytest.CaptureFixture[str]) -> Naftiko:
    """Run a command line in this process."""
    return in_process(capsys)


@pytest.fixture
def workflow(here: Path, naftiko: Naftiko) -> Workflow:
    """Run `naftiko workflow ...`."""

    def run(*arguments: str) -> Ran:
        return naftiko("workflow", *arguments)

    return run


@pytest.fixture
def flow(workflow: Workflow, here: Path) -> Path:
    """A new workflow that changes something; returns its folder."""
    assert workflow("new", "my_flow", "--kind", "change").code == 0
    return here / "workflow-catalog/workflows/verified/my_flow/1.0"


@pytest.fixture
def signed(flow: Path, workflow: Workflow) -> Path:
    """The same, compiled and signed by a key that is trusted."""
    for line in ("keys gen me", "keys add me", "compile my_flow --sign me"):
        ran = workflow(*line.split())
        assert ran.code == 0, ran.err
    return flow


def data(ran: Ran) -> Any:
    """Return what a command printed as JSON."""
    return json.loads(ran.out)
