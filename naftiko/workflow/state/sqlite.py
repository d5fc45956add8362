"""The embedded store: one SQLite file, which several processes of a machine may share."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from naftiko.workflow.ports import LeaseLost
from naftiko.workflow.state.store import (
    REUSE_LIMIT,
    Claim,
    Execution,
    Held,
    Page,
    Record,
    StateError,
    StateUnavailable,
    place_of,
    read_cursor,
)
from naftiko.workflow.state.writer import Writer

T = TypeVar("T")

FILE = "state.db"
VERSION = 1
BUSY_S = 10.0

_SCHEMA = """
CREATE TABLE executions (
  id TEXT PRIMARY KEY, workflow_id TEXT NOT NULL, checksum TEXT NOT NULL, status TEXT NOT NULL,
  created REAL NOT NULL, lease_owner TEXT, lease_until REAL, due REAL, wrapped_key BLOB NOT NULL,
  length INTEGER NOT NULL, head BLOB NOT NULL, claims TEXT NOT NULL, finished REAL, expires REAL,
  cancel_asked INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX executions_due ON executions (due, id) WHERE due IS NOT NULL;
CREATE INDEX executions_expires ON executions (expires) WHERE expires IS NOT NULL;
CREATE INDEX executions_list ON executions (created, id);
CREATE INDEX executions_status ON executions (status, created, id);
CREATE TABLE records (
  execution TEXT NOT NULL, seq INTEGER NOT NULL, nonce BLOB NOT NULL, blob BLOB NOT NULL,
  at REAL NOT NULL, PRIMARY KEY (execution, seq)
) WITHOUT ROWID;
CREATE TABLE claims (
  name TEXT PRIMARY KEY, execution TEXT NOT NULL, digest TEXT NOT NULL, until REAL
) WITHOUT ROWID;
CREATE INDEX claims_execution ON claims (execution);
CREATE INDEX claims_until ON claims (until) WHERE until IS NOT NULL;
"""

_COLUMNS = (
    "id, workflow_id, checksum, status, created, lease_owner, lease_until, due, wrapped_key, "
    "length, head, claims, finished, expires, cancel_asked"
)
_OWN = "id = ? AND lease_owner = ? AND finished IS NULL"


class SqliteStore:
    """Executions in `<folder>/state.db`, readable by its owner alone."""

    shared = True

    def __init__(self, folder: Path) -> None:
        """Nothing is opened yet."""
        self._folder = folder
        self._writer = Writer(self._connect)

    async def open(self) -> None:
        """Open the file, or make it.

        Raises: StateError.
        """
        try:
            await self._writer.open()
        except (OSError, sqlite3.Error) as error:
            raise StateError(
                f"the workflow state in `{self._folder}` cannot be opened: {error}"
            ) from None

    async def create(self, row: Execution, /) -> Held | None:
        """Add an execution; see Store."""

        def work(db: sqlite3.Connection) -> Held | None:
            if _find(db, row.id) is not None:
                return Held(execution_id=row.id)
            for claim in row.claims:
                held = _held(db, claim.name, row.created)
                if held is not None:
                    return held
            marks = ", ".join("?" * len(_values(row)))
            db.execute(f"INSERT INTO executions ({_COLUMNS}) VALUES ({marks})", _values(row))  # noqa: S608 - constants
            db.executemany(
                "INSERT OR REPLACE INTO claims (name, execution, digest, until)"
                " VALUES (?, ?, ?, NULL)",
                [(claim.name, row.id, claim.digest) for claim in row.claims],
            )
            return None

        return await self._run(work)

    async def get(self, execution_id: str, /) -> Execution | None:
        """Return the row."""
        return await self._run(lambda db: _find(db, execution_id), writes=False)

    async def append(self, execution_id: str, record: Record, head: bytes, owner: str, /) -> bool:
        """Add a record; see Store."""

        def work(db: sqlite3.Connection) -> bool:
            _one(
                db.execute(
                    f"UPDATE executions SET length = length + 1, head = ? WHERE {_OWN}"  # noqa: S608 - constants
                    " AND length = ?",
                    (head, execution_id, owner, record.seq),
                )
            )
            db.execute(
                "INSERT INTO records (execution, seq, nonce, blob, at) VALUES (?, ?, ?, ?, ?)",
                (execution_id, record.seq, record.nonce, record.blob, record.at),
            )
            return _cancel_asked(db, execution_id)

        return await self._run(work)

    async def records(self, execution_id: str, /) -> tuple[Record, ...]:
        """Return the records in their order."""

        def work(db: sqlite3.Connection) -> tuple[Record, ...]:
            found = db.execute(
                "SELECT seq, nonce, blob, at FROM records WHERE execution = ? ORDER BY seq",
                (execution_id,),
            )
            return tuple(Record(seq=row[0], nonce=row[1], blob=row[2], at=row[3]) for row in found)

        return await self._run(work, writes=False)

    async def set_status(self, execution_id: str, status: str, owner: str, /) -> None:
        """Change the status; see Store."""
        await self._change("status = ?", (status,), execution_id, owner)

    async def take_lease(self, execution_id: str, owner: str, now: float, until: float, /) -> bool:
        """Lease an execution; see Store."""

        def work(db: sqlite3.Connection) -> bool:
            taken = db.execute(
                "UPDATE executions SET lease_owner = ?, lease_until = ?, due = ?"
                " WHERE id = ? AND finished IS NULL"
                " AND (lease_owner IS NULL OR lease_owner = ? OR lease_until <= ?)",
                (owner, until, until, execution_id, owner, now),
            )
            return taken.rowcount == 1

        return await self._run(work)

    async def renew(self, execution_id: str, owner: str, until: float, /) -> bool:
        """Keep the lease; see Store."""

        def work(db: sqlite3.Connection) -> bool:
            text = f"UPDATE executions SET lease_until = ?, due = ? WHERE {_OWN}"  # noqa: S608 - constants
            _one(db.execute(text, (until, until, execution_id, owner)))
            return _cancel_asked(db, execution_id)

        return await self._run(work)

    async def ask_cancel(self, execution_id: str, /) -> bool:
        """Note that it is to be cancelled; see Store."""
        text = "UPDATE executions SET cancel_asked = 1 WHERE id = ? AND finished IS NULL"
        return await self._run(lambda db: db.execute(text, (execution_id,)).rowcount == 1)

    async def release(
        self, execution_id: str, owner: str, status: str, due: float | None, /
    ) -> None:
        """Give the lease back; see Store."""
        await self._change(
            "status = ?, lease_owner = NULL, lease_until = NULL, due = ?",
            (status, due),
            execution_id,
            owner,
        )

    async def due(self, now: float, limit: int, /) -> tuple[Execution, ...]:
        """Return what somebody has to look at; see Store."""
        return await self._select("due <= ? ORDER BY due, id LIMIT ?", (now, limit))

    async def finish(
        self,
        execution_id: str,
        owner: str,
        status: str,
        now: float,
        expires: float,
        keep: Mapping[str, float],
        /,
    ) -> None:
        """End an execution; see Store."""

        def work(db: sqlite3.Connection) -> None:
            _one(
                db.execute(
                    "UPDATE executions SET status = ?, lease_owner = NULL, lease_until = NULL,"  # noqa: S608 - constants
                    f" due = NULL, finished = ?, expires = ? WHERE {_OWN}",
                    (status, now, expires, execution_id, owner),
                )
            )
            db.executemany(
                "UPDATE claims SET until = ? WHERE name = ? AND execution = ?",
                [(until, name, execution_id) for name, until in keep.items()],
            )
            db.execute("DELETE FROM claims WHERE execution = ? AND until IS NULL", (execution_id,))

        await self._run(work)

    async def held(self, claim: str, now: float, /) -> Held | None:
        """Return who has a claim."""
        return await self._run(lambda db: _held(db, claim, now), writes=False)

    async def sweep(self, now: float, reuse_limit: int = REUSE_LIMIT, /) -> int:
        """Delete what has expired; see Store. SQLite overwrites it (`secure_delete`)."""

        def work(db: sqlite3.Connection) -> int:
            gone = [
                (row[0],)
                for row in db.execute("SELECT id FROM executions WHERE expires <= ?", (now,))
            ]
            db.executemany("UPDATE executions SET wrapped_key = x'' WHERE id = ?", gone)
            db.executemany("DELETE FROM records WHERE execution = ?", gone)
            db.executemany("DELETE FROM claims WHERE execution = ?", gone)
            db.executemany("DELETE FROM executions WHERE id = ?", gone)
            db.execute("DELETE FROM claims WHERE until <= ?", (now,))
            db.execute(
                "DELETE FROM claims WHERE name IN (SELECT name FROM claims WHERE until IS NOT NULL"
                " ORDER BY until DESC, name DESC LIMIT -1 OFFSET ?)",
                (reuse_limit,),
            )
            return len(gone)

        gone = await self._run(work)
        if gone:
            await self._run(_empty_log, writes=False)
        return gone

    async def list(
        self, status: str | None = None, limit: int = 100, cursor: str | None = None, /
    ) -> Page:
        """Return rows, newest first; see Store."""
        wanted, values = ["1"], list[str | float]()
        if status is not None:
            wanted.append("status = ?")
            values.append(status)
        if cursor is not None:
            wanted.append("(created, id) < (?, ?)")
            values.extend(read_cursor(cursor))
        rows = await self._select(
            " AND ".join(wanted) + " ORDER BY created DESC, id DESC LIMIT ?", (*values, limit + 1)
        )
        if len(rows) <= limit:
            return Page(rows=rows)
        return Page(rows=rows[:limit], cursor=place_of(rows[limit - 1]))

    async def close(self) -> None:
        """Close the file."""
        await self._writer.close()

    async def _change(
        self, setting: str, values: tuple[str | float | None, ...], execution_id: str, owner: str
    ) -> None:
        text = f"UPDATE executions SET {setting} WHERE {_OWN}"  # noqa: S608 - constants
        await self._run(lambda db: _one(db.execute(text, (*values, execution_id, owner))))

    async def _select(
        self, condition: str, values: tuple[str | float, ...]
    ) -> tuple[Execution, ...]:
        text = f"SELECT {_COLUMNS} FROM executions WHERE {condition}"  # noqa: S608 - constants
        return await self._run(
            lambda db: tuple(_execution(row) for row in db.execute(text, values)), writes=False
        )

    async def _run(self, work: Callable[[sqlite3.Connection], T], *, writes: bool = True) -> T:
        try:
            return await self._writer.run(work, writes=writes)
        except sqlite3.Error as error:
            raise StateUnavailable(f"SQLite: {error}") from error

    def _connect(self) -> sqlite3.Connection:
        path = _private_file(self._folder)
        db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = ON")
            db.execute("PRAGMA trusted_schema = OFF")
            _prepare(db)
        except BaseException:
            db.close()
            raise
        return db


def _private_file(folder: Path) -> Path:
    """Make file and folder, for their owner alone; SQLite's further files take the same rights."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if stat.S_IMODE(folder.stat().st_mode) & 0o022:
        raise StateError(
            f"`{folder}` can be written by others, and what is in it starts and resumes workflows",
            hint=f"take the right away with `chmod go-w {folder}`, or give another folder",
        )
    path = folder / FILE
    file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        os.fchmod(file, 0o600)
    finally:
        os.close(file)
    return path


def _prepare(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")  # of several processes that start at once, one makes the tables
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        for statement in _SCHEMA.split(";\n"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")
    if version not in {0, VERSION}:
        raise StateError(
            f"the workflow state has version {version}, and this program reads {VERSION}",
            hint="use the program that made it, or another folder",
        )


def _empty_log(db: sqlite3.Connection) -> None:
    """Overwrite the log, where deleted keys stand still; while others read, it stays till next."""
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _values(row: Execution) -> tuple[str | float | bytes | None, ...]:
    claims = json.dumps([[claim.name, claim.digest] for claim in row.claims])
    return (
        row.id,
        row.workflow_id,
        row.checksum,
        row.status,
        row.created,
        row.lease_owner,
        row.lease_until,
        row.due,
        row.wrapped_key,
        row.length,
        row.head,
        claims,
        row.finished,
        row.expires,
        int(row.cancel_asked),
    )


def _execution(row: tuple[object, ...]) -> Execution:
    fields = dict(zip(_COLUMNS.split(", "), row, strict=True))
    claims = tuple(
        Claim(name=name, digest=digest) for name, digest in json.loads(str(fields.pop("claims")))
    )
    fields["cancel_asked"] = fields["cancel_asked"] == 1
    return Execution(claims=claims, **fields)  # type: ignore[arg-type] # as the schema has them


def _find(db: sqlite3.Connection, execution_id: str) -> Execution | None:
    text = f"SELECT {_COLUMNS} FROM executions WHERE id = ?"  # noqa: S608 - constants
    row = db.execute(text, (execution_id,)).fetchone()
    return _execution(row) if row is not None else None


def _held(db: sqlite3.Connection, name: str, now: float) -> Held | None:
    row = db.execute(
        "SELECT execution, digest, until FROM claims"
        " WHERE name = ? AND (until IS NULL OR until > ?)",
        (name, now),
    ).fetchone()
    return Held(execution_id=row[0], digest=row[1], until=row[2]) if row is not None else None


def _cancel_asked(db: sqlite3.Connection, execution_id: str) -> bool:
    text = "SELECT cancel_asked FROM executions WHERE id = ?"
    row = db.execute(text, (execution_id,)).fetchone()
    return row is not None and row[0] == 1


def _one(changed: sqlite3.Cursor) -> None:
    if changed.rowcount != 1:
        raise LeaseLost
