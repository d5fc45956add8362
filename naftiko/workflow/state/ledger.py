"""Executions as the engine sees them: started, joined, journalled, taken over, finished, swept.

Between the machine, which appends records, and the store, which keeps sealed bytes. The store says
who owns an execution; here the owner is one run of it, so that not even the same worker appends
twice. Spec: sections 6.7 and 6.10.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace

from naftiko.errors import StartError
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.ports import AwsFailure, Clock, LeaseLost
from naftiko.workflow.state.sealing import (
    KEY_BYTES,
    Entropy,
    KeyWrapper,
    Sealed,
    Sealing,
    StateUnreadable,
    Unsealed,
    to_bytes,
)
from naftiko.workflow.state.store import (
    Claim,
    Execution,
    Page,
    StateUnavailable,
    Store,
)

LEASE_S = 30.0
RENEW_S = 10.0
SWEEP_S = 300.0
REUSE_S = 3_600.0
TTL_S = 24 * 3_600.0


class KeyReused(Exception):  # noqa: N818 - what the caller did
    """An idempotency key was used before, with another workflow or other parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExecution:
    """An execution to be started. `cache`: its result may be given to others who ask the same.

    `target` is where it runs: the same work elsewhere is other work.
    """

    id: str
    workflow_id: str
    checksum: str
    principal: str
    region: str
    parameters: JsonObject
    mode: str = "step_by_step"
    target: str = "local"
    cache: bool = False
    idempotency_key: str | None = None

    @property
    def work(self) -> str:
        """What is the same for the same work: a digest."""
        where: list[JsonValue] = [self.principal, self.region, self.target]
        return _digest([self.checksum, *where, self.mode, self.parameters])

    def claims(self) -> tuple[Claim, ...]:
        """Return the names under which the same work finds it."""
        found = [Claim(name=f"join:{self.work}", digest=self.work)]
        if self.idempotency_key is not None:
            key = _digest([self.principal, self.idempotency_key])
            found.append(Claim(name=f"key:{key}", digest=self.work))
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The same work is under way, or was done lately: its execution stands for the new one."""

    row: Execution


class Opened:
    """An execution that this worker runs: `journal` for the machine, and the ways to end.

    `lost` is set when another worker has it: the run is to be stopped, and nothing written.
    `cancelled` is set once anybody has asked for its end, here or through the store.
    """

    def __init__(
        self,
        ledger: Ledger,
        row: Execution,
        sealing: Sealing,
        records: tuple[JsonObject, ...] = (),
    ) -> None:
        """Keep what is needed; the ledger makes it."""
        self.row = row
        self.records = records
        self.lost = asyncio.Event()
        self.cancelled = asyncio.Event()
        if row.cancel_asked:
            self.cancelled.set()
        self._ledger = ledger
        self._sealing = sealing
        self._owner = row.lease_owner or ""
        self._until = row.lease_until or 0.0
        self._length = row.length
        self._order = asyncio.Lock()
        self._renewal: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        """The execution's id."""
        return self.row.id

    @property
    def journal(self) -> Opened:
        """What the machine appends to."""
        return self

    async def append(self, record: JsonObject, /) -> None:
        """Keep a record; it is durable when this returns.

        Raises: LeaseLost, StateUnavailable.
        """
        # A run that is cancelled must not leave it unknown what the next record's number is.
        await asyncio.shield(self._append(record))

    async def _append(self, record: JsonObject) -> None:
        async with self._order:
            if self.lost.is_set():
                raise LeaseLost
            if self._ledger.time() >= self._until:
                await self._renew()
            sealed = self._sealing.seal(record, self._length, self._ledger.time())
            head = self._sealing.head(self._length + 1)
            try:
                is_cancelled = await self._ledger.store.append(self.id, sealed, head, self._owner)
            except LeaseLost:
                self.lost.set()
                raise
            except StateUnavailable:
                # Whether it was written is unknown, and with it the number of the next one.
                self.lost.set()
                raise
            self._length += 1
            if is_cancelled:
                self.cancelled.set()

    async def set_status(self, status: str) -> None:
        """Change the status that others see.

        Raises: LeaseLost, StateUnavailable.
        """
        await self._ledger.store.set_status(self.id, status, self._owner)
        self.row = replace(self.row, status=status)

    async def wait_for_confirmation(self, wait_s: float) -> None:
        """Let go of it until somebody confirms; after `wait_s` it is due for whoever ends it.

        Raises: LeaseLost, StateUnavailable.
        """
        await self._stop_renewal()
        due = self._ledger.time() + wait_s
        await self._ledger.store.release(self.id, self._owner, "awaiting_confirmation", due)

    async def give_back(self) -> None:
        """Let go of it, to be resumed at once by whoever looks next: this worker ends.

        Raises: LeaseLost, StateUnavailable.
        """
        await self.put_off(0.0)

    async def put_off(self, wait_s: float) -> None:
        """Let go of it, to be resumed after `wait_s`: nobody can go on with it here and now.

        Raises: LeaseLost, StateUnavailable.
        """
        await self._stop_renewal()
        async with self._order:  # a record that is being written comes before
            due = self._ledger.time() + wait_s
            await self._ledger.store.release(self.id, self._owner, self.row.status, due)

    async def finish(self, status: str, *, reuse: bool) -> None:
        """End it. `reuse`: the same work within an hour is given this result.

        A caller's idempotency key keeps it in any case.

        Raises: LeaseLost, StateUnavailable.
        """
        await self._stop_renewal()
        now = self._ledger.time()
        keep = {
            claim.name: now + REUSE_S
            for claim in self.row.claims
            if reuse or claim.name.startswith("key:")
        }
        expires = now + self._ledger.ttl_s
        await self._ledger.store.finish(self.id, self._owner, status, now, expires, keep)

    async def abandon(self) -> None:
        """Stop renewing without a word to the store, as a crash would."""
        await self._stop_renewal()

    def keep_lease(self) -> None:
        """Start to renew the lease every ten seconds; the ledger does it."""
        self._renewal = asyncio.create_task(self._keep_lease())

    async def _keep_lease(self) -> None:
        while not self.lost.is_set():
            await self._ledger.clock.sleep(RENEW_S)
            try:
                await self._renew()
            except LeaseLost:
                return
            except StateUnavailable:
                if self._ledger.time() >= self._until:
                    self.lost.set()

    async def _renew(self) -> None:
        until = self._ledger.time() + LEASE_S
        try:
            is_cancelled = await self._ledger.store.renew(self.id, self._owner, until)
        except LeaseLost:
            self.lost.set()
            raise
        self._until = until
        if is_cancelled:
            self.cancelled.set()

    async def _stop_renewal(self) -> None:
        task, self._renewal = self._renewal, None
        if task is None:
            return
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Ledger:
    """All executions of one store. `keys` None: only where the store never leaves the memory."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        keys: KeyWrapper | None = None,
        *,
        worker: str = "worker",
        ttl_s: float = TTL_S,
        entropy: Entropy = secrets.token_bytes,
    ) -> None:
        """Take the parts. Raises: StartError: stored state without a key."""
        if keys is None and store.shared:
            raise StartError(
                "workflow state is stored encrypted, and there is no key for it",
                hint="set `NAFTIKO_STATE_KEY`, or keep the state in memory",
            )
        self.store = store
        self.clock = clock
        self.ttl_s = ttl_s
        self._keys = keys
        self._worker = worker
        self._entropy = entropy
        self._sweeping: asyncio.Task[None] | None = None

    def time(self) -> float:
        """Return the clock's time in seconds since 1970."""
        return self.clock.now().timestamp()

    async def start(self) -> None:
        """Open the store, sweep it, and go on sweeping.

        Raises: StateError, StateUnavailable.
        """
        await self.store.open()
        await self.sweep()
        self._sweeping = asyncio.create_task(self._keep_sweeping())

    async def close(self) -> None:
        """Stop sweeping and close the store. Executions that run are to be given back before."""
        task, self._sweeping = self._sweeping, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self.store.close()

    async def open(self, new: NewExecution) -> Opened | Joined:
        """Start an execution, or join the one that does the same.

        Raises: KeyReused, StateUnavailable, StateUnreadable, AwsFailure (KMS).
        """
        key, wrapped = b"", b""
        if self._keys is not None:
            key = self._entropy(KEY_BYTES)
            wrapped = await self._keys.wrap(key, new.id, new.checksum)
        sealing = self._sealing(key, new.id, new.checksum)
        now = self.time()
        row = Execution(
            id=new.id,
            workflow_id=new.workflow_id,
            checksum=new.checksum,
            status="running",
            created=now,
            lease_owner=self._run_owner(),
            lease_until=now + LEASE_S,
            due=now + LEASE_S,
            wrapped_key=wrapped,
            head=sealing.head(0),
            claims=new.claims(),
        )
        for _ in range(3):
            held = await self.store.create(row)
            if held is None:
                return self._opened(row, sealing)
            if held.digest != new.work:
                raise KeyReused
            found = await self.store.get(held.execution_id)
            if found is not None:
                return Joined(row=found)
        raise StateUnavailable("an execution that does the same is being deleted")

    async def reopen(self, execution_id: str) -> Opened | None:
        """Take an execution over whose lease is free or over; None where there is none to take.

        Raises: StateUnreadable: it is released again, for a worker with the right key;
        StateUnavailable, AwsFailure (KMS).
        """
        owner, now = self._run_owner(), self.time()
        if not await self.store.take_lease(execution_id, owner, now, now + LEASE_S):
            return None
        row = await self.store.get(execution_id)
        if row is None or row.lease_owner != owner:
            return None
        try:
            sealing, records = await self._unseal(row)
        except (StateUnreadable, AwsFailure):
            # Not at once again: those who cannot read it would take turns.
            await self.store.release(execution_id, owner, row.status, now + LEASE_S)
            raise
        return self._opened(row, sealing, records)

    async def read(self, execution_id: str) -> tuple[Execution, tuple[JsonObject, ...]] | None:
        """Return an execution and its records so far, without taking it; None where none is.

        Raises: StateUnreadable, StateUnavailable, AwsFailure (KMS).
        """
        row = await self.peek(execution_id)
        if row is None or row.status == "expired":
            return (row, ()) if row is not None else None
        _, records = await self._unseal(row)
        return row, records

    async def peek(self, execution_id: str) -> Execution | None:
        """Return the row alone; its status is `expired` when its time is over."""
        row = await self.store.get(execution_id)
        if row is not None and row.expires is not None and row.expires <= self.time():
            return replace(row, status="expired")
        return row

    async def ask_cancel(self, execution_id: str) -> bool:
        """Have an execution cancelled by whoever works at it, or takes it up next.

        The owner learns of it within ten seconds: with its next renewal of the lease, or record.
        Returns False if it is over, or there is none.
        """
        return await self.store.ask_cancel(execution_id)

    async def due(self, limit: int = 100) -> tuple[Execution, ...]:
        """Return unfinished executions that nobody works at, or whose confirmation is late."""
        return await self.store.due(self.time(), limit)

    async def list(
        self, status: str | None = None, limit: int = 100, cursor: str | None = None
    ) -> Page:
        """Return rows, newest first. Raises: ValueError: a strange cursor."""
        return await self.store.list(status, limit, cursor)

    async def sweep(self) -> int:
        """Delete what has expired; return how many executions went."""
        return await self.store.sweep(self.time())

    async def _keep_sweeping(self) -> None:
        while True:
            await self.clock.sleep(SWEEP_S)
            with suppress(StateUnavailable):  # the next round does it
                await self.sweep()

    def _opened(
        self, row: Execution, sealing: Sealing, records: tuple[JsonObject, ...] = ()
    ) -> Opened:
        opened = Opened(self, row, sealing, records)
        if self.store.shared:
            opened.keep_lease()
        return opened

    async def _unseal(self, row: Execution) -> tuple[Sealing, tuple[JsonObject, ...]]:
        key = b""
        if self._keys is not None:
            if not row.wrapped_key:
                raise StateUnreadable("its key has been deleted")
            key = await self._keys.unwrap(row.wrapped_key, row.id, row.checksum)
        sealing = self._sealing(key, row.id, row.checksum)
        records = await self.store.records(row.id)
        # Its worker may have written more since the row was read.
        return sealing, sealing.open_all(row, records[: row.length])

    def _sealing(self, key: bytes, execution_id: str, checksum: str) -> Sealing:
        if self._keys is None:
            return Unsealed()
        return Sealed(key, execution_id, checksum, self._entropy)

    def _run_owner(self) -> str:
        return f"{self._worker}#{self._entropy(8).hex()}"


def _digest(parts: list[JsonValue]) -> str:
    return hashlib.sha256(to_bytes({"of": parts})).hexdigest()
