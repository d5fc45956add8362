"""A store that ends with the process: what runs where no key is configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from naftiko.workflow.ports import LeaseLost
from naftiko.workflow.state.store import (
    REUSE_LIMIT,
    Execution,
    Held,
    Page,
    Record,
    place_of,
    read_cursor,
)


class MemoryStore:
    """Executions in dicts. Nothing in it waits, so every method is one step to all others."""

    shared = False

    def __init__(self) -> None:
        """Start empty."""
        self._rows: dict[str, Execution] = {}
        self._records: dict[str, list[Record]] = {}
        self._claims: dict[str, Held] = {}

    async def open(self) -> None:
        """Nothing is to be made ready."""

    async def create(self, row: Execution, /) -> Held | None:
        """Add an execution; see Store."""
        if row.id in self._rows:
            return Held(execution_id=row.id)
        for claim in row.claims:
            held = self._held(claim.name, row.created)
            if held is not None:
                return held
        self._rows[row.id] = row
        self._records[row.id] = []
        for claim in row.claims:
            self._claims[claim.name] = Held(execution_id=row.id, digest=claim.digest)
        return None

    async def get(self, execution_id: str, /) -> Execution | None:
        """Return the row."""
        return self._rows.get(execution_id)

    async def append(self, execution_id: str, record: Record, head: bytes, owner: str, /) -> bool:
        """Add a record; see Store."""
        row = self._leased(execution_id, owner)
        if record.seq != row.length:
            raise LeaseLost
        self._records[execution_id].append(record)
        self._rows[execution_id] = replace(row, length=row.length + 1, head=head)
        return row.cancel_asked

    async def records(self, execution_id: str, /) -> tuple[Record, ...]:
        """Return the records in their order."""
        return tuple(self._records.get(execution_id, ()))

    async def set_status(self, execution_id: str, status: str, owner: str, /) -> None:
        """Change the status; see Store."""
        self._rows[execution_id] = replace(self._leased(execution_id, owner), status=status)

    async def take_lease(self, execution_id: str, owner: str, now: float, until: float, /) -> bool:
        """Lease an execution; see Store."""
        row = self._rows.get(execution_id)
        if row is None or row.is_finished:
            return False
        ended = row.lease_until is None or row.lease_until <= now
        if row.lease_owner not in {None, owner} and not ended:
            return False
        self._rows[execution_id] = replace(row, lease_owner=owner, lease_until=until, due=until)
        return True

    async def renew(self, execution_id: str, owner: str, until: float, /) -> bool:
        """Keep the lease; see Store."""
        row = self._leased(execution_id, owner)
        self._rows[execution_id] = replace(row, lease_until=until, due=until)
        return row.cancel_asked

    async def ask_cancel(self, execution_id: str, /) -> bool:
        """Note that it is to be cancelled; see Store."""
        row = self._rows.get(execution_id)
        if row is None or row.is_finished:
            return False
        self._rows[execution_id] = replace(row, cancel_asked=True)
        return True

    async def release(
        self, execution_id: str, owner: str, status: str, due: float | None, /
    ) -> None:
        """Give the lease back; see Store."""
        row = self._leased(execution_id, owner)
        self._rows[execution_id] = replace(
            row, status=status, lease_owner=None, lease_until=None, due=due
        )

    async def due(self, now: float, limit: int, /) -> tuple[Execution, ...]:
        """Return what somebody has to look at; see Store."""
        found = [row for row in self._rows.values() if row.due is not None and row.due <= now]
        found.sort(key=lambda row: (row.due or 0.0, row.id))
        return tuple(found[:limit])

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
        row = self._leased(execution_id, owner)
        self._rows[execution_id] = replace(
            row,
            status=status,
            lease_owner=None,
            lease_until=None,
            due=None,
            finished=now,
            expires=expires,
        )
        for claim in row.claims:
            held = self._claims.get(claim.name)
            if held is None or held.execution_id != execution_id:
                continue
            if claim.name in keep:
                self._claims[claim.name] = replace(held, until=keep[claim.name])
            else:
                del self._claims[claim.name]

    async def held(self, claim: str, now: float, /) -> Held | None:
        """Return who has a claim."""
        return self._held(claim, now)

    async def sweep(self, now: float, reuse_limit: int = REUSE_LIMIT, /) -> int:
        """Delete what has expired; see Store."""
        gone = {
            row.id for row in self._rows.values() if row.expires is not None and row.expires <= now
        }
        for execution_id in gone:
            del self._rows[execution_id], self._records[execution_id]
        kept = [
            (held.until, name)
            for name, held in self._claims.items()
            if held.until is not None and held.until > now and held.execution_id not in gone
        ]
        kept.sort(reverse=True)
        names = {name for _, name in kept[:reuse_limit]}
        self._claims = {
            name: held
            for name, held in self._claims.items()
            if name in names or (held.until is None and held.execution_id not in gone)
        }
        return len(gone)

    async def list(
        self, status: str | None = None, limit: int = 100, cursor: str | None = None, /
    ) -> Page:
        """Return rows, newest first; see Store."""
        found = [row for row in self._rows.values() if status in {None, row.status}]
        found.sort(key=lambda row: (row.created, row.id), reverse=True)
        if cursor is not None:
            after = read_cursor(cursor)
            found = [row for row in found if (row.created, row.id) < after]
        rows = tuple(found[:limit])
        return Page(rows=rows, cursor=place_of(rows[-1]) if len(found) > limit else None)

    async def close(self) -> None:
        """Nothing is held."""

    def _leased(self, execution_id: str, owner: str) -> Execution:
        row = self._rows.get(execution_id)
        if row is None or row.lease_owner != owner or row.is_finished:
            raise LeaseLost
        return row

    def _held(self, claim: str, now: float) -> Held | None:
        held = self._claims.get(claim)
        if held is None or (held.until is not None and held.until <= now):
            return None
        return held
