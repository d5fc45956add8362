"""Order, guards, loops, polls, retries, rollback: the machine with a scripted AWS."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from naftiko.workflow.ports import AwsFailure, AwsRequest
from naftiko.workflow.vm.environment import Ending, Limits
from naftiko.workflow.vm.records import Done
from tests.unit.workflow.vm.plans import (
    CREATED,
    aws,
    call,
    lit,
    op,
    parameter,
    plan,
    rds,
    ref,
)
from tests.unit.workflow.vm.worlds import Json, World, fault


def go(world: World, document: Json, parameters: Json | None = None, **more: Any) -> Ending:
    return asyncio.run(world.run(document, parameters, **more))


def rds_world() -> World:
    old = {"SnapshotCreateTime": "2026-01-01T00:00:00Z", "Status": "available"}
    listed = [
        {"DBSnapshotIdentifier": "old-1", **old},
        {"DBSnapshotIdentifier": "db-20260131100000", **old},
        {"DBSnapshotIdentifier": "old-2", **old},
        {**old, "DBSnapshotIdentifier": "new", "SnapshotCreateTime": "2026-01-30T00:00:00Z"},
    ]
    states = iter(["creating", "creating", "available"])

    def describe(request: AwsRequest) -> Json:
        if "SnapshotType" in request.members:
            if "Marker" in request.members:
                return {"DBSnapshots": listed[2:]}
            return {"DBSnapshots": listed[:2], "Marker": "m1"}
        return {"DBSnapshots": [{"Status": next(states, "available")}]}

    created = {"DBSnapshot": {"DBSnapshotIdentifier": "db-20260131100000"}}
    return World({"DescribeDBSnapshots": describe, "CreateDBSnapshot": created})


def test_the_rds_backup() -> None:
    world = rds_world()
    ending = go(world, rds(), {"instance_id": "db"})
    assert ending.status == "succeeded", ending.error
    assert ending.outputs == {"create": {"id": "db-20260131100000"}}
    deleted = [m["DBSnapshotIdentifier"] for o, m in world.sent if o == "DeleteDBSnapshot"]
    assert deleted == ["old-1", "old-2"]
    assert world.clock.monotonic() == 60
    shown = {step["step_id"]: step for step in ending.result["steps"]}  # type: ignore[union-attr]
    assert shown["cleanup__1"]["outputs"] == {}
    assert shown["verify"]["attempts"] == 3
    assert [record["r"] for record in world.journal.records][:4] == [
        "start",
        "done",
        "intent",
        "done",
    ]


def test_a_false_condition_skips_the_operations_it_guards() -> None:
    world = rds_world()
    ending = go(world, rds(), {"instance_id": "db", "cleanup_enabled": False})
    assert ending.status == "succeeded"
    statuses = [step["status"] for step in ending.result["steps"]]  # type: ignore[index,union-attr]
    assert statuses == ["succeeded"] * 4 + ["skipped"] * 3


@pytest.mark.parametrize("failing", ["verify", "cleanup"])
def test_rollback_runs_only_for_the_steps_that_a_handler_covers(failing: str) -> None:
    world = rds_world()
    describe = world.replies["DescribeDBSnapshots"]

    def fails(request: AwsRequest) -> Json | Exception:
        of_cleanup = "SnapshotType" in request.members
        if of_cleanup == (failing == "cleanup"):
            return fault("InternalFailure", 500)
        return describe(request)  # type: ignore[operator,return-value]

    world.replies["DescribeDBSnapshots"] = fails
    ending = go(world, rds(), {"instance_id": "db"})
    if failing == "verify":
        assert ending.status == "rolled_back"
        assert world.sent[-1] == (
            "DeleteDBSnapshot",
            {"DBSnapshotIdentifier": "db-20260131100000"},
        )
    else:
        assert ending.status == "failed"
        assert "DeleteDBSnapshot" not in world.calls
    assert ending.error is not None
    assert ending.error["message"] == "`DescribeDBSnapshots` was refused by AWS"
    assert ending.error["data"] == {"message": "AWS says no", "request_id": "r-fault"}


def test_a_handler_is_skipped_where_nothing_was_changed() -> None:
    world = World({"CreateDBSnapshot": fault("AccessDenied", 403)})
    ending = go(world, rds(), {"instance_id": "db"})
    assert ending.status == "failed"
    assert world.calls == ["DescribeDBInstances", "CreateDBSnapshot"]
    assert ending.rollback[0]["status"] == "skipped"  # type: ignore[index,call-overload]


def test_rollback_goes_on_after_an_error_and_says_so() -> None:
    undo = [aws("u1", "DeleteB", undoes="b"), aws("u2", "DeleteA", undoes="a")]
    document = plan(
        [aws("a", "CreateA"), aws("b", "CreateB"), aws("c", "CreateC")],
        rollback=[{"handler": "undo", "steps": ["a", "b", "c"], "ops": undo}],
    )
    world = World({"CreateC": fault("Broken"), "DeleteB": fault("InvalidState")})
    ending = go(world, document)
    assert ending.status == "rollback_failed"
    assert world.calls == ["CreateA", "CreateB", "CreateC", "DeleteB", "DeleteA"]


def test_handlers_run_from_the_latest_covered_step() -> None:
    document = plan(
        [aws("a", "CreateA"), aws("b", "CreateB"), aws("c", "CreateC")],
        rollback=[
            {"handler": "first", "steps": ["a", "c"], "ops": [aws("u1", "DeleteA", undoes="a")]},
            {"handler": "no", "steps": ["b"], "ops": [aws("u2", "DeleteB", undoes="b")]},
        ],
    )
    world = World({"CreateC": fault("Broken")})
    assert go(world, document).status == "rolled_back"
    assert world.calls[3:] == ["DeleteA"]


def test_a_compensator_of_a_loop_takes_back_what_each_item_made() -> None:
    body = [
        aws(
            "make",
            "CreateThing",
            {"Name": ref("item")},
            select={"id": "Id"},
            output_schema={"Id": "string"},
        ),
        aws("tag", "TagThing", {"Id": ref("steps", "make", "id")}),
    ]
    document = plan(
        [
            op(
                "loop",
                "FOR_EACH",
                over=lit(["x", "y"], "list"),
                max_items=5,
                max_concurrency=1,
                on_item_error="fail",
                body=body,
            )
        ],
        rollback=[
            {
                "handler": "undo",
                "steps": ["loop", "make", "tag"],
                "ops": [aws("u", "DeleteThing", {"Id": ref("steps", "make", "id")}, undoes="make")],
            }
        ],
    )
    world = World(
        {
            "CreateThing": lambda request: {"Id": "id-" + request.members["Name"]},
            "TagThing": [{}, fault("Broken")],
        }
    )
    ending = go(world, document)
    assert ending.status == "rolled_back"
    assert [m for o, m in world.sent if o == "DeleteThing"] == [{"Id": "id-y"}, {"Id": "id-x"}]


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        ("exponential", [1, 2, 4]),
        ("linear", [1, 2, 3]),
        ("fixed", [1, 1, 1]),
    ],
)
def test_delays_between_attempts(backoff: str, delays: list[float]) -> None:
    retry = {"max_attempts": 4, "backoff": backoff, "jitter": "none"}
    world = World({"ListThings": fault("ThrottlingException")})
    ending = go(world, plan([aws("a", "ListThings", retry=retry)]))
    assert world.clock.slept == delays
    assert ending.error is not None
    assert ending.error["aws_code"] == "ThrottlingException"


def test_full_jitter_and_the_longest_delay() -> None:
    class Half:
        def random(self) -> float:
            return 0.5

        def randbytes(self, n: int, /) -> bytes:
            return bytes(n)

    retry = {"max_attempts": 4, "initial_delay": 3, "max_delay": 5}
    world = World({"ListThings": fault("", 503)})
    world.chance = Half()
    go(world, plan([aws("a", "ListThings", retry=retry)]))
    assert world.clock.slept == [1.5, 2.5, 2.5]


@pytest.mark.parametrize("code", ["AccessDenied", "ValidationError", "ThingNotFound"])
def test_what_is_never_repeated(code: str) -> None:
    world = World({"ListThings": fault(code)})
    go(world, plan([aws("a", "ListThings", retry={"max_attempts": 5})]))
    assert world.calls == ["ListThings"]


def test_a_listed_code_is_repeated() -> None:
    retry = {"max_attempts": 3, "retry_on": ["InvalidState"]}
    world = World({"ListThings": [fault("InvalidState"), {}]})
    assert go(world, plan([aws("a", "ListThings", retry=retry)])).status == "succeeded"


def ambiguous(idempotency: Json, **retry: Any) -> Json:
    create = aws(
        "create",
        "CreateThing",
        {"Name": ref("params", "name")},
        idempotency=idempotency,
        select={"id": "Thing.Name"},
        output_schema={"Thing.Name": "string"},
        retry={"max_attempts": 3, "jitter": "none", **retry},
    )
    undo = aws("u", "DeleteThing", {"Name": ref("steps", "create", "id")}, undoes="create")
    return plan(
        [create, aws("after", "ListThings")],
        parameters=[parameter("name", default="n")],
        rollback=[{"handler": "undo", "steps": ["create"], "ops": [undo]}],
    )


LOST = AwsFailure("connection")


def test_an_unknown_outcome_is_not_repeated_without_idempotency() -> None:
    world = World({"CreateThing": LOST})
    ending = go(world, ambiguous({"kind": "none"}))
    assert world.calls == ["CreateThing"]
    assert ending.error is not None
    assert ending.error["type"] == "AmbiguousOutcome"
    world = World({"CreateThing": [LOST, {}]})
    assert go(world, ambiguous({"kind": "none"}, ambiguous=True)).status == "succeeded"


def test_what_never_left_is_not_ambiguous() -> None:
    world = World({"CreateThing": [AwsFailure("connection", sent=False), {}]})
    assert go(world, ambiguous({"kind": "none"})).status == "succeeded"


def test_a_token_makes_a_call_repeatable_and_stays_the_same() -> None:
    world = World({"CreateThing": [LOST, LOST, {}]})
    ending = go(world, ambiguous({"kind": "token", "member": "ClientToken"}))
    assert ending.status == "succeeded"
    assert len({members["ClientToken"] for name, members in world.sent[:3]}) == 1


@pytest.mark.parametrize(
    ("created", "accepted"),
    [
        ("2026-01-31T10:00:00Z", True),
        ("2026-01-31T09:59:59Z", False),
        (None, False),
        ("ignore all rules", False),
    ],
)
def test_a_name_that_exists_counts_as_made_when_the_observer_confirms_it(
    created: str | None, *, accepted: bool
) -> None:
    world = World(
        {
            "CreateThing": [LOST, fault("AlreadyExists")],
            "DescribeThings": {"Things": [{"CreateTime": created, "Name": "seen"}]},
        }
    )
    ending = go(world, ambiguous(CREATED))
    assert world.calls[:3] == ["CreateThing", "CreateThing", "DescribeThings"]
    if accepted:
        assert ending.status == "succeeded"
        steps: Any = ending.steps
        assert steps[0]["outputs"] == {"id": "seen"}
        return
    assert ending.error is not None
    assert ending.error["type"] == "AmbiguousOutcome"
    assert "DeleteThing" not in world.calls


def test_an_unknown_outcome_that_is_observed_arms_the_rollback() -> None:
    world = World(
        {
            "CreateThing": LOST,
            "DescribeThings": {"Things": [{"CreateTime": "2026-01-31T10:00:05Z"}]},
        }
    )
    ending = go(world, ambiguous(CREATED))
    assert ending.status == "rolled_back"
    assert world.sent[-1] == ("DeleteThing", {"Name": "n"})


def test_a_name_that_exists_already_is_a_failure() -> None:
    world = World({"CreateThing": fault("AlreadyExists")})
    ending = go(world, ambiguous(CREATED))
    assert world.calls == ["CreateThing"]
    assert ending.error is not None
    assert ending.error["type"] == "AwsError"


def test_a_step_timeout_is_a_failure() -> None:
    world = World({"ListThings": AwsFailure("timeout")})
    retry = {"max_attempts": 10, "jitter": "none"}
    ending = go(world, plan([aws("a", "ListThings", timeout=10, retry=retry)]))
    assert ending.error is not None
    assert ending.error["type"] in {"StepTimeout", "AwsError"}
    assert world.clock.monotonic() <= 11


def waiting() -> Json:
    return plan(
        [aws("a", "CreateA"), op("w", "WAIT", seconds=100, timeout=200), aws("b", "CreateB")],
        rollback=[
            {"handler": "undo", "steps": ["a", "w"], "ops": [aws("u", "DeleteA", undoes="a")]}
        ],
        metadata={"max_duration": 50},
    )


def test_max_duration_ends_an_execution_after_its_rollback() -> None:
    world = World()
    ending = go(world, waiting())
    assert ending.status == "timed_out"
    assert world.calls == ["CreateA", "DeleteA"]
    assert world.clock.monotonic() == 50


def test_cancel_ends_a_wait_and_rolls_back() -> None:
    world = World()

    async def both() -> Ending:
        cancelled = asyncio.Event()

        async def cancel() -> None:
            await world.clock.sleep(20)
            cancelled.set()

        task = asyncio.ensure_future(cancel())
        ending = await world.run(waiting(), cancelled=cancelled)
        await task
        return ending

    ending = asyncio.run(both())
    assert ending.status == "cancelled"
    assert world.clock.monotonic() == 20
    assert world.calls == ["CreateA", "DeleteA"]


def test_a_revoked_plan_makes_no_more_calls() -> None:
    world = World()
    ending = go(world, waiting(), revoked=lambda _: bool(world.requests))
    assert ending.status == "failed"
    assert ending.error is not None
    assert ending.error["type"] == "IntegrityError"
    assert world.calls == ["CreateA"]


def test_the_breaker_opens_for_all_executions_and_probes() -> None:
    world = World({"ListThings": fault("", 500)})
    document = plan([aws("a", "ListThings")])
    for _ in range(5):
        go(world, document)
    ending = go(world, document)
    assert len(world.calls) == 5
    assert ending.error is not None
    assert ending.error["type"] == "CircuitOpen"
    world.clock.advance(30)
    world.replies["ListThings"] = {}
    assert go(world, document).status == "succeeded"
    assert go(world, document).status == "succeeded"


def loop(items: list[Any], **more: Any) -> Json:
    body = [aws("do", "ChangeThing", {"Name": ref("item")}, **more.pop("call", {}))]
    known = {"max_items": 10, "max_concurrency": 1, "on_item_error": "fail", "body": body}
    return plan([op("loop", "FOR_EACH", over=lit(items, "list"), **{**known, **more})])


def test_a_loop_checks_its_cap_before_the_first_item() -> None:
    world = World()
    ending = go(world, loop(["a", "b", "c"], max_items=2))
    assert world.calls == []
    assert ending.error is not None
    assert ending.error["type"] == "FanOutExceeded"


def test_results_of_a_loop_stay_in_item_order() -> None:
    world = World()

    def reply(request: AwsRequest) -> Json:
        return {"Id": f"id-{request.members['Name']}"}

    chosen = {"select": {"id": "Id"}, "output_schema": {"Id": "string"}}
    retried = {**chosen, "retry": {"max_attempts": 3, "jitter": "none"}}
    first = iter([fault("SlowDown")])
    world.replies["ChangeThing"] = lambda request: (
        next(first, reply(request)) if request.members["Name"] == "a" else reply(request)
    )
    ending = go(world, loop(["a", "b", "c", "d"], max_concurrency=3, call=retried))
    steps: Any = ending.steps
    results = steps[0]["outputs"]["results"]
    assert [result["outputs"]["do"]["id"] for result in results] == ["id-a", "id-b", "id-c", "id-d"]
    assert world.calls.count("ChangeThing") == 5


@pytest.mark.parametrize("how", ["fail", "continue"])
@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_failing_item(how: str, concurrency: int) -> None:
    world = World({"ChangeThing": lambda r: fault("Bad") if r.members["Name"] == "b" else {}})
    document = loop(["a", "b", "c", "d"], on_item_error=how, max_concurrency=concurrency)
    ending = go(world, document)
    if how == "continue":
        assert ending.status == "succeeded"
        steps: Any = ending.steps
        assert steps[0]["outputs"]["failed"] == 1
        assert len(world.calls) == 4
    else:
        assert ending.status == "failed"
        assert ending.error is not None
        assert ending.error["message"] == "item 1 failed: `ChangeThing` was refused by AWS"


def test_polls_end_by_their_condition_their_failure_or_their_attempts() -> None:
    def polling(**more: Any) -> Json:
        state = ref("vars", "state")
        known = {
            "until": {"op": "==", "a": state, "b": lit("ok")},
            "fail_when": {"op": "==", "a": state, "b": lit("broken")},
            "max_attempts": 3,
            "interval": 10,
        }
        described = call("DescribeThing", output_schema={"State": "string"})
        return plan([op("p", "POLL", call=described, vars={"state": "State"}, **{**known, **more})])

    world = World({"DescribeThing": {"State": "broken"}})
    assert (go(world, polling()).error or {})["type"] == "PollFailed"
    world = World({"DescribeThing": {"State": "busy"}})
    assert (go(world, polling()).error or {})["type"] == "PollExhausted"
    assert world.clock.slept == [10, 10]
    assert (go(world, polling(interval=40)).error or {})["type"] == "StepTimeout"
    world = World({"DescribeThing": {"State": 7}})
    assert (go(world, polling()).error or {})["type"] == "TypeMismatch"


def test_null_omits_an_optional_member_and_fails_a_required_one() -> None:
    members = {"A": ref("params", "x"), "B": {"list": [ref("params", "x")]}, "C": lit("c")}
    document = plan([aws("a", "ListThings", members)], parameters=[parameter("x")])
    world = World()
    go(world, document)
    assert world.sent == [("ListThings", {"C": "c"})]
    document["execution_plan"][0]["input_schema"] = {"A": "string!"}
    assert (go(World(), document).error or {})["type"] == "InputMissing"


def test_dependants_of_a_skipped_step_are_skipped_unless_they_have_a_default() -> None:
    read = {"select": {"id": "Id"}, "output_schema": {"Id": "string"}}
    document = plan(
        [
            op("a__if", "CONDITION", dest="a", expr=lit(False, "boolean")),
            aws("a", "ListA", guard="a", **read),
            aws("b", "ListB", {"X": ref("steps", "a", "id")}),
            aws("c", "ListC", {"X": ref("steps", "a", "id", default="none")}),
            aws("d", "ListD", {"X": ref("steps", "a", "status")}),
        ]
    )
    world = World()
    assert go(world, document).status == "succeeded"
    assert world.sent == [("ListC", {"X": "none"}), ("ListD", {"X": "skipped"})]


def test_a_page_token_that_stays_the_same_ends_the_paging() -> None:
    pages = {
        "input": ["Next"],
        "output": [["Other", "Next"]],
        "result": ["Things"],
        "more": None,
        "size": "Max",
        "max_items": 5,
        "page_size": 2,
    }
    chosen = {"select": {"all": "Things"}, "output_schema": {"Things": "list"}}
    document = plan([aws("a", "ListThings", paginate=pages, **chosen)])
    world = World({"ListThings": {"Things": [1], "Next": "t"}})
    assert go(world, document).status == "failed"
    assert world.sent == [("ListThings", {"Max": 2}), ("ListThings", {"Max": 2, "Next": "t"})]
    tokens = iter("abcdef")
    world = World({"ListThings": lambda _: {"Things": [1, 2], "Next": next(tokens)}})
    ending = go(world, document)
    steps: Any = ending.steps
    assert steps[0]["outputs"]["all"] == [1, 2, 1, 2, 1]
    assert len(ending.warnings) == 1


def test_outputs_are_limited_and_typed() -> None:
    chosen = {"select": {"x": "X"}, "output_schema": {"X": "string"}}
    document = plan([aws("a", "CreateA", **chosen)])
    for value in ("y" * 300_000, 7, ["z"], {"k": "v"}):
        ending = go(World({"CreateA": {"X": value}}), document)
        assert (ending.error or {})["type"] == "TypeMismatch"
    limits = Limits(execution_output_bytes=100)
    ending = go(World({"CreateA": {"X": "y" * 99}}), document, limits=limits)
    assert (ending.error or {})["type"] == "TypeMismatch"


def test_sensitive_values_are_masked_wherever_they_go() -> None:
    document = plan(
        [
            op("s", "SET", values={"v": {"cat": [lit("x-"), ref("params", "key")]}}),
            op("t", "SET", values={"w": ref("steps", "s", "v"), "plain": lit("p")}),
            aws("a", "CreateA", {"Key": ref("steps", "t", "w")}),
        ],
        parameters=[parameter("key", required=True, sensitive=True)],
        outputs={"o": ref("steps", "t", "w"), "p": ref("steps", "t", "plain")},
    )
    for mode in ("full", "plan", "dry_run", "step_by_step"):
        world = World()
        ending = go(world, document, {"key": "hunter2"}, mode=mode)
        assert "hunter2" not in repr(ending.result)
    ending = go(world, document, {"key": "hunter2"})
    assert world.sent == [("CreateA", {"Key": "x-hunter2"})]
    assert ending.outputs == {"o": "***", "p": "p"}


def test_done_reads_what_it_wrote() -> None:
    done = Done(
        status="failed",
        outputs={"a": 1},
        attempts=2,
        ids=("r",),
        ms=3,
        error={"type": "AwsError"},
        effect=True,
        reason="because",
    )
    assert Done.of({"r": "done", "k": "x", **done.to_json()}) == done
