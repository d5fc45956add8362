"""What tests of commands that set up clients start with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.cli.config_clients import Machine, Naftiko, a_machine, in_process


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A machine on which nothing is set up; the test runs in its folder."""
    yield from a_machine(tmp_path, monkeypatch)


@pytest.fixture
def naftiko(capsys: pytest.CaptureFixture[str]) -> Naftiko:
    """Run a command line in this process."""
    return in_process(capsys)
