"""`onCancel` of `try`: begun where the run is given up, waited for by nobody but `close`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import naftiko
from naftiko.capability import Capability
from naftiko.errors import ConsumedError, RunError
from naftiko.plan.capability import McpAdapterPlan
from naftiko.plan.ports import Effect

SECRET = "hunter22"


class Bank:
    """What the steps call. `slow` never ends; what is called is noted."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.began = asyncio.Event()

    async def note(self, what: object) -> object:
        self.calls.append(what)
        return what

    async def slow(self) -> None:
        self.began.set()
        await asyncio.Event().wait()

    async def fail(self) -> None:
        raise ConsumedError(code="bank-closed", message=f"closed: {SECRET}", status=503)

    def functions(self) -> Mapping[str, Callable[..., Awaitable[object]]]:
        return {"bank.note": self.note, "bank.slow": self.slow, "bank.fail": self.fail}


def call(name: str, operation: str, **with_: Any) -> dict[str, Any]:
    return {"name": name, "type": "call", "call": f"bank.{operation}", "with": with_}


SLOW = call("slow", "slow")


def load(path: Path, steps: list[Any], functions: Mapping[str, Any]) -> Capability:
    tool = {"name": "run", "description": "Runs steps", "steps": steps}
    document = {
        "naftiko": "1.0.0-alpha3",
        "info": {"label": "Steps", "description": "Steps of a test"},
        "binds": [{"namespace": "env", "keys": {"PASSWORD": "PASSWORD"}}],
        "capability": {
            "exposes": [
                {"type": "mcp", "namespace": "tools", "transport": "stdio", "tools": [tool]}
            ]
        },
    }
    file = path / "steps.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return naftiko.load(file, functions=functions, workspace=path, environment={"PASSWORD": SECRET})


def cancelled(path: Path, steps: list[Any]) -> list[Any]:
    """Run the steps until the bank is slow, cancel, close; return what the bank was told."""

    async def story() -> list[Any]:
        bank = Bank()
        async with load(path, steps, bank.functions()) as capability:
            running = asyncio.create_task(capability.call("tools.run", {}))
            await bank.began.wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        return bank.calls

    return asyncio.run(story())


def test_outputs_so_far_are_seen(tmp_path: Path) -> None:
    steps = [
        call("before", "note", what=1),
        {
            "name": "guarded",
            "type": "try",
            "steps": [call("started", "note", what={"id": 7}), SLOW],
            "catch": [call("caught", "note", what="catch")],
            "finally": [call("last", "note", what="finally")],
            "onCancel": [
                call("skipped", "note", what="skipped") | {"when": "{{ started.id == 8 }}"},
                call("stop", "note", what=["{{before}}", "{{started.id}}", "{{ slow or 'none' }}"]),
                call("again", "note", what={"stopped": "$.stop"}),
            ],
        },
    ]

    told = cancelled(tmp_path, steps)

    stopped = [1, 7, "none"]
    assert told == [1, {"id": 7}, stopped, {"stopped": stopped}]


def test_while_catch_runs_too_and_not_in_finally(tmp_path: Path) -> None:
    stop = [call("stop", "note", what="stop")]
    failing = {"type": "fail", "name": "f"}
    caught = {"name": "g", "type": "try", "steps": [failing], "catch": [SLOW], "onCancel": stop}
    last = {
        "name": "g",
        "type": "try",
        "steps": [call("a", "note", what="a")],
        "finally": [SLOW],
        "onCancel": stop,
    }

    assert cancelled(tmp_path, [caught]) == ["stop"]
    assert cancelled(tmp_path, [last]) == ["a"]


def test_inner_and_outer_ones_run(tmp_path: Path) -> None:
    inner = {
        "name": "inner",
        "type": "try",
        "steps": [SLOW],
        "onCancel": [call("in", "note", what="inner {{item}}")],
    }
    each = {"name": "e", "type": "forEach", "in": [1, 2], "parallel": 2, "steps": [inner]}
    outer = {
        "name": "outer",
        "type": "try",
        "steps": [each],
        "onCancel": [call("out", "note", what="outer")],
    }

    assert sorted(cancelled(tmp_path, [outer])) == ["inner 1", "inner 2", "outer"]


def test_a_branch_that_another_one_ends_is_given_up_too(tmp_path: Path) -> None:
    guarded = {
        "name": "g",
        "type": "try",
        "steps": [SLOW],
        "onCancel": [call("stop", "note", what="stop")],
    }
    branches = {"a": [guarded], "b": [{"name": "f", "type": "fail", "code": "no"}]}
    steps = [{"name": "both", "type": "parallel", "branches": branches}]

    async def story() -> list[Any]:
        bank = Bank()
        async with load(tmp_path, steps, bank.functions()) as capability:
            with pytest.raises(RunError, match="the step `f` failed"):
                await capability.call("tools.run", {})
        return bank.calls

    assert asyncio.run(story()) == ["stop"]


def test_it_does_not_run_where_the_run_ends_by_itself(tmp_path: Path) -> None:
    stop = [call("stop", "note", what="stop")]
    fine = {"name": "g", "type": "try", "steps": [call("a", "note", what="a")], "onCancel": stop}
    failing = {"name": "h", "type": "try", "steps": [call("b", "fail")], "onCancel": stop}

    async def story(steps: list[Any]) -> list[Any]:
        bank = Bank()
        async with load(tmp_path, steps, bank.functions()) as capability:
            try:
                await capability.call("tools.run", {})
            except RunError as error:
                bank.calls.append(error.code)
        return bank.calls

    assert asyncio.run(story([fine])) == ["a"]
    twice = {**failing, "onCancel": [call("stopped", "note", what="stop")]}
    assert asyncio.run(story([fine, twice])) == ["a", "bank-closed"]


def test_what_fails_is_logged_without_secrets(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    guarded = {
        "name": "g",
        "type": "try",
        "steps": [SLOW],
        "onCancel": [call("stop", "fail"), call("never", "note", what="never")],
    }

    with caplog.at_level(logging.WARNING, "naftiko.steps"):
        assert cancelled(tmp_path, [guarded]) == []

    message = "step g.onCancel.stop failed, and nobody waits for it: closed: ***"
    assert message in caplog.messages
    assert SECRET not in caplog.text


def test_its_time_is_bounded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    guarded = {
        "name": "g",
        "type": "try",
        "steps": [SLOW],
        "onCancel": [{"type": "wait", "duration": "16s"}, call("stop", "note", what="stop")],
    }

    assert cancelled(tmp_path, [guarded]) == []
    assert "no time is left for the step `g.onCancel.wait-1` to wait 16 s" in caplog.text


def test_a_crowd_of_callers_who_leave_is_bounded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    guarded = {
        "name": "g",
        "type": "try",
        "steps": [SLOW],
        "onCancel": [call("stop", "note", what="stop")],
    }

    async def story() -> list[Any]:
        bank = Bank()
        async with load(tmp_path, [guarded], bank.functions()) as capability:
            capability.plan.aftermath.max_tasks = 3
            calls = [asyncio.create_task(capability.call("tools.run", {})) for _ in range(5)]
            await bank.began.wait()
            for running in calls:
                running.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        return bank.calls

    assert asyncio.run(story()) == ["stop"] * 3
    assert caplog.text.count("is not run: 3 others run already") == 2


def test_its_calls_count_among_the_calls(tmp_path: Path) -> None:
    guarded = {"name": "g", "type": "try", "steps": [SLOW], "onCancel": [call("stop", "fail")]}

    capability = load(tmp_path, [guarded], Bank().functions())
    adapter = capability.plan.adapters[0]
    assert isinstance(adapter, McpAdapterPlan)
    plan = adapter.tools[0].plan

    assert plan.calls == ("bank.slow", "bank.fail")
    assert adapter.tools[0].effect is not Effect.READ
    assert "  on cancel" in "\n".join(plan.explain())
