"""Executions as the engine has them, on every store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from naftiko.errors import StartError
from naftiko.workflow.ports import LeaseLost
from naftiko.workflow.state.ledger import (
    Joined,
    KeyReused,
    Ledger,
    NewExecution,
    Opened,
)
from naftiko.workflow.state.memory import MemoryStore
from naftiko.workflow.state.sealing import KmsKey, LocalKey, StateUnreadable
from naftiko.workflow.state.sqlite import SqliteStore
from naftiko.workflow.state.store import Store
from tests.live.workflow_state.support import Boto, Hands, Stores, turns

KEY = bytes(range(32))


def new(execution_id: str = "x1", **fields: Any) -> NewExecution:
    given: dict[str, Any] = {
        "workflow_id": "w_v1_0",
        "checksum": "sha256:1",
        "principal": "arn:aws:iam::123456789012:role/r",
        "region": "us-east-1",
        "parameters": {"b": 1, "a": "x"},
    }
    return NewExecution(id=execution_id, **{**given, **fields})


class Workers:
    """Two workers on one store."""

    def __init__(self, stores: Stores, first: Store, second: Store) -> None:
        self.clock = stores.clock
        self.first = Ledger(first, self.clock, self._keys(first), worker="one")
        self.second = Ledger(second, self.clock, self._keys(second), worker="two")

    @staticmethod
    def _keys(store: Store) -> LocalKey | None:
        return LocalKey(KEY) if store.shared else None


Test = Callable[[Workers], Awaitable[None]]


@asynccontextmanager
async def two(stores: Stores) -> AsyncIterator[Workers]:
    async with stores.open() as first, stores.open() as second:
        yield Workers(stores, first, second)


def run(stores: Stores, test: Test) -> None:
    async def opened() -> None:
        async with two(stores) as workers:
            await test(workers)

    asyncio.run(opened())


async def start(ledger: Ledger, given: NewExecution) -> Opened:
    opened = await ledger.open(given)
    assert isinstance(opened, Opened)
    return opened


def test_other_worker_goes_on_after_the_lease(stores: Stores) -> None:
    async def test(workers: Workers) -> None:
        one = await start(workers.first, new())
        for n in range(3):
            await one.append({"r": "done", "n": n})
        assert await workers.second.reopen("x1") is None
        assert await workers.second.due() == ()
        await one.abandon()
        workers.clock.move(30)
        (due,) = await workers.second.due()
        two = await workers.second.reopen(due.id)
        assert two is not None
        assert two.records == tuple({"r": "done", "n": n} for n in range(3))
        with pytest.raises(LeaseLost):
            await one.append({"r": "late"})
        assert one.lost.is_set()
        await two.append({"r": "end"})
        await two.finish("succeeded", reuse=False)
        assert await workers.first.reopen("x1") is None
        found = await workers.first.read("x1")
        assert found is not None
        assert found[0].status == "succeeded"
        assert found[1][-1] == {"r": "end"}

    run(stores, test)


def test_lease_is_renewed_every_ten_seconds(stores: Stores) -> None:
    if stores.kind == "memory":
        pytest.skip("nobody else sees the memory")

    async def test(workers: Workers) -> None:
        one = await start(workers.first, new())
        for _ in range(9):
            await workers.clock.asleep(1)
            workers.clock.move(10)
            until = workers.clock.time + 30
            await turns(lambda until=until: one._until == until)
            row = await workers.second.peek("x1")
            assert row is not None
            assert row.lease_until == until
        assert await workers.second.reopen("x1") is None
        await one.finish("succeeded", reuse=False)

    run(stores, test)


def test_many_appends_at_once_are_all_kept(stores: Stores) -> None:
    async def test(workers: Workers) -> None:
        one = await start(workers.first, new())
        await asyncio.gather(*(one.append({"n": n}) for n in range(20)))
        found = await workers.first.read("x1")
        assert found is not None
        assert [record["n"] for record in found[1]] == list(range(20))
        await one.abandon()

    run(stores, test)


def test_cancelled_append_leaves_no_doubt(stores: Stores) -> None:
    async def test(workers: Workers) -> None:
        one = await start(workers.first, new())
        task = asyncio.create_task(one.append({"n": 0}))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await one.append({"n": 1})
        found = await workers.first.read("x1")
        assert found is not None
        assert found[1][-1] == {"n": 1}
        await one.abandon()

    run(stores, test)


def test_same_work_joins_while_it_runs(stores: Stores) -> None:
    async def test(workers: Workers) -> None:
        one = await start(workers.first, new())
        joined = await workers.second.open(new("x2", parameters={"a": "x", "b": 1}))
        assert isinstance(joined, Joined)
        assert joined.row.id == "x1"
        for other in (
            new("x3", parameters={"a": "x", "b": 2}),
            new("x4", parameters={"a": "x", "b": True}),
            new("x5", region="eu-west-1"),
            new("x6", principal="other"),
            new("x7", checksum="sha256:2"),
            new("x8", mode="dry_run"),
        ):
            await (await start(workers.second, other)).abandon()
        await one.finish("succeeded", reuse=False)
        await (await start(workers.second, new("x9"))).abandon()

    run(stores, test)


def test_result_is_reused_for_an_hour(stores: Stores) -> None:
    async def test(workers: Workers) -> None:
        one = await start(workers.first, new())
        await one.finish("succeeded", reuse=True)
        workers.clock.move(3599)
        joined = await workers.second.open(new("x2"))
        assert isinstance(joined, Joined)
        assert joined.row.is_finished
        workers.clock.move(1)
        await (await start(workers.second, new("x3"))).abandon()

    run(stores, test)


def test_idempotency_key_is_reused_with_the_same_work_only(stores: Stores) -> None:
    async def test(workers: Workers) -> None:
        one = await start(workers.first, new(idempotency_key="k"))
        await one.finish("failed", reuse=False)
        joined = await workers.second.open(new("x2", idempotency_key="k"))
        assert isinstance(joined, Joined)
        assert joined.row.status == "failed"
        with pytest.raises(KeyReused):
            await workers.second.open(new("x3", idempotency_key="k", parameters={}))
        for other in (new("x4"), new("x5", idempotency_key="k", principal="other")):
            await (await start(workers.second, other)).abandon()

    run(stores, test)


def test_waiting_for_confirmation_is_nobodys_until_it_is_late(stores: Stores) -> None:
    async def test(workers: Workers) -> None:
        one = await start(workers.first, new())
        await one.append({"r": "confirm"})
        await one.wait_for_confirmation(900)
        workers.clock.move(899)
        assert await workers.second.due() == ()
        two = await workers.second.reopen("x1")
        assert two is not None
        assert two.row.status == "awaiting_confirmation"
        await two.set_status("running")
        await two.wait_for_confirmation(900)
        workers.clock.move(900)
        assert [row.id for row in await workers.second.due()] == ["x1"]

    run(stores, test)


def test_worker_that_ends_gives_back(stores: Stores) -> None:
    async def test(workers: Workers) -> None:
        one = await start(workers.first, new())
        await one.append({"n": 0})
        await one.give_back()
        two = await workers.second.reopen("x1")
        assert two is not None
        assert two.records == ({"n": 0},)
        await two.abandon()

    run(stores, test)


def test_nothing_is_left_a_day_after_the_end(stores: Stores) -> None:
    async def test(workers: Workers) -> None:
        one = await start(workers.first, new())
        await one.append({"n": 0})
        await one.finish("succeeded", reuse=True)
        workers.clock.move(24 * 3600 - 1)
        assert await workers.second.sweep() == 0
        workers.clock.move(1)
        row = await workers.second.peek("x1")
        assert row is not None
        assert row.status == "expired"
        assert await workers.second.sweep() == 1
        assert await workers.second.read("x1") is None
        assert await workers.second.store.records("x1") == ()

    run(stores, test)


def test_sweeps_at_start_and_every_five_minutes(stores: Stores) -> None:
    async def test(workers: Workers) -> None:
        for n, wait in ((1, 24 * 3600), (2, 300)):
            one = await start(workers.first, new(f"x{n}", parameters={"n": n}))
            await one.finish("succeeded", reuse=False)
            workers.clock.move(wait)
        ledger = workers.second
        if ledger.store.shared:
            await ledger.store.close()
        await ledger.start()
        try:
            assert await ledger.peek("x1") is None
            assert await ledger.peek("x2") is not None
            await workers.clock.asleep(1)
            workers.clock.move(24 * 3600)
            async with asyncio.timeout(30):
                while await ledger.peek("x2") is not None:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0)
        finally:
            await ledger.close()

    run(stores, test)


@pytest.fixture
def sealed_stores(stores: Stores) -> Stores:
    if stores.kind == "memory":
        pytest.skip("the memory is not sealed")
    return stores


def test_wrong_key_reads_nothing_and_blocks_nobody(sealed_stores: Stores) -> None:
    async def test(workers: Workers) -> None:
        one = await start(workers.first, new())
        await one.append({"n": 0})
        await one.give_back()
        stranger = Ledger(workers.second.store, workers.clock, LocalKey(bytes(32)))
        with pytest.raises(StateUnreadable, match="another state key"):
            await stranger.read("x1")
        with pytest.raises(StateUnreadable, match="another state key"):
            await stranger.reopen("x1")
        two = await workers.second.reopen("x1")
        assert two is not None
        await two.abandon()

    run(sealed_stores, test)


def test_stored_state_without_a_key_is_refused(sealed_stores: Stores) -> None:
    async def test(workers: Workers) -> None:
        with pytest.raises(StartError) as caught:
            Ledger(workers.first.store, workers.clock)
        assert "NAFTIKO_STATE_KEY" in caught.value.hint

    run(sealed_stores, test)


def test_memory_needs_no_key() -> None:
    assert Ledger(MemoryStore(), Hands()) is not None


def test_key_kept_by_kms(boto: Boto, tmp_path: Any) -> None:
    async def test() -> None:
        created = await asyncio.to_thread(boto._client("kms").create_key)
        keys = KmsKey(boto, created["KeyMetadata"]["KeyId"])
        clock = Hands()
        store = SqliteStore(tmp_path / "state")
        ledger = Ledger(store, clock, keys)
        await ledger.start()
        one = await start(ledger, new())
        await one.append({"n": 0})
        await one.give_back()
        found = await ledger.read("x1")
        assert found is not None
        assert found[1] == ({"n": 0},)
        contexts = [
            request.members["EncryptionContext"]
            for request in boto.requests
            if request.service == "kms"
        ]
        assert contexts == [{"naftiko:execution": "x1", "naftiko:plan": "sha256:1"}] * 2
        row = await store.get("x1")
        assert row is not None
        with pytest.raises(StateUnreadable, match="KMS"):
            await keys.unwrap(row.wrapped_key, "x2", "sha256:1")
        with pytest.raises(StateUnreadable, match="KMS"):
            await keys.unwrap(b"\x01x", "x1", "sha256:1")
        await ledger.close()

    asyncio.run(test())


def test_the_owner_learns_within_ten_seconds_that_it_is_to_cancel(stores: Stores) -> None:
    async def test(workers: Workers) -> None:
        one = await start(workers.first, new())
        assert await workers.second.ask_cancel("x1")
        assert not one.cancelled.is_set()
        if workers.first.store.shared:
            await workers.clock.asleep(1)
            workers.clock.move(10)
            await turns(one.cancelled.is_set)
        else:
            await one.append({"r": "note"})
        assert one.cancelled.is_set()
        await one.give_back()
        two = await workers.second.reopen("x1")
        assert two is not None
        assert two.cancelled.is_set(), "whoever takes it up next cancels it"
        await two.finish("cancelled", reuse=False)
        assert not await workers.first.ask_cancel("x1")

    run(stores, test)
