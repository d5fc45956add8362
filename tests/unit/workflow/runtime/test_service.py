"""What the service decides: who may run what, who joins whom, who goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from naftiko.workflow.ports import AwsAnswer, AwsFailure, AwsRequest
from naftiko.workflow.runtime.policy import Refused
from naftiko.workflow.runtime.service import WorkflowService
from naftiko.workflow.state.ledger import NewExecution
from naftiko.workflow.state.memory import MemoryStore
from naftiko.workflow.state.store import StateUnavailable
from tests.unit.workflow.runtime.catalogs import catalog, dedent, revoke
from tests.unit.workflow.runtime.services import (
    Gate,
    Numbers,
    order,
    running,
    service,
    serving,
)
from tests.unit.workflow.vm.worlds import Json, World, fault

LISTING = dedent("""
    name: listing
    version: "1.0"
    description: "Lists the databases that there are"
    metadata: {cache: true}
    steps:
      - id: list
        type: command
        context: {service: rds, action: DescribeDBInstances}
        outputs: {names: {path: "DBInstances"}}
""")

MAKING = dedent("""
    name: making
    version: "1.0"
    description: "Makes two snapshots, one after the other"
    metadata: {tier: verified}
    parameters:
      - {name: topic, type: string, required: true, pattern: "^[a-z]+$"}
    steps:
      - id: first
        type: command
        context: {service: rds, action: CreateDBSnapshot}
        input: {DBSnapshotIdentifier: "${params.topic}-1", DBInstanceIdentifier: db}
      - id: second
        type: command
        context: {service: rds, action: CreateDBSnapshot}
        input: {DBSnapshotIdentifier: "${params.topic}-2", DBInstanceIdentifier: db}
    rollback:
      - on_failure: undo
""")

SLOW = dedent("""
    name: slow
    version: "1.0"
    description: "Waits, and then looks for databases"
    steps:
      - {id: pause, type: primitive, action: wait, duration: 60s}
      - id: list
        type: command
        context: {service: rds, action: DescribeDBInstances}
""")

ANSWERS: Json = {
    "DescribeDBInstances": {"DBInstances": []},
    "CreateDBSnapshot": lambda request: {"DBSnapshot": {**request.members}},
    "DeleteDBSnapshot": {},
}

MEMBERS = {"DBInstanceIdentifier": "db"}

Test = Callable[[WorkflowService], Awaitable[None]]


def world() -> World:
    return World(dict(ANSWERS))


def go(root: Path, aws: World, test: Test, **how: Any) -> None:
    async def all_of_it() -> None:
        async with serving(service(root, aws, **how)) as made:
            await test(made)

    running(all_of_it())


def refused(root: Path, given: Any, aws: World | None = None, **how: Any) -> Refused:
    found: list[Refused] = []

    async def test(made: WorkflowService) -> None:
        with pytest.raises(Refused) as raised:
            await made.execute(given)
        found.append(raised.value)

    go(root, aws or world(), test, **how)
    return found[0]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return catalog(tmp_path, LISTING, MAKING, SLOW)


# -- gates


def test_unknown_name_and_near_ones(root: Path) -> None:
    error = refused(root, order("makin"))
    assert (error.type, error.data["near"]) == ("UnknownWorkflow", ("making",))


def test_wrong_parameters_are_refused_before_anything_happens(root: Path) -> None:
    aws = world()
    error = refused(root, order("making", topic="Not Allowed"), aws)
    assert error.type == "InvalidParameters"
    assert error.to_json()["data"]["problems"][0]["name"] == "topic"  # type: ignore[index,call-overload]
    assert aws.calls == ["GetCallerIdentity"]


@pytest.mark.parametrize("given", [order("listing", mode="x"), order("listing", key="k" * 129)])
def test_orders_that_are_none(root: Path, given: Any) -> None:
    assert refused(root, given).type == "InvalidParameters"


def test_tiers_and_risk_of_this_server(root: Path) -> None:
    assert refused(root, order("making"), tiers_enabled=("community",)).type == "TierDenied"
    error = refused(root, order("making"), risk_ceiling=0.1)
    assert error.type == "TierDenied"
    assert "ceiling of 0.1" in error.message


def test_unsigned_plans_run_only_in_development_on_loopback(tmp_path: Path) -> None:
    root = catalog(tmp_path, LISTING, is_signed=False)
    assert refused(root, order("listing")).type == "IntegrityError"
    assert refused(root, order("listing"), dev=True, loopback=False).type == "IntegrityError"

    async def test(made: WorkflowService) -> None:
        assert (await made.execute(order("listing")))["status"] == "succeeded"

    go(root, world(), test, dev=True)


def limited(aws: World, decision: str) -> World:
    """Let a user without rights ask; the simulator answers with `decision`."""
    aws.replies["GetCallerIdentity"] = {
        "Account": "123456789012",
        "Arn": "arn:aws:iam::123456789012:user/u",
    }

    def simulate(request: AwsRequest) -> Json:
        names = request.members["ActionNames"]
        return {
            "EvaluationResults": [{"EvalActionName": n, "EvalDecision": decision} for n in names]
        }

    aws.replies["SimulatePrincipalPolicy"] = simulate
    return aws


def test_permission_denied_lists_what_is_missing(root: Path) -> None:
    aws = limited(world(), "implicitDeny")
    error = refused(root, order("making", topic="a"), aws)
    assert error.type == "PermissionDenied"
    assert "rds:CreateDBSnapshot" in error.data["missing"]  # type: ignore[operator]
    assert "CreateDBSnapshot" not in aws.calls


def test_indeterminate_permissions_stop_what_changes_something(root: Path) -> None:
    aws = limited(world(), "who knows")
    error = refused(root, order("making", topic="a"), aws)
    assert (error.type, "CreateDBSnapshot" in aws.calls) == ("PermissionDenied", False)

    async def test(made: WorkflowService) -> None:
        found = await made.execute(order("listing"))
        assert found["status"] == "succeeded"
        assert "cannot be told" in found["warnings"][0]["message"]  # type: ignore[index,call-overload]

    go(root, limited(world(), "who knows"), test)


def test_aws_does_not_say_who_calls(root: Path) -> None:
    aws = World({"GetCallerIdentity": fault("ExpiredToken", 403)})
    error = refused(root, order("listing"), aws)
    assert (error.type, error.data["aws_code"]) == ("AwsError", "ExpiredToken")


def test_plan_mode_asks_nobody(root: Path) -> None:
    aws = world()

    async def test(made: WorkflowService) -> None:
        found = await made.execute(order("making", mode="plan", topic="a"))
        assert found["status"] == "succeeded"
        assert (await made.executions()).rows == (), "and nothing is written down"

    go(root, aws, test)
    assert aws.calls == []


def test_dry_run_changes_nothing(root: Path) -> None:
    aws = world()

    async def test(made: WorkflowService) -> None:
        found = await made.execute(order("making", mode="dry_run", topic="a"))
        assert found["status"] == "succeeded"

    go(root, aws, test)
    assert "CreateDBSnapshot" not in aws.calls


# -- one execution for the same work


def test_the_same_work_joins_while_it_runs_and_not_after(root: Path) -> None:
    async def test() -> None:
        aws = world()
        gate = Gate(aws, "CreateDBSnapshot")
        async with serving(service(root, aws, call=gate)) as made:
            asked = [made.execute(order("making", topic="a")) for _ in range(3)]
            answers = asyncio.gather(*asked)
            await gate.reached()
            gate.open.set()
            ids = {str(found["execution_id"]) for found in await answers}
            assert len(ids) == 1
            assert {found["cached"] for found in answers.result()} == {False}
            assert aws.calls.count("CreateDBSnapshot") == 2
            again = await made.execute(order("making", topic="a"))
            assert again["execution_id"] not in ids
            other = await made.execute(order("making", topic="b"))
            assert other["execution_id"] != again["execution_id"]

    running(test())


def test_results_of_cached_reading_workflows_are_reused_for_an_hour(root: Path) -> None:
    aws = world()

    async def test(made: WorkflowService) -> None:
        first = await made.execute(order("listing"))
        again = await made.execute(order("listing"))
        assert (first["cached"], again["cached"]) == (False, True)
        assert again["execution_id"] == first["execution_id"]
        aws.clock.advance(3_601)
        late = await made.execute(order("listing"))
        assert (late["cached"], late["execution_id"] != first["execution_id"]) == (False, True)

    go(root, aws, test)
    assert aws.calls.count("DescribeDBInstances") == 2


def test_failures_are_not_reused(root: Path) -> None:
    aws = World({"DescribeDBInstances": [fault("Bad"), {"DBInstances": []}]})

    async def test(made: WorkflowService) -> None:
        assert (await made.execute(order("listing")))["status"] == "failed"
        assert (await made.execute(order("listing")))["status"] == "succeeded"

    go(root, aws, test)


def test_an_idempotency_key_gives_the_result_again_and_only_for_the_same(root: Path) -> None:
    aws = world()

    async def test(made: WorkflowService) -> None:
        first = await made.execute(order("making", key="k", topic="a"))
        again = await made.execute(order("making", key="k", topic="a"))
        assert (again["execution_id"], again["cached"]) == (first["execution_id"], True)
        with pytest.raises(Refused) as raised:
            await made.execute(order("making", key="k", topic="b"))
        assert raised.value.type == "IdempotencyConflict"

    go(root, aws, test)
    assert aws.calls.count("CreateDBSnapshot") == 2


# -- places


def test_more_than_the_queue_holds_is_refused_and_the_rest_runs(root: Path) -> None:
    async def test() -> None:
        aws = world()
        gate = Gate(aws, "CreateDBSnapshot")
        policy = {"max_parallel": 2, "max_queued": 3}
        async with serving(service(root, aws, call=gate, **policy)) as made:
            names = "abcdefgh"
            asked = [asyncio.ensure_future(made.execute(order("making", topic=n))) for n in names]
            await gate.reached(2)
            _done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            while len([one for one in asked if one.done()]) < 3:
                await asyncio.wait([one for one in asked if not one.done()], timeout=5)
            assert gate.waiting == 2
            refusals = [one.exception() for one in asked if one.done()]
            assert all(isinstance(one, Refused) and one.type == "Busy" for one in refusals)
            gate.open.set()
            await asyncio.wait(asked)
            assert sum(one.exception() is None for one in asked) == 5
            found = await made.execute(order("making", topic="z"))
            assert found["status"] == "succeeded", "there is a place again"

    running(test())


def test_who_stops_waiting_leaves_it_running(root: Path) -> None:
    async def test() -> None:
        aws = world()
        gate = Gate(aws, "CreateDBSnapshot")
        async with serving(service(root, aws, call=gate)) as made:
            known = await made.execute(order("making", topic="a"), wait_s=0)
            assert known["status"] == "running"
            asked = asyncio.ensure_future(made.go_on(str(known["execution_id"])))
            await gate.reached()
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            gate.open.set()
            found = await made.go_on(str(known["execution_id"]))
            assert found["status"] == "succeeded"
            assert (await made.get(str(known["execution_id"])))["status"] == "succeeded"

    running(test())


# -- step by step


def test_confirmations_lead_through_it_and_a_wrong_token_does_not(root: Path) -> None:
    aws = world()

    async def test(made: WorkflowService) -> None:
        first = await made.execute(order("making", mode="step_by_step", topic="a"))
        id_ = str(first["execution_id"])
        assert (first["status"], aws.calls.count("CreateDBSnapshot")) == (
            "awaiting_confirmation",
            0,
        )
        assert first["next"]["rendered"]["input"] == MEMBERS | {"DBSnapshotIdentifier": "a-1"}  # type: ignore[index,call-overload]
        wrong = await made.go_on(id_, confirm_token="x")
        assert wrong["status"] == "awaiting_confirmation"
        assert wrong["error"]["type"] == "InvalidParameters"  # type: ignore[index,call-overload]
        assert aws.calls.count("CreateDBSnapshot") == 0
        second = await made.go_on(id_, confirm_token=first["next"]["confirm_token"])  # type: ignore[index,call-overload,arg-type]
        assert second["next"]["rendered"]["input"] == MEMBERS | {"DBSnapshotIdentifier": "a-2"}  # type: ignore[index,call-overload]
        end = await made.go_on(id_, confirm_token=second["next"]["confirm_token"])  # type: ignore[index,call-overload,arg-type]
        assert (end["status"], aws.calls.count("CreateDBSnapshot")) == ("succeeded", 2)

    go(root, aws, test)


def test_asking_again_does_not_make_a_confirmation_last_longer(root: Path) -> None:
    aws = world()

    async def test(made: WorkflowService) -> None:
        first = await made.execute(order("making", mode="step_by_step", topic="a"))
        id_ = str(first["execution_id"])
        aws.clock.advance(600)
        assert (await made.go_on(id_))["status"] == "awaiting_confirmation"
        aws.clock.advance(301)
        assert await made.resume_due() == 1
        found = await made.go_on(id_)
        assert (found["status"], aws.calls.count("CreateDBSnapshot")) == ("expired", 0)
        fresh = await made.execute(order("making", mode="step_by_step", topic="a"))
        assert fresh["execution_id"] != id_, "what nobody confirmed is in nobody's way"

    go(root, aws, test)


def test_cancelling_takes_back_what_was_done(root: Path) -> None:
    aws = world()

    async def test(made: WorkflowService) -> None:
        first = await made.execute(order("making", mode="step_by_step", topic="a"))
        id_ = str(first["execution_id"])
        await made.go_on(id_, confirm_token=first["next"]["confirm_token"])  # type: ignore[index,call-overload,arg-type]
        found = await made.go_on(id_, cancel=True)
        assert found["status"] == "cancelled"

    go(root, aws, test)
    assert aws.calls[-1] == "DeleteDBSnapshot"


def test_cancel_reaches_an_execution_that_another_worker_runs(root: Path) -> None:
    async def test() -> None:
        aws, store = world(), MemoryStore()
        gate, ids = Gate(aws, "CreateDBSnapshot"), Numbers()
        one = service(root, aws, store=store, call=gate, new_id=ids)
        two = service(root, aws, store=store, new_id=ids)
        async with serving(one), serving(two):
            asked = asyncio.ensure_future(one.execute(order("making", topic="a")))
            await gate.reached()
            seen = await two.go_on("e-1", cancel=True)
            assert seen["status"] == "running"
            gate.open.set()
            found = await asked
            assert found["status"] == "cancelled"
            assert aws.calls.count("CreateDBSnapshot") == 1
            assert aws.calls[-1] == "DeleteDBSnapshot"

    running(test())


# -- what comes in between


def test_a_plan_that_is_revoked_makes_no_more_calls(root: Path) -> None:
    async def test() -> None:
        aws = world()
        gate = Gate(aws, "CreateDBSnapshot")
        async with serving(service(root, aws, call=gate)) as made:
            asked = asyncio.ensure_future(made.execute(order("making", topic="a")))
            await gate.reached()
            revoke(root, MAKING)
            aws.clock.advance(1)
            gate.open.set()
            found = await asked
            assert (found["status"], found["error"]["type"]) == ("failed", "IntegrityError")  # type: ignore[index,call-overload]
            assert aws.calls.count("CreateDBSnapshot") == 1
            with pytest.raises(Refused):
                await made.execute(order("making", topic="b"))

    running(test())


def test_trust_data_that_is_broken_stops_executions(root: Path) -> None:
    async def test() -> None:
        aws = world()
        gate = Gate(aws, "CreateDBSnapshot")
        async with serving(service(root, aws, call=gate)) as made:
            asked = asyncio.ensure_future(made.execute(order("making", topic="a")))
            await gate.reached()
            (root / "trust" / "manifest.json").write_text("{}")
            aws.clock.advance(1)
            gate.open.set()
            assert (await asked)["status"] == "failed"
            assert aws.calls.count("CreateDBSnapshot") == 1

    running(test())


def test_a_catalog_that_breaks_leaves_the_old_one(root: Path) -> None:
    async def test(made: WorkflowService) -> None:
        assert (await made.execute(order("listing")))["status"] == "succeeded"
        (root / "workflows" / "no-tier").mkdir()
        assert (await made.execute(order("making", topic="a")))["status"] == "succeeded"

    go(root, world(), test)


def test_close_gives_back_and_the_next_takes_up(root: Path) -> None:
    async def test() -> None:
        aws, store, ids = world(), MemoryStore(), Numbers()
        gate = Gate(aws, "DescribeDBInstances")
        one = service(root, aws, store=store, call=gate, new_id=ids, max_parallel=1)
        first = asyncio.ensure_future(one.execute(order("listing")))
        await gate.reached()
        queued = asyncio.ensure_future(one.execute(order("making", topic="a")))
        while not (await one.executions("running", limit=5)).rows[1:]:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        await one.close()
        for asked in (first, queued):
            with pytest.raises(Refused) as raised:
                await asked
            assert raised.value.type == "Busy"
        async with serving(service(root, aws, store=store, new_id=ids)) as two:
            await two.start()
            await two.resume_due()
            ends = [await two.go_on(f"e-{n}") for n in (1, 2)]
            assert [end["status"] for end in ends] == ["succeeded", "succeeded"]
        assert aws.calls.count("CreateDBSnapshot") == 2

    running(test())


def test_an_execution_that_was_never_written_down_ends_as_cancelled_work(root: Path) -> None:
    aws, store = world(), MemoryStore()

    async def test(made: WorkflowService) -> None:
        await made.start()
        found = made.plans.runnable("making", aws.clock.now())
        new = NewExecution(
            id="e-9",
            workflow_id="making_v1_0",
            checksum=found.verified.checksum,
            principal="p",
            region="us-east-1",
            parameters={},
        )
        await made.ledger.open(new)
        aws.clock.advance(31)
        assert await made.resume_due() == 1
        end = await made.go_on("e-9")
        assert (end["status"], end["error"]["type"]) == ("failed", "Cancelled")  # type: ignore[index,call-overload]
        assert (await made.get("e-9")) == end

    go(root, aws, test, store=store)


def test_a_plan_that_is_gone_from_the_catalog_is_waited_for(tmp_path: Path) -> None:
    whole, lacking = catalog(tmp_path / "a", LISTING, MAKING), catalog(tmp_path / "b", LISTING)

    async def test() -> None:
        aws, store, ids = world(), MemoryStore(), Numbers()
        gate = Gate(aws, "CreateDBSnapshot")
        one = service(whole, aws, store=store, call=gate, new_id=ids)
        asked = asyncio.ensure_future(one.execute(order("making", topic="a"), wait_s=None))
        await gate.reached()
        await one.close()
        await asyncio.gather(asked, return_exceptions=True)
        async with serving(service(lacking, aws, store=store)) as two:
            await two.start()
            assert await two.resume_due() == 0
            assert (await two.get("e-1"))["status"] == "running"
        aws.clock.advance(31)
        async with serving(service(whole, aws, store=store)) as three:
            await three.resume_due()
            end = await three.go_on("e-1")
            assert end["status"] in {"succeeded", "failed", "rolled_back"}

    running(test())


class Failing(MemoryStore):
    """A store that stops answering."""

    is_down = False

    async def append(self, *given: Any) -> bool:
        if self.is_down:
            raise StateUnavailable("down")
        return await super().append(*given)


def test_while_the_state_is_away_nothing_is_done_and_later_it_goes_on(root: Path) -> None:
    async def test() -> None:
        aws, store = world(), Failing()
        gate = Gate(aws, "DescribeDBInstances")
        async with serving(service(root, aws, store=store, call=gate)) as made:
            asked = asyncio.ensure_future(made.execute(order("listing")))
            await gate.reached()
            store.is_down = True
            gate.open.set()
            with pytest.raises(StateUnavailable):
                await asked
            store.is_down = False
            assert await made.resume_due() == 0, "the lease is not over yet"
            aws.clock.advance(31)
            assert await made.resume_due() == 1
            assert (await made.go_on("e-1"))["status"] == "succeeded"

    running(test())


# -- the role of executions


def test_executions_run_with_the_role_and_a_policy_of_their_own(root: Path) -> None:
    aws = world()
    role = "arn:aws:iam::123456789012:role/runs"
    keys = {"AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c"}
    aws.replies["AssumeRole"] = {"Credentials": keys}

    async def test(made: WorkflowService) -> None:
        assert (await made.execute(order("making", topic="a")))["status"] == "succeeded"

    go(root, aws, test, execution_role=role)
    assumed = next(one for one in aws.requests if one.operation == "AssumeRole")
    assert assumed.members["RoleArn"] == role
    assert "rds:CreateDBSnapshot" in str(assumed.members["Policy"])


@pytest.mark.parametrize("failure", [fault("AccessDenied", 403), AwsFailure("timeout")])
def test_a_role_that_cannot_be_taken_ends_it_with_the_reason(root: Path, failure: Any) -> None:
    aws = world()
    aws.replies["AssumeRole"] = failure

    async def test(made: WorkflowService) -> None:
        end = await made.execute(order("making", topic="a"))
        assert (end["status"], end["error"]["type"]) == ("failed", "AwsError")  # type: ignore[index,call-overload]
        assert (await made.get("e-1"))["error"] == end["error"]

    go(root, aws, test, execution_role="arn:aws:iam::123456789012:role/runs")
    assert "CreateDBSnapshot" not in aws.calls


# -- isolation


def test_community_plans_run_in_a_process_of_their_own(root: Path) -> None:
    aws = world()
    seen: list[str] = []

    async def test(made: WorkflowService) -> None:
        end = await made.execute(order("listing"), on_event=lambda event: seen.append(event.phase))
        assert end["status"] == "succeeded"
        assert (await made.get("e-1"))["status"] == "succeeded"
        dry = await made.execute(order("listing", mode="dry_run"))
        assert dry["status"] == "succeeded"
        made_ = await made.execute(order("making", topic="a"))
        assert made_["status"] == "succeeded", "verified plans need no process"

    go(root, aws, test, isolate=True)
    assert seen == ["started", "succeeded"]
    assert aws.calls.count("DescribeDBInstances") == 2


def test_an_isolated_execution_is_cancelled_and_resumed_as_any_other(root: Path) -> None:
    async def test() -> None:
        aws, store, ids = world(), MemoryStore(), Numbers()
        one = service(root, aws, store=store, new_id=ids, isolate=True)
        phases: list[str] = []
        asked = asyncio.ensure_future(
            one.execute(order("slow"), on_event=lambda event: phases.append(event.step_id))
        )
        async with asyncio.timeout(30):
            while not phases:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.001)
        await one.close()
        await asyncio.gather(asked, return_exceptions=True)
        async with serving(service(root, aws, store=store, new_id=ids, isolate=True)) as two:
            await two.start()
            await two.resume_due()
            end = await two.go_on("e-1", cancel=True)
            assert end["status"] == "cancelled"

    running(test())


async def never(request: AwsRequest, /) -> AwsAnswer:
    raise AssertionError(request.operation)


def test_what_runs_or_not_unknown_ids_are_unknown(root: Path) -> None:
    async def test(made: WorkflowService) -> None:
        for asked in (made.get("e-7"), made.go_on("e-7", cancel=True)):
            with pytest.raises(Refused) as raised:
                await asked
            assert raised.value.type == "UnknownExecution"

    go(root, world(), test, call=never)
