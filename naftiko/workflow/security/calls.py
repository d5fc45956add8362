"""Plan operations -> the calls in them, and where the values of their members come from.

Shapes: docs/workflow-plan.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from naftiko.workflow.own_fields import STATUS, Hidden, hidden_by, is_own

Operation = Mapping[str, Any]
Tree = Mapping[str, Any]

CREATE_VERBS = ("Create", "Start", "Run", "Launch", "Allocate")

_IDENTIFIER = re.compile(
    r"(?i).*(id|identifier|name|arn|url|uri|bucket|key|handle|alias|resource|target|prefix)s?"
)
_NO_IDENTIFIER = re.compile(r"(?i).*(token|requestid|kmskeyid)")
_NO_TARGET = re.compile(
    r"(?i).*(token|requestid|description|reason|comment|message|type|status|tags|mode|order|dryrun)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of a plan. `step_id` is the operation it belongs to, `cap` that of its loop."""

    step_id: str
    call: Operation
    cap: int | None = None
    is_rollback: bool = False
    is_poll: bool = False
    is_observer: bool = False

    @property
    def service(self) -> str:
        """The name botocore has for the service."""
        return str(self.call["service"])

    @property
    def operation(self) -> str:
        """The API's name of the operation."""
        return str(self.call["operation"])

    @property
    def members(self) -> Mapping[str, Tree]:
        """The trees of the input members."""
        found: Mapping[str, Tree] = self.call.get("input_mapping", {})
        return found

    @property
    def has_target(self) -> bool:
        """Whether a member says what the call is about: not all it sends are switches."""
        return any(_can_name(name, tree) for name, tree in self.members.items())

    @property
    def is_create(self) -> bool:
        """Whether it makes or starts something."""
        return self.operation.startswith(CREATE_VERBS)


def calls_of(ops: Iterable[Operation], *, observers: bool = False) -> Iterator[Call]:
    """Yield the calls of operations in order, with those of polls and of loop bodies.

    With `observers` also those that only settle what became of a call.
    """
    for op, cap in _flat(ops, None):
        call = op["call"] if op["op"] == "POLL" else op if op["op"] == "AWS_CALL" else None
        if call is None:
            continue
        step_id = str(op["step_id"])
        yield Call(step_id=step_id, call=call, cap=cap, is_poll=op["op"] == "POLL")
        observer = call.get("idempotency", {}).get("observer") if observers else None
        if observer:
            yield Call(step_id=step_id, call=observer["call"], cap=cap, is_observer=True)


def rollback_calls(
    rollback: Iterable[Mapping[str, Any]], *, observers: bool = False
) -> Iterator[Call]:
    """Yield the calls of all handlers."""
    for handler in rollback:
        for found in calls_of(handler["ops"], observers=observers):
            yield Call(
                step_id=found.step_id,
                call=found.call,
                cap=found.cap,
                is_rollback=True,
                is_poll=found.is_poll,
                is_observer=found.is_observer,
            )


def flat(ops: Iterable[Operation]) -> Iterator[Operation]:
    """Yield operations and those in the bodies of loops, in order."""
    return (op for op, _ in _flat(ops, None))


def _flat(ops: Iterable[Operation], cap: int | None) -> Iterator[tuple[Operation, int | None]]:
    for op in ops:
        yield op, cap
        if op["op"] == "FOR_EACH":
            yield from _flat(op["body"], (cap or 1) * int(op["max_items"]))


def _can_name(name: str, tree: Tree) -> bool:
    if _NO_TARGET.fullmatch(name) or tree.get("t") in {"boolean", "integer", "number", "null"}:
        return False
    return not isinstance(tree.get("lit"), bool | int | float)


def undone_steps(rollback: Iterable[Mapping[str, Any]], ops: Iterable[Operation]) -> frozenset[str]:
    """Return the steps whose effect a handler takes back.

    What a loop made is taken back by a handler that loops: one call reaches one item.
    """
    bodies = {
        str(op["step_id"]): {str(inner["step_id"]) for inner in op["body"]}
        for op in ops
        if op["op"] == "FOR_EACH"
    }
    found: set[str] = set()
    for handler in rollback:
        for op in handler["ops"]:
            undoes = op.get("undoes")
            covered = {undoes} if undoes is not None else set(handler["steps"])
            found |= covered
            if op["op"] == "FOR_EACH":
                found.update(*(bodies.get(step_id, ()) for step_id in covered))
    return frozenset(found)


def children(tree: Tree) -> Iterator[Tree]:
    """Yield the trees that a tree is made of. Names in an `obj` are data, not parts of it."""
    if "obj" in tree:
        yield from tree["obj"].values()
        return
    for name in ("list", "cat", "args"):
        yield from tree.get(name, ())
    for name in ("a", "b"):
        if isinstance(tree.get(name), Mapping):
            yield tree[name]


def references(tree: Tree) -> Iterator[Sequence[str | int]]:
    """Yield the paths of all references in a tree, in order."""
    if "ref" in tree:
        yield tree["ref"]
        return
    for inner in children(tree):
        yield from references(inner)


def identifiers(members: Mapping[str, Tree]) -> Iterator[tuple[str, Tree]]:
    """Yield the members that say which thing is meant, also those inside of others.

    "Delete": {"obj": {"Objects": {"list": [{"obj": {"Key": tree}}]}}} -> ("Key", tree)
    """
    for name, tree in members.items():
        inner = list(_inner(tree))
        if inner:
            yield from identifiers(dict(inner))
        elif is_identifier(name):
            yield name, tree


def _inner(tree: object) -> Iterator[tuple[str, Tree]]:
    if not isinstance(tree, Mapping):
        return
    yield from tree.get("obj", {}).items()
    for element in tree.get("list", ()):
        yield from _inner(element)
    if isinstance(tree.get("lit"), dict | list):
        yield from _inner_literal(tree["lit"])


def _inner_literal(value: object) -> Iterator[tuple[str, Tree]]:
    if isinstance(value, dict):
        yield from ((name, {"lit": inner}) for name, inner in value.items())
    elif isinstance(value, list):
        for element in value:
            yield from _inner_literal(element)


def is_identifier(name: str) -> bool:
    """Tell whether a member of that name says which thing is meant."""
    return bool(_IDENTIFIER.fullmatch(name)) and not _NO_IDENTIFIER.fullmatch(name)


@dataclass(slots=True)
class Origins:
    """Tells which references hold data of responses. Built over all operations, in order."""

    from_responses: set[tuple[str, str | None]] = field(default_factory=set)
    unbounded: set[tuple[str, str | None]] = field(default_factory=set)
    items: dict[str, bool] = field(default_factory=dict)
    hidden: Hidden = frozenset()

    @classmethod
    def of(cls, ops: Iterable[Operation]) -> Origins:
        """Follow the values through SET, FILTER and FOR_EACH."""
        ops = list(ops)
        found = cls(hidden=hidden_by(ops))
        found._read(ops, item=False)
        return found

    def is_response(self, step_id: str, tree: Tree) -> bool:
        """Tell whether a tree in that step holds data of a response."""
        return self._holds(tree, item=self.items.get(step_id, False))

    def decides(self, call: Call, tree: Tree) -> bool:
        """Tell whether a tree of a call has data of a response; in rollback any `item` may be."""
        step_id = call.step_id
        return self._holds(tree, item=call.is_rollback or self.items.get(step_id, False))

    def is_unbounded(self, tree: Tree) -> bool:
        """Tell whether a tree is a list straight from a response, as long as AWS makes it."""
        return any(
            path[0] == "steps"
            and ((path[1], None) in self.unbounded or (path[1], *path[2:3]) in self.unbounded)
            for path in references(tree)
        )

    def _read(self, ops: Iterable[Operation], *, item: bool) -> None:
        for op in ops:
            step_id = str(op["step_id"])
            self.items[step_id] = item
            match op["op"]:
                case "AWS_CALL" | "POLL":
                    self.from_responses.add((step_id, None))
                    self.unbounded.add((step_id, None))
                case "SET":
                    for name, tree in op["values"].items():
                        if self.is_unbounded(tree):
                            self.unbounded.add((step_id, name))
                        if self._holds(tree, item=item):
                            self.from_responses.add((step_id, name))
                case "FILTER":
                    self.items[step_id] = self._holds(op["from"], item=item)
                    if self.items[step_id]:
                        self.from_responses.add((step_id, None))
                case "FOR_EACH":
                    self.from_responses.add((step_id, None))
                    self._read(op["body"], item=self._holds(op["over"], item=item))

    def _holds(self, tree: Tree, *, item: bool) -> bool:
        return any(self._is_from_response(path, item=item) for path in references(tree))

    def _is_from_response(self, path: Sequence[str | int], *, item: bool) -> bool:
        if path[0] == "item":
            return item
        if path[0] == "vars":
            return True
        if path[0] != "steps" or (path[2:3] == [STATUS] and is_own(path, self.hidden)):
            return False
        step_id, output = str(path[1]), str(path[2]) if len(path) > 2 else None
        return (step_id, None) in self.from_responses or (step_id, output) in self.from_responses
