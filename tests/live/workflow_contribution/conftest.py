"""A catalog of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.cli.config_clients import in_process
from tests.live.workflow_contribution.stage import House


@pytest.fixture
def house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> House:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAFTIKO_STATE_DIR", str(tmp_path / "state"))
    return House(folder=tmp_path, naftiko=in_process(capsys)).open()
