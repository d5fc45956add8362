"""The seed's workflow on the sandbox, its worker killed at every record; another one goes on."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.live.workflow_crash.conftest import Json, Workers, fill, snapshots

ORDER: Json = {
    "workflow": "rds_backup_with_retention",
    "parameters": {"instance_id": "db1"},
    "mode": "full",
}
STEP_BY_STEP = {**ORDER, "mode": "step_by_step"}
KEPT = ["db1-2-days", "db2-2-days", "db2-20-days", "db2-30-days"]
OLD = ["db1-30-days", "db1-20-days"]
RECORDS = 14
"""How many the whole execution writes; a test sees to it."""

LOST = range(1, RECORDS + 1) if os.environ.get("NAFTIKO_CRASH_ALL") else (1, 4, 10, 12)
"""Records before which a worker is killed: of these a call was made and nothing is known of it."""

REPEATED = {4}
"""A creation whose outcome is unknown is repeated: its name tells whether it took place."""

AMBIGUOUS = {(True, 9), (True, 11), (False, 10), (False, 12)}
"""A deletion whose outcome is unknown is not: nothing tells which one it was."""

POINTS = [(True, at) for at in range(1, RECORDS + 1)] + [(False, at) for at in LOST]


@pytest.mark.parametrize(("kept", "at"), POINTS)
def test_killed_at_a_record(workers: Workers, at: int, *, kept: bool) -> None:
    rds = fill(workers.sandbox)
    assert workers.do(ORDER, at=at, kept=kept) == {"killed": True}
    found = workers.resume()
    sent = Counter(workers.changes())
    if (kept, at) == (False, 1):
        assert (found["status"], found["error"]["type"]) == ("failed", "Cancelled")
        assert not sent
        return
    own = [name for name in snapshots(rds) if name.startswith("db1-202")]
    assert len(own) == 1, "one snapshot was made, whatever happened"
    assert sent.pop(("CreateDBSnapshot", own[0])) == (2 if not kept and at in REPEATED else 1)
    assert all(count == 1 for count in sent.values()), "no deletion is sent twice"
    assert {name for _, name in sent} <= set(OLD)
    assert set(KEPT) <= set(snapshots(rds))
    if (kept, at) in AMBIGUOUS:
        assert (found["status"], found["error"]["type"]) == ("failed", "AmbiguousOutcome")
    else:
        assert found["status"] == "succeeded", found
        assert snapshots(rds) == sorted([*KEPT, *own])
    assert workers.resume() == found, "it is over, and stays so"


def test_nobody_is_killed(workers: Workers) -> None:
    rds = fill(workers.sandbox)
    found = workers.do(ORDER, at=RECORDS + 1)
    assert found["status"] == "succeeded", "there are more records than the tests above cut at"
    assert [name for _, name in workers.changes()][1:] == OLD
    assert len(snapshots(rds)) == len(KEPT) + 1


@pytest.mark.parametrize("at", [2, 3, 4, 5, 6])
def test_killed_around_a_confirmation(workers: Workers, at: int) -> None:
    rds = fill(workers.sandbox)
    found = workers.do(STEP_BY_STEP, at=at)
    if found == {"killed": True}:
        found = workers.resume()
    assert found["status"] == "awaiting_confirmation"
    assert not workers.changes()
    killed = workers.do(token=found["next"]["confirm_token"], at=at - 1)
    again = workers.resume() if killed == {"killed": True} else killed
    for _ in range(3):
        if again["status"] != "awaiting_confirmation":
            break
        again = workers.resume(token=again["next"]["confirm_token"])
    assert again["status"] == "succeeded", again
    assert max(Counter(workers.changes()).values()) == 1
    assert len(snapshots(rds)) == len(KEPT) + 1


@pytest.mark.parametrize("at", [6, 7, 8, 9, 10])
def test_killed_during_the_rollback(workers: Workers, at: int) -> None:
    """What watches the snapshot is refused: the snapshot is taken back."""
    rds = fill(workers.sandbox)
    workers.refused = ["verify_snapshot"]
    found = workers.do(ORDER, at=at)
    if found == {"killed": True}:
        found = workers.resume()
    changes = [operation for operation, _ in workers.changes()]
    assert changes[0] == "CreateDBSnapshot"
    assert set(changes[1:]) <= {"DeleteDBSnapshot"}
    assert found["error"]["step_id"] == "verify_snapshot"
    left = [name for name in snapshots(rds) if name.startswith("db1-202")]
    if at == 7:  # whether it has been taken back is not known, and it is not tried twice
        assert (found["status"], len(changes), len(left)) == ("rollback_failed", 1, 1)
    else:
        assert (found["status"], len(changes), len(left)) == ("rolled_back", 2, 0)


def test_whoever_has_not_the_key_reads_nothing(workers: Workers, tmp_path: Path) -> None:
    fill(workers.sandbox)
    assert workers.do(ORDER, at=8) == {"killed": True}
    stored = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())
    for secret in (b"db1", b"DBSnapshot", b"available", b"create_snapshot", b"arn:aws:rds"):
        assert secret not in stored
    before = workers.calls
    other = workers.do(ahead_s=40.0, key="ff" * 32)
    assert "outputs" not in other
    assert workers.calls[len(before) :] == [], "and does nothing"
    assert workers.do(ahead_s=90.0)["status"] == "succeeded", "nor does it stand in the way"


def test_nothing_is_left_after_its_time(workers: Workers, tmp_path: Path) -> None:
    fill(workers.sandbox)
    assert workers.do(ORDER)["status"] == "succeeded"
    late = workers.do(ahead_s=24 * 3600.0 + 60.0)
    assert "outputs" not in late
    with sqlite3.connect(tmp_path / "state" / "state.db") as db:
        counts = [
            db.execute(f"SELECT count(*) FROM {t}").fetchone()  # noqa: S608 - constants
            for t in ("executions", "records")
        ]
    db.close()
    assert counts == [(0,), (0,)]


@pytest.mark.parametrize("at", [4, 9])
def test_killed_with_the_state_in_dynamodb(workers: Workers, at: int) -> None:
    rds = fill(workers.sandbox)
    workers.store = f"state-{at}"
    assert workers.do(ORDER, at=at) == {"killed": True}
    found = workers.resume()
    assert found["status"] == ("succeeded" if at == 4 else "failed")
    assert max(Counter(workers.changes()).values()) == 1
    assert len([name for name in snapshots(rds) if name.startswith("db1-202")]) == 1


def test_cancelled_by_another_worker_after_a_crash(workers: Workers) -> None:
    rds = fill(workers.sandbox)
    assert workers.do(ORDER, at=4) == {"killed": True}
    asked: Any = workers.do(cancel=True)
    assert asked["status"] == "running", "it is still another's"
    assert workers.resume()["status"] == "cancelled"
    assert [operation for operation, _ in workers.changes()] == [
        "CreateDBSnapshot",
        "DeleteDBSnapshot",
    ]
    assert len(snapshots(rds)) == len(KEPT) + len(OLD)
