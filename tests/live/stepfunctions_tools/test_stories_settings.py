"""What the settings make of the tools: their style, what they run, and what may be done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from mcp import MCPError
from mcp.client.stdio import StdioServerParameters

from tests.live.mcp.test_tasks import TasksExtension, _ask, _send
from tests.live.serving import serving
from tests.live.stepfunctions_tools.relay import Json, Relay, relaying
from tests.live.stepfunctions_tools.stage import (
    COMPANIONS,
    FILE,
    FOREVER,
    Aws,
    Heard,
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
from tests.live.waiting import until

SCHEMA_TAG = "input-schema"
TRANSFER: Json = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "type": "object",
    "properties": {
        "amount": {"type": "integer", "minimum": 1},
        "to": {"$ref": "#/definitions/account"},
    },
    "definitions": {"account": {"type": "string", "pattern": "^[A-Z]{2}[0-9]+$"}},
    "required": ["amount"],
    "additionalProperties": False,
}
KEYED: Json = {"type": "object", "properties": {"idempotencyKey": {"type": "integer"}}}


@pytest.fixture(scope="module")
def relay(aws: Aws) -> Iterator[Relay]:
    with relaying(aws.sandbox.account.endpoint_url) as running:
        yield running


@pytest.fixture(autouse=True)
def _forgets(relay: Relay) -> None:
    relay.forget()


def registered(relay: Relay, name: str, schema: Json) -> list[Json]:
    """Put a schema into the registry; return the tags of the machine whose input it describes."""
    relay.schemas[f"flows/{name}"] = {"Content": json.dumps(schema), "Type": "JSONSchemaDraft4"}
    arn = f"arn:aws:schemas:us-east-1:123456789012:schema/flows/{name}"
    return [{"key": SCHEMA_TAG, "value": arn}]


def test_native_tools_take_the_schemas_properties(aws: Aws, relay: Relay) -> None:
    prefix = "native-"
    refuse = states(Fail={"Type": "Fail", "Error": "NoFunds", "Cause": "the account is empty"})
    aws.machine(f"{prefix}transfer", tags=registered(relay, "transfer", TRANSFER))
    aws.machine(f"{prefix}refuse", refuse, tags=registered(relay, "transfer", TRANSFER))
    aws.express(f"{prefix}quick")
    keyed = aws.machine(f"{prefix}keyed", tags=registered(relay, "keyed", KEYED))

    async def story(client: Any, _: Heard) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        shown = tools["transfer"]
        assert shown.title == f"{prefix}transfer"
        assert set(shown.input_schema["properties"]) == {"amount", "to", "idempotencyKey"}
        assert shown.input_schema["properties"]["to"]["pattern"] == "^[A-Z]{2}[0-9]+$"
        assert shown.input_schema["required"] == ["amount"]
        assert shown.output_schema["required"] == ["status", "executionArn"]
        assert "Input Schema" not in shown.description

        # The client checks it against the outputSchema.
        given = {"amount": 3, "to": "DE12"}
        done = await client.call_tool("transfer", {**given, "idempotencyKey": "t-1"})
        told = done.structured_content
        assert not done.is_error
        assert (told["status"], told["output"]) == ("SUCCEEDED", given)
        assert told["executionArn"].endswith(":t-1")
        assert told["startDate"] <= told["stopDate"]
        assert set(told) == {"status", "output", "executionArn", "startDate", "stopDate"}
        assert json.loads(done.content[0].text) == told
        assert done.content[0].meta == {"naftiko/untrusted": True}

        failed = await client.call_tool("refuse", given)
        assert failed.is_error
        why = failed.structured_content
        assert (why["status"], why["error"]) == ("FAILED", "NoFunds")
        assert why["cause"] == "the account is empty"
        assert "output" not in why

        quick = await use(client, "quick", anything={"goes": [1]})
        assert quick["output"] == {"anything": {"goes": [1]}}

        before = relay.count()
        for wrong in ({}, {"amount": 0}, {"amount": 1, "to": "x"}, {"amount": 1, "more": 1}):
            await refused(client, "transfer", **wrong)
        assert relay.count() == before

        # A schema with a property of that name has it for itself: it is input, and no name.
        own = await use(client, "keyed", idempotencyKey=5)
        assert own["output"] == {"idempotencyKey": 5}
        again = await use(client, "keyed", idempotencyKey=5)
        assert again["executionArn"] != own["executionArn"]
        assert len(aws.executions(keyed)) == 2

    settings = {"TOOL_STYLE": "native", "STATE_MACHINE_INPUT_SCHEMA_ARN_TAG_KEY": SCHEMA_TAG}
    with aws.serving(prefix, settings, AWS_ENDPOINT_URL=relay.url) as served:
        tell(url(served), "2026-07-28", story)


def test_compatible_tools_check_their_parameters(aws: Aws, relay: Relay) -> None:
    prefix = "compatible-"
    aws.machine(f"{prefix}transfer", tags=registered(relay, "transfer", TRANSFER))

    async def story(client: Any, _: Heard) -> None:
        (shown,) = [tool for tool in (await client.list_tools()).tools if tool.name == "transfer"]
        assert set(shown.input_schema["properties"]) == {"parameters", "idempotencyKey"}
        assert set(shown.input_schema["properties"]["parameters"]["properties"]) == {"amount", "to"}
        assert shown.description.endswith(f"\n\nInput Schema:\n{json.dumps(TRANSFER)}")
        await use(client, "transfer", parameters={"amount": 1})
        before = relay.count()
        text = await refused(client, "transfer", parameters={"amount": 0})
        assert "at least 1" in text
        assert relay.count() == before

    settings = {"STATE_MACHINE_INPUT_SCHEMA_ARN_TAG_KEY": SCHEMA_TAG}
    with aws.serving(prefix, settings, AWS_ENDPOINT_URL=relay.url) as served:
        tell(url(served), "legacy", story)


def gives(text: str) -> Json:
    """Return a machine that always gives this."""
    return states(Give=ends(Type="Pass", Result=text))


@pytest.mark.parametrize(
    ("qualifier", "given"),
    [("alias:PROD", "one"), ("version:latest", "two"), ("version:1", "one"), ("", "three")],
)
def test_a_qualifier_says_what_runs(aws: Aws, qualifier: str, given: str) -> None:
    prefix = f"qualified-{qualifier.replace(':', '-').lower()}-"
    machine = aws.machine(f"{prefix}flow", gives("one"), publish=True, versionDescription="First.")
    route = [{"stateMachineVersionArn": f"{machine}:1", "weight": 100}]
    aws.client.create_state_machine_alias(name="PROD", routingConfiguration=route)
    for text in ("two", "three"):
        aws.client.update_state_machine(
            stateMachineArn=machine, definition=json.dumps(gives(text)), publish=text == "two"
        )
    aws.machine(f"{prefix}plain")
    express = aws.express(f"{prefix}fast", gives("one"), publish=True)
    route = [{"stateMachineVersionArn": f"{express}:1", "weight": 100}]
    aws.client.create_state_machine_alias(name="PROD", routingConfiguration=route)

    async def story(client: Any, _: Heard) -> None:
        unqualified = {"plain"} if not qualifier else set()
        assert await names(client) - COMPANIONS == {"flow", "fast"} | unqualified
        parameters = {"parameters": {"n": 1}, "idempotencyKey": "k"}
        done = await use(client, "flow", **parameters)
        assert f'returned: "{given}"' in done["result"]
        started = aws.client.describe_execution(executionArn=done["executionArn"])
        by_alias, by_version = (
            started.get("stateMachineAliasArn"),
            started.get("stateMachineVersionArn"),
        )
        assert (by_alias == f"{machine}:PROD") == (qualifier == "alias:PROD")
        assert (by_version is not None) == (qualifier != "")
        known = await use(client, "get-execution", executionArn=done["executionArn"])
        assert (known["status"], known["output"]) == ("SUCCEEDED", given)
        assert await use(client, "flow", **parameters) == done
        found = await use(client, "list-executions", tool="flow")
        assert [item["executionArn"] for item in found["executions"]] == [done["executionArn"]]
        assert '"one"' in (await use(client, "fast", parameters={}))["result"]

    with aws.serving(prefix, TOOL_QUALIFIER=qualifier) as served:
        tell(url(served), "legacy", story)


@pytest.mark.parametrize("qualifier", ["alias:", "version:99", "PROD"])
def test_what_no_machine_has_gives_no_tool(aws: Aws, qualifier: str) -> None:
    prefix = f"none-{qualifier.replace(':', '-').lower()}-"
    machine = aws.machine(f"{prefix}flow", publish=True)
    route = [{"stateMachineVersionArn": f"{machine}:1", "weight": 100}]
    aws.client.create_state_machine_alias(name="PROD", routingConfiguration=route)

    async def story(client: Any, _: Heard) -> None:
        assert await names(client) == COMPANIONS

    with aws.serving(prefix, TOOL_QUALIFIER=qualifier) as served:
        tell(url(served), "legacy", story)
        (finder,) = served.capability.plan.discoveries
        said = " ".join(str(item) for item in finder.status()["problems"])
        assert ("neither alias:NAME nor version:latest" in said) == (":" not in qualifier)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        (
            "STATE_MACHINE_PREFIX",
            "said-nowhere-",
            "begins with STATE_MACHINE_PREFIX, `said-nowhere-`",
        ),
        ("AWS_REGION", "ap-south-2", "there are no state machines in ap-south-2"),
        ("TOOL_STYLE", "Native", "TOOL_STYLE is `Native`"),
        ("EXECUTION_PROGRESS", "state", "EXECUTION_PROGRESS is `state`"),
        ("ON_CANCEL", "STOP", "ON_CANCEL is `STOP`"),
        ("EXECUTION_TOOLS", "some", "EXECUTION_TOOLS is `some`"),
    ],
)
def test_a_setting_that_means_nothing_is_reported(
    aws: Aws, setting: str, value: str, said: str
) -> None:
    aws.machine(f"said-{setting.lower()}-flow")
    with aws.serving(f"said-{setting.lower()}-", {setting: value}) as served:
        (finder,) = served.capability.plan.discoveries
        assert said in " ".join(until(lambda: finder.notes or None))


def test_settings_as_they_are_meant_say_nothing(aws: Aws) -> None:
    aws.machine("meant-flow")
    settings = {"TOOL_STYLE": "native", "EXECUTION_PROGRESS": "states", "ON_CANCEL": "stop"}

    async def story(client: Any, _: Heard) -> None:
        await listed(client, "flow")

    with aws.serving("meant-", settings, EXECUTION_TOOLS="read") as served:
        tell(url(served), "legacy", story)
        (finder,) = served.capability.plan.discoveries
        assert finder.notes == ()


def test_what_is_left_out_of_executions_and_histories_is_said(aws: Aws) -> None:
    aws.machine("much-flow")

    async def story(client: Any, _: Heard) -> None:
        (arn, *_) = [(await use(client, "flow", parameters={}))["executionArn"] for _ in range(2)]
        some = await use(client, "list-executions", tool="flow", maxResults=1)
        assert len(some["executions"]) == 1
        assert some["more"] is True
        assert "more" not in await use(client, "list-executions", tool="flow", maxResults=2)
        events = await use(client, "get-execution-history", executionArn=arn, maxResults=2)
        assert len(events["events"]) == 2
        assert events["more"] is True
        assert "more" not in await use(client, "get-execution-history", executionArn=arn)

    with aws.serving("much-") as served:
        tell(url(served), "legacy", story)


READING = {"get-execution", "list-executions", "get-execution-history"}


@pytest.mark.parametrize(
    ("tools", "expected"), [("all", COMPANIONS), ("read", READING), ("none", set())]
)
def test_tools_for_executions_can_be_left_out(aws: Aws, tools: str, expected: set[str]) -> None:
    aws.machine(f"some-{tools}-flow")

    async def story(client: Any, _: Heard) -> None:
        assert await names(client) == {"flow", *expected}
        await use(client, "flow", parameters={})

    with aws.serving(f"some-{tools}-", EXECUTION_TOOLS=tools) as served:
        tell(url(served), "legacy", story)


@pytest.mark.parametrize("transport", ["http", "stdio"])
def test_read_only_leaves_tools_that_only_read(aws: Aws, transport: str) -> None:
    prefix = f"readonly-{transport}-"
    machine = aws.machine(f"{prefix}flow", FOREVER)
    arn = aws.client.start_execution(stateMachineArn=machine)["executionArn"]

    async def story(client: Any, _: Heard) -> None:
        assert await names(client) == READING
        known = await use(client, "get-execution", executionArn=arn)
        assert known["status"] == "RUNNING"
        for tool in ("flow", "stop-execution", "redrive-execution"):
            with pytest.raises(MCPError, match="unknown tool"):
                await client.call_tool(tool, {"parameters": {}, "executionArn": arn})
        found = await use(client, "list-executions", tool="flow")
        assert [item["executionArn"] for item in found["executions"]] == [arn]
        # Which machines there are is not to be seen from the list of tools.
        assert "there are: flow" in await refused(client, "list-executions", tool="?")

    if transport == "stdio":
        command = aws.stdio(prefix)
        command = StdioServerParameters(
            command=command.command, args=[*command.args, "--read-only"], env=command.env
        )
        tell(command, "legacy", story)
        return
    with aws.serving(prefix, read_only=True) as served:
        tell(url(served), "2026-07-28", story)


EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:"
STRANGERS = {
    "another machine": EXECUTION + "other-flow:x",
    "one whose name goes on": EXECUTION + "mine-flow2:x",
    "a parent": EXECUTION + "mine-flow/../other-flow:x",
    "a parent of a run": EXECUTION + "mine-flow/..:../other-flow:x",
    "a map run of another": EXECUTION + "other-flow/Map:x",
    "a map run inside": EXECUTION + "other-flow/mine-flow:x",
    "a version": EXECUTION + "mine-flow:1:x",
    "another account": EXECUTION.replace("123456789012", "210987654321") + "mine-flow:x",
    "another region": EXECUTION.replace("us-east-1", "eu-west-1") + "mine-flow:x",
    "another partition": EXECUTION.replace("arn:aws:", "arn:aws-cn:") + "mine-flow:x",
    "express": EXECUTION.replace("execution", "express") + "mine-flow:x:y",
    "a machine": EXECUTION.replace("execution", "stateMachine") + "mine-flow",
    "a line": EXECUTION + "mine-flow:x\nother",
    "an end of line": EXECUTION + "mine-flow:x\n",
    "a beginning": "x" + EXECUTION + "mine-flow:x",
    "other digits": EXECUTION.replace("123456789012", "١٢٣٤٥٦٧٨٩٠١٢") + "mine-flow:x",
    "a template": EXECUTION + "{{machine}}:x",
    "nothing": "",
}


def test_only_executions_of_served_machines_are_touched(aws: Aws, relay: Relay) -> None:
    aws.machine("mine-flow", FOREVER)
    other = aws.machine("other-flow", FOREVER)
    aws.client.start_execution(stateMachineArn=other, name="x")

    async def story(client: Any, _: Heard) -> None:
        before = relay.count()
        for what, arn in STRANGERS.items():
            for tool in COMPANIONS - {"list-executions"}:
                text = await refused(client, tool, executionArn=arn)
                assert "served here" in text or "`executionArn`" in text, (what, tool, text)
                assert len(text) < 1000
        assert relay.count() == before, "AWS is not even asked"
        for tool in ("other-flow", "mine-flow", "get-execution", "", "x" * 10_000):
            text = await refused(client, "list-executions", tool=tool)
            assert "no state machine is served here as the tool" in text
            assert "there are: flow" in text
            assert len(text) < 1000
        assert relay.count() == before
        assert aws.status(EXECUTION + "other-flow:x") == "RUNNING"
        # A child of a Map Run belongs to its machine: AWS knows whether there is one.
        text = await refused(client, "get-execution", executionArn=EXECUTION + "mine-flow/Map:x")
        assert "ExecutionDoesNotExist" in text
        text = await refused(client, "get-execution", executionArn=EXECUTION + "mine-flow:none")
        assert "ExecutionDoesNotExist" in text

    with aws.serving("mine-", AWS_ENDPOINT_URL=relay.url) as served:
        tell(url(served), "legacy", story)


@pytest.mark.parametrize("wait", ["0s", "1ms"])
def test_who_does_not_want_to_wait_has_the_handle_at_once(aws: Aws, wait: str) -> None:
    prefix = f"wait-{wait}-"
    machine = aws.machine(f"{prefix}flow", FOREVER)

    async def story(client: Any, _: Heard) -> None:
        told = await use(client, "flow", parameters={})
        assert told["status"] == "RUNNING"
        assert aws.executions(machine) == [told["executionArn"]]

    with aws.serving(prefix, EXECUTION_WAIT=wait) as served:
        tell(url(served), "legacy", story)


def test_the_key_says_what_it_is_for(aws: Aws) -> None:
    aws.machine("keys-standard")
    aws.express("keys-express")

    async def story(client: Any, _: Heard) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        key = "idempotencyKey"
        standard = tools["standard"].input_schema["properties"][key]["description"]
        assert "started only once" in standard
        express = tools["express"].input_schema["properties"][key]["description"]
        assert "again" in express

    with aws.serving("keys-") as served:
        tell(url(served), "legacy", story)


@pytest.mark.parametrize(("setting", "works"), [("", True), ("false", True), ("true", False)])
def test_express_machines_of_a_local_aws(aws: Aws, setting: str, works: bool) -> None:
    prefix = f"local-{setting}-"
    aws.express(f"{prefix}flow")
    environment = aws.environment(prefix, AWS_SYNC_HOST=setting)
    del environment["AWS_DISABLE_HOST_PREFIX_INJECTION"]

    async def story(client: Any, _: Heard) -> None:
        if works:
            await use(client, "flow", parameters={})
        else:
            assert "sync-127.0.0.1" in await refused(client, "flow", parameters={})

    with serving(FILE, environment=environment) as served:
        tell(url(served), "legacy", story)


# ------------------------------------------------------------------------------ tasks


def work(aws: Aws, prefix: str) -> tuple[str, str]:
    """Create a machine that waits for somebody's work; return it and its activity."""
    activity = aws.client.create_activity(name=f"{prefix}work")["activityArn"]
    return aws.machine(f"{prefix}job", states(Work=ends(Type="Task", Resource=activity))), activity


def test_a_call_as_a_task(aws: Aws) -> None:
    machine, activity = work(aws, "task-mo-")
    tasks = TasksExtension()

    async def story(client: Any, _: Heard) -> None:
        calling = asyncio.create_task(client.call_tool("job", {"parameters": {"n": 1}}))
        await tasks.polled.wait()
        with Worker(aws.client, activity, lambda given: given):
            done = await calling
        assert not done.is_error
        assert done.structured_content["status"] == "SUCCEEDED"
        assert done.content[0].meta == {"naftiko/untrusted": True}
        assert (len(tasks.created), tasks.seen[-1]) == (1, "completed")
        assert aws.executions(machine) == [done.structured_content["executionArn"]]

    # A call waits no longer than that; of a task nobody expects an answer by then.
    with aws.serving("task-mo-", EXECUTION_WAIT="1ms") as served:
        tell(url(served), "2026-07-28", story, extensions=[tasks])


@pytest.mark.parametrize(("on_cancel", "status"), [("", "RUNNING"), ("stop", "ABORTED")])
def test_a_task_that_is_cancelled(aws: Aws, on_cancel: str, status: str) -> None:
    prefix = f"task-cancel-{on_cancel}-"
    machine, _ = work(aws, prefix)
    tasks = TasksExtension()

    async def story(client: Any, _: Heard) -> None:
        calling = asyncio.create_task(client.call_tool("job", {"parameters": {}}))
        await tasks.polled.wait()
        await asyncio.to_thread(aws.only_execution, machine)
        await _ask(client.session, "tasks/cancel", tasks.created[0].task_id)
        with pytest.raises(MCPError, match="cancelled"):
            await calling

    with aws.serving(prefix, ON_CANCEL=on_cancel) as served:
        tell(url(served), "2026-07-28", story, extensions=[tasks])
    # The server is down: whatever it had to do is done.
    (arn,) = aws.executions(machine)
    assert aws.status(arn) == status


def test_a_call_as_a_task_of_2025(aws: Aws) -> None:
    machine, activity = work(aws, "task-le-")

    async def story(client: Any, _: Heard) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools["job"].execution.task_support == "optional"
        assert tools["get-execution"].execution is None
        given = {"name": "job", "arguments": {"parameters": {"n": 1}}}
        created = (await _send(client, "tools/call", **given, task={}))["task"]
        assert created["status"] == "working"
        await asyncio.to_thread(aws.only_execution, machine)
        now = await _send(client, "tasks/get", taskId=created["taskId"])
        assert now["status"] == "working"
        with Worker(aws.client, activity, lambda given: {"done": given["n"]}):
            result = await _send(client, "tasks/result", taskId=created["taskId"])
        assert result["structuredContent"]["status"] == "SUCCEEDED"
        assert '"done": 1' in result["content"][0]["text"]
        then = await _send(client, "tasks/get", taskId=created["taskId"])
        assert then["status"] == "completed"

    with aws.serving("task-le-") as served:
        tell(url(served), "legacy", story)
