"""A workflow as its author wrote it, each part with its place. Spec: section 1, "Source format".

Values that may hold `${...}` stay nodes of the document: what they mean is settled by resolution.
Durations are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from naftiko.document.nodes import Mapping, Node, Scalar
from naftiko.source import Location
from naftiko.values import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How a call is repeated. `retry_on` holds classes (`throttling`) and AWS error codes."""

    max_attempts: int = 1
    backoff: str = "exponential"
    initial_delay: int = 1
    max_delay: int = 30
    jitter: str = "full"
    retry_on: tuple[str, ...] = ("throttling", "server_error", "timeout", "connection")
    ambiguous: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedOutput:
    """A declared output of a step: `path` is text such as `DBSnapshot.DBSnapshotIdentifier`."""

    name: Scalar
    path: Scalar
    type_: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """How pages are followed, where the author says it."""

    max_items: int = 1_000
    page_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One AWS call. With neither `context` nor `input` it is resolved from its `intent`.

    `loose` are the further names of `context`; `input` the exact members, which win over them.
    """

    service: Scalar | None = None
    action: Scalar | None = None
    region: Node | None = None
    loose: tuple[tuple[Scalar, Node], ...] = ()
    input: tuple[tuple[Scalar, Node], ...] = ()
    paginate: Paging | None = None
    is_shorthand: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """Calls a reading operation until a condition holds.

    Without `command` it observes the nearest mutating call that the step depends on. `select` maps
    variables of the condition to paths of the answer. `timeout` None: attempts x interval + 60.
    """

    condition: Scalar | None
    max_attempts: int = 20
    interval: int = 30
    timeout: int | None = None
    fail_when: Scalar | None = None
    command: Command | None = None
    select: tuple[tuple[Scalar, Scalar], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Does nothing for `seconds`."""

    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Assert:
    """Fails with `message` unless the condition holds."""

    condition: Scalar
    message: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Keeps the elements of a list for which `where` holds."""

    from_: Scalar
    where: Scalar
    max_items: int = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ForEach:
    """Runs steps once for each element of a list."""

    over: Scalar
    do: tuple[Step, ...]
    max_items: int = 50
    max_concurrency: int = 1
    on_item_error: str = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetValues:
    """Computes values."""

    values: tuple[tuple[Scalar, Node], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallWorkflow:
    """Runs another workflow in place: `name` or `name@version`."""

    workflow: Scalar
    parameters: tuple[tuple[Scalar, Node], ...] = ()


Action: TypeAlias = Command | Poll | Wait | Assert | Filter | ForEach | SetValues | CallWorkflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step. `depends_on` None means the step before it. `location` is that of its id.

    Without `timeout_given`, `timeout` is what its kind has by default.
    """

    id: str
    action: Action
    location: Location
    intent: Scalar | None = None
    depends_on: tuple[Scalar, ...] | None = None
    condition: Scalar | None = None
    timeout: int = 60
    timeout_given: bool = False
    retry: Retry = field(default_factory=Retry)
    on_error: str = "fail"
    outputs: tuple[SelectedOutput, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """An input of the workflow. `default` counts only with `has_default`."""

    name: str
    type_: str
    location: Location
    required: bool = False
    has_default: bool = False
    default: JsonValue = None
    description: str = ""
    pattern: Scalar | None = None
    min: int | float | None = None
    max: int | float | None = None
    enum: tuple[JsonValue, ...] = ()
    items: str | None = None
    sensitive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """An item of `rollback`. `steps` None covers all of them."""

    on_failure: Scalar
    location: Location
    steps: tuple[Scalar, ...] | None = None
    command: Command | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """What the search for workflows reads beside name and description."""

    primary_text: str = ""
    use_cases: tuple[Scalar, ...] = ()
    services: tuple[str, ...] = ()
    complexity: str | None = None
    risk_level: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Tier and limits that the author claims. Locations are for diagnostics on the claims."""

    tier: str = "community"
    author: str = ""
    license: str = ""
    risk_score: float | None = None
    max_duration: int = 300
    max_steps: int = 50
    cache: bool = False
    places: Mapping | None = None

    def at(self, name: str, otherwise: Location) -> Location:
        """Return where a claim stands: that of its value."""
        node = self.places.get(name) if self.places is not None else None
        return node.location if node is not None else otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """One workflow. `declared_permissions` None: not given. `parameters_given`: `parameters` is."""

    name: str
    version: str
    description: str
    type_: str
    location: Location
    sha256: str
    version_given: bool = True
    metadata: Metadata = field(default_factory=Metadata)
    parameters: tuple[Parameter, ...] = ()
    parameters_given: bool = False
    permissions: tuple[Scalar, ...] | None = None
    permissions_location: Location | None = None
    steps: tuple[Step, ...] = ()
    steps_given: bool = True
    nested_workflows: tuple[Scalar, ...] | None = None
    outputs: tuple[tuple[Scalar, Node], ...] | None = None
    rollback: tuple[Handler, ...] = ()
    embedding: Embedding = field(default_factory=Embedding)

    @property
    def ref(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"
