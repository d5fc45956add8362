"""Random step trees: the plan and a naive interpreter of the same document do the same.

The interpreter below knows the language from its description alone: lists and dicts, no compiled
templates, no concurrency. Both must make the same calls in the same order, and give the same value.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import naftiko
from naftiko.errors import RunError


class FailedError(Exception):
    """What the interpreter raises for a failure of the run."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


# ------------------------------------------------------------------ documents


class Namer:
    """Gives names that no other step of the document has."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        return f"s-{self.count}"


@st.composite
def step_lists(draw: st.DrawFn, namer: Namer, seen: list[str], depth: int = 0) -> list[Any]:
    """Draw steps; `seen` are the numbers that templates may read here, and grows."""
    return [draw(steps(namer, seen, depth)) for _ in range(draw(st.integers(1, 3 if depth else 4)))]


@st.composite
def steps(  # noqa: C901  # one case a type of step
    draw: st.DrawFn, namer: Namer, seen: list[str], depth: int
) -> dict[str, Any]:
    simple = ["call", "call", "set", "fail"]
    nested = ["if", "switch", "forEach", "until", "try", "parallel"] if depth < 3 else []
    kind = draw(st.sampled_from(simple + nested))
    step: dict[str, Any] = {"name": namer(), "type": kind}
    if draw(st.integers(0, 5)) == 0:
        step["when"] = draw(conditions(seen))
    inner = list(seen)
    match kind:
        case "call":
            step |= {"call": "api.add", "with": {"n": draw(numbers(seen)), "k": draw(small())}}
            if "when" not in step:
                seen.append(f"{step['name']}.sum")
        case "set":
            step["value"] = draw(numbers(seen))
            if "when" not in step:
                seen.append(step["name"])
        case "fail":
            step |= {"code": "drawn", "when": draw(conditions(seen))}
        case "if":
            step["condition"] = draw(conditions(seen))
            step["then"] = draw(step_lists(namer, list(inner), depth + 1))
            step["else"] = draw(step_lists(namer, list(inner), depth + 1))
        case "switch":
            step["value"] = draw(numbers(seen))
            step["cases"] = [
                {"when": number, "steps": draw(step_lists(namer, list(inner), depth + 1))}
                for number in draw(st.lists(st.integers(0, 4), max_size=2, min_size=1))
            ]
            step["default"] = draw(step_lists(namer, list(inner), depth + 1))
        case "forEach":
            step["in"] = draw(st.lists(st.integers(0, 4), max_size=3))
            step["as"] = f"item-{namer()}"
            step["steps"] = draw(step_lists(namer, [*inner, step["as"]], depth + 1))
            if draw(st.booleans()):
                step["onError"] = "continue"
        case "until":
            counter = namer()
            body = draw(step_lists(namer, list(inner), depth + 1))
            step["steps"] = [*body, {"name": counter, "type": "call", "call": "api.tick"}]
            step["condition"] = f"{{{{ {counter}.n % 3 == 0 }}}}"
            step["maxIterations"] = draw(st.integers(1, 4))
            if draw(st.booleans()):
                step["onTimeout"] = draw(st.sampled_from(["fail", "continue"]))
            if draw(st.integers(0, 3)) == 0:  # how long it waits changes nothing of what it does
                step |= {"interval": "0.1ms", "backoff": draw(st.sampled_from([1, 1.5, 10]))}
                step |= {"maxInterval": "0.5ms", "jitter": draw(st.sampled_from([True, 0.5]))}
        case "try":
            step["steps"] = draw(step_lists(namer, list(inner), depth + 1))
            step["catch"] = draw(step_lists(namer, list(inner), depth + 1))
            if draw(st.booleans()):
                step["finally"] = draw(step_lists(namer, list(inner), depth + 1))
            if draw(st.integers(0, 3)) == 0:  # nobody cancels
                step["onCancel"] = draw(step_lists(namer, list(inner), depth + 1))
        case "parallel":
            # One branch: the order of calls of several is nobody's promise.
            step["branches"] = {"only": draw(step_lists(namer, list(inner), depth + 1))}
    return step


def small() -> st.SearchStrategy[int]:
    return st.integers(0, 4)


def numbers(seen: list[str]) -> st.SearchStrategy[Any]:
    if not seen:
        return small()
    names = st.sampled_from(seen)
    return st.one_of(
        small(),
        names.map(lambda name: f"{{{{{name}}}}}"),
        names.map(lambda name: f"$.{name}"),
        st.tuples(names, small()).map(lambda pair: f"{{{{ {pair[0]} % 5 + {pair[1]} }}}}"),
    )


def conditions(seen: list[str]) -> st.SearchStrategy[str]:
    names = st.sampled_from(seen) if seen else small().map(str)
    signs = st.sampled_from(["==", "<", ">=", "!="])
    return st.tuples(names, signs, small()).map(lambda t: f"{{{{ {t[0]} {t[1]} {t[2]} }}}}")


@st.composite
def operations(draw: st.DrawFn) -> list[Any]:
    return draw(step_lists(Namer(), ["start"]))


# ------------------------------------------------------------------ the interpreter


class Api:
    """What the steps call. It fails now and then, the same way each time it is asked the same."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.ticks = 0

    def add(self, n: int, k: int) -> dict[str, int]:
        self.calls.append(["add", n, k])
        if (n + k) % 7 == 6:
            raise FailedError("unlucky")
        return {"sum": n + k}

    def tick(self) -> dict[str, int]:
        self.calls.append(["tick"])
        self.ticks += 1
        return {"n": self.ticks}


ABSENT = object()
"""What a step gives that has no output."""


def shown(value: Any) -> Any:
    """Return what stands in a list or object for an output that is not there."""
    return None if value is ABSENT else value


class Naive:
    """Interprets a document's steps."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def all(self, steps: list[Any], scope: dict[str, Any]) -> Any:
        last: Any = ABSENT
        for step in steps:
            if "when" in step and not self.value(step["when"], scope):
                scope.pop(step["name"], None)
                continue
            try:
                value = getattr(self, f"do_{step['type']}")(step, scope)
            except FailedError:
                if step.get("onError") != "continue":
                    raise
                value = None
            if step["type"] == "fail":
                continue
            last = value
            scope.pop(step["name"], None)
            if value is not ABSENT:
                scope[step["name"]] = value
        return last

    def value(self, text: Any, scope: dict[str, Any]) -> Any:
        if not isinstance(text, str):
            return text
        code = text[2:] if text.startswith("$.") else text.strip("{}")
        names = sorted({*scope}, key=len, reverse=True)
        for number, name in enumerate(names):
            code = code.replace(f"{name}.sum", f"_v[{number}]['sum']")
            code = code.replace(f"{name}.n ", f"_v[{number}]['n'] ")
            code = code.replace(name, f"_v[{number}]")
        return eval(code, {"_v": [scope[name] for name in names]})  # noqa: S307  # drawn above

    def do_call(self, step: Any, scope: dict[str, Any]) -> Any:
        if step["call"] == "api.tick":
            return self.api.tick()
        given = step["with"]
        return self.api.add(self.value(given["n"], scope), self.value(given["k"], scope))

    def do_set(self, step: Any, scope: dict[str, Any]) -> Any:
        return self.value(step["value"], scope)

    def do_fail(self, step: Any, scope: dict[str, Any]) -> Any:
        raise FailedError(step["code"])

    def do_if(self, step: Any, scope: dict[str, Any]) -> Any:
        branch = "then" if self.value(step["condition"], scope) else "else"
        return self.all(step[branch], scope)

    def do_switch(self, step: Any, scope: dict[str, Any]) -> Any:
        value = self.value(step["value"], scope)
        for case in step["cases"]:
            if case["when"] == value:
                return self.all(case["steps"], scope)
        return self.all(step["default"], scope)

    def do_forEach(self, step: Any, scope: dict[str, Any]) -> Any:  # noqa: N802  # the step's name
        found = []
        for item in step["in"]:
            try:
                found.append(shown(self.all(step["steps"], {**scope, step["as"]: item})))
            except FailedError:
                if step.get("onError") != "continue":
                    raise
                found.append(None)
        return found

    def do_until(self, step: Any, scope: dict[str, Any]) -> Any:
        for _ in range(step["maxIterations"]):
            value = self.all(step["steps"], scope)
            if self.value(step["condition"], scope):
                return value
        if step.get("onTimeout") == "continue":
            return value
        raise FailedError("too-many-iterations")

    def do_try(self, step: Any, scope: dict[str, Any]) -> Any:
        try:
            value = self.all(step["steps"], scope)
        except FailedError:
            try:
                value = self.all(step["catch"], scope)
            finally:
                self.all(step.get("finally", []), scope)
            return value
        self.all(step.get("finally", []), scope)
        return value

    def do_parallel(self, step: Any, scope: dict[str, Any]) -> Any:
        branches = step["branches"].items()
        return {name: shown(self.all(steps, dict(scope))) for name, steps in branches}


def expected(steps: list[Any], start: int) -> tuple[Any, list[Any]]:
    api = Api()
    scope: dict[str, Any] = {"start": start}
    try:
        Naive(api).all([*steps, {"name": "last", "type": "set", "value": 1}], scope)
    except FailedError as error:
        return ["failed", error.code], api.calls
    return {step["name"]: scope[step["name"]] for step in steps if step["name"] in scope}, api.calls


# ------------------------------------------------------------------ the engine


def found(path: Path, steps: list[Any], start: int) -> tuple[Any, list[Any]]:
    api = Api()

    def add(n: int, k: int) -> dict[str, int]:
        try:
            return api.add(n, k)
        except FailedError as error:
            raise RunError(code=error.code, message="unlucky") from error

    async def asynchronous_add(n: int, k: int) -> dict[str, int]:
        return add(n, k)

    async def tick() -> dict[str, int]:
        return api.tick()

    document = {
        "naftiko": "1.0.0-alpha3",
        "info": {"label": "Drawn", "description": "Drawn steps"},
        "capability": {
            "exposes": [
                {
                    "type": "mcp",
                    "namespace": "tools",
                    "transport": "stdio",
                    "tools": [
                        {
                            "name": "run",
                            "description": "Runs the steps",
                            "inputParameters": [
                                {"name": "start", "type": "integer", "description": "A number"}
                            ],
                            "steps": steps,
                            "mappings": [
                                {"targetName": step["name"], "value": f"$.{step['name']}"}
                                for step in steps
                                if step["type"] != "fail"
                            ]
                            + [{"targetName": "last", "value": "constant"}],
                        }
                    ],
                }
            ]
        },
    }
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    functions = {"api.add": asynchronous_add, "api.tick": tick}

    async def run() -> Any:
        async with naftiko.load(path, functions=functions, workspace=path.parent) as capability:
            return await capability.call("tools.run", {"start": start})

    try:
        answer = asyncio.run(run())
    except RunError as error:
        return ["failed", error.code], api.calls
    del answer["last"]
    return answer, api.calls


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("steps") / "drawn.yaml"


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=operations(), start=st.integers(0, 4))
def test_the_plan_does_what_the_document_says(path: Path, steps: list[Any], start: int) -> None:
    plain = json.loads(json.dumps(steps))
    assert found(path, plain, start) == expected(plain, start)
