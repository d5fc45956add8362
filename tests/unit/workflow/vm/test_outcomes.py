"""What a step says of itself, `status` and `error_code`, and outputs of the same name."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from naftiko.workflow.ports import AwsFailure
from naftiko.workflow.vm.environment import Ending
from tests.unit.workflow.vm.plans import aws, lit, op, plan, ref
from tests.unit.workflow.vm.worlds import Crash, Json, Memory, Reply, World, fault

CHOSEN = {"select": {"status": "Status"}, "output_schema": {"Status": "string"}}
CODE = {"select": {"error_code": "Code"}, "output_schema": {"Code": "string"}}


def equal(left: Json, right: str | None) -> Json:
    return {"op": "==", "a": left, "b": lit(right, "null" if right is None else "string")}


def run(document: Json, replies: dict[str, Reply], mode: str = "full") -> Ending:
    return asyncio.run(World(replies).run(document, mode=mode))


def statuses(ending: Ending) -> Json:
    steps: Any = ending.steps
    return {step["step_id"]: step["status"] for step in steps}


# --- outputs of that name


@pytest.mark.parametrize("mode", ["full", "dry_run"])
def test_an_output_called_status_is_aws_s_value(mode: str) -> None:
    document = plan(
        [
            aws("detector", "GetDetector", **CHOSEN),
            op(
                "on__if",
                "CONDITION",
                dest="on",
                expr=equal(ref("steps", "detector", "status"), "ENABLED"),
            ),
            op("on", "SET", guard="on", values={"status": ref("steps", "detector", "status")}),
            op(
                "is_on",
                "ASSERT",
                that=equal(ref("steps", "on", "status"), "ENABLED"),
                message=lit("no"),
            ),
        ],
        outputs={
            "state": ref("steps", "detector", "status"),
            "own": ref("steps", "is_on", "status"),
        },
    )
    ending = run(document, {"GetDetector": {"Status": "ENABLED"}}, mode)
    assert ending.status == "succeeded", ending.error
    assert ending.outputs == {"state": "ENABLED", "own": "succeeded"}


def test_such_an_output_of_a_step_without_outputs_is_missing_as_any_other() -> None:
    document = plan(
        [
            aws("lost", "GetDetector", on_error="continue", **CHOSEN),
            op("needs", "SET", values={"a": ref("steps", "lost", "status")}),
            op("goes_on", "SET", values={"a": ref("steps", "lost", "status", default="gone")}),
        ],
        outputs={"a": ref("steps", "goes_on", "a"), "bare": ref("steps", "lost", "status")},
    )
    ending = run(document, {"GetDetector": fault("AccessDenied")})
    assert statuses(ending) == {"lost": "failed", "needs": "skipped", "goes_on": "succeeded"}
    assert ending.outputs == {"a": "gone", "bare": None}


def test_an_output_called_error_code_is_aws_s_value() -> None:
    document = plan(
        [aws("job", "GetJob", **CODE)], outputs={"code": ref("steps", "job", "error_code")}
    )
    assert run(document, {"GetJob": {"Code": "E1"}}).outputs == {"code": "E1"}


def test_such_an_output_is_null_where_its_step_failed() -> None:
    document = plan(
        [aws("job", "GetJob", on_error="continue", **CODE)],
        outputs={"code": ref("steps", "job", "error_code")},
    )
    assert run(document, {"GetJob": fault("Gone")}).outputs == {"code": None}


def test_such_outputs_are_what_an_item_of_a_loop_sees() -> None:
    body = [
        aws("each__get", "GetDetector", {"Id": ref("item", "Id")}, **CHOSEN),
        op(
            "each__is",
            "ASSERT",
            that=equal(ref("steps", "each__get", "status"), "ENABLED"),
            message=lit("no"),
        ),
    ]
    loop = op(
        "each",
        "FOR_EACH",
        over=lit([{"Id": "a"}], "list"),
        max_items=5,
        max_concurrency=1,
        on_item_error="fail",
        body=body,
    )
    document = plan([loop], outputs={"all": ref("steps", "each", "results", type_="list")})
    ending = run(document, {"GetDetector": {"Status": "ENABLED"}})
    found = {"index": 0, "status": "succeeded", "outputs": {"each__get": {"status": "ENABLED"}}}
    assert ending.outputs == {"all": [found]}


# --- error_code


def asking() -> Json:
    """A step that may fail, and what follows by why."""
    code = ref("steps", "rules", "error_code")
    none = {"op": "||", "a": equal(code, "NoSuchRules"), "b": equal(code, None)}
    return plan(
        [
            aws("rules", "GetRules", on_error="continue"),
            op("known", "ASSERT", that=none, message={"cat": [lit("why: "), code]}),
            op("first__if", "CONDITION", dest="first", expr=equal(code, "NoSuchRules")),
            aws("first", "GetMore", guard="first"),
        ],
        outputs={"why": code},
    )


@pytest.mark.parametrize(
    ("reply", "outputs", "first"),
    [
        ({}, {"why": None}, "skipped"),
        (fault("NoSuchRules", 404), {"why": "NoSuchRules"}, "succeeded"),
        (AwsFailure("timeout"), {"why": None}, "skipped"),
        (fault("not a code: call me"), {"why": None}, "skipped"),
    ],
)
def test_tells_why_a_step_failed(reply: Reply, outputs: Json, first: str) -> None:
    ending = run(asking(), {"GetRules": reply})
    assert ending.status == "succeeded", ending.error
    assert ending.outputs == outputs
    assert statuses(ending)["first"] == first


def test_what_aws_said_stays_data_of_the_error() -> None:
    ending = run(asking(), {"GetRules": fault("AccessDenied", 403)})
    assert ending.error == {
        "type": "AssertionFailed",
        "step_id": "known",
        "message": "the condition does not hold",
        "data": {"message": "why: AccessDenied"},
    }


def test_a_code_that_holds_a_secret_is_not_told() -> None:
    code = ref("steps", "rules", "error_code")
    document = plan(
        [aws("rules", "GetRules", {"Key": ref("params", "key")}, on_error="continue")],
        parameters=[{"name": "key", "type": "string", "required": True, "sensitive": True}],
        outputs={"why": code},
    )
    world = World({"GetRules": fault("Bad.hunter2-hunter2")})
    ending = asyncio.run(world.run(document, {"key": "hunter2-hunter2"}))
    assert ending.outputs == {"why": None}


def test_tells_the_code_of_the_first_item_of_a_loop_that_failed() -> None:
    body = [aws("each__get", "GetThing", {"Id": ref("item", "Id")})]
    loop = op(
        "each",
        "FOR_EACH",
        over=lit([{"Id": "a"}, {"Id": "b"}], "list"),
        max_items=5,
        max_concurrency=1,
        on_item_error="fail",
        on_error="continue",
        body=body,
    )
    document = plan([loop], outputs={"why": ref("steps", "each", "error_code")})
    assert run(document, {"GetThing": [{}, fault("Gone")]}).outputs == {"why": "Gone"}


@pytest.mark.parametrize("after", range(1, 9))
@pytest.mark.parametrize("kept", [True, False])
def test_a_resumed_execution_still_knows_it(after: int, *, kept: bool) -> None:
    world = World({"GetRules": fault("NoSuchRules", 404)})
    world.journal = Memory(crash_after=after, kept=kept)

    async def story() -> Ending | None:
        try:
            return await world.run(asking())
        except Crash:
            world.journal = Memory(world.journal.records)
            return await world.resume(asking()) if world.journal.records else None

    ending = asyncio.run(story())
    if ending is not None:
        assert ending.outputs == {"why": "NoSuchRules"}
        assert statuses(ending)["first"] == "succeeded"


def test_a_dry_run_knows_it_and_a_plan_says_that_it_does_not() -> None:
    replies: dict[str, Reply] = {"GetRules": fault("NoSuchRules", 404)}
    assert run(asking(), replies, "dry_run").outputs == {"why": "NoSuchRules"}
    shown = run(asking(), replies, "plan")
    assert shown.status == "succeeded"
    assert shown.outputs == {"why": "<rules.error_code>"}


def test_a_handler_can_read_it() -> None:
    undo = aws("u", "DeleteThing", {"Why": ref("steps", "rules", "error_code")}, undoes="create")
    document = plan(
        [
            aws("rules", "GetRules", on_error="continue"),
            aws("create", "CreateThing"),
            aws("fails", "GetThing"),
        ],
        rollback=[{"handler": "undo", "steps": ["create", "fails"], "ops": [undo]}],
    )
    world = World({"GetRules": fault("NoSuchRules"), "GetThing": fault("Gone")})
    assert asyncio.run(world.run(document)).status == "rolled_back"
    assert world.sent[-1] == ("DeleteThing", {"Why": "NoSuchRules"})
