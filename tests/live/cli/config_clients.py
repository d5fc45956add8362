"""`naftiko mcp-config` and `export` in this process, in a home and a folder of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from naftiko.cli.main import main
from tests.case_files import ROOT

if TYPE_CHECKING:
    import pytest

CASES = ROOT / "tests/cases/clients"
MACHINES = CASES / "machines.yaml"
SEVERAL = CASES / "several.yaml"
STATE_MACHINES = "stepfunctions-tools"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command left."""

    code: int
    out: str
    err: str


Naftiko = Callable[..., Ran]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A home and a project's folder, both empty."""

    home: Path
    folder: Path


def a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """Yield a machine on which nothing is set up, and nothing is set."""
    home, folder = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    folder.mkdir()
    for name in ("XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "APPDATA", "API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(folder)
    yield Machine(home=home, folder=folder)


def in_process(capsys: pytest.CaptureFixture[str]) -> Naftiko:
    """Return a function that runs a command line."""

    def run(*arguments: str | os.PathLike[str]) -> Ran:
        try:
            code = main([os.fspath(item) for item in arguments])
        except SystemExit as exit_:  # how argparse ends
            code = int(exit_.code or 0)
        captured = capsys.readouterr()
        return Ran(code=code, out=captured.out, err=captured.err)

    return run
