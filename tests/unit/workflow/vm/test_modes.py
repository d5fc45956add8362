"""`plan` makes no call; `dry_run` changes nothing. Spec: section 6.8."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.unit.workflow.vm.plans import aws, lit, op, plan, rds, ref
from tests.unit.workflow.vm.test_machine import rds_world
from tests.unit.workflow.vm.worlds import Json, World, fault


def test_a_plan_of_the_rds_backup() -> None:
    world = rds_world()
    ending = asyncio.run(world.run(rds(), {"instance_id": "db"}, mode="plan"))
    assert ending.status == "succeeded"
    assert world.calls == []
    shown: Any = {step["step_id"]: step for step in ending.result["steps"]}  # type: ignore[union-attr]
    assert shown["create"]["rendered"]["input"]["DBSnapshotIdentifier"] == "db-20260131100000"
    assert shown["cleanup__3"]["rendered"] == {
        "over": "<cleanup__2.items>",
        "body": [
            {
                "step_id": "cleanup__3__1",
                "op": "AWS_CALL",
                "status": "planned",
                "attempts": 0,
                "duration_ms": 0,
                "aws_request_ids": [],
                "outputs": {},
                "rendered": {
                    "service": "rds",
                    "operation": "DeleteDBSnapshot",
                    "input": {"DBSnapshotIdentifier": "<item.DBSnapshotIdentifier>"},
                },
            }
        ],
    }
    assert ending.outputs == {"create": {"id": "<create.id>"}}
    assert "required_permissions" in ending.result["plan"]  # type: ignore[operator]


def test_a_dry_run_of_the_rds_backup() -> None:
    world = rds_world()
    ending = asyncio.run(world.run(rds(), {"instance_id": "db"}, mode="dry_run"))
    assert ending.status == "succeeded", ending.error
    assert set(world.calls) == {"DescribeDBInstances", "DescribeDBSnapshots"}


def test_a_dry_run_lets_aws_check_what_it_can() -> None:
    document = plan([aws("a", "RunInstances", {"N": lit("1")}, dry_run=True), aws("b", "CreateB")])
    world = World({"RunInstances": fault("DryRunOperation", 412)})
    ending = asyncio.run(world.run(document, mode="dry_run"))
    assert ending.status == "succeeded"
    assert world.sent == [("RunInstances", {"N": "1", "DryRun": True})]
    world = World({"RunInstances": fault("UnauthorizedOperation", 403)})
    assert asyncio.run(world.run(document, mode="dry_run")).status == "failed"


def test_a_dry_run_shows_each_item_of_a_known_list() -> None:
    body = [aws("change", "ChangeThing", {"Id": ref("item", "Id")})]
    over = ref("steps", "list", "output.Things", type_="list")
    loop = op(
        "loop",
        "FOR_EACH",
        over=over,
        max_items=5,
        max_concurrency=1,
        on_item_error="fail",
        body=body,
    )
    chosen = {"select": {"output.Things": "Things"}, "output_schema": {"Things": "list"}}
    document = plan([aws("list", "ListThings", **chosen), loop])
    world = World({"ListThings": {"Things": [{"Id": "a"}, {"Id": "b"}]}})
    ending = asyncio.run(world.run(document, mode="dry_run"))
    steps: Any = ending.steps
    rendered: Json = steps[1]["rendered"]
    assert [item["body"][0]["rendered"]["input"] for item in rendered["items"]] == [
        {"Id": "a"},
        {"Id": "b"},
    ]
    assert world.calls == ["ListThings"]
