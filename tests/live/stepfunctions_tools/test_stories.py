"""What agents do with state machines: orders, ETL, approvals, and what goes wrong with them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.serving import Served
from tests.live.stepfunctions_tools.stage import (
    COMPANIONS,
    FOREVER,
    MODES,
    Aws,
    Heard,
    Json,
    Worker,
    ends,
    listed,
    names,
    refused,
    states,
    tell,
    url,
    use,
)

PREFIX = "work-"
ORDER = states(
    Check={
        "Type": "Choice",
        "Choices": [{"Variable": "$.total", "NumericGreaterThan": 0, "Next": "Ship"}],
        "Default": "Refuse",
    },
    Ship=ends(Type="Pass", Parameters={"order.$": "$.id", "status": "shipped"}),
    Refuse={"Type": "Fail", "Error": "InvalidOrder", "Cause": "The order has no total above 0"},
)
CLEAN = states(Clean=ends(Type="Pass", Result="clean", ResultPath="$.state"))
ETL = states(
    Extract={"Type": "Pass", "Next": "Transform"},
    Transform={
        "Type": "Parallel",
        "Branches": [
            states(Rows=ends(Type="Map", ItemsPath="$.rows", ItemProcessor=CLEAN)),
            states(Count=ends(Type="Pass", Parameters={"rows.$": "States.ArrayLength($.rows)"})),
        ],
        "Next": "Load",
    },
    Load=ends(Type="Pass", Parameters={"loaded.$": "$[0]", "counted.$": "$[1].rows"}),
)
LATE = states(Late=ends(Type="Wait", Seconds=60)) | {"TimeoutSeconds": 1}


def activity_machine(activity: str) -> dict[str, Any]:
    """Return an approval: the answer of whoever takes the activity decides."""
    return states(
        Note={"Type": "Pass", "Next": "Ask"},
        Ask={"Type": "Task", "Resource": activity, "ResultPath": "$.review", "Next": "Decide"},
        Decide={
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.review.approved", "BooleanEquals": True, "Next": "Approved"}
            ],
            "Default": "Rejected",
        },
        Approved={"Type": "Succeed"},
        Rejected={"Type": "Fail", "Error": "Rejected", "Cause": "The reviewer said no"},
    )


@pytest.fixture(scope="module")
def machines(aws: Aws) -> None:
    aws.machine(f"{PREFIX}order", ORDER)
    aws.express(f"{PREFIX}price", ORDER)
    aws.machine(f"{PREFIX}etl", ETL)
    aws.machine(f"{PREFIX}late", LATE)
    aws.machine(f"{PREFIX}forever", FOREVER)


@pytest.fixture(scope="module")
def served(aws: Aws, machines: None) -> Iterator[Served]:
    with aws.serving(PREFIX) as running:
        yield running


@pytest.fixture(params=["http legacy", "http 2026-07-28", "stdio legacy"])
def place(request: pytest.FixtureRequest, served: Served, aws: Aws) -> tuple[Any, str]:
    """Where the server is, and in which era it is spoken to."""
    transport, mode = request.param.split(" ")
    return (url(served) if transport == "http" else aws.stdio(PREFIX)), mode


def test_orders_are_shipped_or_refused(place: tuple[Any, str]) -> None:
    async def story(client: Any, heard: Heard) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"order", "price", "etl", "late", "forever", *COMPANIONS}
        shown = tools["order"]
        assert shown.description == "AWS Step Functions state machine: work-order"
        assert shown.input_schema["required"] == ["parameters"]
        assert shown.annotations.read_only_hint is False

        given = {"parameters": {"id": "A-1", "total": 7}}
        good = await client.call_tool("order", given, progress_callback=heard.told)
        assert not good.is_error
        told = good.structured_content
        assert good.content[0].text == told["result"]
        head, _, output = told["result"].partition("returned: ")
        assert head == "State machine work-order "
        assert output == json.dumps({"order": "A-1", "status": "shipped"}, indent=2)
        assert told["status"] == "SUCCEEDED"
        assert heard.progress[0] == f"Started execution {told['executionArn']}"
        assert heard.progress[-1] == "Execution status: SUCCEEDED"
        assert good.content[0].meta == {"naftiko/untrusted": True}

        bad = await client.call_tool("order", {"parameters": {"id": "A-2", "total": 0}})
        assert bad.is_error
        why = bad.structured_content
        assert bad.content[0].text == why["result"]
        assert why["result"] == (
            "State machine work-order execution failed with status: FAILED, "
            "error: InvalidOrder, cause: The order has no total above 0"
        )
        assert (why["status"], why["error"]) == ("FAILED", "InvalidOrder")
        assert why["cause"] == "The order has no total above 0"
        assert why["executionArn"].startswith("arn:aws:states:us-east-1:123456789012:execution:")
        known = await use(client, "get-execution", executionArn=why["executionArn"])
        assert {**known, **why, "result": None} == {**known, "result": None}

        price = await use(client, "price", parameters={"id": "A-3", "total": 1})
        assert '"shipped"' in price["result"]
        text = await refused(client, "price", parameters={"id": "A-3", "total": 0})
        assert text.startswith("Express state machine work-price execution failed with status: ")

    server, mode = place
    tell(server, mode, story)


@pytest.mark.parametrize("mode", MODES)
def test_rows_are_extracted_transformed_and_loaded(served: Served, mode: str) -> None:
    async def story(client: Any, _: Heard) -> None:
        done = await use(client, "etl", parameters={"rows": [{"n": 1}, {"n": 2}]})
        output = json.loads(done["result"].partition("returned: ")[2])
        assert output == {
            "loaded": [{"n": 1, "state": "clean"}, {"n": 2, "state": "clean"}],
            "counted": 2,
        }
        history = await use(client, "get-execution-history", executionArn=done["executionArn"])
        kinds = [event["type"] for event in history["events"]]
        assert kinds[0] == "ExecutionSucceeded", "the newest come first"
        assert kinds.count("MapIterationSucceeded") == 2

    tell(url(served), mode, story)


@pytest.mark.parametrize("mode", MODES)
def test_an_approval_outlasts_the_call(aws: Aws, mode: str) -> None:
    prefix = f"approve-{mode[:2]}-"
    activity = aws.client.create_activity(name=f"{prefix}review")["activityArn"]
    machine = aws.machine(f"{prefix}request", activity_machine(activity))

    async def story(client: Any, heard: Heard) -> None:
        given = {"parameters": {"item": "desk"}}
        called = await client.call_tool("request", given, progress_callback=heard.told)
        assert not called.is_error
        handle = called.structured_content
        arn = handle["executionArn"]
        assert handle["status"] == "RUNNING"
        assert handle["result"] == called.content[0].text
        assert f"Call get-execution with executionArn {arn}" in handle["result"]
        assert "do not start it again" in handle["result"]
        assert heard.progress[0] == f"Started execution {arn}"
        assert set(heard.progress[1:]) <= {"Execution status: RUNNING"}

        running = await use(client, "list-executions", tool="request", status="RUNNING")
        assert [item["executionArn"] for item in running["executions"]] == [arn]
        now = await use(client, "get-execution", executionArn=arn)
        assert now["status"] == "RUNNING"
        assert "output" not in now

        with Worker(aws.client, activity, lambda _: {"approved": True}) as worker:
            pass
        assert worker.seen == [{"item": "desk"}]
        assert aws.ended(arn) == "SUCCEEDED"
        then = await use(client, "get-execution", executionArn=arn)
        assert then["output"] == {"item": "desk", "review": {"approved": True}}
        assert then["stopDate"] > then["startDate"]
        assert await use(client, "list-executions", tool="request", status="RUNNING") == {
            "executions": []
        }
        assert aws.executions(machine) == [arn]

    with aws.serving(prefix, EXECUTION_WAIT="300ms") as served:
        tell(url(served), mode, story)


@pytest.mark.parametrize("mode", MODES)
def test_each_state_is_told_once_and_in_order(aws: Aws, mode: str) -> None:
    prefix = f"told-{mode[:2]}-"
    activity = aws.client.create_activity(name=f"{prefix}review")["activityArn"]
    machine = aws.machine(f"{prefix}request", activity_machine(activity))

    async def story(client: Any, heard: Heard) -> None:
        given: Json = {"parameters": {}}
        calling = client.call_tool("request", given, progress_callback=heard.told)

        async def review() -> None:
            await heard.until(lambda: "Entered state Ask" in heard.progress)
            with Worker(aws.client, activity, lambda _: {"approved": True}):
                pass

        called, _ = await asyncio.gather(calling, review())
        assert called.structured_content["status"] == "SUCCEEDED"
        entered = [f"Entered state {name}" for name in ("Note", "Ask", "Decide", "Approved")]
        assert heard.progress[1:] == entered
        assert aws.executions(machine) == [called.structured_content["executionArn"]]

    with aws.serving(prefix, EXECUTION_PROGRESS="states") as served:
        tell(url(served), mode, story)


def test_an_execution_that_times_out_is_a_failure(served: Served) -> None:
    async def story(client: Any, _: Heard) -> None:
        late = await client.call_tool("late", {"parameters": {}})
        assert late.is_error
        why = late.structured_content
        assert why["status"] == "TIMED_OUT"
        assert why["result"].startswith(
            "State machine work-late execution failed with status: TIMED_OUT"
        )
        assert why["result"] == late.content[0].text

    tell(url(served), "2026-07-28", story)


def test_who_stops_an_execution_is_seen_by_who_waits_for_it(served: Served) -> None:
    async def story(client: Any, heard: Heard) -> None:
        calling = asyncio.create_task(
            client.call_tool("forever", {"parameters": {}}, progress_callback=heard.told)
        )
        arn = await heard.started()
        stopped = await use(
            client, "stop-execution", executionArn=arn, error="Enough", cause="no more"
        )
        assert stopped["executionArn"] == arn
        assert stopped["stopDate"]
        ended = await calling
        assert ended.is_error
        assert ended.content[0].text == (
            "State machine work-forever execution failed with status: ABORTED, "
            "error: Enough, cause: no more"
        )
        known = await use(client, "get-execution", executionArn=arn)
        assert (known["status"], known["error"], known["cause"]) == ("ABORTED", "Enough", "no more")

    tell(url(served), "legacy", story)


def test_what_failed_is_taken_up_where_it_failed(aws: Aws) -> None:
    prefix = "redrive-"
    activity = aws.client.create_activity(name=f"{prefix}batch")["activityArn"]
    aws.machine(
        f"{prefix}import",
        states(
            Prepare={"Type": "Pass", "Next": "Import"},
            Import=ends(Type="Task", Resource=activity),
        ),
    )

    def fail() -> None:
        task = aws.client.get_activity_task(activityArn=activity)
        aws.client.send_task_failure(taskToken=task["taskToken"], error="Broken", cause="line 7")

    async def story(client: Any, _: Heard) -> None:
        called, _nothing = await asyncio.gather(
            client.call_tool("import", {"parameters": {"rows": 3}}), asyncio.to_thread(fail)
        )
        assert called.is_error
        arn = called.structured_content["executionArn"]
        known = await use(client, "get-execution", executionArn=arn)
        assert (known["status"], known["redriveStatus"]) == ("FAILED", "REDRIVABLE")
        assert (known["error"], known["cause"]) == ("Broken", "line 7")

        redriven = await use(client, "redrive-execution", executionArn=arn)
        assert redriven["redriveDate"]
        with Worker(aws.client, activity, lambda given: given):
            pass
        assert aws.ended(arn) == "SUCCEEDED"
        again = await use(client, "get-execution", executionArn=arn)
        assert (again["status"], again["redriveCount"]) == ("SUCCEEDED", 1)
        assert again["output"] == {"rows": 3}
        text = await refused(client, "redrive-execution", executionArn=arn)
        assert "ExecutionNotRedrivable" in text

        history = await client.call_tool(
            "get-execution-history", {"executionArn": arn, "maxResults": 200}
        )
        assert history.content[0].meta == {"naftiko/untrusted": True}
        events = history.structured_content["events"]
        entered = [item for item in events if item["type"] == "PassStateEntered"]
        assert len(entered) == 1, "a redrive starts at the state that failed"
        assert "input" not in entered[0]["stateEnteredEventDetails"], "only where it is asked for"
        full = await use(
            client,
            "get-execution-history",
            executionArn=arn,
            maxResults=200,
            includeExecutionData=True,
        )
        (entered,) = (item for item in full["events"] if item["type"] == "PassStateEntered")
        assert json.loads(entered["stateEnteredEventDetails"]["input"]) == {"rows": 3}
        few = await use(client, "get-execution-history", executionArn=arn, maxResults=2)
        assert len(few["events"]) == 2
        many = await refused(client, "get-execution-history", executionArn=arn, maxResults=201)
        assert "at most 200" in many

    with aws.serving(prefix) as served:
        tell(url(served), "2026-07-28", story)


def test_settings_name_machines_by_list_as_well(aws: Aws) -> None:
    arn = aws.machine("by-arn", ORDER)
    aws.machine("by.name", ORDER)

    async def story(client: Any, _: Heard) -> None:
        await listed(client, "by_name")
        assert await names(client) - COMPANIONS == {"by_arn", "by_name"}

    with aws.serving("", STATE_MACHINE_LIST=f"{arn}, by.name, by-nobody") as served:
        tell(url(served), "legacy", story)
        (finder,) = served.capability.plan.discoveries
        (note,) = finder.notes
        assert "STATE_MACHINE_LIST names `by-nobody`" in note
