"""The process ends after every record, and the execution goes on elsewhere. Spec: 6.3, 6.10."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from naftiko.workflow.ports import AwsRequest
from naftiko.workflow.vm.environment import Ending
from tests.unit.workflow.vm.plans import CREATED, aws, lit, op, parameter, plan, rds, ref
from tests.unit.workflow.vm.test_machine import rds_world
from tests.unit.workflow.vm.worlds import Crash, Json, Memory, World, fault

TOKEN = {"kind": "token", "member": "ClientToken"}


class Things(World):
    """An AWS that remembers what was made, by name or by token; `*Broken` always fails."""

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[str, str] = {}
        self.effects: list[str] = []
        for kind in ("Named", "Token", "Plain"):
            self.replies[f"Create{kind}"] = self.create
            self.replies[f"Delete{kind}"] = self.delete
        self.replies["DescribeThings"] = self.describe
        self.replies["CreateBroken"] = fault("Broken")
        self.looks = 0

    def create(self, request: AwsRequest) -> Any:
        kind, name = request.operation, request.members["Name"]
        key = request.members.get("ClientToken", name)
        if key in self.made and kind == "CreateNamed":
            return fault("AlreadyExists")
        if key not in self.made or kind == "CreatePlain":
            self.effects.append(f"{kind} {name}")
        self.made.setdefault(key, self.clock.now().isoformat())
        return {"Thing": {"Name": name}}

    def delete(self, request: AwsRequest) -> Any:
        self.effects.append(f"{request.operation} {request.members['Name']}")
        return {}

    def describe(self, request: AwsRequest) -> Any:
        self.looks += 1
        created = self.made.get(request.members.get("Name", ""))
        ready = self.looks >= 3
        thing = {"CreateTime": created, "Name": request.members.get("Name"), "Ready": ready}
        return {"Things": [thing] if created or not request.members else []}


def make(step_id: str, kind: str, name: Json, **more: Any) -> Json:
    observer: Json = {
        **CREATED["observer"],
        "call": {**CREATED["observer"]["call"], "input_mapping": {"Name": name}},
    }
    idempotency = {
        "Named": {**CREATED, "observer": observer},
        "Token": TOKEN,
        "Plain": {"kind": "none"},
    }.get(kind, {"kind": "none"})
    return aws(
        step_id,
        f"Create{kind}",
        {"Name": name},
        idempotency=idempotency,
        select={"id": "Thing.Name"},
        output_schema={"Thing.Name": "string"},
        **more,
    )


def several(kind: str, *, breaks: bool) -> Json:
    poll = op(
        "ready",
        "POLL",
        timeout=600,
        call={
            **CREATED["observer"]["call"],
            "input_mapping": {},
            "output_schema": {"Things[0].Ready": "boolean"},
        },
        vars={"ready": "Things[0].Ready"},
        until=ref("vars", "ready", type_="boolean"),
        fail_when=None,
        max_attempts=5,
        interval=10,
    )
    loop = op(
        "loop",
        "FOR_EACH",
        over=lit(["x", "y"], "list"),
        max_items=5,
        max_concurrency=1,
        on_item_error="fail",
        body=[make("each", kind, {"cat": [lit("l-"), ref("item")]})],
    )
    last = make("last", "Broken" if breaks else kind, lit("z"))
    covered = ["first", "ready", "pause", "loop", "each", "last"]
    undo = [
        aws("u2", f"Delete{kind}", {"Name": ref("steps", "each", "id")}, undoes="each"),
        aws("u1", f"Delete{kind}", {"Name": ref("steps", "first", "id")}, undoes="first"),
    ]
    return plan(
        [make("first", kind, lit("a")), poll, op("pause", "WAIT", seconds=20), loop, last],
        parameters=[parameter("name", default="n")],
        rollback=[{"handler": "undo", "steps": covered, "ops": undo}],
        outputs={
            "id": ref("steps", "first", "id"),
            "n": ref("steps", "loop", "count", type_="integer"),
        },
    )


async def crash_then_resume(
    world: World, document: Json, parameters: Json, after: int, *, kept: bool = True
) -> tuple[Ending | None, bool]:
    """Run until record number `after`, then go on without a crash; tell whether there was one."""
    world.journal = Memory(crash_after=after, kept=kept)
    try:
        return await world.run(document, parameters), False
    except Crash:
        pass
    world.journal = Memory(world.journal.records)
    world.clock.advance(5)
    return await world.resume(document), True


def everywhere(
    make_world: Callable[[], World], document: Json, parameters: Json
) -> list[tuple[World, Ending]]:
    """Return how it ends for a crash at each record, the uninterrupted run first.

    At each record twice: once it is kept, once it is lost with the process.
    """
    world = make_world()
    found = [(world, asyncio.run(world.run(document, parameters)))]
    count = len(world.journal.records)
    for after in range(1, count + 1):
        # Without its first record there is nothing to go on with.
        for kept in (True, False)[: 1 if after == 1 else 2]:
            world = make_world()
            how = crash_then_resume(world, document, parameters, after, kept=kept)
            ending, crashed = asyncio.run(how)
            assert crashed
            assert ending is not None
            found.append((world, ending))
    return found


@pytest.mark.parametrize("kind", ["Named", "Token"])
@pytest.mark.parametrize("breaks", [False, True])
def test_what_may_be_repeated_has_its_effect_once(kind: str, *, breaks: bool) -> None:
    whole, *crashed = everywhere(Things, several(kind, breaks=breaks), {})
    assert isinstance(whole[0], Things)
    assert whole[1].status == ("rolled_back" if breaks else "succeeded")
    assert len(crashed) > 15
    for world, ending in crashed:
        assert isinstance(world, Things)
        made = [effect for effect in world.effects if effect.startswith("Create")]
        assert made == [effect for effect in whole[0].effects if effect.startswith("Create")]
        if ending.status == "succeeded":
            assert ending.outputs == whole[1].outputs
        else:
            assert breaks
            assert ending.status in {"rolled_back", "rollback_failed"}


def changes(world: World) -> list[str]:
    return [repr(item) for item in world.sent if item[0] != "DescribeThings"]


@pytest.mark.parametrize("breaks", [False, True])
def test_what_may_not_be_repeated_is_called_once(*, breaks: bool) -> None:
    whole, *crashed = everywhere(Things, several("Plain", breaks=breaks), {})
    assert isinstance(whole[0], Things)
    expected = changes(whole[0])
    ambiguous = 0
    for world, ending in crashed:
        sent = changes(world)
        assert len(sent) == len(set(sent))
        error = ending.error or {}
        ambiguous += error.get("type") == "AmbiguousOutcome"
        if sent != expected:
            assert breaks or error["type"] == "AmbiguousOutcome"
    assert ambiguous >= 4


def test_the_rds_backup_ends_the_same_or_as_the_rules_say() -> None:
    whole, *crashed = everywhere(rds_world, rds(), {"instance_id": "db"})
    assert len(crashed) > 12
    for world, ending in crashed:
        deleted = [
            members["DBSnapshotIdentifier"]
            for name, members in world.sent
            if name == "DeleteDBSnapshot"
        ]
        assert len(deleted) == len(set(deleted))
        if ending.status == "succeeded":
            assert deleted == ["old-1", "old-2"]
            assert ending.outputs == whole[1].outputs
        else:
            assert ending.error is not None
            assert ending.error["type"] == "AmbiguousOutcome"


def test_a_crash_after_the_end_gives_the_same_result() -> None:
    world = Things()
    document = several("Token", breaks=False)

    async def twice() -> tuple[Ending, Ending]:
        first = await world.run(document)
        count = len(world.calls)
        second = await world.resume(document)
        assert len(world.calls) == count
        return first, second

    first, second = asyncio.run(twice())
    assert first.result == second.result


def test_a_wait_goes_on_where_it_was() -> None:
    world = World()
    document = plan([op("w", "WAIT", seconds=20), aws("a", "ListA")])

    async def story() -> Ending:
        ending, crashed = await crash_then_resume(world, document, {}, 2)
        assert crashed
        assert ending is not None
        return ending

    assert asyncio.run(story()).status == "succeeded"
    assert world.clock.monotonic() == 20


def test_the_plan_must_be_the_one_it_began_with() -> None:
    world = World()
    document = plan([aws("a", "ListA")])

    async def story() -> Ending:
        await crash_then_resume(world, document, {}, 1)
        return await world.resume({**document, "checksum": "sha256:" + "1" * 64})

    error = asyncio.run(story()).error
    assert error is not None
    assert error["type"] == "IntegrityError"
    world.journal.records.clear()
    with pytest.raises(ValueError, match="no start"):
        asyncio.run(world.resume(document))
