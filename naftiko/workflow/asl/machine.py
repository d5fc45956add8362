"""A state machine being built: its states, their names, and the checks on the whole.

Spec: section 11; WF802, WF803.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import cast

from naftiko.errors import Problems
from naftiko.source import Location
from naftiko.values import JsonObject, JsonValue

MAX_NAME = 80
SUFFIX = 14
"""Room for the longest suffix, `.rollback.` apart, which stands behind no step."""

MAX_BYTES = 1024 * 1024
START = "Workflow.start"
"""Steps begin with a small letter, so no state of theirs has such a name."""


class Machine:
    """The states of one scope: the machine's own, or those of a Map."""

    def __init__(self, problems: Problems, place: Location) -> None:
        """Start without states; `place` is where problems of the whole are reported."""
        self.states: JsonObject = {}
        self.problems = problems
        self.place = place
        self._long: set[str] = set()

    def add(self, name: str, state: JsonObject, place: Location | None = None) -> str:
        """Add a state and return its name."""
        step_id = name.split(".", 1)[0]
        if len(step_id) > MAX_NAME and step_id not in self._long:
            self._long.add(step_id)
            self.problems.error(
                "WF802",
                f"the state `{step_id}` has a name of {len(step_id)} characters, where Step "
                f"Functions allows {MAX_NAME}",
                place or self.place,
                "shorten the step's id, or those of the workflows that are nested around it",
            )
        if name in self.states:
            raise ValueError(f"two states are called {name}")
        self.states[name] = state
        return name


def prefix_of(step_id: str) -> str:
    """Return what the names of the states around a step's own begin with.

    An id that leaves no room for what follows is cut; a digest keeps it apart from others.
    """
    if len(step_id) <= MAX_NAME - SUFFIX or len(step_id) > MAX_NAME:
        return step_id
    digest = hashlib.sha256(step_id.encode()).hexdigest()[:6]
    return f"{step_id[: MAX_NAME - SUFFIX - 7]}~{digest}"


def shortened(states: JsonObject) -> JsonObject:
    """Return the states of a scope with names that fit, and their transitions with them."""
    return {_short(name): _with_short_targets(state) for name, state in states.items()}


def _short(name: str) -> str:
    step_id, dot, suffix = name.partition(".")
    return f"{prefix_of(step_id)}.{suffix}" if dot else name


def _with_short_targets(state: JsonValue) -> JsonValue:
    changed = dict(cast("JsonObject", state))
    for field in ("Next", "Default"):
        if field in changed:
            changed[field] = _short(str(changed[field]))
    for field in ("Choices", "Catch"):
        if field in changed:
            rules = cast("list[JsonValue]", changed[field])
            changed[field] = [_with_short_targets(rule) for rule in rules]
    if changed.get("Type") == "Map":
        inner = dict(cast("JsonObject", changed["ItemProcessor"]))
        inner["StartAt"] = _short(str(inner["StartAt"]))
        inner["States"] = shortened(cast("JsonObject", inner["States"]))
        changed["ItemProcessor"] = inner
    return changed


def check(definition: JsonObject) -> list[str]:
    """Return what is wrong with the transitions of a definition; nothing, or the exporter errs.

    Every target exists in its own scope, every state can be reached, every path can end.
    """
    return [*_check_scope(definition, "the machine")]


def _check_scope(scope: JsonObject, where: str) -> Iterator[str]:
    states = cast("dict[str, JsonObject]", scope["States"])
    reached: set[str] = set()
    waiting = [str(scope["StartAt"])]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        if name not in states:
            yield f"{where} has no state {name}"
            continue
        waiting.extend(targets(states[name]))
    for name in sorted(set(states) - reached):
        yield f"the state {name} of {where} cannot be reached"
    ends = [n for n, state in states.items() if state.get("End") or _is_last(state)]
    if not ends:
        yield f"{where} has no end"
    for name, state in states.items():
        if state["Type"] == "Map":
            yield from _check_scope(cast("JsonObject", state["ItemProcessor"]), f"the map {name}")


def targets(state: JsonObject) -> list[str]:
    """Return the names of the states that may follow a state."""
    found = [state.get("Next"), state.get("Default")]
    for field in ("Choices", "Catch"):
        rules = cast("list[JsonObject]", state.get(field, []))
        found.extend(rule["Next"] for rule in rules)
    return [str(name) for name in found if name is not None]


def _is_last(state: JsonObject) -> bool:
    return state["Type"] in {"Succeed", "Fail"}


def passing(assign: JsonObject, next_: str) -> JsonObject:
    """Return a state that only assigns variables."""
    state: JsonObject = {"Type": "Pass", "Next": next_}
    if assign:
        state["Assign"] = assign
    return state


def choosing(rules: list[tuple[str, str]], default: str) -> JsonObject:
    """Return a Choice: [(condition, target)]."""
    choices: list[JsonValue] = [
        {"Condition": condition, "Next": target} for condition, target in rules
    ]
    return {"Type": "Choice", "Choices": choices, "Default": default}
