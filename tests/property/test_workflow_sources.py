"""Random sources make the same calls compiled, in the machine, and read naively from their AST.

The reference knows nothing of plans: it orders steps, evaluates expressions from their syntax and
asks the same table of answers. So this holds resolution and lowering to the specification too.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from functools import cache
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.errors import Problems
from naftiko.source import anchored
from naftiko.workflow import ast
from naftiko.workflow.compiler import compile_source, load_data
from naftiko.workflow.expressions import nodes, syntax
from naftiko.workflow.lowering.lowering import Data
from naftiko.workflow.source.parser import parse_workflow
from tests.property.test_workflow_vm import TableWorld
from tests.unit.workflow.vm.worlds import Json

PARAMETERS: Json = {"p": "given", "n": 3, "flag": True, "absent": None}
CHANGES = {"CreateDBSnapshot", "DeleteDBSnapshot"}


class Table:
    """What AWS answers, settled by a seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.asked: dict[str, int] = {}
        self.calls: list[tuple[str, str]] = []

    def __call__(self, operation: str, members: Json) -> Json | str:
        """Return an answer, or the code of a refusal."""
        said = json.dumps(members, sort_keys=True)
        count = self.asked[operation + said] = self.asked.get(operation + said, 0) + 1
        self.calls.append((operation, said))
        digest = hashlib.sha256(f"{self.seed} {operation} {said} {count}".encode()).digest()
        if digest[0] < 30:
            return "Refused"
        if digest[0] < 60:
            return "ThrottlingException"
        if operation in CHANGES:
            state = ("available", "creating")[digest[8] % 2]
            return {
                "DBSnapshot": {"DBSnapshotIdentifier": f"made-{digest[9] % 3}", "Status": state}
            }
        rows = [
            {
                "DBSnapshotIdentifier": f"s{digest[index]}",
                "Status": ("available", "creating")[digest[index] % 2],
                "AllocatedStorage": digest[index] % 7,
            }
            for index in range(2, 2 + digest[1] % 4)
        ]
        return {"DBSnapshots": rows}


class Failed(Exception):  # noqa: N818 - a step's failure
    """A step of the reference failed; `code` is AWS's, if AWS refused it."""

    def __init__(self, code: str | None = None) -> None:
        super().__init__(code)
        self.code = code


class Skip(Exception):  # noqa: N818 - an event
    """What a step reads is not there."""


class Scope:
    """What a step of the reference sees."""

    def __init__(self, outer: Scope | None = None, item: Any = None) -> None:
        self.status: dict[str, str] = dict(outer.status) if outer else {}
        self.answers: dict[str, Json] = dict(outer.answers) if outer else {}
        self.outputs: dict[str, Json] = dict(outer.outputs) if outer else {}
        self.codes: dict[str, str | None] = dict(outer.codes) if outer else {}
        self.named: dict[str, set[str]] = dict(outer.named) if outer else {}
        self.item = item
        self.variables: Json = {}


def reach(value: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        if value is None:
            return None
        if isinstance(part, int):
            value = value[part] if part < len(value) else None
        else:
            value = value.get(part)
    return value


def referred(ref: nodes.Ref, scope: Scope) -> Any:
    if ref.root == "params":
        return reach(PARAMETERS, ref.path)
    if ref.root == "item":
        return reach(scope.item, ref.path)
    if ref.root != "steps":
        return reach(scope.variables[ref.root], ref.path)
    step, what, *rest = ref.path
    status = scope.status[str(step)]
    if what not in scope.named[str(step)]:
        if what == "status":
            return status
        if what == "error_code":
            return scope.codes[str(step)]
    if status in {"skipped", "failed"}:
        if ref.default is None:
            raise Skip
        return None
    found = scope.answers if what == "output" else scope.outputs
    path = tuple(rest) if what == "output" else (what, *rest)
    return reach(found[str(step)], path)


def value(expr: nodes.Expr, scope: Scope) -> Any:
    match expr:
        case nodes.Literal():
            return expr.value
        case nodes.Ref():
            found = referred(expr, scope)
            return expr.default.value if found is None and expr.default is not None else found
        case nodes.Not():
            return value(expr.operand, scope) is not True
        case nodes.ListOf():
            return [value(item, scope) for item in expr.items]
        case nodes.Call():
            return called(expr.name, [value(arg, scope) for arg in expr.args])
        case nodes.Binary():
            left = value(expr.left, scope)
            if expr.op == "&&":
                return left is True and value(expr.right, scope) is True
            if expr.op == "||":
                return left is True or value(expr.right, scope) is True
            return compared(expr.op, left, value(expr.right, scope))


def called(name: str, args: list[Any]) -> Any:
    if args[0] is None:
        return None
    return {"upper": lambda text: text.upper(), "length": len}[name](args[0])


def compared(op: str, left: Any, right: Any) -> Any:
    if op in {"==", "!="}:
        return (left == right) == (op == "==")
    if left is None or right is None:
        return None if op == "+" else False
    match op:
        case "<":
            return left < right
        case ">=":
            return left >= right
        case "+":
            return left + right
        case "in":
            return left in right
    return str(left).startswith(right)


def condition(scalar: Scalar, scope: Scope) -> bool:
    text = scalar.text
    if text.startswith("${") and text.endswith("}"):
        text = text[2:-1]
    return value(syntax.parse_expression(text, anchored(scalar.location)), scope) is True


def rendered(node: Node, scope: Scope) -> Any:
    if isinstance(node, Sequence):
        return [rendered(item, scope) for item in node]
    if isinstance(node, Mapping):
        return {key.text: rendered(item, scope) for key, item in node.entries}
    assert isinstance(node, Scalar)
    if not isinstance(node.value, str):
        return node.value
    template = syntax.parse_template(node.text, anchored(node.location))
    if template.single is not None:
        return value(template.single, scope)
    parts = [one if isinstance(one, str) else value(one, scope) for one in template.parts]
    return "".join("" if part is None else str(part) for part in parts)


class Reference:
    """Reads the AST."""

    def __init__(self, workflow: ast.Workflow, table: Table) -> None:
        self.workflow = workflow
        self.table = table
        self.made: dict[str, str] = {}
        self.changed: set[str] = set()

    def run(self) -> str:
        scope = Scope()
        steps = ordered(self.workflow.steps)
        for step in steps:
            if self.step(step, scope) == "failed" and step.on_error == "fail":
                return self.roll_back(step, [one.id for one in steps])
        return "succeeded"

    def step(self, step: ast.Step, scope: Scope) -> str:
        answer: Json = {}
        outputs: Json = {}
        status, code = "succeeded", None
        try:
            if step.condition is not None and not condition(step.condition, scope):
                raise Skip
            answer, outputs = self.done(step, scope)
        except Skip:
            status = "skipped"
        except Failed as failed:
            status, code = "failed", failed.code
        scope.codes[step.id] = code
        scope.named[step.id] = {one.name.text for one in step.outputs}
        scope.status[step.id], scope.answers[step.id] = status, answer
        scope.outputs[step.id] = outputs
        return status

    def done(self, step: ast.Step, scope: Scope) -> tuple[Json, Json]:
        match step.action:
            case ast.Command() as command:
                answer = self.ask(command, step, scope)
                chosen = {
                    one.name.text: reach(answer, tuple(one.path.text.split(".")))
                    for one in step.outputs
                }
                return answer, chosen
            case ast.Poll() as poll:
                return self.poll(poll, step, scope), {}
            case ast.Assert() as check:
                if not condition(check.condition, scope):
                    raise Failed
                return {}, {}
            case ast.Filter() as sieve:
                return {}, self.filter(sieve, scope)
            case ast.ForEach() as loop:
                return {}, self.loop(step.id, loop, scope)
            case ast.SetValues() as values:
                return {}, {name.text: rendered(node, scope) for name, node in values.values}
        return {}, {}

    def ask(self, command: ast.Command, step: ast.Step, scope: Scope) -> Json:
        assert command.action is not None
        members = {name.text: rendered(node, scope) for name, node in command.input}
        members = {name: found for name, found in members.items() if found is not None}
        if command.action.text in CHANGES and "DBSnapshotIdentifier" not in members:
            raise Failed
        answer = self.send(command.action.text, members, step.retry.max_attempts)
        if command.action.text in CHANGES:
            self.changed.add(step.id)
        if command.action.text == "CreateDBSnapshot":
            self.made.setdefault(step.id, members["DBSnapshotIdentifier"])
        return answer

    def send(self, operation: str, members: Json, attempts: int) -> Json:
        for _ in range(attempts):
            answer = self.table(operation, members)
            if isinstance(answer, dict):
                return answer
            if answer != "ThrottlingException":
                break
        assert isinstance(answer, str)
        raise Failed(answer)

    def poll(self, poll: ast.Poll, step: ast.Step, scope: Scope) -> Json:
        assert poll.command is not None
        assert poll.condition is not None
        for _ in range(poll.max_attempts):
            answer = self.ask(poll.command, step, scope)
            inner = Scope(scope)
            rows = answer["DBSnapshots"]
            inner.variables = {"state": rows[0]["Status"] if rows else None}
            if condition(poll.condition, inner):
                return answer
            if poll.fail_when is not None and condition(poll.fail_when, inner):
                raise Failed
        raise Failed

    def filter(self, sieve: ast.Filter, scope: Scope) -> Json:
        kept = [
            element
            for element in rendered(sieve.from_, scope) or []
            if condition(sieve.where, Scope(scope, element))
        ]
        if len(kept) > sieve.max_items:
            raise Failed
        return {"items": kept, "count": len(kept)}

    def loop(self, id_: str, loop: ast.ForEach, scope: Scope) -> Json:
        items = rendered(loop.over, scope) or []
        if len(items) > loop.max_items:
            raise Failed
        failed, code = 0, None
        for item in items:
            inner = Scope(scope, item)
            for step in ordered(loop.do):
                status = self.step(step, inner)
                if step.id in self.changed:
                    self.changed.add(id_)
                if status == "failed" and step.on_error == "fail":
                    failed += 1
                    code = inner.codes[step.id]
                    break
            if failed and loop.on_item_error == "fail":
                raise Failed(code)
        return {"count": len(items), "succeeded": len(items) - failed, "failed": failed}

    def roll_back(self, failing: ast.Step, order: list[str]) -> str:
        ran, clean = False, True
        for handler in self.workflow.rollback:
            covered = [one.text for one in handler.steps] if handler.steps is not None else order
            made = [name for name in order if name in covered and name in self.made]
            if failing.id not in covered or not self.changed.intersection(covered):
                continue  # deletions arm it too, though nothing takes them back
            ran = True
            for name in reversed(made):
                try:
                    members = {"DBSnapshotIdentifier": self.made[name]}
                    self.send("DeleteDBSnapshot", members, 3)
                except Failed:
                    clean = False
        return ("rolled_back" if clean else "rollback_failed") if ran else "failed"


def ordered(steps: tuple[ast.Step, ...]) -> list[ast.Step]:
    """Return the steps as they run: each after what it names, or after the one above it."""
    found: list[ast.Step] = []
    while len(found) < len(steps):
        before = {step.id for step in found}
        for index, step in enumerate(steps):
            needed = (
                {one.text for one in step.depends_on}
                if step.depends_on is not None
                else {steps[index - 1].id}
                if index
                else set()
            )
            if step.id not in before and needed <= before:
                found.append(step)
                break
    return found


class Writer:
    """Draws a source, step by step; each may read those before it."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.texts = ["x", "${params.p}", "${upper(params.p)}", "${params.absent:-none}"]
        self.lists: list[str] = []
        self.creates: list[str] = []
        self.tests = ["params.flag", "params.n >= 3", "!(params.p == 'given')", "params.n + 1 < 4"]

    def one_of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def text(self) -> str:
        found = self.one_of(*self.texts)
        return f"t-{found}" if self.one_of(False, True) else str(found)

    def test(self) -> str:
        first = self.one_of(*self.tests)
        if self.one_of(False, False, True):
            return f"{first} {self.one_of('&&', '||')} {self.one_of(*self.tests)}"
        return str(first)

    def step(self, number: int) -> Json:
        id_ = f"s{number}"
        kinds = [self.read, self.read, self.create, self.poll, self.check, self.values, self.wait]
        if self.lists:
            kinds += [self.filter, self.loop, self.loop]
        step: Json = {"id": id_}
        before = self.one_of(None, None, None, self.test())
        step |= self.one_of(*kinds)(id_)
        if before is not None:
            step["condition" if step.get("action") not in {"poll", "assert"} else "_"] = before
            step.pop("_", None)
        step["on_error"] = self.one_of("fail", "fail", "continue")
        asks = step["type"] == "command" or step.get("action") in {"poll", "for_each"}
        if step["on_error"] == "continue" and asks:
            code = f"steps.{id_}.error_code"
            self.tests += [f"{code} == 'ThrottlingException'", f"{code} != null"]
            self.texts.append(f"${{{code}:-none}}")
        return step

    def common(self, action: str, **members: str) -> Json:
        attempts = self.one_of(1, 2, 3)
        retry = {"max_attempts": attempts, "jitter": "none"}
        context = {"service": "rds", "action": action}
        return {"type": "command", "context": context, "input": members, "retry": retry}

    def read(self, id_: str) -> Json:
        made = self.common("DescribeDBSnapshots", DBInstanceIdentifier=self.text())
        self.lists.append(f"${{steps.{id_}.output.DBSnapshots}}")
        first = f"steps.{id_}.output.DBSnapshots[0]"
        default = self.one_of(":-none", "")
        self.texts.append(f"${{{first}.DBSnapshotIdentifier{default or ':-n'}}}")
        self.tests += [
            f"{first}.Status == 'available'",
            f"steps.{id_}.status in ['succeeded', 'failed']",
            f"length(steps.{id_}.output.DBSnapshots) >= 2",
        ]
        return made

    def create(self, id_: str) -> Json:
        made = self.common(
            "CreateDBSnapshot", DBSnapshotIdentifier=self.text(), DBInstanceIdentifier="db"
        )
        made["outputs"] = {"name": {"path": "DBSnapshot.DBSnapshotIdentifier"}}
        if self.one_of(False, True):
            made["outputs"]["status"] = {"path": "DBSnapshot.Status"}
            self.tests.append(f"steps.{id_}.status == 'available'")
            self.texts.append(f"${{steps.{id_}.status:-lost}}")
        self.texts.append(f"${{steps.{id_}.name{self.one_of('', ':-lost')}}}")
        self.creates.append(id_)
        return made

    def poll(self, id_: str) -> Json:
        found = self.common("DescribeDBSnapshots", DBInstanceIdentifier=self.text())
        return {
            "type": "primitive",
            "action": "poll",
            "context": {**found["context"]},
            "input": found["input"],
            "select": {"state": "DBSnapshots[0].Status"},
            "condition": "state == 'available'",
            **self.one_of({}, {"fail_when": "state == 'creating'"}),
            "max_attempts": self.one_of(1, 2, 3),
            "interval": "1s",
        }

    def check(self, _: str) -> Json:
        message = {"message": "not so"}
        return {"type": "primitive", "action": "assert", "condition": self.test(), **message}

    def values(self, id_: str) -> Json:
        made = {"type": "primitive", "action": "set", "values": {"v": self.text()}}
        self.texts.append(f"${{steps.{id_}.v}}")
        return made

    def wait(self, _: str) -> Json:
        return {"type": "primitive", "action": "wait", "duration": "1s"}

    def filter(self, id_: str) -> Json:
        where = self.one_of(
            "item.Status == 'available'",
            "item.AllocatedStorage >= params.n",
            "item.DBSnapshotIdentifier startswith 's1' || params.flag",
        )
        source = self.one_of(*self.lists)
        self.lists.append(f"${{steps.{id_}.items}}")
        self.tests.append(f"steps.{id_}.count < 2")
        limit = self.one_of(2, 100)
        kind = {"type": "primitive", "action": "filter"}
        return {**kind, "from": source, "where": where, "max_items": limit}

    def loop(self, id_: str) -> Json:
        first = f"{id_}_a"
        body: list[Json] = [
            {
                "id": first,
                **self.common(
                    self.one_of("DeleteDBSnapshot", "DeleteDBSnapshot"),
                    DBSnapshotIdentifier="${item.DBSnapshotIdentifier}",
                ),
                "on_error": self.one_of("fail", "continue"),
            }
        ]
        if self.one_of(False, True):
            body[0]["condition"] = self.one_of("item.AllocatedStorage < 4", self.test())
        if self.one_of(False, True):
            text = "${item.Status}-" + self.text()
            second = self.common("DescribeDBSnapshots", DBInstanceIdentifier=text)
            body.append({"id": f"{id_}_b", **second})
        return {
            "type": "primitive",
            "action": "for_each",
            "over": self.one_of(*self.lists),
            "max_items": self.one_of(2, 10),
            "on_item_error": self.one_of("fail", "continue"),
            "do": body,
        }


@st.composite
def sources(draw: st.DrawFn) -> str:
    """Sources of up to seven steps of every kind, in an order of their own."""
    writer = Writer(draw)
    steps = [writer.step(number) for number in range(draw(st.integers(1, 7)))]
    ids = [step["id"] for step in steps]
    if draw(st.booleans()):
        for number, step in enumerate(steps):
            step["depends_on"] = ids[:number]
        steps = draw(st.permutations(steps))
    parameters = [
        {"name": "p", "type": "string", "default": "given"},
        {"name": "n", "type": "integer", "default": 3},
        {"name": "flag", "type": "boolean", "default": True},
        {"name": "absent", "type": "string"},
    ]
    source: Json = {
        "name": "random_source",
        "version": "1.0",
        "description": "A workflow that a test has drawn",
        "metadata": {"tier": "enterprise", "max_duration": "1d", "max_steps": 500},
        "parameters": parameters,
        "steps": steps,
    }
    if writer.creates:
        covered = [id_ for id_ in ids if id_ in writer.creates or draw(st.booleans())]
        source["rollback"] = [{"on_failure": "take_back", "steps": covered}]
    return json.dumps(source)


@cache
def data() -> Data:
    return load_data()


@given(source=sources(), seed=st.integers(0, 1_000))
def test_a_source_does_what_it_says(source: str, seed: int) -> None:
    compiled = compile_source(source, "a.yaml", data())
    said = [f"{one.code} {one.message}" for one in compiled.problems if one.severity == 0]
    assert compiled.plan is not None, said
    workflow = parse_workflow(source, "a.yaml", Problems())
    assert workflow is not None
    expected, found = Table(seed), Table(seed)
    status = Reference(workflow, expected).run()
    ending = asyncio.run(TableWorld(found).run(compiled.plan))
    assert found.calls == expected.calls
    assert ending.status == status, ending.error
