"""Random plans make the same calls in the machine and in a naive interpreter of the same plan.

The interpreter walks the document from top to bottom, without records, limits or time; the AWS
behind both is a table of the operation, its input and how often it was asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from naftiko.workflow.ports import AwsAnswer, AwsFailure, AwsRequest
from naftiko.workflow.vm.breaker import Breaker, Breakers
from tests.unit.workflow.vm.plans import aws, call, lit, op, parameter, plan, ref
from tests.unit.workflow.vm.worlds import Crash, Json, Memory, World


class Table:
    """What AWS answers: settled by a seed, so that both ask the same AWS."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.asked: dict[str, int] = {}
        self.calls: list[tuple[str, str]] = []

    def __call__(self, operation: str, members: Json) -> Json | str:
        """Return an answer, or the error code of a refusal."""
        key = f"{operation} {json.dumps(members, sort_keys=True)}"
        count = self.asked[key] = self.asked.get(key, 0) + 1
        self.calls.append((operation, json.dumps(members, sort_keys=True)))
        digest = hashlib.sha256(f"{self.seed} {key} {count}".encode()).digest()
        if digest[0] < 25:
            return "Refused"
        if digest[0] < 70:
            return "SlowDown"
        items = [{"Name": f"n{digest[index]}"} for index in range(2, 2 + digest[1] % 4)]
        return {"Id": f"i{digest[9] % 3}", "State": "ab"[digest[8] % 2], "Items": items}


class Failed(Exception):  # noqa: N818 - a step's failure
    """A step of the reference failed; `code` is AWS's, if AWS refused it."""

    def __init__(self, code: str | None = None) -> None:
        super().__init__(code)
        self.code = code


class Skip(Exception):  # noqa: N818 - an event
    """What a step reads is not there."""


class Reference:
    """The naive interpreter."""

    def __init__(self, document: Json, table: Table) -> None:
        self.document = document
        self.table = table
        self.changed: set[str] = set()

    def run(self) -> str:
        scope: Json = {"steps": {}, "ended": {}, "own": {}, "registers": {}, "item": None}
        for operation in self.document["execution_plan"]:
            if self.step(operation, scope) == "failed" and operation["on_error"] == "fail":
                return self.roll_back(operation, scope)
        return "succeeded"

    def step(self, operation: Json, scope: Json) -> str:
        step_id, guard = operation["step_id"], operation["guard"]
        outputs: Json = {}
        code = None
        try:
            if guard is not None and not scope["registers"].get(guard):
                raise Skip
            outputs = getattr(self, operation["op"].lower())(operation, scope)
            status = "succeeded"
        except Skip:
            status = "skipped"
        except Failed as failed:
            status, code = "failed", failed.code
        if operation["op"] == "CONDITION":
            scope["registers"][operation["dest"]] = outputs.get("value") is True
        own = {"status": status, "error_code": code}
        for name in self.declared(operation):
            own.pop(name, None)
        scope["steps"][step_id] = {**own, **outputs}
        scope["ended"][step_id] = status
        scope["own"][step_id] = own
        return status

    @staticmethod
    def declared(operation: Json) -> list[str]:
        return [*operation.get("select", {}), *operation.get("values", {})]

    def value(self, tree: Json, scope: Json) -> Any:
        if "lit" in tree:
            return tree["lit"]
        if "cat" in tree:
            parts = [self.value(part, scope) for part in tree["cat"]]
            return "".join("" if part is None else str(part) for part in parts)
        if "op" in tree:
            left, right = self.value(tree["a"], scope), self.value(tree["b"], scope)
            return {"==": left == right, "!=": left != right}[tree["op"]]
        root, *path = tree["ref"]
        if root == "item":
            found: Any = scope["item"]
        elif root == "params":
            found = {"p": "given"}
        elif root == "vars":
            found = scope["vars"]
        else:
            step = scope["steps"][path[0]]
            missing = scope["ended"][path[0]] in {"skipped", "failed"}
            if missing and "default" not in tree and path[1] not in scope["own"][path[0]]:
                raise Skip
            found, path = step, path[1:]
        for part in path:
            found = found.get(part) if found is not None else None
        return tree.get("default") if found is None else found

    def ask(self, operation: Json, scope: Json) -> Json:
        given = {name: self.value(tree, scope) for name, tree in operation["input_mapping"].items()}
        members = {name: value for name, value in given.items() if value is not None}
        for _ in range(operation["retry"]["max_attempts"]):
            answer = self.table(operation["operation"], members)
            if isinstance(answer, dict):
                return answer
            if answer not in {"SlowDown", *operation["retry"]["retry_on"]}:
                break
        assert isinstance(answer, str)
        raise Failed(answer)

    def aws_call(self, operation: Json, scope: Json) -> Json:
        answer = self.ask(operation, scope)
        if operation["mutating"]:
            self.changed.add(operation["step_id"])
        return {name: answer.get(path) for name, path in operation["select"].items()}

    def poll(self, operation: Json, scope: Json) -> Json:
        for attempt in range(1, operation["max_attempts"] + 1):
            answer = self.ask(operation["call"], scope)
            inner = {**scope, "vars": {"state": answer["State"]}}
            if self.value(operation["until"], inner):
                return {"attempts": attempt}
            if operation["fail_when"] is not None and self.value(operation["fail_when"], inner):
                raise Failed
        raise Failed

    def filter(self, operation: Json, scope: Json) -> Json:
        kept = [
            element
            for element in self.value(operation["from"], scope) or []
            if self.value(operation["where"], {**scope, "item": element})
        ]
        if len(kept) > operation["max_items"]:
            raise Failed
        return {"items": kept, "count": len(kept)}

    def for_each(self, operation: Json, scope: Json) -> Json:
        items = self.value(operation["over"], scope) or []
        if len(items) > operation["max_items"]:
            raise Failed
        for item in items:
            inner = {**scope, "item": item}
            inner |= {name: dict(scope[name]) for name in ("steps", "ended", "own")}
            for body in operation["body"]:
                status = self.step(body, inner)
                if body["step_id"] in self.changed:
                    self.changed.add(operation["step_id"])
                if status == "failed" and body["on_error"] == "fail":
                    if operation["on_item_error"] == "fail":
                        raise Failed(inner["own"][body["step_id"]]["error_code"])
                    break
        return {"count": len(items)}

    def wait(self, operation: Json, scope: Json) -> Json:
        return {}

    def set(self, operation: Json, scope: Json) -> Json:
        return {name: self.value(tree, scope) for name, tree in operation["values"].items()}

    def condition(self, operation: Json, scope: Json) -> Json:
        return {"value": self.value(operation["expr"], scope)}

    def assert_(self, operation: Json, scope: Json) -> Json:
        if not self.value(operation["that"], scope):
            raise Failed
        return {}

    def roll_back(self, failing: Json, scope: Json) -> str:
        ids = {failing["step_id"], failing.get("dest")}
        ids.update(body["step_id"] for body in failing.get("body", []))
        ran, clean = False, True
        for handler in self.document["rollback"]:
            covered = set(handler["steps"])
            if not covered & ids or not covered & self.changed:
                continue
            ran = True
            for undo in handler["ops"]:
                if undo["undoes"] in self.changed:
                    clean = self.step(undo, scope) != "failed" and clean
        return ("rolled_back" if clean else "rollback_failed") if ran else "failed"


setattr(Reference, "assert", Reference.assert_)

CHOSEN = {
    "select": {"id": "Id", "items": "Items"},
    "output_schema": {"Id": "string", "Items": "list"},
}
HIDING = {
    "select": {**CHOSEN["select"], "status": "State", "error_code": "Id"},
    "output_schema": {**CHOSEN["output_schema"], "State": "string"},
}
"""Outputs that are called as what a step says of itself."""
ID = {"select": {"id": "Id"}, "output_schema": {"Id": "string"}}


class Maker:
    """Draws steps, each reading from those before it."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.ops: list[Json] = []
        self.texts: list[Json] = [lit("x"), ref("params", "p")]
        self.lists: list[Json] = [lit([{"Name": "a"}, {"Name": "b"}], "list")]
        self.creates: list[str] = []

    def one_of(self, *values: Any) -> Any:
        return self.draw(st.sampled_from(values))

    def text(self) -> Json:
        found: Json = self.one_of(*self.texts)
        return {"cat": [lit("t-"), found]} if self.one_of(False, True) else found

    def test(self, left: Json | None = None) -> Json:
        right = lit(self.one_of("x", "given", "i0", "i1", "a", "failed", "Refused", "SlowDown"))
        return {"op": self.one_of("==", "!="), "a": left or self.text(), "b": right}

    def retry(self) -> Json:
        return {"max_attempts": self.one_of(1, 2, 3, 4)}

    def step(self, index: int) -> None:
        step_id = f"s{index}"
        common: Json = {"on_error": self.one_of("fail", "fail", "continue")}
        if self.one_of(True, False, False, False):
            self.ops.append(op(f"{step_id}__if", "CONDITION", dest=step_id, expr=self.test()))
            common["guard"] = step_id
        kind = self.one_of(
            self.read,
            self.change,
            self.poll,
            self.loop,
            self.filter,
            self.wait,
            self.set,
            self.check,
        )
        self.ops.append({**kind(index, step_id), **common})

    def reads(self, step_id: str) -> None:
        default = {"default": "d"} if self.one_of(False, True) else {}
        for name in ("id", "status", "error_code"):
            self.texts.append(ref("steps", step_id, name, **(default if name == "id" else {})))

    def read(self, index: int, step_id: str) -> Json:
        chosen = self.one_of(CHOSEN, CHOSEN, HIDING)
        made = aws(step_id, f"List{index}", {"In": self.text()}, retry=self.retry(), **chosen)
        self.reads(step_id)
        self.lists.append(ref("steps", step_id, "items", type_="list"))
        return made

    def change(self, index: int, step_id: str) -> Json:
        made = aws(step_id, f"Create{index}", {"In": self.text()}, retry=self.retry(), **ID)
        self.reads(step_id)
        self.creates.append(step_id)
        return made

    def poll(self, index: int, step_id: str) -> Json:
        described = call(
            f"Describe{index}",
            {"In": self.text()},
            retry=self.retry(),
            output_schema={"State": "string"},
        )
        state = ref("vars", "state")
        return op(
            step_id,
            "POLL",
            timeout=600,
            call=described,
            vars={"state": "State"},
            until={"op": "==", "a": state, "b": lit(self.one_of("a", "b", "c"))},
            fail_when=self.one_of(None, {"op": "==", "a": state, "b": lit("b")}),
            max_attempts=self.one_of(1, 2, 3, 4),
            interval=1,
        )

    def loop(self, index: int, step_id: str) -> Json:
        name = ref("item", "Name")
        inner = {"In": ref("steps", f"{step_id}__a", "id"), "Out": name}
        goes_on = self.one_of("fail", "continue")
        return op(
            step_id,
            "FOR_EACH",
            timeout=600,
            over=self.one_of(*self.lists),
            max_items=self.one_of(2, 10),
            max_concurrency=1,
            on_item_error=self.one_of("fail", "continue"),
            body=[
                aws(f"{step_id}__a", f"Get{index}", {"In": name}, retry=self.retry(), **ID),
                aws(f"{step_id}__b", f"Change{index}", inner, on_error=goes_on),
            ],
        )

    def filter(self, _: int, step_id: str) -> Json:
        where = self.test(ref("item", "Name"))
        from_ = {"from": self.one_of(*self.lists)}
        self.lists.append(ref("steps", step_id, "items", type_="list"))
        return op(step_id, "FILTER", where=where, max_items=2, **from_)

    def wait(self, _: int, step_id: str) -> Json:
        return op(step_id, "WAIT", seconds=self.one_of(0, 1, 50))

    def set(self, _: int, step_id: str) -> Json:
        made = op(step_id, "SET", values={"id": self.text()})
        self.reads(step_id)
        return made

    def check(self, _: int, step_id: str) -> Json:
        return op(step_id, "ASSERT", that=self.test(), message=lit("no"))


@st.composite
def documents(draw: st.DrawFn) -> Json:
    """Plans of up to eight steps of every kind."""
    maker = Maker(draw)
    for index in range(draw(st.integers(1, 8))):
        maker.step(index)
    undo = [
        aws(f"u__{step_id}", "DeleteThing", {"Id": ref("steps", step_id, "id")}, undoes=step_id)
        for step_id in reversed(maker.creates)
    ]
    covered = [step["step_id"] for step in maker.ops if draw(st.booleans())] + maker.creates
    rollback = [{"handler": "undo", "steps": covered, "ops": undo}] if undo else []
    return plan(maker.ops, rollback=rollback, parameters=[parameter("p", default="given")])


class NeverOpen(Breakers):
    """Not what these plans are about: a service that slows down is not called for a while."""

    def of(self, account: str, region: str, service: str) -> Breaker:
        return Breaker()


class TableWorld(World):
    """A table of answers behind the machine: by operation and members, a text refuses."""

    def __init__(self, table: Callable[[str, Json], Json | str]) -> None:
        super().__init__()
        self.table = table
        self.breakers = NeverOpen()

    async def __call__(self, request: AwsRequest, /) -> AwsAnswer:
        answer = self.table(request.operation, request.members)
        if isinstance(answer, str):
            raise AwsFailure("fault", code=answer, status=400)
        return AwsAnswer(output=answer)


@given(document=documents(), seed=st.integers(0, 1_000))
def test_the_machine_makes_the_calls_of_the_reference(document: Json, seed: int) -> None:
    expected, found = Table(seed), Table(seed)
    status = Reference(document, expected).run()
    world = TableWorld(found)
    ending = asyncio.run(world.run(document))
    assert found.calls == expected.calls
    assert ending.status == status, ending.error


@given(
    document=documents(), seed=st.integers(0, 1_000), after=st.integers(1, 40), kept=st.booleans()
)
def test_a_crash_repeats_no_change(document: Json, seed: int, after: int, *, kept: bool) -> None:
    table = Table(seed)
    world = TableWorld(table)
    world.journal = Memory(crash_after=after, kept=kept)

    async def story() -> None:
        try:
            await world.run(document)
        except Crash:
            world.journal = Memory(world.journal.records)
            if world.journal.records:
                await world.resume(document)

    asyncio.run(story())
    if not world.journal.records:
        return
    kinds = [record["r"] for record in world.journal.records]
    assert kinds[-1] == "end"
    intents = kinds.count("intent")
    changes = [name for name, _ in table.calls if name.startswith(("Create", "Change", "Delete"))]
    assert len(changes) <= intents
    done = [record["k"] for record in world.journal.records if record["r"] == "done"]
    assert len(done) == len(set(done))
