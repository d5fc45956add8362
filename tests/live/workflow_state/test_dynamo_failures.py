"""DynamoDB that is busy, or does a thing and does not say so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from naftiko.sandbox import Sandbox
from naftiko.workflow.ports import AwsFailure, AwsRequest
from naftiko.workflow.state.dynamodb import DynamoStore
from naftiko.workflow.state.store import Record, StateError, StateUnavailable
from tests.live.workflow_state.support import START, Boto, Hands, Stores, claims, row

RECORD = Record(seq=0, nonce=b"n", blob=b"b", at=START)


@pytest.fixture
def stores(sandbox: Sandbox, boto: Boto, tmp_path: Path) -> Stores:
    return Stores(kind="dynamodb", folder=tmp_path, sandbox=sandbox, boto=boto)


def once(boto: Boto, operation: str) -> None:
    """Lose the next answer of an operation."""
    left = [operation]

    def lose(request: AwsRequest) -> bool:
        if request.operation in left:
            left.clear()
            return True
        return False

    boto.lose_answer = lose


def test_lost_answers_are_not_failures(stores: Stores, boto: Boto) -> None:
    async def test() -> None:
        async with stores.open() as store:
            once(boto, "TransactWriteItems")
            held = await store.create(row(claims=claims("join:1")))
            # The sandbox does not know the tokens of transactions: it finds itself in the way.
            assert held is None or held.execution_id == "x1"
            once(boto, "UpdateItem")
            assert await store.take_lease("x1", "b", START + 31, START + 61)
            once(boto, "UpdateItem")
            await store.renew("x1", "b", START + 70)
            once(boto, "UpdateItem")
            await store.release("x1", "b", "running", START)
            assert await store.take_lease("x1", "c", START + 31, START + 61)

    asyncio.run(test())


def test_repeated_transactions_carry_the_same_token(stores: Stores, boto: Boto) -> None:
    async def test() -> None:
        async with stores.open() as store:
            await store.create(row())
            boto.requests.clear()
            busy = [AwsFailure("fault", code="ThrottlingException", status=400)] * 2
            boto.fail = lambda _: busy.pop() if busy else None
            await store.append("x1", RECORD, b"h", "a")
            tokens = [one.members["ClientRequestToken"] for one in boto.requests]
            assert len(tokens) == 3
            assert len(set(tokens)) == 1

    asyncio.run(test())


@pytest.mark.parametrize(
    "failure",
    [
        AwsFailure("connection"),
        AwsFailure("fault", code="InternalServerError", status=500),
        AwsFailure("fault", code="AccessDeniedException", status=400),
        AwsFailure("not_sent", sent=False),
    ],
    ids=["connection", "server", "denied", "not sent"],
)
def test_outage_is_told_apart_from_a_lost_lease(
    stores: Stores, boto: Boto, failure: AwsFailure
) -> None:
    async def test() -> None:
        async with stores.open() as store:
            await store.create(row())
            boto.fail = lambda _: failure
            with pytest.raises(StateUnavailable):
                await store.append("x1", RECORD, b"h", "a")
            with pytest.raises(StateUnavailable):
                await store.renew("x1", "a", START + 99)
            with pytest.raises(StateUnavailable):
                await store.get("x1")

    asyncio.run(test())


def test_table_that_is_not_there(boto: Boto) -> None:
    with pytest.raises(StateError, match="there is no DynamoDB table `none`"):
        asyncio.run(DynamoStore(boto, Hands(), "none").open())


def test_table_is_made_once_with_its_ttl(boto: Boto) -> None:
    async def test() -> None:
        store = DynamoStore(boto, Hands(), "made")
        await store.ensure_table()
        await store.ensure_table()

    asyncio.run(test())
    described = boto._client("dynamodb").describe_time_to_live(TableName="made")
    assert described["TimeToLiveDescription"]["AttributeName"] == "ttl"
    assert [one.operation for one in boto.requests].count("UpdateTimeToLive") == 1


def test_native_ttl_is_written(stores: Stores, boto: Boto) -> None:
    async def test() -> None:
        async with stores.open() as store:
            await store.create(row())
            await store.append("x1", RECORD, b"h", "a")
            await store.finish("x1", "a", "succeeded", START, START + 86_400, {})
            table = boto.requests[-1].members["TransactItems"][0]["Update"]["TableName"]  # type: ignore[call-overload,index] # JSON
            found = boto._client("dynamodb").scan(TableName=table)["Items"]
            ttl = {item["sk"]["S"]: float(item["ttl"]["N"]) for item in found}
            assert ttl["row"] == START + 86_400
            assert ttl["r#0000000000"] > START + 86_400

    asyncio.run(test())
