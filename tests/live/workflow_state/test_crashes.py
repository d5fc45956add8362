"""Workers that are killed, and workers that race: nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from naftiko.values import JsonObject
from naftiko.workflow.state.ledger import Ledger
from naftiko.workflow.state.sealing import LocalKey
from naftiko.workflow.state.sqlite import SqliteStore
from naftiko.workflow.state.store import Record, StateError
from naftiko.workflow.vm.machine import resume
from naftiko.workflow.vm.program import Program
from tests.case_files import ROOT
from tests.live.workflow_state.crashing import KEY, environment
from tests.live.workflow_state.support import START, Hands, row
from tests.unit.workflow.isolation.plans import everything

RECORDS = 13
"""What the plan writes when nothing goes wrong; the first test holds it to that."""


def spawn(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", f"tests.live.workflow_state.{module}", *arguments], cwd=ROOT
    )


async def ledger_on(folder: Path, later_s: float) -> Ledger:
    clock = Hands()
    clock.move(later_s)
    ledger = Ledger(SqliteStore(folder), clock, LocalKey(KEY), worker="parent")
    await ledger.start()
    return ledger


async def whole(folder: Path) -> tuple[JsonObject, ...]:
    ledger = await ledger_on(folder, 0)
    found = await ledger.read("x1")
    await ledger.close()
    assert found is not None
    assert found[0].status == "succeeded"
    return found[1]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[JsonObject, ...]:
    folder = tmp_path_factory.mktemp("undisturbed") / "state"
    assert spawn("crashing", str(folder), "-1").wait() == 0
    return asyncio.run(whole(folder))


def test_number_of_boundaries(undisturbed: tuple[JsonObject, ...]) -> None:
    assert len(undisturbed) == RECORDS


@pytest.mark.parametrize("appends", range(RECORDS + 1))
def test_killed_after_any_record(
    tmp_path: Path, undisturbed: tuple[JsonObject, ...], appends: int
) -> None:
    folder = tmp_path / "state"
    assert spawn("crashing", str(folder), str(appends)).wait() == -signal.SIGKILL

    async def take_over() -> None:
        early = await ledger_on(folder, 29)
        assert await early.reopen("x1") is None
        await early.close()
        ledger = await ledger_on(folder, 30)
        assert [one.id for one in await ledger.due()] == ["x1"]
        opened = await ledger.reopen("x1")
        assert opened is not None
        assert opened.records == undisturbed[:appends]
        if appends:
            ending = await resume(Program.load(everything()), opened.records, environment(opened))
            assert ending.status == "succeeded"
        await opened.finish("succeeded", reuse=False)
        await ledger.close()

    asyncio.run(take_over())
    if appends:
        records = asyncio.run(whole(folder))
        assert records[:appends] == undisturbed[:appends]
        done = [record["k"] for record in records if record["r"] == "done"]
        assert sorted(map(str, done)) == sorted(set(map(str, done)))
        assert records[-1]["r"] == "end"


def test_processes_race_for_leases(tmp_path: Path) -> None:
    folder, count = tmp_path / "state", 20

    async def prepare() -> None:
        store = SqliteStore(folder)
        await store.open()
        for n in range(count):
            await store.create(row(f"x{n}"))
        await store.close()

    async def result() -> None:
        store = SqliteStore(folder)
        await store.open()
        for n in range(count):
            found = await store.get(f"x{n}")
            assert found is not None
            records = await store.records(f"x{n}")
            # All five of one owner: whoever won wrote all, the others nothing.
            assert [record.seq for record in records] == list(range(5))
            assert {record.blob.decode() for record in records} == {found.lease_owner}
        await store.close()

    asyncio.run(prepare())
    racers = [spawn("racing", str(folder), f"w{n}", str(count)) for n in range(3)]
    won = [racer.wait() for racer in racers]
    assert sum(won) == count
    asyncio.run(result())


def test_processes_make_the_file_at_once(tmp_path: Path) -> None:
    racers = [spawn("racing", str(tmp_path / "state"), f"w{n}", "1") for n in range(3)]
    assert [racer.wait() for racer in racers] == [0, 0, 0]


def test_file_is_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "state"

    async def test() -> None:
        store = SqliteStore(folder)
        await store.open()
        await store.create(row())
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for path in folder.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        await store.close()

    asyncio.run(test())


def test_folder_that_others_may_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(StateError, match="written by others"):
        asyncio.run(SqliteStore(tmp_path).open())


def test_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / "state.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match="cannot be opened"):
        asyncio.run(SqliteStore(tmp_path).open())


def test_file_of_another_version_is_refused(tmp_path: Path) -> None:
    import sqlite3

    db = sqlite3.connect(tmp_path / "state.db")
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StateError, match="version 99"):
        asyncio.run(SqliteStore(tmp_path).open())


def test_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"nonsense" * 1000)
    with pytest.raises(StateError, match="not a database"):
        asyncio.run(SqliteStore(tmp_path).open())


def test_swept_bytes_are_gone_from_the_disk(tmp_path: Path) -> None:
    mark = os.urandom(32)

    def is_on_disk() -> bool:
        return any(mark in path.read_bytes() for path in tmp_path.iterdir())

    async def test() -> None:
        store = SqliteStore(tmp_path)
        await store.open()
        await store.create(row(wrapped_key=mark))
        record = Record(seq=0, nonce=b"n", blob=mark * 100, at=START)
        await store.append("x1", record, b"h", "a")
        await store.finish("x1", "a", "succeeded", START, START + 1, {})
        assert is_on_disk()
        await store.sweep(START + 1)
        assert not is_on_disk()
        await store.close()

    asyncio.run(test())
