"""Nodes -> steps and mappings, in both generations' spellings."""

from __future__ import annotations

from collections.abc import Iterator

from naftiko.document.nodes import Mapping, Scalar, Sequence
from naftiko.model.fields import Fields
from naftiko.model.steps import OutputMapping, Step

NESTED = {
    "if": ("then", "else"),
    "switch": ("default",),
    "forEach": ("steps",),
    "while": ("steps",),
    "until": ("steps",),
    "try": ("steps", "catch", "finally", "onCancel"),
}
"""The members of a step that hold steps; `switch` has `cases` and `parallel` `branches` beside."""


def build_steps(fields: Fields, member: str = "steps") -> tuple[Step, ...]:
    """Build a list of steps, or a map of steps by name; `type` is `call` where it says nothing."""
    return tuple(
        Step(
            name=named.name,
            type_=named.fields.text("type") or "call",
            fields=named.fields,
            location=named.location,
        )
        for named in fields.named(member)
    )


def build_cases(step: Step) -> tuple[tuple[Fields, tuple[Step, ...]], ...]:
    """Build the `cases` of a `switch`: the members of each, and its steps."""
    return tuple((case, build_steps(case)) for case in step.fields.items("cases"))


def build_branches(step: Step) -> tuple[tuple[Scalar, tuple[Step, ...]], ...]:
    """Build the `branches` of a `parallel` step: the name of each, and its steps."""
    branches = step.fields.mapping("branches")
    if branches is None:
        return ()
    fields = Fields(branches)
    return tuple((key, build_steps(fields, key.text)) for key, _ in branches.entries)


def nested_steps(step: Step) -> Iterator[tuple[Step, ...]]:
    """Yield the lists of steps that a step holds."""
    for member in NESTED.get(step.type_, ()):
        yield build_steps(step.fields, member)
    if step.type_ == "switch":
        yield from (steps for _, steps in build_cases(step))
    elif step.type_ == "parallel":
        yield from (steps for _, steps in build_branches(step))


def build_mappings(fields: Fields) -> tuple[OutputMapping, ...]:
    """Build `mappings`: `targetName` (naftiko), `target` (ikanos), or a map of targets."""
    node = fields.node_of("mappings")
    if isinstance(node, Mapping):
        return tuple(
            OutputMapping(target=key, value=value, location=key.location)
            for key, value in node.entries
        )
    if not isinstance(node, Sequence):
        return ()
    found: list[OutputMapping] = []
    for item in node:
        if not isinstance(item, Mapping):
            continue
        inner = Fields(item)
        target, value = inner.scalar("targetName", "target"), inner.node_of("value")
        if target is not None and value is not None:
            found.append(OutputMapping(target=target, value=value, location=item.location))
    return tuple(found)
