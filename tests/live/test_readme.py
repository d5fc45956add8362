"""What README.md shows, done as it is written."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.case_files import ROOT
from tests.live.cli.processes import running

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
(CAPABILITY,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
CONSOLE = re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
CHANGING = re.compile(r'"(creationDate|requestId)": "[^"]*"')
PORTS = ("--port", "workflows-rest=0", "--port", "workflows-mcp=0")


def shown(block: str) -> list[tuple[str, str]]:
    """Return the commands of a console block with what they print."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


COMMANDS = [item for block in CONSOLE for item in shown(block)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "workflows.yaml").write_text(CAPABILITY, encoding="utf-8")
    return tmp_path


def test_the_capability_answers_as_shown(folder: Path) -> None:
    (run,) = [command for command, _ in COMMANDS if command.startswith("naftiko run")]
    asked = [item for item in COMMANDS if item[0].startswith("curl")]
    assert len(asked) == 2
    with running(*shlex.split(run)[1:], *PORTS, cwd=folder) as process:
        url = process.urls()["rest"]
        for written, expected in asked:
            assert "http://127.0.0.1:8080/" in written
            command = written.replace("http://127.0.0.1:8080", url)
            printed = subprocess.run(
                ["/bin/bash", "-c", command.replace("python3 -m json.tool", "cat")],
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            ).stdout
            assert fixed(json.loads(printed)) == fixed(json.loads(expected))


def fixed(document: Any) -> str:
    """Return JSON without what differs from run to run."""
    return CHANGING.sub(r'"\1": "..."', json.dumps(document))


def test_the_slip_is_reported_as_shown(folder: Path) -> None:
    ((command, expected),) = [item for item in COMMANDS if item[0].startswith("naftiko validate")]
    file = folder / "workflows.yaml"
    head, right, tail = CAPABILITY.rpartition("sfn.list-state-machines")
    file.write_text(f"{head}sfn.list-machines{tail}", encoding="utf-8")
    assert right
    with running(*shlex.split(command)[1:], cwd=folder, environment={"AWS_REGION": "x"}) as process:
        code = process.process.wait(60)
        printed = process.out() + process.until("workflows.yaml: ") + "\n"
    assert code == 0
    assert printed == expected


def test_every_page_it_links_to_is_there() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
        assert [link for link in links if not (page.parent / link).exists()] == []
