"""250 state machines: which of them become tools, under which names, and at what cost.

A relay before the sandbox counts the requests. What AWS allows is read from the file; where waiting
for it would take minutes, a copy of the file has other figures, as `SCALED` says.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from mcp import StdioServerParameters

from naftiko.capability import Capability
from naftiko.engine import LoadOptions, load_plan
from tests.live.serving import serving
from tests.live.stepfunctions_tools.fleet import (
    COUNT,
    REGION,
    SCHEMA_ARNS,
    SCHEMA_TAG,
    SCHEMAS,
    arn_of,
    fleet,
    launch,
    selected,
)
from tests.live.stepfunctions_tools.relay import Relay, relaying
from tests.live.stepfunctions_tools.stage import (
    COMPANIONS,
    FILE,
    NAMESPACE,
    Aws,
    Heard,
    names,
    soon,
    tell,
    url,
)

QUOTAS = {
    "list-state-machines": (5, 100),
    "describe-state-machine": (20, 200),
    "list-tags-for-resource": (1, 100),
    "list-state-machine-aliases": (5, 100),
    "list-state-machine-versions": (5, 100),
    "describe-execution": (15, 300),
    "get-execution-history": (20, 400),
}
"""A second, and at once: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""
SCALED = {
    "list-state-machines": "requests: 5, per: 1s, burst: 2",  # the real rate, a smaller bucket
    "describe-state-machine": "requests: 4, per: 1s, burst: 240",  # a fifth of the rate
    "list-tags-for-resource": "requests: 1, per: 1s, burst: 249",  # the real rate, a larger bucket
    "describe-schema": "requests: 4, per: 1s, burst: 6",
}
BOUNDLESS = dict.fromkeys(QUOTAS, "requests: 10000, per: 1s, burst: 10000")
OPERATIONS = {
    "list-state-machines": "ListStateMachines",
    "describe-state-machine": "DescribeStateMachine",
    "list-tags-for-resource": "ListTagsForResource",
    "describe-schema": "DescribeSchema",
}


def rewritten(folder: Path, limits: Mapping[str, str]) -> Path:
    """Write a copy of the file with these rate limits."""
    text = FILE.read_text()
    for operation, limit in limits.items():
        text, count = re.subn(
            rf"(- name: {operation}\n(?: +paginate: .*\n)? +resilience: )"
            r"{rateLimit: {[^}]*(, wait)",
            rf"\g<1>{{rateLimit: {{{limit}\g<2>",
            text,
        )
        assert count == 1, operation
    copy = folder / FILE.name
    copy.write_text(text)
    (folder / "skills").symlink_to(FILE.parent / "skills")
    return copy


def limits(file: Path) -> dict[str, tuple[float, float]]:
    """Return what a file says of each operation: so many a second, so many at once."""
    found: dict[str, tuple[float, float]] = {}
    for entry in yaml.safe_load(file.read_text())["capability"]["consumes"]:
        for operation in entry["operations"]:
            limit = operation.get("resilience", {}).get("rateLimit")
            if limit is not None:
                assert limit["per"] == "1s"
                burst = limit.get("burst", limit["requests"])
                found[operation["name"]] = (limit["requests"], burst)
    return found


@pytest.fixture(scope="module")
def boundless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rewritten(tmp_path_factory.mktemp("boundless"), BOUNDLESS)


@pytest.fixture(scope="module")
def launched(aws: Aws) -> Iterator[Relay]:
    launch(aws.sandbox)
    with relaying(aws.sandbox.account.endpoint_url) as running:
        yield running


@pytest.fixture
def relay(launched: Relay) -> Relay:
    launched.forget()
    launched.schemas |= SCHEMAS
    launched.largest_page = 100  # as AWS has by default: a page may be smaller than asked for
    return launched


@pytest.fixture
def environment(aws: Aws, relay: Relay) -> dict[str, str]:
    return relay.environment(aws.sandbox.environment(), REGION)


class Found:
    """What a capability finds when it looks once."""

    def __init__(self, file: Path, environment: Mapping[str, str]) -> None:
        capability = Capability(load_plan(file, LoadOptions(environment=environment)))

        async def look() -> None:
            try:
                await capability.discover()
            finally:
                await capability.close()

        asyncio.run(look())
        (finder,) = capability.plan.discoveries
        (adapter,) = (item for item in capability.plan.adapters if item.namespace == NAMESPACE)
        self.status: Any = finder.status()
        self.entries = {entry.key: entry for entry in finder.entries}
        self.tools: dict[str, str] = {
            item.key: item.operation.name
            for item in adapter.discovered.operations  # type: ignore[union-attr]  # it is of MCP
        }

    @property
    def machines(self) -> set[str]:
        """The names of the machines."""
        return {arn.rpartition(":")[2] for arn in self.tools}


# ---------------------------------------------------------------------- which


LISTED = (
    f"app-a.v1, {arn_of('日本語')} ,,zz, job.198,arn:aws:states:x, {arn_of('1st')}, été,job.198"
)
UNKNOWN = ("`zz`", "`arn:aws:states:x`")
HALF = "to select by tag, set both STATE_MACHINE_TAG_KEY and STATE_MACHINE_TAG_VALUE"
SELECTIONS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "prefix": ({"prefix": "app-"}, ()),
    "prefix in another case": ({"prefix": "APP-"}, ()),
    "list": ({"listed": LISTED}, UNKNOWN),
    "empty list": ({"listed": " ,, ", "prefix": "job"}, ()),
    "prefix and list": ({"prefix": "schema-", "listed": LISTED}, UNKNOWN),
    "tag": ({"key": "team", "value": "blue"}, ()),
    "part of a tag's value": ({"key": "team", "value": "blu"}, ()),
    "key alone": ({"key": "team"}, (HALF,)),
    "value alone": ({"value": "blue", "prefix": "app-"}, (HALF,)),
    "prefix and tag": ({"prefix": "app-", "key": "team", "value": "Blue"}, ()),
    "prefix, list and tag": (
        {"prefix": "schema-", "listed": LISTED, "key": "team", "value": "blue"},
        UNKNOWN,
    ),
}


@pytest.mark.parametrize("case", SELECTIONS)
def test_settings_select_as_the_reference_does(
    case: str, boundless: Path, relay: Relay, environment: dict[str, str]
) -> None:
    settings, reports = SELECTIONS[case]
    variables = {
        "STATE_MACHINE_PREFIX": settings.get("prefix", ""),
        "STATE_MACHINE_LIST": settings.get("listed", ""),
        "STATE_MACHINE_TAG_KEY": settings.get("key", ""),
        "STATE_MACHINE_TAG_VALUE": settings.get("value", ""),
    }
    found = Found(boundless, {**environment, **variables})
    wanted = selected(**settings)
    assert found.machines == wanted
    assert len(set(found.tools.values())) == len(wanted)
    said = found.status["problems"]
    assert len(said) == len(reports)
    assert all(report in text for report, text in zip(reports, said, strict=True))
    asked = relay.count()
    assert asked["ListStateMachines"] == 3
    assert asked["DescribeStateMachine"] == len(wanted)
    by_name = {name: text for name, text in settings.items() if name in ("prefix", "listed")}
    candidates = selected(**by_name) if "key" in settings and "value" in settings else ()
    assert asked["ListTagsForResource"] == len(candidates)


def test_qualifiers_select_machines_that_have_them(
    boundless: Path, environment: dict[str, str]
) -> None:
    versioned = {machine.name for machine in fleet() if machine.versions}
    for qualifier, tail in (("alias:PROD", "PROD"), ("version:latest", "2"), ("version:1", "1")):
        found = Found(boundless, {**environment, "TOOL_QUALIFIER": qualifier})
        assert found.machines == versioned
        targets = {
            entry.outputs["target"] for key, entry in found.entries.items() if key in found.tools
        }
        assert targets == {f"{arn_of(name)}:{tail}" for name in versioned}


# ----------------------------------------------------------------- what they are called


def test_all_are_found_and_inspect_shows_which_tool_is_which(
    relay: Relay, environment: dict[str, str]
) -> None:
    """With the file as it is: its rates let 250 machines be described in seconds."""
    assert relay.count() == {}
    command = [
        sys.executable,
        "-m",
        "naftiko",
        "inspect",
        str(FILE),
        "--discover",
        "--format",
        "json",
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    adapters = {item["namespace"]: item for item in json.loads(done.stdout)["exposes"]}
    (found,) = adapters[NAMESPACE]["discovers"]
    assert (found["found"], found["known"], found["failed"]) == (COUNT, COUNT, 0)
    tools = {entry["key"].rpartition(":")[2]: entry["name"] for entry in found["entries"]}
    assert set(tools) == {machine.name for machine in fleet()}
    assert len(set(tools.values())) == COUNT
    assert not set(tools.values()) & COMPANIONS
    for name, tool in tools.items():
        assert re.fullmatch("[A-Za-z0-9_-]{1,64}", tool), name
        assert re.search("[A-Za-z0-9]", tool), name
    # Who alone wants a name has it to the letter; of several, all have a suffix of their own.
    alone = {"app-001": "app_001", "1st": "_1st", "app-9lives": "app_9lives", "a.v1": "a_v1"}
    assert alone.items() <= tools.items()
    assert tools["z" * 64] == "z" * 64
    several = {tools[name] for name in ("app-a.v1", "app-a-v1", "app-a_v1", "app-a@v1")}
    assert all(re.fullmatch("app_a_v1_[0-9a-f]{6}", tool) for tool in several), several
    assert relay.count()["ListStateMachines"] == 3


def test_names_of_those_that_clash_stay(boundless: Path, environment: dict[str, str]) -> None:
    """Whoever else clashes with them."""
    pair = Found(boundless, {**environment, "STATE_MACHINE_LIST": "app-a.v1,app-a@v1"}).tools
    three = {**environment, "STATE_MACHINE_LIST": "app-a@v1,app-a-v1,app-a.v1"}
    assert pair.items() <= Found(boundless, three).tools.items()


# ---------------------------------------------------------------------- at what cost


def test_the_file_has_the_quotas_of_aws() -> None:
    found = limits(FILE)
    assert {name: found[name] for name in QUOTAS} == QUOTAS


def test_no_window_has_more_requests_than_its_quota(
    tmp_path: Path, relay: Relay, environment: dict[str, str]
) -> None:
    """While it lists again every second, and while AWS throttles what it is asked."""
    file = rewritten(tmp_path, SCALED)
    for operation in ("ListTagsForResource", "DescribeStateMachine"):
        relay.fail(operation, *["ThrottlingException"] * 2)
    settings = {"STATE_MACHINE_INPUT_SCHEMA_ARN_TAG_KEY": SCHEMA_TAG, "DISCOVERY_REFRESH": "1s"}
    start = time.monotonic()

    async def story(client: Any, _: Heard) -> None:
        await served(client, COUNT)

    tell(server(file, {**environment, **settings}), "legacy", story)
    figures = limits(file)
    asked = relay.count()
    assert asked["ListTagsForResource"] >= COUNT + 2
    assert asked["DescribeStateMachine"] >= COUNT + 2
    assert asked["ListStateMachines"] >= 6
    assert set(asked) == set(OPERATIONS.values())
    for name, operation in OPERATIONS.items():
        times, (rate, burst) = relay.times(operation), figures[name]
        assert len(times) > burst, f"{name} never had to wait"
        assert_within(times, start, rate, burst)


def assert_within(times: list[float], start: float, rate: float, burst: float) -> None:
    """Hold every window to the bucket. One more may be in it: a request may be late to arrive.

    None is late where a window begins before the first of them was sent.
    """
    for last, end in enumerate(times):
        assert last + 1 <= burst + rate * (end - start)
        for first, begin in enumerate(times[: last + 1]):
            assert last - first + 1 <= burst + rate * (end - begin) + 1


def test_tools_are_listed_while_tags_are_held_back(
    boundless: Path, relay: Relay, environment: dict[str, str]
) -> None:
    """What is known is served after `DISCOVERY_WAIT`; the rest follows when it is known."""
    passing, parallel = 60, 8
    gate = relay.hold("ListTagsForResource", passing=passing)
    settings = {"STATE_MACHINE_INPUT_SCHEMA_ARN_TAG_KEY": SCHEMA_TAG, "DISCOVERY_WAIT": "1s"}

    async def story(client: Any, heard: Heard) -> None:
        assert await names(client) >= COMPANIONS
        await soon(lambda: gate.waiting == parallel or None)
        await served(client, passing)
        assert not gate.opened.is_set()
        changes = heard.changes
        gate.opened.set()
        await heard.until(lambda: heard.changes > changes)
        await served(client, COUNT)

    tell(server(boundless, {**environment, **settings}), "legacy", story)
    assert relay.count()["ListTagsForResource"] == COUNT


async def served(client: Any, count: int) -> None:
    """Wait until so many machines are tools, and never more."""
    while True:
        known = len(await names(client)) - len(COMPANIONS)
        assert known <= count
        if known == count:
            return
        await asyncio.sleep(0.05)


def server(file: Path, environment: Mapping[str, str]) -> StdioServerParameters:
    """Return the command that serves a copy of the file."""
    arguments = ["-m", "naftiko", "run", str(file), "--stdio", NAMESPACE]
    return StdioServerParameters(command=sys.executable, args=arguments, env=dict(environment))


# ---------------------------------------------------------------------- what they take


GOOD: dict[str, Any] = {
    "schema-order": {"id": "1", "amount": 0.5, "to": {"city": "Oslo"}},
    "schema-event": {"id": "1", "amount": None, "detail": {"city": "Oslo"}},
}
BAD: dict[str, dict[str, Any]] = {
    "schema-order": {
        "id` is required": {"amount": 1},
        "amount`": {"id": "1", "amount": 0},
        "city`": {"id": "1", "to": {}},
    },
    "schema-event": {
        "detail` is required": {"id": "1"},
        "amount`": {"id": "1", "amount": 0, "detail": {"city": "Oslo"}},
        "city`": {"id": "1", "detail": {"city": 1}},
    },
}
UNREAD = {
    "broken": "the schema cannot be read: it is no JSON",
    "list": f"`{SCHEMA_ARNS['list']}` describes no object",
    "huge": "its document has more than 1 MiB",
    "gone": "NotFoundException",
    "nowhere": f"`{SCHEMA_ARNS['nowhere']}` is no ARN of a schema",
}


@pytest.mark.parametrize("style", ["compatible", "native"])
def test_schemas_hold_before_anything_is_started(
    style: str, relay: Relay, environment: dict[str, str]
) -> None:
    settings = {
        "STATE_MACHINE_PREFIX": "schema-",
        "STATE_MACHINE_INPUT_SCHEMA_ARN_TAG_KEY": SCHEMA_TAG,
        "TOOL_STYLE": style,
        "DISCOVERY_WAIT": "30s",
        "EXECUTION_WAIT": "30s",
    }

    def shaped(value: Any) -> Any:
        return {"parameters": value} if style == "compatible" else value

    def inner(schema: Any) -> Any:
        return schema["properties"]["parameters"] if style == "compatible" else schema

    async def story(client: Any, _: Heard) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        for name in GOOD:
            for tool in (name.removeprefix("schema-"), f"{name.removeprefix('schema-')}_fast"):
                schema = inner(tools[tool].input_schema)
                assert "$ref" not in json.dumps(schema)
                assert "id" in schema["required"]
                for member, value in BAD[name].items():
                    refused = await client.call_tool(tool, shaped(value))
                    assert refused.is_error
                    assert member in refused.content[0].text
        for name in UNREAD:
            schema = inner(tools[name].input_schema)
            assert schema["type"] == "object"
            assert not schema.get("required")
        assert not {"StartExecution", "StartSyncExecution"} & set(relay.count())
        for name, value in GOOD.items():
            done = await client.call_tool(name.removeprefix("schema-"), shaped(value))
            assert not done.is_error, done.content[0].text
            (body,) = relay.bodies("StartExecution")[-1:]
            assert json.loads(body["input"]) == value
        any_object = await client.call_tool("broken_fast", shaped({"x": [1]}))
        assert not any_object.is_error

    with serving(FILE, environment={**environment, **settings}) as served:
        tell(url(served), "2026-07-28", story)
        (finder,) = served.capability.plan.discoveries
        said = [str(text) for text in finder.status()["problems"]]  # type: ignore[union-attr]  # a list
    assert relay.count()["StartExecution"] == len(GOOD)
    assert relay.count()["StartSyncExecution"] == 1
    assert len(said) == 2 * len(UNREAD)
    for name, reason in UNREAD.items():
        assert sum(f"schema-{name}" in text and reason in text for text in said) == 2, name
