"""Step by step: nothing is changed before exactly that was confirmed. Spec: section 6.8."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.unit.workflow.vm.plans import aws, lit, op, plan, rds, ref
from tests.unit.workflow.vm.test_machine import rds_world
from tests.unit.workflow.vm.worlds import Json, World


async def confirm_all(world: World, document: Json, parameters: Json) -> tuple[Any, list[Any]]:
    ending = await world.run(document, parameters, mode="step_by_step")
    asked = []
    while ending.status == "awaiting_confirmation":
        assert ending.next is not None
        asked.append(ending.next)
        world.clock.advance(600)
        ending = await world.resume(document, confirm_token=ending.next["confirm_token"])
    return ending, asked


def test_the_rds_backup_stops_before_each_change() -> None:
    world = rds_world()
    ending, asked = asyncio.run(confirm_all(world, rds(), {"instance_id": "db"}))
    assert ending.status == "succeeded", ending.error
    assert [item["step_id"] for item in asked] == ["create", "cleanup__3"]
    assert asked[0]["rendered"]["input"]["DBSnapshotIdentifier"] == "db-20260131100000"
    assert [item["calls"][0]["input"] for item in asked[1]["rendered"]["items"]] == [
        {"DBSnapshotIdentifier": "old-1"},
        {"DBSnapshotIdentifier": "old-2"},
    ]
    assert asked[0]["confirm_token"] != asked[1]["confirm_token"]


def test_waiting_for_the_user_does_not_use_up_the_duration() -> None:
    document = plan(
        [aws(f"s{index}", "ChangeThing", {"N": lit(str(index))}) for index in range(5)],
        metadata={"max_duration": 60},
    )
    ending, asked = asyncio.run(confirm_all(World(), document, {}))
    assert ending.status == "succeeded"
    assert len(asked) == 5


def test_a_wrong_token_changes_nothing() -> None:
    world = World()
    document = plan([aws("a", "CreateA"), aws("b", "CreateA")])

    async def story() -> None:
        first = await world.run(document, mode="step_by_step")
        assert first.next is not None
        refused = await world.resume(document, confirm_token="0" * 64)
        assert refused.status == "awaiting_confirmation"
        assert refused.error is not None
        assert world.calls == []
        token = first.next["confirm_token"]
        second = await world.resume(document, confirm_token=token)
        assert second.next is not None
        assert second.next["step_id"] == "b"
        again = await world.resume(document, confirm_token=token)
        assert again.status == "awaiting_confirmation"
        assert world.calls == ["CreateA"]

    asyncio.run(story())


def test_without_a_token_it_keeps_waiting_and_asks_the_same() -> None:
    world = World()
    document = plan([aws("a", "CreateA")])

    async def story() -> None:
        first = await world.run(document, mode="step_by_step")
        second = await world.resume(document)
        assert first.next == second.next

    asyncio.run(story())


def test_a_confirmation_expires_after_a_quarter_of_an_hour() -> None:
    world = World()
    document = plan([aws("a", "CreateA")])

    async def story() -> None:
        first = await world.run(document, mode="step_by_step")
        assert first.next is not None
        assert first.next["expires_at"] == "2026-01-31T10:15:00Z"
        world.clock.advance(901)
        ending = await world.resume(document, confirm_token=first.next["confirm_token"])
        assert ending.status == "expired"
        assert ending.error is not None
        assert ending.error["type"] == "ConfirmationExpired"
        assert (await world.resume(document)).status == "expired"

    asyncio.run(story())
    assert world.calls == []


def test_cancel_while_waiting_rolls_back() -> None:
    world = World()
    document = plan(
        [aws("a", "CreateA"), aws("b", "CreateB")],
        rollback=[
            {"handler": "undo", "steps": ["a", "b"], "ops": [aws("u", "DeleteA", undoes="a")]}
        ],
    )

    async def story() -> None:
        ending = await world.run(document, mode="step_by_step")
        assert ending.next is not None
        ending = await world.resume(document, confirm_token=ending.next["confirm_token"])
        ending = await world.resume(document, cancel=True)
        assert ending.status == "cancelled"

    asyncio.run(story())
    assert world.calls == ["CreateA", "DeleteA"]


def test_a_call_whose_input_the_body_reads_is_asked_for_on_its_own() -> None:
    body = [
        aws(
            "look",
            "DescribeThing",
            {"Name": ref("item")},
            select={"id": "Id"},
            output_schema={"Id": "string"},
        ),
        aws("change", "ChangeThing", {"Id": ref("steps", "look", "id")}),
    ]
    loop = op(
        "loop",
        "FOR_EACH",
        over=lit(["x", "y"], "list"),
        max_items=5,
        max_concurrency=3,
        on_item_error="fail",
        body=body,
    )
    world = World({"DescribeThing": lambda r: {"Id": "id-" + r.members["Name"]}})
    ending, asked = asyncio.run(confirm_all(world, plan([loop]), {}))
    assert ending.status == "succeeded"
    assert [item["step_id"] for item in asked] == ["loop", "change", "change"]
    assert asked[1]["rendered"]["input"] == {"Id": "id-x"}


def test_where_it_is_changed_is_shown_and_confirmed() -> None:
    tokens = []
    for region in ("eu-west-1", "us-east-1"):
        world = World()
        document = plan([aws("a", "CreateA", {"N": lit("x")}, region=lit(region))])
        ending = asyncio.run(world.run(document, mode="step_by_step"))
        assert ending.next is not None
        rendered: Any = ending.next["rendered"]
        assert rendered["region"] == region
        assert rendered["input"] == {"N": "x"}
        tokens.append(ending.next["confirm_token"])
    assert tokens[0] != tokens[1]
