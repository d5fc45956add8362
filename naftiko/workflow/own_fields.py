"""What every step says of itself in expressions, and which outputs hide that.

`${steps.x.status}` and `${steps.x.error_code}` are there without being declared. An output that is
declared under one of these names is what expressions read then, whatever became of the step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

from naftiko.values import JsonValue

STATUS, ERROR_CODE = "status", "error_code"

OWN = (STATUS, ERROR_CODE)
"""The names, in the order in which they are shown."""

Hidden: TypeAlias = frozenset[tuple[str, str]]
"""(step id, name) of the outputs that hide a field of their step's own."""


def names_of(operation: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of an operation's outputs (docs/workflow-plan.md)."""
    kind = operation["op"]
    if kind == "AWS_CALL":
        yield from operation["select"]
    elif kind == "POLL":
        yield from operation["call"]["select"]
        yield "attempts"
    elif kind == "FOR_EACH":
        yield from ("count", "succeeded", "failed", "results")
    elif kind == "FILTER":
        yield from ("items", "count")
    elif kind == "SET":
        yield from operation["values"]


def hidden_by(operations: Iterable[Mapping[str, Any]]) -> Hidden:
    """Return which outputs of operations, and of those in their bodies, hide an own field."""
    found: set[tuple[str, str]] = set()
    for operation in operations:
        step_id = str(operation["step_id"])
        found.update((step_id, name) for name in names_of(operation) if name in OWN)
        found |= hidden_by(operation.get("body", ()))
    return frozenset(found)


def hidden_in(plan: Mapping[str, Any]) -> Hidden:
    """Return which outputs of a plan hide an own field of their step."""
    undoing = (handler["ops"] for handler in plan["rollback"])
    return hidden_by(chain(plan["execution_plan"], *undoing))


def is_own(path: Sequence[JsonValue], hidden: Hidden) -> bool:
    """Tell whether a reference reads what a step says of itself: ["steps", "x", "status"]."""
    if path[0] != "steps" or len(path) < 3:
        return False
    step_id, name = str(path[1]), str(path[2])
    return name in OWN and (step_id, name) not in hidden
