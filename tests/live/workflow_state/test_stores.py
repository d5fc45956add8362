"""What every store does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from naftiko.workflow.ports import LeaseLost
from naftiko.workflow.state.store import Execution, Held, Record, Store
from tests.live.workflow_state.support import START, Stores, claims, row


def record(seq: int, blob: bytes = b"blob") -> Record:
    return Record(seq=seq, nonce=b"n%d" % seq, blob=blob, at=START + seq)


def run(stores: Stores, test: Callable[[Store], Awaitable[None]]) -> None:
    async def opened() -> None:
        async with stores.open() as store:
            await test(store)

    asyncio.run(opened())


def test_row_comes_back_as_it_was_given(stores: Stores) -> None:
    given = row(claims=claims("join:1", "key:ü"), created=START + 0.123456)

    async def test(store: Store) -> None:
        assert await store.get("x1") is None
        assert await store.create(given) is None
        assert await store.get("x1") == given

    run(stores, test)


def test_create_refuses_an_id_that_exists(stores: Stores) -> None:
    async def test(store: Store) -> None:
        await store.create(row(status="running"))
        assert await store.create(row(status="pending")) == Held(execution_id="x1")
        found = await store.get("x1")
        assert found is not None
        assert found.status == "running"

    run(stores, test)


def test_same_claim_while_unfinished_gives_the_first_execution(stores: Stores) -> None:
    async def test(store: Store) -> None:
        await store.create(row("x1", claims=claims("join:1")))
        held = await store.create(row("x2", claims=claims("key:1", "join:1")))
        assert held == Held(execution_id="x1", digest="d-join:1")
        # All or nothing: neither the row nor its other claim is there.
        assert await store.get("x2") is None
        assert await store.held("key:1", START) is None

    run(stores, test)


def test_one_of_many_that_do_the_same_is_created(stores: Stores) -> None:
    async def test(store: Store) -> None:
        many = [row(f"x{n}", claims=claims("join:1")) for n in range(12)]
        answers = await asyncio.gather(*(store.create(one) for one in many))
        created = [one.id for one, held in zip(many, answers, strict=True) if held is None]
        assert len(created) == 1
        assert {held.execution_id for held in answers if held is not None} == set(created)

    run(stores, test)


def test_finish_keeps_chosen_claims_until_their_time(stores: Stores) -> None:
    async def test(store: Store) -> None:
        await store.create(row(claims=claims("join:1", "key:1")))
        await store.finish(
            "x1", "a", "succeeded", START + 5, START + 86_405, {"key:1": START + 3605}
        )
        found = await store.get("x1")
        assert found is not None
        assert (found.status, found.finished, found.expires) == (
            "succeeded",
            START + 5,
            START + 86_405,
        )
        assert (found.lease_owner, found.lease_until, found.due) == (None, None, None)
        assert await store.held("join:1", START + 6) is None
        held = Held(execution_id="x1", digest="d-key:1", until=START + 3605)
        assert await store.held("key:1", START + 3604) == held
        assert await store.held("key:1", START + 3605) is None
        late = row("x2", claims=claims("join:1", "key:1"), created=START + 3604)
        assert await store.create(late) == held
        assert await store.create(replace(late, created=START + 3605)) is None
        assert await store.held("key:1", START + 9e9) == Held(execution_id="x2", digest="d-key:1")

    run(stores, test)


def test_records_in_order_with_length_and_head(stores: Stores) -> None:
    async def test(store: Store) -> None:
        await store.create(row())
        given = [record(seq, bytes([seq]) * seq) for seq in range(12)]
        for one in given:
            await store.append("x1", one, b"head %d" % one.seq, "a")
        assert await store.records("x1") == tuple(given)
        found = await store.get("x1")
        assert found is not None
        assert (found.length, found.head) == (12, b"head 11")

    run(stores, test)


def test_large_records(stores: Stores) -> None:
    large = record(0, b"\x00\x01\xff" * 700_000)

    async def test(store: Store) -> None:
        await store.create(row())
        await store.append("x1", large, b"h", "a")
        await store.append("x1", record(1), b"h", "a")
        assert await store.records("x1") == (large, record(1))

    run(stores, test)


@pytest.mark.parametrize("seq", [0, 2])
def test_append_refuses_a_record_that_is_not_the_next(stores: Stores, seq: int) -> None:
    async def test(store: Store) -> None:
        await store.create(row())
        await store.append("x1", record(0), b"h", "a")
        with pytest.raises(LeaseLost):
            await store.append("x1", record(seq, b"other"), b"h", "a")
        assert await store.records("x1") == (record(0),)

    run(stores, test)


Change = Callable[[Store, str], Awaitable[None]]

CHANGES: dict[str, Change] = {
    "append": lambda store, owner: store.append("x1", record(0), b"h", owner),
    "set_status": lambda store, owner: store.set_status("x1", "pending", owner),
    "renew": lambda store, owner: store.renew("x1", owner, START + 99),
    "release": lambda store, owner: store.release("x1", owner, "running", None),
    "finish": lambda store, owner: store.finish("x1", owner, "failed", START, START + 9, {}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_counts_after_a_takeover(stores: Stores, change: str) -> None:
    async def test(store: Store) -> None:
        await store.create(row())
        assert not await store.take_lease("x1", "b", START + 29, START + 59)
        assert await store.take_lease("x1", "b", START + 30, START + 60)
        before = await store.get("x1")
        with pytest.raises(LeaseLost):
            await CHANGES[change](store, "a")
        assert await store.get("x1") == before
        assert await store.records("x1") == ()
        await CHANGES[change](store, "b")

    run(stores, test)


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_counts_after_the_end(stores: Stores, change: str) -> None:
    async def test(store: Store) -> None:
        await store.create(row())
        await store.finish("x1", "a", "succeeded", START, START + 86_400, {})
        with pytest.raises(LeaseLost):
            await CHANGES[change](store, "a")
        assert not await store.take_lease("x1", "a", START + 99, START + 199)

    run(stores, test)


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_happens_to_what_is_not_there(stores: Stores, change: str) -> None:
    async def test(store: Store) -> None:
        with pytest.raises(LeaseLost):
            await CHANGES[change](store, "a")
        assert not await store.take_lease("x1", "a", START, START + 30)
        assert await store.get("x1") is None

    run(stores, test)


def test_own_lease_is_taken_again_and_renewed(stores: Stores) -> None:
    async def test(store: Store) -> None:
        await store.create(row())
        assert await store.take_lease("x1", "a", START + 1, START + 31)
        await store.renew("x1", "a", START + 50)
        assert not await store.take_lease("x1", "b", START + 49, START + 79)

    run(stores, test)


def test_one_of_many_takes_a_lease_that_is_over(stores: Stores) -> None:
    async def test(store: Store) -> None:
        for n in range(4):
            await store.create(row(f"x{n}"))
        tries = [(f"x{n}", f"w{worker}") for worker in range(10) for n in range(4)]
        taken = await asyncio.gather(
            *(store.take_lease(one, owner, START + 31, START + 61) for one, owner in tries)
        )
        winners = [pair for pair, won in zip(tries, taken, strict=True) if won]
        assert sorted(one for one, _ in winners) == ["x0", "x1", "x2", "x3"]
        for one, owner in winners:
            found = await store.get(one)
            assert found is not None
            assert found.lease_owner == owner

    run(stores, test)


def test_released_execution_is_free_and_due_when_told(stores: Stores) -> None:
    async def test(store: Store) -> None:
        await store.create(row())
        await store.release("x1", "a", "awaiting_confirmation", START + 900)
        assert await store.due(START + 899, 10) == ()
        (found,) = await store.due(START + 900, 10)
        assert (found.status, found.lease_owner, found.due) == (
            "awaiting_confirmation",
            None,
            START + 900,
        )
        assert await store.take_lease("x1", "b", START + 1, START + 31)
        await store.release("x1", "b", "running", None)
        assert await store.due(START + 9e9, 10) == ()

    run(stores, test)


def test_due_gives_unfinished_whose_lease_is_over_the_oldest_first(stores: Stores) -> None:
    async def test(store: Store) -> None:
        for n, until in enumerate([40.0, 20.0, 30.0, 10.0, 31.0]):
            await store.create(row(f"x{n}", lease_until=START + until, due=START + until))
        await store.finish("x3", "a", "failed", START, START + 86_400, {})
        ids = [one.id for one in await store.due(START + 31, 10)]
        assert ids == ["x1", "x2", "x4"]
        assert [one.id for one in await store.due(START + 31, 2)] == ["x1", "x2"]

    run(stores, test)


def test_sweep_deletes_what_has_expired_and_nothing_else(stores: Stores) -> None:
    async def test(store: Store) -> None:
        for n in range(3):
            await store.create(row(f"x{n}", claims=claims(f"join:{n}")))
            for seq in range(30):
                await store.append(f"x{n}", record(seq), b"h", "a")
        await store.finish("x0", "a", "failed", START, START + 100, {"join:0": START + 500})
        await store.finish("x1", "a", "failed", START, START + 101, {"join:1": START + 500})
        assert await store.sweep(START + 99) == 0
        assert await store.sweep(START + 100) == 1
        assert await store.get("x0") is None
        assert await store.records("x0") == ()
        assert await store.held("join:0", START + 101) is None
        for n in (1, 2):
            assert await store.get(f"x{n}") is not None
            assert len(await store.records(f"x{n}")) == 30
            assert await store.held(f"join:{n}", START + 101) is not None
        assert await store.create(row("x0", claims=claims("join:0"))) is None

    run(stores, test)


def test_sweep_keeps_the_newest_results_for_reuse(stores: Stores) -> None:
    async def test(store: Store) -> None:
        for n in range(6):
            await store.create(row(f"x{n}", claims=claims(f"join:{n}")))
        for n in range(5):
            keep = {f"join:{n}": START + 100 + n}
            await store.finish(f"x{n}", "a", "succeeded", START, START + 9e5, keep)
        await store.sweep(START + 100, 3)
        left = [n for n in range(6) if await store.held(f"join:{n}", START + 50) is not None]
        assert left == [2, 3, 4, 5]

    run(stores, test)


def test_list_is_newest_first_by_pages_and_status(stores: Stores) -> None:
    def ids(rows: tuple[Execution, ...]) -> list[str]:
        return [one.id for one in rows]

    async def test(store: Store) -> None:
        for n in range(7):
            # Three at the same moment: the id decides, and none is lost between pages.
            await store.create(row(f"x{n}", created=START + max(n, 3)))
        await store.finish("x5", "a", "failed", START, START + 9, {})
        await store.finish("x1", "a", "failed", START, START + 9, {})
        everything = ["x6", "x5", "x4", "x3", "x2", "x1", "x0"]
        assert ids((await store.list()).rows) == everything
        found: list[str] = []
        cursor: str | None = None
        for _ in range(4):
            page = await store.list(None, 2, cursor)
            found += ids(page.rows)
            cursor = page.cursor
        assert cursor is None
        assert found == everything
        assert ids((await store.list("failed")).rows) == ["x5", "x1"]
        assert ids((await store.list("failed", 1)).rows) == ["x5"]
        with pytest.raises(ValueError, match="cursor"):
            await store.list(None, 2, "nonsense")

    run(stores, test)


def test_anybody_can_ask_for_the_end_and_the_owner_sees_it(stores: Stores) -> None:
    async def test(store: Store) -> None:
        await store.create(row())
        assert not await store.renew("x1", "a", START + 40)
        assert not await store.append("x1", record(0), b"h", "a")
        assert await store.ask_cancel("x1")
        assert await store.ask_cancel("x1"), "twice is once"
        assert await store.renew("x1", "a", START + 50)
        found = await store.get("x1")
        assert found is not None
        assert (found.cancel_asked, found.lease_owner, found.lease_until) == (True, "a", START + 50)
        await store.append("x1", record(1), b"h", "a")
        await store.release("x1", "a", "running", START + 50)
        assert await store.take_lease("x1", "b", START + 50, START + 80)
        found = await store.get("x1")
        assert found is not None
        assert found.cancel_asked
        await store.finish("x1", "b", "cancelled", START + 60, START + 90, {})
        assert not await store.ask_cancel("x1"), "it is over"
        assert not await store.ask_cancel("x2"), "there is none"

    run(stores, test)
