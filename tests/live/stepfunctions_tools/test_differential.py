"""The capability and the server that it replaces, answer by answer.

Both run over stdio against one sandbox, behind a relay, and get the same calls. What differs must
be in a row of what the reference lists as weaknesses, and every such difference must be there.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from mcp import StdioServerParameters

from naftiko.sandbox import Sandbox
from naftiko.sandbox.account import ACCOUNT_ID
from tests.live.mcp.clients import connect
from tests.live.sandbox.conftest import ROLE
from tests.live.sandbox.conftest import connect as connect_aws
from tests.live.stepfunctions_tools.relay import Json, Relay, relaying
from tests.live.stepfunctions_tools.stage import COMPANIONS, FOREVER, PASS, Aws, states, stdio
from tests.live.waiting import until

REFERENCE = "awslabs.stepfunctions_tool_mcp_server"
EXTRA = "the package awslabs.stepfunctions-tool-mcp-server is not installed (extra `compat`)"
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("awslabs") is None or importlib.util.find_spec(REFERENCE) is None,
    reason=EXTRA,
)

REGION = "eu-central-1"
"""Of its own, so that other tests' machines are not seen."""
PREFIX = "wf-"
SCHEMA_TAG = "input-schema"
RUN_S = 90

# ------------------------------------------------------------------ what both find

FAIL = states(Fail={"Type": "Fail", "Error": "Order.Lost", "Cause": "no such order: “é” <b>"})
FAIL_BARE = states(Fail={"Type": "Fail"})
FAIL_LONG = states(Fail={"Type": "Fail", "Error": "E", "Cause": "long " * 4_000})
SLOW = {**FOREVER, "TimeoutSeconds": 1}
COMMENT = "First line of “é”.\nSecond <b>line</b> & more: {{ not a template }} {% nor this %}"
SCHEMA = """{"$schema": "http://json-schema.org/draft-04/schema#", "type": "object",
  "title": "é", "properties": {"id": {"type": "string"}}, "required": ["id"]}"""
OPEN_API = json.dumps(
    {
        "openapi": "3.0.0",
        "info": {"version": "1.0.0", "title": "Order"},
        "paths": {},
        "components": {"schemas": {"Order": {"type": "object", "properties": {"id": {}}}}},
    }
)
SCHEMAS: dict[str, Json] = {
    "shop/order": {"Type": "JSONSchemaDraft4", "Content": SCHEMA},
    "shop/order@api": {"Type": "OpenApi3", "Content": OPEN_API},
    "shop/empty": {"Type": "JSONSchemaDraft4", "Content": ""},
    "shop/broken": {"Type": "JSONSchemaDraft4", "Content": "{not JSON"},
}


def schema_arn(path: str) -> str:
    """Return the ARN of a schema: "registry/name"."""
    return f"arn:aws:schemas:{REGION}:{ACCOUNT_ID}:schema/{path}"


Differs = Mapping[str, "int | str"]
"""Parts of what two servers say that differ, with the row of the reference's weaknesses that allows
it, or the sentence where it is no row."""


@dataclass(frozen=True)
class Machine:
    """A machine. `described` changes what DescribeStateMachine says of it.

    `tool` is the name that the reference gives it, None if it has no tool there.
    """

    name: str
    tool: str | None
    definition: Json = field(default_factory=lambda: PASS)
    express: bool = False
    schema: str | None = None
    described: Mapping[str, Any] = field(default_factory=dict)
    own: str | None = None
    differs: Differs = field(default_factory=dict)


def express(name: str, tool: str, definition: Json = PASS) -> Machine:
    return Machine(name, tool, definition, express=True)


MACHINES = (
    Machine("wf-echo", "echo"),
    express("wf-echo-fast", "echo_fast"),
    Machine("wf-raw", "raw"),
    express("wf-raw-fast", "raw_fast"),
    Machine("wf-fail", "fail", FAIL),
    express("wf-fail-fast", "fail_fast", FAIL),
    Machine("wf-fail-bare", "fail_bare", FAIL_BARE),
    express("wf-fail-bare-fast", "fail_bare_fast", FAIL_BARE),
    express("wf-fail-long", "fail_long", FAIL_LONG),
    Machine("wf-timed-out", "timed_out", SLOW),
    express("wf-timed-out-fast", "timed_out_fast", SLOW),
    Machine("wf-aborted", "aborted", FOREVER),
    express("wf-withheld", "withheld"),
    express("wf-gone", "gone"),
    Machine("wf-9lives", "_9lives"),
    Machine("wf-name.with.dots", "name_with_dots"),
    Machine("wf-multiple---dashes", "multiple___dashes"),
    Machine("wf-étage", "_tage"),
    Machine("wf-Mixed_Case", "Mixed_Case"),
    Machine("wf-wf-twice", "wf_twice"),
    Machine("wf-a-v1", "a_v1", own="a_v1_b468d2", differs={"name": 7}),
    Machine("wf-a.v1", None, own="a_v1_629e03", differs={"name": 7}),
    Machine("wf-", "state_machine_function", own="wf_", differs={"name": 7}),
    Machine(
        "wf-l" + "o" * 75 + "g",
        "l" + "o" * 75 + "g",
        own="l" + "o" * 56 + "_43fb31",
        differs={"name": 7},
    ),
    Machine("wf-commented", "commented", {**PASS, "Comment": COMMENT}),
    Machine("wf-comment-empty", "comment_empty", {**PASS, "Comment": ""}),
    Machine(
        "wf-comment-long",
        "comment_long",
        {**PASS, "Comment": "long " * 1_000},
        differs={"description": 18},
    ),
    Machine(
        "wf-described",
        "described",
        {**PASS, "Comment": "How."},
        described={"description": "What. “é”\nAnd why."},
    ),
    Machine("wf-undefined", "undefined", described={"definition": "not JSON"}),
    Machine(
        "wf-schema",
        "schema",
        {**PASS, "Comment": "Orders."},
        schema=schema_arn("shop/order"),
        differs={"parameters": 6},
    ),
    Machine(
        "wf-schema-api",
        "schema_api",
        schema=schema_arn("shop/order@api"),
        differs={"parameters": 6},
    ),
    Machine("wf-schema-empty", "schema_empty", schema=schema_arn("shop/empty")),
    Machine("wf-schema-broken", "schema_broken", schema=schema_arn("shop/broken")),
    Machine("wf-schema-gone", "schema_gone", schema=schema_arn("shop/gone")),
    Machine("wf-schema-nowhere", "schema_nowhere", schema="not-an-arn"),
    Machine("123function", "_123function"),
    express("listed", "listed"),
)
OTHERS = (Machine("not-selected", None), Machine("Wf-other-case", None), Machine("listed-2", None))
SETTINGS = {
    "STATE_MACHINE_PREFIX": PREFIX,
    "STATE_MACHINE_LIST": " listed, 123function,, ",
    "STATE_MACHINE_INPUT_SCHEMA_ARN_TAG_KEY": SCHEMA_TAG,
}

# ------------------------------------------------------------------ what both are asked

INPUTS: tuple[Json, ...] = (
    {},
    {"text": "é “quoted” \U0001f600 <b>&amp;</b> \u2028 \u0007 {{ x }} {% y %} $.z"},
    {"numbers": [0, -1, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1, 2**64, -(10**30)]},
    {"floats": [1.0, 0.1, 1e-7, 1e21, 1.5e300, 2.5]},
    {"kinds": [None, True, False, {}, [], "", [[]], {"a": {}}]},
    {"": 1, "a b": 2, "parameters": 3, "idempotencyKey": "k", "z": 1, "a": 2},
)
OUTPUTS = (
    '"a text"',
    '"é \\u00e9 \\ud83d\\ude00 <b>&"',
    "null",
    "true",
    "12",
    "12345678901234567890123",
    "-18446744073709551616",
    "1.0",
    "1e5",
    "1E-7",
    "-0.0",
    "123456789.123456789123456789",
    "[]",
    "{}",
    '[1, "two", {"three": [4.0, null]}]',
    '{"b": 1, "a": {"c": {}, "d": []}}',
    '  {"a" : 1}\n',
    '{"a": 1, "a": 2}',
    "not JSON",
    "",
    "it's “é” \\ \" \t\n",
    "{'a': 1}",
)


@dataclass(frozen=True)
class Call:
    """A call. `differs` says which parts of the answers differ, and why they may."""

    id: str
    tool: str
    arguments: Json
    differs: Differs


MORE: Differs = {"members": 5}
FAILED: Differs = {"members": 5, "is_error": 5}
UNSAID = "SDK 2.x hides the text of an exception (`Error executing tool X`)"
REFUSED: Differs = {"text": UNSAID, "members": 5}


def called(tool: str, parameters: Json, differs: Differs = MORE) -> Call:
    return Call(tool, tool, {"parameters": parameters}, differs)


CALLS = (
    *(
        Call(f"{tool}-{number}", tool, {"parameters": given}, MORE)
        for tool in ("echo", "echo_fast")
        for number, given in enumerate(INPUTS)
    ),
    *(
        Call(f"{tool}-{number}", tool, {"parameters": {"output": output}}, MORE)
        for tool in ("raw", "raw_fast")
        for number, output in enumerate(OUTPUTS)
    ),
    called("fail", {}, FAILED),
    called("fail_fast", {}, FAILED),
    called("fail_bare", {}, FAILED),
    called("fail_bare_fast", {}, FAILED),
    called("fail_long", {}, {**FAILED, "text": 18, "result": 18, "logs": 18}),
    called("timed_out", {}, FAILED),
    called("timed_out_fast", {}, FAILED),
    called("aborted", {}, FAILED),
    Call("aborted-why", "aborted", {"parameters": {"error": "E", "cause": "why"}}, FAILED),
    called("_9lives", {"a": 1}),
    called("_tage", {"a": 1}),
    called("listed", {"a": 1}),
    called("schema", {"id": "1"}),
    Call("extra-argument", "listed", {"parameters": {}, "other": 1}, MORE),
    Call("text-of-an-object", "listed", {"parameters": '{"a": 1}'}, MORE),
    Call("no-parameters", "listed", {}, REFUSED),
    Call("parameters-null", "listed", {"parameters": None}, REFUSED),
    Call("parameters-list", "listed", {"parameters": [1]}, REFUSED),
    called("withheld", {}, {"text": 15, "is_error": 15, "result": 15, "members": 15}),
    called("gone", {}, REFUSED),
    Call("too-large", "listed", {"parameters": {"a": "x" * 262_144}}, {**REFUSED, "logs": 17}),
)


@dataclass
class Told:
    """What a server said."""

    tools: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Json] = field(default_factory=dict)


@pytest.fixture(scope="module")
def relay(aws: Aws) -> Iterator[Relay]:
    with relaying(aws.sandbox.account.endpoint_url) as running:
        yield running


@pytest.fixture(scope="module")
def told(aws: Aws, relay: Relay) -> tuple[Told, Told]:
    """Return what the reference and the capability say."""
    client = _create(aws.sandbox)
    relay.schemas |= SCHEMAS
    relay.changes |= _changes(client)
    environment = {**relay.environment(aws.sandbox.environment(), REGION), **SETTINGS}
    reference = StdioServerParameters(
        command=sys.executable,
        args=["-c", f"from {REFERENCE} import server; server.main()"],
        env=environment,
    )
    own = stdio({**environment, "DISCOVERY_WAIT": "30s", "EXECUTION_WAIT": "30s"})

    def remove() -> None:
        arn = f"arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine:wf-gone"
        client.delete_state_machine(stateMachineArn=arn)

    async def both() -> tuple[Told, Told]:
        listed = asyncio.Barrier(2)
        async with asyncio.timeout(RUN_S):
            first, second = await asyncio.gather(
                _tell(reference, listed, remove), _tell(own, listed, remove)
            )
            return first, second

    found = asyncio.run(both())
    client.close()
    return found


def _create(sandbox: Sandbox) -> Any:
    from dataclasses import replace

    client = connect_aws(replace(sandbox.account, region=REGION))
    for machine in (*MACHINES, *OTHERS):
        tags = [{"key": SCHEMA_TAG, "value": machine.schema}] if machine.schema else []
        client.create_state_machine(
            name=machine.name,
            definition=json.dumps(machine.definition),
            roleArn=ROLE,
            type="EXPRESS" if machine.express else "STANDARD",
            tags=tags,
        )
    return client


def _changes(client: Any) -> dict[str, Any]:
    """Return what the relay changes in answers of the sandbox."""
    described = {machine.name: machine.described for machine in MACHINES}

    def describe(_: Json, answer: Json) -> Json:
        return {**answer, **described.get(answer["name"], {})}

    def output(_: Json, answer: Json) -> Json:
        machine = answer["stateMachineArn"].rpartition(":")[2]
        if machine in ("wf-raw", "wf-raw-fast"):
            return {**answer, "output": json.loads(answer["input"])["output"]}
        if machine == "wf-withheld":
            return {name: value for name, value in answer.items() if name != "output"}
        return answer

    def started(request: Json, answer: Json) -> Json:
        """Answer when the execution has ended: so nobody has to ask twice."""
        execution = answer["executionArn"]
        if ":wf-aborted:" in execution:
            client.stop_execution(executionArn=execution, **json.loads(request["input"]))
        if ":wf-timed-out:" not in execution:
            until(lambda: _ended(client, execution))
        return answer

    return {
        "DescribeStateMachine": describe,
        "DescribeExecution": output,
        "StartSyncExecution": output,
        "StartExecution": started,
    }


def _ended(client: Any, execution: str) -> bool | None:
    return client.describe_execution(executionArn=execution)["status"] != "RUNNING" or None


async def _tell(
    server: StdioServerParameters, listed: asyncio.Barrier, then: Callable[[], None]
) -> Told:
    """Ask one server for its tools, and when both have been asked, call them."""
    told, logs = Told(), list[tuple[str, str]]()

    async def log(params: Any) -> None:
        logs.append((params.level, params.data))

    async with connect(server, "legacy", logging_callback=log) as client:
        told.tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        if await listed.wait() == 0:
            await asyncio.to_thread(then)
        await listed.wait()
        for call in CALLS:
            logs.clear()
            result = await client.call_tool(call.tool, call.arguments)
            told.answers[call.id] = {
                "text": "\n".join(block.text for block in result.content),
                "is_error": result.is_error,
                "result": (result.structured_content or {}).get("result"),
                "members": sorted(result.structured_content or {}),
                "logs": _comparable(logs),
            }
    return told


def _comparable(logs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return logs without what is in them by chance: ids, and how often somebody asked (row 3)."""
    polled = ("info", "Execution status: RUNNING")
    arn = re.compile(r"(:execution:[^:]+:)\S+")
    shown = [(level, arn.sub(r"\1ID", data)) for level, data in logs if (level, data) != polled]
    return [log for log, _ in itertools.groupby(shown)]


def _parts(tool: Any) -> Json:
    """Return what is compared of a tool."""
    schema = tool.input_schema
    parameters = {**schema["properties"]["parameters"], "title": None}
    return {
        "description": tool.description,
        "title": tool.title,
        "required": schema["required"],
        "parameters": parameters,
        "result": {**tool.output_schema["properties"]["result"], "title": None},
        "result-required": tool.output_schema["required"],
        # Those that are not what MCP assumes of a tool anyway.
        "hints": tool.annotations is not None,
        "arguments": sorted(schema["properties"]),
    }


EVERY_TOOL: Differs = {"hints": 12, "arguments": 13}


def test_the_same_tools_but_for_names_that_clash(told: tuple[Told, Told]) -> None:
    reference, own = told
    assert set(reference.tools) == {
        machine.tool for machine in MACHINES if machine.tool is not None
    }
    kept = {machine.own or machine.tool for machine in MACHINES}
    assert set(own.tools) == kept | COMPANIONS  # row 16
    renamed = {machine.name for machine in MACHINES if machine.own is not None}
    assert renamed == {machine.name for machine in MACHINES if "name" in machine.differs}


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.tool or machine.own)
def test_a_tool_is_the_same(told: tuple[Told, Told], machine: Machine) -> None:
    reference, own = told
    if machine.tool is None:
        assert machine.own in own.tools
        return
    theirs, ours = (
        _parts(reference.tools[machine.tool]),
        _parts(own.tools[machine.own or machine.tool]),
    )
    differs = {name for name in theirs if theirs[name] != ours[name]}
    assert differs == {*machine.differs, *EVERY_TOOL} - {"name"}, (theirs, ours)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.id)
def test_an_answer_is_the_same(told: tuple[Told, Told], call: Call) -> None:
    theirs, ours = (each.answers[call.id] for each in told)
    differs = {name for name in theirs if theirs[name] != ours[name]}
    assert differs == set(call.differs), (theirs, ours)
