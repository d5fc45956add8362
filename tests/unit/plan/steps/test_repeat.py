"""How `while` and `until` wait, and how they end: with a clock and a chance of the test's own."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naftiko.errors import ConsumedError, DeadlineError, RunError
from naftiko.plan.capability import OperationPlan
from naftiko.plan.run import Run
from naftiko.plan.steps.plan import StepsPlan
from naftiko.plan.steps.repeat import Pace, RepeatAction
from tests.unit.plan.steps.test_runs import load

TICK = [{"name": "n", "type": "call", "call": "fn.tick"}]


class Time:
    """A clock that only sleeping moves on. `drawn` is what chance gives."""

    def __init__(self, drawn: float = 0.0) -> None:
        self.now = monotonic()
        self.drawn = drawn
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(round(seconds, 6))
        self.now += seconds
        await asyncio.sleep(0)

    def run(self, path: Path, ticks: int = 10_000, *, in_task: bool = False, **loop: Any) -> Any:
        """Run a loop until it has ticked that often; return what the run gives."""
        count = 0

        def tick() -> int:
            nonlocal count
            count += 1
            return count

        step = {"name": "loop", "type": "until", "condition": f"n == {ticks}", "steps": TICK}
        after = {"name": "late", "type": "set", "value": "{{ errors.loop.code or 'no' }}"}
        mappings = [
            {"targetName": "loop", "value": "$.loop"},
            {"targetName": "n", "value": "$.n"},
            {"targetName": "late", "value": "$.late"},
        ]
        operation = load(path, [step | loop, after], {"fn.tick": tick}, mappings=mappings)
        return self.play(operation, in_task=in_task)

    def play(self, operation: OperationPlan, *, in_task: bool = False) -> Any:
        """Run an operation of a loop and another step by this clock."""
        plan = operation.plan
        assert isinstance(plan, StepsPlan)
        first, last = plan.steps
        assert isinstance(first.action, RepeatAction)
        action = replace(
            first.action, clock=lambda: self.now, sleep=self.sleep, spread=lambda: self.drawn
        )
        plan = replace(plan, steps=(replace(first, action=action), last))
        return asyncio.run(plan.run(Run(inputs={}, in_task=in_task))).value


@pytest.mark.parametrize(
    ("loop", "waits"),
    [
        ({"interval": "2s"}, [2, 2, 2, 2, 2]),
        ({"interval": "1s", "backoff": 2}, [1, 2, 4, 8, 16]),
        ({"interval": "1s", "backoff": 2, "maxInterval": "5s"}, [1, 2, 4, 5, 5]),
        ({"interval": "10s", "backoff": 3}, [10, 30, 60, 60, 60]),
        ({"interval": "90s", "backoff": 3}, [90] * 5),
        ({"interval": "1s", "backoff": 1.5}, [1, 1.5, 2.25, 3.375, 5.0625]),
    ],
)
def test_waits_grow(tmp_path: Path, loop: dict[str, Any], waits: list[float]) -> None:
    time = Time()

    assert time.run(tmp_path, 6, **loop) == {"loop": 6, "n": 6, "late": "no"}
    assert time.waits == waits


@pytest.mark.parametrize(
    ("jitter", "drawn", "waits"),
    [
        (False, 0.5, [1, 2, 4]),
        (0.2, 0.0, [1, 2, 4]),
        (0.2, 0.5, [0.9, 1.8, 3.6]),
        (0.2, 1.0, [0.8, 1.6, 3.2]),
        (True, 0.25, [0.75, 1.5, 3]),
        (1, 1.0, [0, 0, 0]),
    ],
)
def test_a_part_of_a_wait_is_left_to_chance(
    tmp_path: Path, jitter: Any, drawn: float, waits: list[float]
) -> None:
    time = Time(drawn)

    time.run(tmp_path, 4, interval="1s", backoff=2, jitter=jitter)

    assert time.waits == waits


def test_a_wait_that_has_grown_leaves_time_for_a_last_look(tmp_path: Path) -> None:
    time = Time()
    loop = {"interval": "1s", "backoff": 2, "timeout": "45s", "onTimeout": "continue"}

    value = time.run(tmp_path, **loop)

    assert time.waits == [1, 2, 4, 8, 16, 13], "not 32 s, but until a second before the end"
    assert value == {"loop": 7, "n": 7, "late": "loop-timeout"}


@pytest.mark.parametrize(("in_task", "rounds"), [(False, 3), (True, 6)])
def test_a_task_has_time_of_its_own(tmp_path: Path, *, in_task: bool, rounds: int) -> None:
    loop = {"interval": "20s", "timeout": "45s", "taskTimeout": "2m", "onTimeout": "continue"}

    value = Time().run(tmp_path, in_task=in_task, **loop)

    assert value == {"loop": rounds, "n": rounds, "late": "loop-timeout"}


def test_waits_that_do_not_grow_end_the_loop_early(tmp_path: Path) -> None:
    time = Time()

    value = time.run(tmp_path, interval="20s", timeout="45s", onTimeout="continue")

    assert time.waits == [20, 20]
    assert value == {"loop": 3, "n": 3, "late": "loop-timeout"}


@pytest.mark.parametrize(
    ("loop", "code", "rounds"),
    [
        ({"interval": "20s", "timeout": "45s"}, "loop-timeout", 3),
        ({"interval": "1s", "maxIterations": 3}, "too-many-iterations", 3),
    ],
)
def test_a_loop_fails_unless_the_file_says_otherwise(
    tmp_path: Path, loop: dict[str, Any], code: str, rounds: int
) -> None:
    for more in ({}, {"onTimeout": "fail"}):
        with pytest.raises(RunError) as caught:
            Time().run(tmp_path, **loop, **more)
        assert (caught.value.code, caught.value.status) == (code, 504)
    value = Time().run(tmp_path, **loop, onTimeout="continue")
    assert value == {"loop": rounds, "n": rounds, "late": code}
    passed = Time().run(tmp_path, **loop, onError="continue")
    assert passed == {"loop": None, "n": rounds, "late": code}


def test_while_looks_once_more_after_its_rounds(tmp_path: Path) -> None:
    loop = {"type": "while", "condition": "n is not defined or n < 3", "maxIterations": 3}

    value = Time().run(tmp_path, **loop, onTimeout="continue")

    assert value == {"loop": 3, "n": 3, "late": "no"}


@given(st.floats(0.001, 100), st.floats(1, 10), st.floats(0, 1000), st.integers(0, 10_000))
def test_a_wait_is_bounded(interval: float, backoff: float, more: float, number: int) -> None:
    pace = Pace(interval_s=interval, backoff=backoff, most_s=interval + more)

    assert interval <= pace.wait_s(number) * (1 + 1e-9)
    assert pace.wait_s(number) <= pace.wait_s(number + 1) * (1 + 1e-9)
    assert pace.wait_s(number) <= interval + more
    assert math.isfinite(pace.wait_s(number))


# ------------------------------------------------------------ a loop's own deadline


def guarded(rounds: list[Any], **loop: Any) -> list[Any]:
    step = {"name": "loop", "type": "until", "condition": "false", "steps": rounds}
    return [
        step | {"timeout": "1m", "onTimeout": "continue"} | loop,
        {"name": "late", "type": "set", "value": "{{errors.loop}}"},
    ]


def test_a_call_that_outlasts_the_loop_ends_it(tmp_path: Path) -> None:
    """As calls do, it gives up at the deadline that its run has."""
    time = Time()
    count = 0

    def look() -> int:
        nonlocal count
        count += 1
        if count > 2:
            time.now += 60.0
            raise DeadlineError(message="no answer")
        return count

    steps = guarded(
        [
            {"name": "a", "type": "set", "value": "{{ (b or 0) + 10 }}"},
            {"name": "b", "type": "call", "call": "fn.look"},
        ]
    )
    mappings = [{"targetName": name, "value": f"$.{name}"} for name in ("a", "b", "loop", "late")]
    operation = load(tmp_path, steps, {"fn.look": look}, mappings=mappings)

    value = time.play(operation)

    late = value.pop("late")
    # Round 3 had made `a` already: 12.
    assert value == {"a": 11, "b": 2, "loop": 2}
    assert late == {
        "code": "loop-timeout",
        "message": "the step `loop` has not ended within 60 s",
        "status": 504,
        "step": "loop",
    }


@pytest.mark.parametrize(
    ("error", "left_s"),
    [
        (DeadlineError(message="its own"), None),
        (DeadlineError(message="its own"), 600.0),
        (DeadlineError(message="no time was left for the step `loop`"), 0.0),
        (ConsumedError(message="down"), None),
    ],
)
def test_other_failures_are_not_the_loops(
    tmp_path: Path, error: RunError, left_s: float | None
) -> None:
    def look() -> None:
        raise error

    steps = guarded([{"name": "b", "type": "call", "call": "fn.look"}])
    operation = load(tmp_path, steps, {"fn.look": look})
    deadline = None if left_s is None else monotonic() + left_s

    with pytest.raises(RunError) as caught:
        asyncio.run(operation.plan.run(Run(inputs={}, deadline=deadline)))

    assert (caught.value.code, caught.value.message) == (error.code, error.message)


def test_the_runs_own_deadline_fails_the_run(tmp_path: Path) -> None:
    steps = guarded([{"name": "rest", "type": "wait", "duration": "50s"}])
    operation = load(tmp_path, steps, {})

    with pytest.raises(DeadlineError, match=r"for the step `loop\[0\]\.rest` to wait"):
        asyncio.run(operation.plan.run(Run(inputs={}, deadline=monotonic() + 30.0)))


def test_memory_of_a_round_that_does_not_count_is_given_back(tmp_path: Path) -> None:
    """Rounds of 8 MiB each, given up 20 times, are not too much."""
    big = {"name": "big", "type": "call", "call": "fn.big"}
    late = {"name": "rest", "type": "wait", "duration": "1h"}
    loop = guarded([big, late])[0]
    steps = [{"name": "each", "type": "forEach", "in": list(range(20)), "steps": [loop]}]
    again = [{"name": "more", "type": "while", "condition": "true", "maxIterations": 20,
              "onTimeout": "continue", "steps": [loop]}]  # fmt: skip
    for tree in (steps, again):
        operation = load(tmp_path, tree, {"fn.big": lambda: "x" * (8 * 1024 * 1024)})
        asyncio.run(operation.plan.run(Run(inputs={})))
