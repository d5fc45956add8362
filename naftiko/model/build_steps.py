"""Nodes -> steps and mappings, in both generations' spellings."""

from __future__ import annotations

from naftiko.document.nodes import Mapping, Sequence
from naftiko.model.fields import Fields
from naftiko.model.steps import OutputMapping, Step


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


def build_mappings(fields: Fields) -> tuple[OutputMapping, ...]:
    """Build `mappings`: `targetName` (naftiko), `target` (ikanos)."""
    node = fields.node_of("mappings")
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
