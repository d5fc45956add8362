"""A sandbox with databases and snapshots, and workers on it that can be killed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from naftiko.sandbox import Sandbox
from tests.live.sandbox.conftest import connect
from tests.unit.workflow.runtime.catalogs import SEED, catalog

ROOT = Path(__file__).parents[3]
KEY = bytes(range(32)).hex()
Json = dict[str, Any]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start() as running:
        yield running


def fill(sandbox: Sandbox) -> Any:
    """Make two databases: of each an old snapshot, an older and a young one."""
    sandbox.reset()
    rds = connect(sandbox.account, "rds")
    for name in ("db1", "db2"):
        rds.create_db_instance(
            DBInstanceIdentifier=name, DBInstanceClass="db.m5.large", Engine="mysql",
            AllocatedStorage=10, MasterUsername="admin", MasterUserPassword="not-a-secret-1",
        )  # fmt: skip
        for age in (30, 20, 2):
            identifier = f"{name}-{age}-days"
            rds.create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=identifier)
    age_snapshots(sandbox)
    return rds


def age_snapshots(sandbox: Sandbox) -> None:
    from moto.rds.models import rds_backends

    backend = rds_backends[sandbox.account.account_id][sandbox.account.region]
    for name, snapshot in backend.database_snapshots.items():
        *_, days, word = name.split("-")
        if word == "days":
            snapshot.created -= timedelta(days=int(days))


def snapshots(rds: Any) -> list[str]:
    found = rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    return sorted(one["DBSnapshotIdentifier"] for one in found)


@dataclass
class Workers:
    """Makes one worker after the other."""

    process: subprocess.Popen[str]
    sandbox: Sandbox
    folder: Path
    catalog: Path
    store: str = "sqlite"
    key: str = KEY
    refused: list[str] = field(default_factory=list)

    def do(self, order: Json | None = None, **more: Any) -> Json:
        """Have a worker do something; {"killed": true} if it was killed."""
        task = {
            "environment": self.sandbox.environment(),
            "folder": str(self.folder),
            "catalog": str(self.catalog),
            "store": self.store,
            "key": self.key,
            "refused": self.refused,
            "order": order,
            "at": 0,
            "kept": True,
            "ahead_s": 0.0,
            "cancel": False,
            "token": None,
            **more,
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        found: Json = json.loads(self.process.stdout.readline())
        return found

    def resume(self, **more: Any) -> Json:
        """Have a worker go on once the lease is over."""
        return self.do(ahead_s=40.0, **more)

    def again(self, folder: Path) -> None:
        """Begin anew, with another state."""
        folder.mkdir()
        self.folder = folder

    @property
    def calls(self) -> list[list[Any]]:
        """What was sent: [step_id, operation, members, mutating]."""
        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def changes(self) -> list[tuple[str, str]]:
        """The changes that were sent: (operation, what of)."""
        return [
            (call[1], call[2].get("DBSnapshotIdentifier", "")) for call in self.calls if call[3]
        ]


@pytest.fixture(scope="session")
def workers_process() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.live.workflow_crash.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    yield process
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(20) == 0
    assert process.stdout is not None
    process.stdout.close()


@pytest.fixture(scope="session")
def seed_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return catalog(tmp_path_factory.mktemp("crash"), SEED)


@pytest.fixture
def workers(
    workers_process: subprocess.Popen[str], sandbox: Sandbox, seed_catalog: Path, tmp_path: Path
) -> Workers:
    return Workers(process=workers_process, sandbox=sandbox, folder=tmp_path, catalog=seed_catalog)
