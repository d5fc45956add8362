"""A command line run in this process, its streams caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from naftiko.cli.main import main


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command left."""

    code: int
    out: str
    err: str


Cli = Callable[..., Ran]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run `naftiko` with these arguments."""

    def run(*arguments: str | Path) -> Ran:
        try:
            code = main([str(item) for item in arguments])
        except SystemExit as exit_:  # how argparse ends
            code = int(exit_.code or 0)
        captured = capsys.readouterr()
        return Ran(code=code, out=captured.out, err=captured.err)

    return run


GREETING = """\
naftiko: "1.0.0-alpha1"
info:
  label: Greetings
  description: Greets.
capability:
  exposes:
    - type: rest
      port: 8084
      namespace: greetings-rest
      resources:
        - path: /greetings/{name}
          name: greetings
          operations:
            - method: GET
              name: greet
              inputParameters:
                - {name: name, in: path, type: string, required: true}
                - {name: times, in: query, type: integer}
                - {name: tags, in: query, type: array}
              outputParameters:
                - {name: greeting, type: string, value: "Hello {{name}}"}
"""


@pytest.fixture
def greeting(tmp_path: Path) -> Path:
    """A capability that calls nothing."""
    path = tmp_path / "greeting.yaml"
    path.write_text(GREETING, encoding="utf-8")
    return path
