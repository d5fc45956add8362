"""Callers who cancel, time out, come back, and call again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from mcp import MCPError

from tests.live.serving import Served
from tests.live.stepfunctions_tools.stage import (
    FOREVER,
    MODES,
    PASS,
    Aws,
    Heard,
    Worker,
    ends,
    refused,
    soon,
    states,
    tell,
    url,
    use,
)

PREFIX = "leave-"


@pytest.fixture(scope="module")
def served(aws: Aws) -> Iterator[Served]:
    aws.machine(f"{PREFIX}quick", PASS)
    aws.express(f"{PREFIX}express", PASS)
    with aws.serving(PREFIX) as running:
        yield running


async def leave(client: Any, heard: Heard, tool: str) -> str:
    """Call a machine's tool, and cancel the call when its execution has started."""
    calling = asyncio.create_task(
        client.call_tool(tool, {"parameters": {}}, progress_callback=heard.told)
    )
    arn = await heard.started()
    calling.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await calling
    return arn


# legacy: a cancelled notification; 2026-07-28: the stream is closed.
@pytest.mark.parametrize(
    ("mode", "transport"), [("legacy", "http"), ("2026-07-28", "http"), ("2026-07-28", "stdio")]
)
def test_who_cancels_stops_the_waiting_only(aws: Aws, mode: str, transport: str) -> None:
    prefix = f"cancel-{mode[:2]}-{transport}-"
    machine = aws.machine(f"{prefix}forever", FOREVER)
    arns: list[str] = []

    async def story(client: Any, heard: Heard) -> None:
        arns.append(await leave(client, heard, "forever"))
        # The server goes on, and knows what became of it.
        known = await use(client, "get-execution", executionArn=arns[0])
        assert known["status"] == "RUNNING"

    with contextlib.ExitStack() as stack:
        server: Any = aws.stdio(prefix)
        if transport == "http":
            server = url(stack.enter_context(aws.serving(prefix)))
        tell(server, mode, story)
    # The server is down: whatever it had to do is done.
    assert aws.executions(machine) == arns
    assert aws.status(arns[0]) == "RUNNING"


@pytest.mark.parametrize("mode", MODES)
def test_who_cancels_stops_the_execution_where_that_is_set(aws: Aws, mode: str) -> None:
    prefix = f"stop-{mode[:2]}-"
    machine = aws.machine(f"{prefix}forever", FOREVER)

    async def story(client: Any, heard: Heard) -> None:
        arn = await leave(client, heard, "forever")
        assert await asyncio.to_thread(aws.ended, arn) == "ABORTED"
        known = await use(client, "get-execution", executionArn=arn)
        assert (known["status"], known["cause"]) == ("ABORTED", "the caller cancelled")
        assert aws.executions(machine) == [arn]

    with aws.serving(prefix, ON_CANCEL="stop") as served:
        tell(url(served), mode, story)


@pytest.mark.parametrize("mode", MODES)
def test_who_loses_patience_takes_up_the_execution_later(aws: Aws, mode: str) -> None:
    prefix = f"late-{mode[:2]}-"
    activity = aws.client.create_activity(name=f"{prefix}work")["activityArn"]
    machine = aws.machine(f"{prefix}job", states(Work=ends(Type="Task", Resource=activity)))

    async def story(client: Any, heard: Heard) -> None:
        given = {"parameters": {"n": 1}, "idempotencyKey": "job-1"}
        with pytest.raises(MCPError, match=r"[Tt]imed out"):
            # Nobody works on it: however long this is, it is too short.
            await client.call_tool("job", given, 0.4, progress_callback=heard.told)
        # Whoever has seen a progress message has the ARN, and the others find it by its tool.
        (arn,) = [text.split()[-1] for text in heard.progress if text.startswith("Started ")]
        found = await use(client, "list-executions", tool="job")
        assert [item["executionArn"] for item in found["executions"]] == [arn]

        # To repeat the call with its key is to go on waiting for the same execution.
        with Worker(aws.client, activity, lambda given: {"twice": given["n"] * 2}) as worker:
            again = await use(client, "job", **given)
        assert (again["executionArn"], again["status"]) == (arn, "SUCCEEDED")
        assert '"twice": 2' in again["result"]
        assert worker.seen == [{"n": 1}]
        known = await use(client, "get-execution", executionArn=arn)
        assert known["output"] == {"twice": 2}
        # And so it is when it has ended long since.
        third = await use(client, "job", **given)
        assert third == again
        assert aws.executions(machine) == [arn]

    with aws.serving(prefix) as served:
        tell(url(served), mode, story)


@pytest.mark.parametrize("mode", MODES)
def test_a_key_stands_for_one_input(served: Served, aws: Aws, mode: str) -> None:
    key = f"key-{mode[:2]}"

    async def story(client: Any, _: Heard) -> None:
        first = await use(client, "quick", parameters={"a": 1, "b": [2.5]}, idempotencyKey=key)
        assert first["executionArn"].endswith(f":leave-quick:{key}")
        # The same object, written in another way.
        other = await use(client, "quick", parameters={"b": [2.5], "a": 1}, idempotencyKey=key)
        assert other == first
        text = await refused(client, "quick", parameters={"a": 2}, idempotencyKey=key)
        assert f"the idempotencyKey {key} has started an execution with another input" in text
        assert first["executionArn"] in text
        assert "give a key of its own to each input" in text
        for wrong in ("a b", "x" * 81, "", "a/b", "a:b", "..", "ключ"):
            text = await refused(client, "quick", parameters={}, idempotencyKey=wrong)
            assert "idempotencyKey" in text
        found = aws.executions(aws.machine("leave-quick", PASS))
        assert [arn for arn in found if arn.endswith(f":{key}")] == [first["executionArn"]]

    tell(url(served), mode, story)


def test_a_key_is_held_while_the_execution_runs(aws: Aws) -> None:
    machine = aws.machine("held-forever", FOREVER)

    async def story(client: Any, _: Heard) -> None:
        given = {"parameters": {"n": 1}, "idempotencyKey": "held"}
        first = await use(client, "forever", **given)
        assert first["status"] == "RUNNING"
        assert (await use(client, "forever", **given))["executionArn"] == first["executionArn"]
        text = await refused(client, "forever", parameters={"n": 2}, idempotencyKey="held")
        assert "another input" in text
        assert aws.executions(machine) == [first["executionArn"]]

    with aws.serving("held-", EXECUTION_WAIT="50ms") as served:
        tell(url(served), "legacy", story)


def test_repeated_calls_at_the_same_time_start_one_execution(aws: Aws) -> None:
    machine = aws.machine("once-quick", PASS)

    async def story(client: Any, _: Heard) -> None:
        given = {"parameters": {"n": 1}, "idempotencyKey": "once"}
        told = await asyncio.gather(*(use(client, "quick", **given) for _ in range(8)))
        assert len({item["executionArn"] for item in told}) == 1
        assert len(aws.executions(machine)) == 1

    with aws.serving("once-") as served:
        tell(url(served), "legacy", story)


def test_the_sandbox_knows_names_as_aws_does(aws: Aws) -> None:
    """StartExecution: the same name and input while it runs is the same execution; else refused."""
    machine = aws.machine("names-forever", FOREVER)
    start = aws.client.start_execution
    first = start(stateMachineArn=machine, name="n", input='{"a": 1}')
    same = start(stateMachineArn=machine, name="n", input='{"a": 1}')
    assert same["executionArn"] == first["executionArn"]
    assert same["startDate"] == first["startDate"]
    taken = aws.client.exceptions.ExecutionAlreadyExists
    with pytest.raises(taken):
        start(stateMachineArn=machine, name="n", input='{"a": 2}')
    aws.client.stop_execution(executionArn=first["executionArn"])
    assert aws.ended(first["executionArn"]) == "ABORTED"
    with pytest.raises(taken):
        start(stateMachineArn=machine, name="n", input='{"a": 1}')


@pytest.mark.parametrize("mode", MODES)
def test_express_executions_go_by_their_name(served: Served, mode: str) -> None:
    async def story(client: Any, _: Heard) -> None:
        done = await use(client, "express", parameters={"a": 1}, idempotencyKey="k")
        assert ":express:leave-express:k:" in done["executionArn"]
        text = await refused(client, "get-execution", executionArn=done["executionArn"])
        assert "executionArn" in text
        assert await soon(lambda: True)

    tell(url(served), mode, story)
