"""Recipes: parameterised steps that a `service` and an `action` name stand for. Spec: rule 6.

Steps stay nodes until a workflow uses the recipe; then the parser of workflows reads them. In them
`${params.x}` is a parameter of the recipe. They are expanded as `<step>__<n>`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.errors import Problems
from naftiko.source import Location
from naftiko.values import JsonValue
from naftiko.workflow.resolution.words import words_of

if TYPE_CHECKING:
    from naftiko.workflow.ast import Step

DESTROY_VERBS = frozenset(
    [
        "abort",
        "cancel",
        "delete",
        "deregister",
        "disable",
        "empty",
        "purge",
        "release",
        "remove",
        "reset",
        "revoke",
        "stop",
        "terminate",
    ]
)
"""First words of operations that destroy; a recipe with one of them must say on what (`scope`)."""

_WHOLE = re.compile(r"\$\{\s*params\.([a-z][a-z0-9_]*)\s*\}")
_PREFIXES = frozenset({"batch", "bulk", "schedule", "force"})


def destroys(operation: str) -> bool:
    """Tell whether an operation destroys: "DeleteBucket", "schedule_key_deletion"."""
    words = words_of(operation)
    if words[:1] and words[0] in _PREFIXES:
        return not DESTROY_VERBS.isdisjoint(words) or "deletion" in words
    return words[:1] != () and words[0] in DESTROY_VERBS


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeParameter:
    """An input of a recipe.

    Unbound, it takes the workflow parameter of its name, else its default. `scope`: what limits a
    destructive recipe; it must be bound (WF313). `created`: operation -> path of its answer; the
    parameter is the list of these values from the earlier steps of the workflow that call one of
    the operations: what this execution has made itself. Nothing else binds such a parameter.
    `constant`: its value stands in the plan as it is (a loop's cap), so only a constant binds it.
    """

    name: str
    type_: str
    location: Location
    items: str | None = None
    has_default: bool = False
    default: JsonValue = None
    scope: bool = False
    constant: bool = False
    description: str = ""
    created: MappingType[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A recipe: `body` are its steps."""

    service: str
    name: str
    description: str
    parameters: tuple[RecipeParameter, ...]
    body: Sequence
    location: Location

    @property
    def title(self) -> str:
        """`recipe rds.cleanup_snapshots`, as it stands in a plan's `at`."""
        return f"recipe {self.service}.{self.name}"

    @property
    def scope(self) -> tuple[str, ...]:
        """Names of the parameters that must be bound."""
        return tuple(item.name for item in self.parameters if item.scope)

    def steps(
        self, problems: Problems, constants: MappingType[str, JsonValue] | None = None
    ) -> tuple[Step, ...]:
        """Return its steps as a workflow's, with the values of its `constant` parameters.

        Those that are not given take their default.
        """
        from naftiko.workflow.source.parser import parse_steps

        values = {item.name: item.default for item in self.parameters if item.constant}
        values.update(constants or {})
        return tuple(parse_steps(_filled(self.body, values), problems))

    def actions(self) -> tuple[tuple[str, str], ...]:
        """Return (service, action) of every call in it, in order."""
        return tuple(_actions(self.body))

    @property
    def is_destructive(self) -> bool:
        """Whether one of its calls destroys something."""
        return any(destroys(action) for _, action in self.actions())


def _filled(node: Node, values: MappingType[str, JsonValue]) -> Node:
    """Return a node with constants in place of the texts that are exactly `${params.<name>}`."""
    if isinstance(node, Sequence):
        return Sequence(tuple(_filled(item, values) for item in node), node.location)
    if isinstance(node, Mapping):
        entries = ((key, _filled(value, values)) for key, value in node.entries)
        return Mapping(tuple(entries), node.location)
    match = _WHOLE.fullmatch(node.text)
    value = values.get(match[1]) if match is not None else None
    if not isinstance(value, (str, int)):
        return node
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return Scalar(value, text, node.location)


def _actions(node: Node) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if isinstance(node, Sequence):
        for item in node:
            found += _actions(item)
    elif isinstance(node, Mapping):
        context = node.get("context")
        if isinstance(context, Mapping):
            service, action = context.get("service"), context.get("action")
            if service is not None and action is not None:
                found.append((str(service.plain()), str(action.plain())))
        for name in node:
            child = node.get(name)
            if name == "do" and child is not None:
                found += _actions(child)
    return found
