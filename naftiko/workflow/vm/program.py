"""Plan document -> Program: frozen nodes, every tree and path compiled once. Spec: section 5."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.expressions.evaluate import compile_tree
from naftiko.workflow.expressions.values import Values
from naftiko.workflow.own_fields import OWN
from naftiko.workflow.vm.data import Path, path
from naftiko.workflow.vm.reads import Reads, reads_of

Evaluate: TypeAlias = Callable[[Values], JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A compiled tree, with its text for previews and the steps it reads."""

    evaluate: Evaluate = field(compare=False)
    source: JsonObject
    reads: Reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One member of a call's input."""

    member: str
    tree: Tree
    type_: str
    required: bool
    sensitive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """One output of a call. `fields`: what is kept of each element of a list."""

    name: str
    path: Path
    type_: str
    fields: tuple[str, ...] | None
    sensitive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """How often a call is attempted, and when again. Delays in seconds."""

    max_attempts: int
    backoff: str
    initial_delay: float
    max_delay: float
    jitter: str
    retry_on: frozenset[str]
    ambiguous: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """How the pages of an answer are followed."""

    input: tuple[str, ...]
    output: tuple[tuple[Path, ...], ...]
    result: tuple[Path, ...]
    more: Path | None
    size: str | None
    max_items: int
    page_size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable that a poll or an observer reads from an answer."""

    name: str
    path: Path
    type_: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """How to see that a call has had its effect; `created` is the path of the time of creation."""

    call: Call
    created: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """What repeating a call means: `read`, `token`, `natural`, `none`."""

    kind: str
    member: str = ""
    exists_error: str = ""
    observer: Observer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One AWS operation with everything it takes."""

    service: str
    operation: str
    inputs: tuple[Input, ...]
    region: Tree | None
    selected: tuple[Selected, ...]
    types: Mapping[str, str]
    mutating: bool
    idempotency: Idempotency
    retry: RetryRule
    pages: Pages | None
    dry_run: bool
    reads: Reads

    @property
    def masked(self) -> frozenset[str]:
        """Members whose values are shown to nobody."""
        return frozenset(item.member for item in self.inputs if item.sensitive)


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What every operation has. `position` is its place among the top-level operations.

    `own` are the fields of its own that no output of the same name hides.
    """

    step_id: str
    op: str
    guard: str | None
    timeout_s: float
    on_error: str
    position: int
    reads: Reads
    undoes: str | None = None
    hidden: frozenset[str] = frozenset()
    own: tuple[str, ...] = OWN


@dataclass(frozen=True, slots=True, kw_only=True)
class CallNode:
    """AWS_CALL."""

    common: Common
    call: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class PollNode:
    """POLL."""

    common: Common
    call: Call
    variables: tuple[Variable, ...]
    until: Tree
    fail_when: Tree | None
    max_attempts: int
    interval_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopNode:
    """FOR_EACH."""

    common: Common
    over: Tree
    max_items: int
    max_concurrency: int
    on_item_error: str
    body: tuple[Node, ...]

    @property
    def mutating(self) -> bool:
        """Whether its body changes anything."""
        return any(isinstance(node, CallNode) and node.call.mutating for node in self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterNode:
    """FILTER."""

    common: Common
    from_: Tree
    where: Tree
    max_items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitNode:
    """WAIT."""

    common: Common
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertNode:
    """ASSERT."""

    common: Common
    that: Tree
    message: Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNode:
    """SET."""

    common: Common
    values: tuple[tuple[str, Tree], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionNode:
    """CONDITION."""

    common: Common
    dest: str
    expr: Tree


Node: TypeAlias = (
    CallNode | PollNode | LoopNode | FilterNode | WaitNode | AssertNode | SetNode | ConditionNode
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """A rollback handler, with the steps it covers."""

    name: str
    steps: frozenset[str]
    ops: tuple[Node, ...]
    latest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A plan that can be run any number of times."""

    plan: JsonObject
    workflow: JsonObject
    checksum: str
    max_duration_s: float
    parameters: tuple[JsonObject, ...]
    ops: tuple[Node, ...]
    handlers: tuple[Handler, ...]
    outputs: tuple[tuple[str, Tree, bool], ...]
    sensitive: frozenset[str]
    positions: Mapping[str, int]

    @classmethod
    def load(cls, plan: JsonObject) -> Program:
        """Compile a plan. Its integrity has been checked: the structure is taken as given."""
        from naftiko.workflow.vm.loading import load_program

        return load_program(plan)


def compile_one(tree: JsonObject) -> Tree:
    """Compile a tree."""
    return Tree(evaluate=compile_tree(tree), source=tree, reads=reads_of([tree]))


def reads_union(trees: Sequence[Tree | None]) -> Reads:
    """Return what several trees read."""
    return reads_of([tree.source for tree in trees if tree is not None])


def path_or_none(value: JsonValue) -> Path | None:
    """Compile a path that may be null."""
    return path(value) if isinstance(value, str) else None
