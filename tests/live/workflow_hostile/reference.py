"""A naive interpreter of the plan: from it and the outcomes so far follows the next request.

It reads the plan's document, knows nothing of HTTP or records, and of an outcome only what the
plan selects and compares.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from naftiko.workflow.ports import AwsFailure, AwsRequest
from tests.unit.workflow.vm.worlds import Json

Outcome = Json | AwsFailure
SLOW = ("RequestLimitExceeded", "TooManyRequests", "TooManyRequestsException", "SlowDown")
KEPT = 256 * 1024


class Failed(Exception):  # noqa: N818 - a step's failure
    """A step failed; `effect`: what it changed is known."""

    def __init__(self, *, effect: bool = False) -> None:
        super().__init__()
        self.effect = effect


class Reference:
    """Walks through the plan beside what was recorded; `sent` is what should have been."""

    def __init__(self, plan: Json, recorded: Sequence[tuple[AwsRequest, Outcome]]) -> None:
        self.plan = plan
        self.recorded: Iterator[tuple[AwsRequest, Outcome]] = iter(recorded)
        self.sent: list[tuple[str, str, Json]] = []
        self.changed: set[str] = set()
        self.registers: Json = {}
        self.scope: Json = {"params": {"table": "orders"}, "steps": {}, "item": None, "vars": {}}

    def run(self) -> None:
        """Compute all requests."""
        for node in self.plan["execution_plan"]:
            try:
                self.step(node)
            except Failed:
                if node["on_error"] == "fail":
                    self.roll_back(node)
                    return

    def step(self, node: Json) -> None:
        if node["guard"] is not None and not self.registers[node["guard"]]:
            self.scope["steps"][node["step_id"]] = {}
            return
        self.scope["steps"][node["step_id"]] = {}
        try:
            outputs = getattr(self, node["op"].lower())(node)
        except Failed as failed:
            if failed.effect:
                self.changed.add(node["step_id"])
            raise
        self.scope["steps"][node["step_id"]] = outputs

    def roll_back(self, node: Json) -> None:
        ids = {
            node["step_id"],
            node.get("dest"),
            *(inner["step_id"] for inner in node.get("body", ())),
        }
        for handler in self.plan["rollback"]:
            if not set(handler["steps"]) & ids or not set(handler["steps"]) & self.changed:
                continue
            for undo in handler["ops"]:
                try:
                    self.aws_call(undo)
                except Failed:
                    continue

    # -- operations

    def aws_call(self, node: Json) -> Json:
        members = self.members(node)
        if node["paginate"]:
            return self.select(node, self.pages(node, members))
        answer = self.ask(node, node["step_id"], members)
        if node["mutating"]:
            self.changed.add(node["step_id"])
        return self.select(node, answer)

    def pages(self, node: Json, members: Json) -> Json:
        paging = node["paginate"]
        more: Json = {}
        items: list[Any] = []
        name = paging["result"][0]
        while True:
            answer = self.ask(node, node["step_id"], {**members, **more})
            items.extend(typed(answer.get(name), "list") or [])
            token = answer.get(paging["output"][0][0])
            if token in (None, "", {}) or len(items) >= paging["max_items"]:
                return {name: items[: paging["max_items"]]}
            if more.get(paging["input"][0]) == token:
                raise Failed
            more = {paging["input"][0]: token}

    def ask(self, call: Json, step_id: str, members: Json) -> Json:
        for attempt in range(1, call["retry"]["max_attempts"] + 1):
            self.sent.append((step_id, call["operation"], members))
            _, outcome = next(self.recorded, (None, {}))
            if not isinstance(outcome, AwsFailure):
                return outcome
            kind = outcome.kind
            unknown = call["mutating"] and kind in {"timeout", "connection"} and outcome.sent
            again = kind in {"timeout", "connection"} or (
                kind == "fault"
                and (
                    outcome.status >= 500
                    or outcome.status == 429
                    or outcome.code.startswith("Throttl")
                    or outcome.code in SLOW
                )
            )
            if unknown or not again or attempt == call["retry"]["max_attempts"]:
                raise Failed
        raise AssertionError

    def select(self, node: Json, answer: Json) -> Json:
        try:
            found = {
                name: typed(at(answer, path), node["output_schema"][path])
                for name, path in node["select"].items()
            }
            if len(json.dumps(found, ensure_ascii=False).encode(errors="replace")) > KEPT:
                raise Failed
        except Failed:
            raise Failed(effect=node["mutating"]) from None
        return found

    def poll(self, node: Json) -> Json:
        for _ in range(node["max_attempts"]):
            answer = self.ask(node["call"], node["step_id"], self.members(node["call"]))
            self.scope["vars"] = {
                name: typed(at(answer, path), node["call"]["output_schema"][path])
                for name, path in node["vars"].items()
            }
            if self.value(node["until"]):
                return {}
            if self.value(node["fail_when"]):
                raise Failed
        raise Failed

    def filter(self, node: Json) -> Json:
        kept = []
        for element in self.value(node["from"]) or []:
            self.scope["item"] = element
            if self.value(node["where"]) is True:
                kept.append(element)
        if len(kept) > node["max_items"]:
            raise Failed
        return {"items": kept, "count": len(kept)}

    def for_each(self, node: Json) -> Json:
        for element in self.value(node["over"]) or []:
            self.scope["item"] = element
            for inner in node["body"]:
                self.step(inner)
        return {}

    def condition(self, node: Json) -> Json:
        self.registers[node["dest"]] = self.value(node["expr"]) is True
        return {}

    # -- values

    def members(self, call: Json) -> Json:
        found = {name: pruned(self.value(tree)) for name, tree in call["input_mapping"].items()}
        if any(
            found[name] is None and type_.endswith("!")
            for name, type_ in call["input_schema"].items()
        ):
            raise Failed
        return {name: value for name, value in found.items() if value is not None}

    def value(self, tree: Json) -> Any:
        if "lit" in tree:
            return tree["lit"]
        if "list" in tree:
            return [self.value(inner) for inner in tree["list"]]
        if "obj" in tree:
            return {name: self.value(inner) for name, inner in tree["obj"].items()}
        if "ref" in tree:
            return self.reference(tree)
        return COMPARISONS[tree["op"]](self.value(tree["a"]), self.value(tree["b"]))

    def reference(self, tree: Json) -> Any:
        found: Any = self.scope
        for part in tree["ref"]:
            found = found.get(part) if isinstance(found, dict) else None
        if found is None:
            return tree.get("default")
        if isinstance(found, int) and abs(found) >= 2**64:
            raise Failed
        return typed(found, tree["t"])


COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "&&": lambda a, b: a and b,
    "||": lambda a, b: a or b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a is not None and b is not None and a > b,
    "startswith": lambda a, b: isinstance(a, str) and a.startswith(b),
}


def at(answer: Any, path: str) -> Any:
    """Return what stands at a path; null if it ends before."""
    for part in path.replace("[0]", ".0").split("."):
        if answer is None:
            return None
        if part == "0":
            answer = (typed(answer, "list") or [None])[0]
        else:
            answer = typed(answer, "map").get(part)
    return answer


def typed(value: Any, type_: str) -> Any:
    """Return a value of a type, or null. Raises: Failed."""
    kinds: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "integer": (int,),
        "number": (int, float),
        "list": (list,),
        "map": (dict,),
    }
    if value is None:
        return None
    if not isinstance(value, kinds[type_]) or isinstance(value, bool):
        raise Failed
    return value


def pruned(value: Any) -> Any:
    """Leave out what is null, and what is empty for that."""
    if isinstance(value, dict):
        kept = {name: x for name, x in ((n, pruned(v)) for n, v in value.items()) if x is not None}
        return kept if kept or not value else None
    if isinstance(value, list):
        items = [x for x in map(pruned, value) if x is not None]
        return items if items or not value else None
    return value
