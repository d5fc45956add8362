"""Machines that come and go, an AWS that is not there at first, and what all of it logs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from mcp.client.stdio import stdio_client

from naftiko.sandbox import Sandbox
from naftiko.sandbox.account import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from tests.live.sandbox.conftest import connect
from tests.live.stepfunctions_tools.stage import (
    COMPANIONS,
    PASS,
    Aws,
    Heard,
    listed,
    names,
    refused,
    soon,
    states,
    stdio,
    tell,
    url,
    use,
)

SOON = {"DISCOVERY_REFRESH": "1s"}


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def nowhere(port: int) -> dict[str, str]:
    """Return the environment of an AWS on this port."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "DISCOVERY_WAIT": "20s",
    }


def test_an_aws_that_is_down_at_first(tmp_path: Path) -> None:
    port = free_port()
    log = tmp_path / "log"

    async def story(client: Any, heard: Heard) -> None:
        assert await names(client) == COMPANIONS
        text = await refused(client, "list-executions", tool="orders")
        assert "no state machine is served here as the tool `orders`; there are: none yet" in text
        arn = "arn:aws:states:us-east-1:123456789012:execution:orders:x"
        text = await refused(client, "get-execution", executionArn=arn)
        assert "none is known yet" in text
        with Sandbox.start(port=port) as sandbox:
            made = Aws(sandbox, connect(sandbox.account))
            made.machine("orders")
            await heard.until(lambda: heard.changes > 0)
            await listed(client, "orders")
            done = await use(client, "orders", parameters={"n": 1})
            assert '"n": 1' in done["result"]
            made.client.close()

    with log.open("w+") as errors:
        server = stdio_client(stdio({**nowhere(port), **SOON}), errlog=errors)
        tell(server, "legacy", story)
    lines = log.read_text().splitlines()
    assert len(lines) <= 4, lines
    assert "the list cannot be had, there are none" in lines[0]
    assert any("the list can be had again" in line for line in lines)
    assert not any(SECRET_ACCESS_KEY in line or "Traceback" in line for line in lines)


def test_status_says_that_the_list_cannot_be_had(aws: Aws) -> None:
    port = free_port()

    async def story(client: Any, _: Heard) -> None:
        assert await names(client) == COMPANIONS
        status = await soon(lambda: finder.status() if finder.status()["error"] else None)
        assert (status["state"], status["known"]) == ("failing", 0)
        assert status["since"]
        assert SECRET_ACCESS_KEY not in json.dumps(status)
        with Sandbox.start(port=port) as sandbox:
            made = Aws(sandbox, connect(sandbox.account))
            made.machine("orders")
            await listed(client, "orders")
            assert (finder.status()["state"], finder.status()["error"]) == ("ready", None)
            made.client.close()
            sandbox.stop()
            # What was known stays, and the failure is told.
            await soon(lambda: finder.status()["state"] == "failing" or None)
            assert await names(client) == {"orders", *COMPANIONS}
            assert finder.status()["known"] == 1
            text = await refused(client, "orders", parameters={})
            assert f"cannot reach 127.0.0.1:{port}" in text

    settings = {**nowhere(port), **SOON}
    with aws.serving("", settings) as served:
        (finder,) = served.capability.plan.discoveries
        tell(url(served), "2026-07-28", story)


def test_a_machine_that_went_since_it_was_listed(aws: Aws) -> None:
    prefix = "gone-"
    machine = aws.machine(f"{prefix}machine")
    express = aws.express(f"{prefix}express")

    async def story(client: Any, _: Heard) -> None:
        assert await names(client) == {"machine", "express", *COMPANIONS}
        for arn in (machine, express):
            aws.client.delete_state_machine(stateMachineArn=arn)
        for tool in ("machine", "express"):
            text = await refused(client, tool, parameters={})
            assert "StateMachineDoesNotExist" in text
            assert f"{prefix}{tool}" in text
            assert "Traceback" not in text

    with aws.serving(prefix, DISCOVERY_REFRESH="1h") as served:
        tell(url(served), "legacy", story)


@contextlib.asynccontextmanager
async def change_heard(client: Any, heard: Heard, mode: str) -> Any:
    """Hear of one change of the list while the block runs, as clients of this era do."""
    if mode == "legacy":
        before = heard.changes
        yield
        await heard.until(lambda: heard.changes > before)
        return
    async with client.listen(tools_list_changed=True) as events:
        yield
        await asyncio.wait_for(anext(aiter(events)), 60)


@pytest.mark.parametrize(
    ("mode", "server"), [("legacy", "http"), ("legacy", "stdio"), ("2026-07-28", "http")]
)
def test_machines_come_and_go(aws: Aws, mode: str, server: str) -> None:
    prefix = f"come-{mode[:2]}-{server}-"
    first = aws.machine(f"{prefix}first")

    async def story(client: Any, heard: Heard) -> None:
        assert await names(client) == {"first", *COMPANIONS}
        async with change_heard(client, heard, mode):
            aws.machine(f"{prefix}second", {**PASS, "Comment": "Came later."})
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"first", "second", *COMPANIONS}
        assert "Workflow Description: Came later." in tools["second"].description
        await use(client, "second", parameters={})
        async with change_heard(client, heard, mode):
            aws.client.delete_state_machine(stateMachineArn=first)
        assert await names(client) == {"second", *COMPANIONS}

    with contextlib.ExitStack() as stack:
        at: Any = aws.stdio(prefix, **SOON)
        if server == "http":
            at = url(stack.enter_context(aws.serving(prefix, **SOON)))
        tell(at, mode, story)


def test_a_start_with_many_machines_logs_next_to_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    settings = {
        "STATE_MACHINE_PREFIX": "prefix-of-mine-",
        "STATE_MACHINE_LIST": "list-of-mine",
        "STATE_MACHINE_TAG_KEY": "key-of-mine",
        "STATE_MACHINE_TAG_VALUE": "value-of-mine",
    }
    with Sandbox.start() as sandbox:
        made = Aws(sandbox, connect(sandbox.account))
        tags = [{"key": "key-of-mine", "value": "value-of-mine"}]
        for number in range(90):
            made.machine(f"prefix-of-mine-{number}", tags=tags)
        for number in range(30):
            made.machine(f"other-{number}", tags=tags)
        made.machine("list-of-mine", states(Done={"Type": "Succeed"}), tags=tags)

        async def story(client: Any, _: Heard) -> None:
            assert len(await names(client)) == 91 + len(COMPANIONS)
            await use(client, "list_of_mine", parameters={"secret": "of-the-caller"})

        with log.open("w+") as errors:
            environment = {**sandbox.environment(), "DISCOVERY_WAIT": "30s", **settings}
            tell(stdio_client(stdio(environment), errlog=errors), "2026-07-28", story)
        made.client.close()
    text = log.read_text()
    assert len(text.splitlines()) <= 3, text
    for value in (ACCESS_KEY_ID, SECRET_ACCESS_KEY, "of-mine", "of-the-caller"):
        assert value not in text
