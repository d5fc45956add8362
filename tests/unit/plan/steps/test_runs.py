"""One run of steps: questions and the journal, deadlines, bounds, what callers are told."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import naftiko
from naftiko.errors import ConsumedError, RunError
from naftiko.plan.capability import McpAdapterPlan, OperationPlan
from naftiko.plan.ports import Effect, Result
from naftiko.plan.run import Question, Run, Suspended
from naftiko.plan.steps import execution, journal
from naftiko.values import MISSING, JsonObject, JsonValue

Functions = Mapping[str, Callable[..., object]]


def load(path: Path, steps: Any, functions: Functions, **operation: Any) -> OperationPlan:
    tool = {"name": "run", "description": "Runs steps", "steps": steps, **operation}
    adapter = {"type": "mcp", "namespace": "tools", "transport": "stdio", "tools": [tool]}
    document = {
        "naftiko": "1.0.0-alpha3",
        "info": {"label": "Steps", "description": "Steps of a test"},
        "capability": {"exposes": [adapter]},
    }
    file = path / "steps.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    plan = naftiko.load(file, functions=functions, workspace=path).plan.adapters[0]
    assert isinstance(plan, McpAdapterPlan)
    return plan.tools[0]


class Caller:
    """A caller that comes back with answers, as one over MCP does."""

    def __init__(self, answers: Mapping[str, JsonObject]) -> None:
        self.answers = dict(answers)
        self.given: dict[str, JsonObject] = {}
        self.asked: list[dict[str, Question]] = []
        self.rounds = 0

    async def ask(self, questions: Mapping[str, Question]) -> Mapping[str, JsonObject]:
        if not questions.keys() <= self.given.keys():
            raise Suspended(questions)
        return {key: self.given[key] for key in questions}

    def run(self, operation: OperationPlan, inputs: JsonObject | None = None) -> Result:
        journal: dict[str, JsonValue] = {}
        while True:
            self.rounds += 1
            run = Run(inputs=inputs or {}, ask=self.ask, journal=journal)
            try:
                return asyncio.run(operation.plan.run(run))
            except Suspended as suspended:
                assert self.rounds < 10
                self.asked.append(suspended.questions)
                self.given |= {key: self.answers[key] for key in suspended.questions}


ACCEPT: JsonObject = {"action": "accept", "content": {"sure": True}}


def test_what_is_done_before_a_question_is_not_done_again(tmp_path: Path) -> None:
    calls: list[str] = []

    def charge(what: str) -> dict[str, str]:
        calls.append(what)
        return {"receipt": f"r-{what}"}

    steps = [
        {"name": "first", "type": "call", "call": "bank.charge", "with": {"what": "a"}},
        {
            "name": "confirm",
            "type": "ask",
            "message": "Charge {{first.receipt}}?",
            "schema": {"type": "object", "properties": {"sure": {"type": "boolean"}}},
        },
        {
            "name": "second",
            "type": "call",
            "call": "bank.charge",
            "with": {"what": "{{first.receipt}}"},
            "when": "{{ confirm.action == 'accept' and confirm.content.sure }}",
        },
    ]
    operation = load(tmp_path, steps, {"bank.charge": charge})
    caller = Caller({"confirm": ACCEPT})

    result = caller.run(operation)

    assert calls == ["a", "r-a"]
    assert result.value == {"receipt": "r-r-a"}
    assert caller.asked[0]["confirm"] == Question(
        kind="form",
        params={
            "message": "Charge r-a?",
            "requestedSchema": {"type": "object", "properties": {"sure": {"type": "boolean"}}},
        },
    )


def test_branches_beside_a_question_come_to_their_ends(tmp_path: Path) -> None:
    calls: list[int] = []
    slow = 0.05

    async def work(n: int) -> int:
        await asyncio.sleep(slow)
        calls.append(n)
        return n

    branch = [{"name": "w", "type": "call", "call": "fn.work", "with": {"n": 1}}]
    ask = [{"name": "q", "type": "ask", "message": "One?"}]
    also = [{"name": "q", "type": "ask", "message": "Two?"}]
    steps = [
        {"name": "both", "type": "parallel", "branches": {"a": branch, "b": ask, "c": also}},
        {"name": "fin", "type": "set", "value": {"a": "$.both.a", "b": "{{both.b.action}}"}},
    ]
    operation = load(
        tmp_path, steps, {"fn.work": work}, mappings=[{"targetName": "f", "value": "$.fin"}]
    )
    caller = Caller({"both.b.q": ACCEPT, "both.c.q": ACCEPT})

    result = caller.run(operation)

    assert calls == [1]
    assert caller.rounds == 2
    assert caller.asked[0].keys() == {"both.b.q", "both.c.q"}
    assert result.value == {"f": {"a": 1, "b": "accept"}}


def test_questions_in_a_loop_are_told_apart(tmp_path: Path) -> None:
    steps = [
        {
            "name": "each",
            "type": "forEach",
            "in": ["x", "y"],
            "steps": [{"name": "q", "type": "ask", "message": "Take {{item}}?"}],
            "collect": "{{q.action}}",
        }
    ]
    operation = load(tmp_path, steps, {}, mappings=[{"targetName": "all", "value": "$.each"}])
    caller = Caller({"each[0].q": ACCEPT, "each[1].q": {"action": "decline"}})

    assert caller.run(operation).value == {"all": ["accept", "decline"]}
    assert caller.rounds == 3


def test_several_requests_keep_their_keys(tmp_path: Path) -> None:
    steps = [
        {
            "name": "q",
            "type": "ask",
            "requests": {
                "roots": {"kind": "roots", "optional": True},
                "text": {
                    "kind": "sampling",
                    "messages": [{"role": "user", "content": {"type": "text", "text": "{{x}}"}}],
                    "maxTokens": 10,
                },
            },
        }
    ]
    operation = load(tmp_path, steps, {})
    caller = Caller({"roots": {"roots": []}, "text": {"model": "m"}})

    result = caller.run(operation, {"x": "Hi"})

    assert result.value == {"roots": {"roots": []}, "text": {"model": "m"}}
    assert caller.asked[0]["roots"] == Question(kind="roots", params={}, optional=True)
    assert caller.asked[0]["text"].params["messages"] == [
        {"role": "user", "content": {"type": "text", "text": "Hi"}}
    ]


def test_neither_catch_nor_finally_sees_a_suspended_run(tmp_path: Path) -> None:
    calls: list[str] = []

    def note(what: str) -> str:
        calls.append(what)
        return what

    def noted(what: str) -> list[Any]:
        return [{"name": f"n-{what}", "type": "call", "call": "fn.note", "with": {"what": what}}]

    steps = [
        {
            "name": "safe",
            "type": "try",
            "onError": "continue",
            "steps": [{"name": "q", "type": "ask", "message": "Sure?"}],
            "catch": noted("catch"),
            "finally": noted("finally"),
        }
    ]
    operation = load(tmp_path, steps, {"fn.note": note})

    Caller({"safe.steps.q": ACCEPT}).run(operation)

    assert calls == ["finally"]


def test_a_failure_that_was_noted_is_one_again(tmp_path: Path) -> None:
    calls: list[int] = []

    def broken() -> None:
        calls.append(1)
        raise ConsumedError(code="bank-closed", message="the bank is closed", status=503)

    steps = [
        {"name": "b", "type": "call", "call": "bank.broken", "onError": "continue"},
        {"name": "q", "type": "ask", "message": "Go on?"},
        {"name": "why", "type": "set", "value": "{{errors.b}}"},
    ]
    mappings = [{"targetName": "why", "value": "$.why"}]
    operation = load(tmp_path, steps, {"bank.broken": broken}, mappings=mappings)

    result = Caller({"q": ACCEPT}).run(operation)

    assert calls == [1]
    why = {"code": "bank-closed", "message": "the bank is closed", "status": 503, "step": "b"}
    assert result.value == {"why": why}


def test_a_journal_that_grows_too_large_ends_the_run(tmp_path: Path) -> None:
    steps = [
        {"name": "large", "type": "call", "call": "fn.large"},
        {"name": "q", "type": "ask", "message": "Go on?"},
    ]
    operation = load(tmp_path, steps, {"fn.large": lambda: "x" * journal.MAX_JOURNAL_BYTES})

    with pytest.raises(RunError) as caught:
        Caller({"q": ACCEPT}).run(operation)

    assert caught.value.code == "journal-too-large"


def test_what_a_caller_brings_back_may_be_anything(tmp_path: Path) -> None:
    steps = [
        {"name": "a", "type": "call", "call": "fn.a"},
        {"name": "q", "type": "ask", "message": "Go on?"},
    ]
    operation = load(tmp_path, steps, {"fn.a": lambda: 1})

    for noted in (1, "x", [], {"raw": "&"}):
        run = Run(inputs={}, ask=Caller({}).ask, journal={"a": noted})
        with pytest.raises(RunError) as caught:
            asyncio.run(operation.plan.run(run))
        assert caught.value.code == "bad-journal"


def test_no_step_begins_after_the_deadline(tmp_path: Path) -> None:
    steps = [
        {"name": "w", "type": "wait", "duration": "1h"},
        {"name": "a", "type": "set", "value": 1},
    ]
    operation = load(tmp_path, steps, {})

    started = time.monotonic()
    for left_s, step in ((60.0, "w"), (-1.0, "w")):
        run = Run(inputs={}, deadline=started + left_s)
        with pytest.raises(RunError) as caught:
            asyncio.run(operation.plan.run(run))
        assert caught.value.code == "timeout"
        assert caught.value.details["step"] == step


def test_a_run_takes_a_bounded_number_of_steps(tmp_path: Path) -> None:
    count = [{"name": "n", "type": "set", "value": 1}]
    inner = {
        "name": "l",
        "type": "while",
        "condition": True,
        "maxIterations": 10000,
        "steps": count,
    }
    operation = load(
        tmp_path, [{"name": "o", "type": "forEach", "in": [1, 2], "steps": [inner]}], {}
    )

    with pytest.raises(RunError) as caught:
        asyncio.run(operation.plan.run(Run(inputs={})))

    assert caught.value.code == "too-many-steps"


def test_outputs_take_bounded_memory_and_give_it_back(tmp_path: Path) -> None:
    size = execution.MAX_HELD_BYTES // 8
    make = {"name": "m", "type": "call", "call": "fn.make"}
    functions = {"fn.make": lambda: "x" * size}
    replaced = {
        "name": "l",
        "type": "while",
        "condition": True,
        "maxIterations": 20,
        "steps": [make],
    }
    dropped = {
        "name": "e", "type": "forEach", "in": list(range(20)), "steps": [make], "collect": "x",
    }  # fmt: skip
    kept = {"name": "k", "type": "forEach", "in": list(range(20)), "steps": [make]}

    operation = load(tmp_path, [dropped], functions, mappings=[{"targetName": "e", "value": "$.e"}])
    assert asyncio.run(operation.plan.run(Run(inputs={}))).value == {"e": ["x"] * 20}
    for step, code in ((replaced, "too-many-iterations"), (kept, "too-much-output")):
        operation = load(tmp_path, [step], functions)
        with pytest.raises(RunError) as caught:
            asyncio.run(operation.plan.run(Run(inputs={})))
        assert caught.value.code == code


def test_the_first_failure_cancels_what_runs_beside_it(tmp_path: Path) -> None:
    ended: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    steps = [
        {
            "name": "both",
            "type": "parallel",
            "branches": {
                "a": [{"name": "s", "type": "call", "call": "fn.slow"}],
                "b": [{"type": "fail", "code": "no", "name": "f"}],
            },
        }
    ]
    operation = load(tmp_path, steps, {"fn.slow": slow})

    with pytest.raises(RunError) as caught:
        asyncio.run(operation.plan.run(Run(inputs={})))

    assert caught.value.code == "no"
    assert ended == ["cancelled"]


def test_parallel_items_keep_to_their_number(tmp_path: Path) -> None:
    running = 0
    most = 0

    async def work(n: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return n

    step = {"name": "w", "type": "call", "call": "fn.work", "with": {"n": "{{item}}"}}
    each = {"name": "e", "type": "forEach", "in": list(range(12)), "parallel": 3, "steps": [step]}
    operation = load(
        tmp_path, [each], {"fn.work": work}, mappings=[{"targetName": "e", "value": "$.e"}]
    )

    result = asyncio.run(operation.plan.run(Run(inputs={})))

    assert result.value == {"e": list(range(12))}
    assert most == 3


def test_a_caller_is_told_of_progress_and_logs(tmp_path: Path) -> None:
    told: list[Any] = []

    async def progress(done: float, total: float | None, message: str) -> None:
        told.append((done, total, message))

    async def log(level: str, data: JsonValue, logger: str) -> None:
        told.append((level, data, logger))

    steps = [
        {"name": "p", "type": "progress", "progress": "{{n}}", "total": 4, "message": "{{n}} of 4"},
        {"name": "l", "type": "log", "level": "notice", "data": {"n": "{{n}}"}},
    ]
    operation = load(tmp_path, steps, {})

    asyncio.run(operation.plan.run(Run(inputs={"n": 2}, progress=progress, log=log)))

    assert told == [(2.0, 4.0, "2 of 4"), ("notice", {"n": 2}, "run")]


def test_a_failed_status_that_is_passed_over_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise ConsumedError(message="down")

    steps = [{"name": "b", "type": "call", "call": "fn.broken", "onError": "continue"}]
    operation = load(tmp_path, steps, {"fn.broken": broken})

    with caplog.at_level(logging.WARNING, logger="naftiko.steps"):
        asyncio.run(operation.plan.run(Run(inputs={})))

    assert "step b failed, and the run goes on: upstream-error" in caplog.text


def test_a_plan_says_what_it_may_call_and_do(tmp_path: Path) -> None:
    steps = [
        {"name": "a", "type": "call", "call": "fn.a"},
        {"name": "i", "type": "if", "condition": True, "then": [
            {"name": "b", "type": "call", "call": "fn.b", "onError": "stop", "when": "a > 1"},
        ]},
    ]  # fmt: skip
    operation = load(tmp_path, steps, {"fn.a": lambda: 1, "fn.b": lambda: 2})

    assert operation.plan.calls == ("fn.a", "fn.b")
    assert operation.effect is Effect.UNKNOWN
    lines = [line.strip() for line in operation.plan.explain()]
    assert "i: if true" in lines
    assert "b: call fn.b  (when a > 1; on error: stop)" in lines


def test_inputs_are_those_that_no_step_provides(tmp_path: Path) -> None:
    def add(n: int, k: int = 0) -> dict[str, int]:
        return {"n": n + k}

    steps = [
        {"name": "one", "type": "call", "call": "fn.add", "with": {"n": "{{first}}"}},
        {"name": "two", "type": "call", "call": "fn.add", "with": {"n": "{{one.n}}", "k": 1}},
        {"name": "s", "type": "set", "value": "{{one.n}}, {{who.name}}", "when": "one.n > limit"},
        {"name": "e", "type": "forEach", "in": "$.list", "steps": [
            {"name": "t", "type": "call", "call": "fn.add", "with": {"n": "{{item}}", "k": "{{i}}"}}
        ]},
    ]  # fmt: skip
    operation = load(tmp_path, steps, {"fn.add": add})

    schema = operation.inputs.schema
    assert isinstance(schema["properties"], dict)
    assert schema["properties"].keys() == {"first", "k", "who", "limit", "list", "i"}
    assert schema["properties"]["first"] == {"type": "integer"}
    assert schema["required"] == ["first"]


def test_steps_tell_by_themselves_how_far_they_are(tmp_path: Path) -> None:
    counted: list[int] = []

    def count() -> dict[str, int]:
        counted.append(1)
        return {"n": len(counted)}

    steps = [
        {"name": "first", "type": "call", "call": "py.count"},
        {
            "name": "poll",
            "type": "until",
            "condition": "{{ again.n >= 4 }}",
            "steps": [{"name": "again", "type": "call", "call": "py.count"}],
        },
        {"name": "last", "type": "call", "call": "py.count"},
    ]
    operation = load(tmp_path, steps, {"py.count": count})
    told: list[tuple[float, float | None, str]] = []

    async def tell(done: float, total: float | None, message: str) -> None:
        told.append((done, total, message))

    asyncio.run(operation.plan.run(Run(inputs={}, progress=tell)))

    values = [done for done, _, _ in told]
    assert values == sorted(set(values))
    assert {total for _, total, _ in told} == {3.0}
    assert [message for done, _, message in told if done.is_integer()] == ["first", "poll", "last"]


def test_a_file_that_tells_is_not_told_for(tmp_path: Path) -> None:
    steps = [
        {"name": "tell", "type": "progress", "progress": 1, "total": 2, "message": "half"},
        {"name": "value", "type": "set", "value": 1},
    ]
    operation = load(tmp_path, steps, {})
    told: list[str] = []

    async def tell(done: float, total: float | None, message: str) -> None:
        told.append(message)

    asyncio.run(operation.plan.run(Run(inputs={}, progress=tell)))

    assert told == ["half"]


@pytest.mark.parametrize("told", [False, True])
def test_an_answer_is_the_same_whether_or_not_its_caller_is_told(
    tmp_path: Path, told: bool
) -> None:
    steps = [
        {"name": "all", "type": "set", "value": [{"id": 1}]},
        {"name": "one", "type": "lookup", "index": "all", "match": "id", "lookupValue": "2"},
    ]
    operation = load(tmp_path, steps, {})

    async def tell(done: float, total: float | None, message: str) -> None:
        """Take it."""

    result = asyncio.run(operation.plan.run(Run(inputs={}, progress=tell if told else None)))

    assert (result.status, result.value) == (204, MISSING)


def test_a_step_without_a_name_is_not_taken_for_another(tmp_path: Path) -> None:
    steps = [
        {"name": "call-2", "type": "call", "call": "py.echo", "with": {"n": 1}},
        {"type": "call", "call": "py.echo", "with": {"n": 2}},
        {"name": "ok", "type": "ask", "message": "Go on?"},
    ]
    seen: list[int] = []

    def echo(n: int) -> int:
        seen.append(n)
        return n

    operation = load(tmp_path, steps, {"py.echo": echo})
    caller = Caller({"ok": {"action": "accept", "content": {}}})
    caller.run(operation)

    assert seen == [1, 2]
