"""`naftiko workflow suggest` and `naftiko workflow index`, as commands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.workflow.discovery.rooms import SOURCES
from tests.unit.workflow.runtime.catalogs import catalog


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return catalog(tmp_path, *SOURCES)


def workflow(root: Path, *arguments: str) -> Any:
    command = [sys.executable, "-m", "naftiko", "workflow", *arguments, "--catalog", str(root)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_suggest_prints_what_answers_and_why(root: Path) -> None:
    done = workflow(root, "suggest", "save a copy of the database", "--embedder", "none")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("database_backup@1.0: verified, risk ")
    assert "confidence " in done.stdout
    assert "    - " in done.stdout
    found = workflow(root, "suggest", "database", "--risk", "0.5", "--embedder", "none")
    assert "database_backup" not in found.stdout
    assert "left out: 1 that are riskier: --risk" in found.stderr
    none = workflow(root, "suggest", "bake an apple pie", "--embedder", "none")
    assert (none.returncode, none.stdout) == (0, "no workflow answers that\n")


def test_suggest_says_where_aws_could_not_be_asked(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    done = workflow(root, "suggest", "database", "--permissions", "--embedder", "none")
    assert done.returncode == 0, done.stderr
    assert "AWS does not say whether it is permitted" in done.stdout


def test_suggest_for_programs(root: Path) -> None:
    done = workflow(
        root, "suggest", "database", "--json", "--max-results", "1", "--embedder", "none"
    )
    answer = json.loads(done.stdout)
    assert [one["workflow_name"] for one in answer["suggestions"]] == ["database_backup"]
    assert answer["suggestions"][0]["executable"] == "unknown"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["suggest", " "], "1 to 500 characters"),
        (["suggest", "x" * 501], "1 to 500 characters"),
        (["suggest", "x", "--max-results", "0"], "--max-results must be 1 to 20"),
        (["suggest", "x", "--risk", "11"], "--risk must be 0 to 10"),
        (["suggest", "x", "--embedder", "oracle"], "invalid choice"),
    ],
)
def test_wrong_usage(root: Path, arguments: list[str], message: str) -> None:
    done = workflow(root, *arguments)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize("embedder", ["none", "auto"])
def test_the_index_is_written_checked_and_stale(root: Path, embedder: str) -> None:
    by = ["--embedder", embedder]
    assert workflow(root, "index", "--check", *by).returncode == 1
    written = workflow(root, "index", *by)
    assert written.returncode == 0, written.stderr
    assert "written, 4 workflows" in written.stdout
    again = workflow(root, "index", "--check", "--json", *by)
    told = json.loads(again.stdout)
    assert (again.returncode, told["state"], told["workflows"]) == (0, "current", 4)
    assert told["index_digest"] in written.stdout
    (plan,) = root.glob("workflows/*/queue_make/1.0/plan.json")
    plan.unlink()
    stale = workflow(root, "index", "--check", *by)
    assert stale.returncode == 1
    assert "naftiko workflow index" in stale.stderr
    assert workflow(root, "index", *by).returncode == 0
    assert workflow(root, "index", "--check", *by).returncode == 0
