"""What a data file says of a service: the rows, each with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from naftiko.source import Location
from naftiko.values import JsonValue
from naftiko.workflow.resolution.recipes import Recipe

ANY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A name and what it stands for: `describe_instance` -> `DescribeDBInstances`."""

    name: str
    target: str
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Where the value of an input member comes from.

    `kind` is `input` (the expression that the mutating call gives for its member `path`), `output`
    (the mutating call's answer, at `path`) or `literal` (`value`). `as_list`: the member is a list
    and takes the value as its only element. `optional`: left out where the mutating call does not
    give it.
    """

    kind: str
    path: str = ""
    value: JsonValue = None
    as_list: bool = False
    optional: bool = False

    def __str__(self) -> str:
        """Return "input.Bucket"."""
        return repr(self.value) if self.kind == "literal" else f"{self.kind}.{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """How the effect of a mutating call can be watched.

    `variables` name paths of the answer: `snapshot_status` -> `DBSnapshots[0].Status`. `until` and
    `fail_when` are conditions over them, None where nothing says what to wait for. `created` is the
    path of the time of creation. `single`: list members of the mutating call that must be constants
    of one element, for one thing only is watched. `how` is `row` or `derived`.
    """

    service: str
    operation: str
    input: Mapping[str, Given]
    variables: Mapping[str, str]
    created: str | None = None
    until: str | None = None
    fail_when: str | None = None
    single: tuple[str, ...] = ()
    how: str = "row"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """The call that takes back a mutating one.

    It is right only under conditions on the mutating call: each member of `only_if` is absent or a
    constant of that value, each of `requires` is a constant of that value, each of `single` is a
    list of one element, each of `fresh` is new in every execution (made with uuid()). And, where
    `when` is given, only if the answer held that value at that path:
    ("StartingInstances[0].PreviousState.Name", "stopped"); this the machine has to ask.
    """

    service: str
    operation: str
    input: Mapping[str, Given]
    only_if: Mapping[str, JsonValue] = field(default_factory=dict)
    requires: Mapping[str, JsonValue] = field(default_factory=dict)
    single: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    when: tuple[str, JsonValue] | None = None
    how: str = "row"


@dataclass(frozen=True, slots=True, kw_only=True)
class Never:
    """A mutating call that nothing takes back with certainty, and why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceData:
    """All rows of one service. `params` and `defaults`: operation or `*` -> member rows."""

    service: str
    digest: str
    noise: frozenset[str] = frozenset()
    actions: Mapping[str, Row] = field(default_factory=dict)
    params: Mapping[str, Mapping[str, Row]] = field(default_factory=dict)
    intents: Mapping[tuple[str, ...], Row] = field(default_factory=dict)
    observe: Mapping[str, Observer] = field(default_factory=dict)
    undo: Mapping[str, Undo | Never] = field(default_factory=dict)
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    defaults: Mapping[str, Mapping[str, Row]] = field(default_factory=dict)

    def aliases(self, operation: str) -> dict[str, Row]:
        """Return the member aliases that count for an operation; its own win over those of `*`."""
        return {**self.params.get(ANY, {}), **self.params.get(operation, {})}
