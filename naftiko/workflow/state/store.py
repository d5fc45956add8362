"""What a store of executions does: the rows, the records and the leases, behind one protocol.

A store reads no clock: times are seconds since 1970, passed in. It sees no data of an execution
either: records and keys come to it sealed (sealing.py). Every change by a worker counts only while
the execution is leased to it. Spec: sections 6.7 and 6.10.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from naftiko.errors import StartError

FINISHED = frozenset(
    {"succeeded", "failed", "rolled_back", "rollback_failed", "cancelled", "timed_out", "expired"}
)
"""The statuses after which nothing happens any more."""

REUSE_LIMIT = 10_000
"""So many finished results are kept for reuse at most."""


class StateError(StartError):
    """The store cannot be used: wrong rights, another version, no table."""


class StateUnavailable(Exception):  # noqa: N818 - an outage, which may pass
    """The store does not answer, after repeats; what was asked for may have happened or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A name under which the same work finds an execution: `join:...`, `key:...`.

    `digest` tells whether it is the same work (of an idempotency key: what it was used with).
    """

    name: str
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One execution, as far as everyone may see it.

    `due` is when somebody has to look at it: the end of the lease, or of the wait for a
    confirmation; None once it is finished. `length` counts the records, `head` proves it
    (sealing.py). `expires` is when its key and rows go; None until it is finished.
    `cancel_asked`: somebody wants it to be cancelled by whoever works at it.
    """

    id: str
    workflow_id: str
    checksum: str
    status: str
    created: float
    lease_owner: str | None = None
    lease_until: float | None = None
    due: float | None = None
    wrapped_key: bytes = b""
    length: int = 0
    head: bytes = b""
    claims: tuple[Claim, ...] = ()
    finished: float | None = None
    expires: float | None = None
    cancel_asked: bool = False

    @property
    def is_finished(self) -> bool:
        """Whether nothing happens to it any more."""
        return self.status in FINISHED


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record, sealed. `seq` counts from 0; `at` is when it was written."""

    seq: int
    nonce: bytes
    blob: bytes
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The execution that has a claim. `until` None: it is unfinished."""

    execution_id: str
    digest: str = ""
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a list, newest first; `cursor` None: the last one."""

    rows: tuple[Execution, ...]
    cursor: str | None = None


class Store(Protocol):
    """Where executions are kept.

    Every method may raise StateUnavailable.
    """

    @property
    def shared(self) -> bool:
        """Whether others see it too, or what is in it outlives the process: it must be sealed."""
        ...

    async def open(self) -> None:
        """Make it ready.

        Raises: StateError.
        """
        ...

    async def create(self, row: Execution, /) -> Held | None:
        """Add an execution together with its claims, all or nothing.

        Returns who stands in its way: the execution of the same id, or one that has a claim at
        `row.created`; None where it was added.
        """
        ...

    async def get(self, execution_id: str, /) -> Execution | None:
        """Return the row."""
        ...

    async def append(self, execution_id: str, record: Record, head: bytes, owner: str, /) -> bool:
        """Add a record, which is durable then, and set `length` and `head` with it.

        Returns whether it is to be cancelled, as far as that is known without a further request.

        Raises: LeaseLost: the lease is another's, or the record is not the next one.
        """
        ...

    async def records(self, execution_id: str, /) -> tuple[Record, ...]:
        """Return the records in their order."""
        ...

    async def set_status(self, execution_id: str, status: str, owner: str, /) -> None:
        """Change the status of an unfinished execution.

        Raises: LeaseLost.
        """
        ...

    async def take_lease(self, execution_id: str, owner: str, now: float, until: float, /) -> bool:
        """Lease an unfinished execution whose lease is free, over by `now`, or one's own."""
        ...

    async def renew(self, execution_id: str, owner: str, until: float, /) -> bool:
        """Keep the lease; return whether the execution is to be cancelled.

        Raises: LeaseLost.
        """
        ...

    async def ask_cancel(self, execution_id: str, /) -> bool:
        """Note, without any lease, that it is to be cancelled; False: it is finished or unknown."""
        ...

    async def release(
        self, execution_id: str, owner: str, status: str, due: float | None, /
    ) -> None:
        """Give the lease back; `due` says when somebody has to look at the execution.

        Raises: LeaseLost.
        """
        ...

    async def due(self, now: float, limit: int, /) -> tuple[Execution, ...]:
        """Return unfinished executions that somebody has to look at, the longest due first."""
        ...

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
        """End an execution: no lease, and of its claims only those in `keep`, until then.

        Raises: LeaseLost.
        """
        ...

    async def held(self, claim: str, now: float, /) -> Held | None:
        """Return who has a claim."""
        ...

    async def sweep(self, now: float, reuse_limit: int = REUSE_LIMIT, /) -> int:
        """Delete what has expired, keys first, and the oldest claims of finished executions.

        Returns how many executions went.
        """
        ...

    async def list(
        self, status: str | None = None, limit: int = 100, cursor: str | None = None, /
    ) -> Page:
        """Return rows, newest first.

        Raises: ValueError: the cursor is not one of this store's.
        """
        ...

    async def close(self) -> None:
        """Let go of files and threads."""
        ...


def place_of(row: Execution) -> str:
    """Return where a row stands in a list: by its start, then its id. It is the cursor too."""
    return f"{row.created:017.6f}_{row.id}"


def read_cursor(cursor: str) -> tuple[float, str]:
    """Return start and id of the row after which a list goes on.

    Raises: ValueError.
    """
    created, _, execution_id = cursor.partition("_")
    if not execution_id:
        raise ValueError("the cursor is not one that a list gave")
    try:
        return float(created), execution_id
    except ValueError:
        raise ValueError("the cursor is not one that a list gave") from None
