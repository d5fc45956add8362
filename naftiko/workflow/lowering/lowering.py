"""Stage 3 and 4: AST -> operations. Names become AWS's, expressions trees, nested workflows inline.

One pass in dependency order, so that the type of everything a step may read is known when it is
lowered. What cannot be resolved is refused; what was inferred is said as an info (I4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from naftiko.document.nodes import Node, Scalar
from naftiko.errors import Problems
from naftiko.source import Location
from naftiko.values import JsonObject
from naftiko.workflow import ast
from naftiko.workflow.expressions.typed import Typed
from naftiko.workflow.expressions.typing import Typer
from naftiko.workflow.library import Library
from naftiko.workflow.lowering.frame import Frame, Lowered
from naftiko.workflow.lowering.order import order
from naftiko.workflow.lowering.parameters import Parameters
from naftiko.workflow.lowering.scope import FrameScope
from naftiko.workflow.resolution.data import ResolutionData
from naftiko.workflow.security.iam import IamData
from naftiko.workflow.types import Type

MAX_ERRORS = 100
"""So many are told of at once: finding out what was meant instead takes longer than compiling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What compiling reads beside the source."""

    resolution: ResolutionData
    iam: IamData
    library: Library


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """A workflow that another one nests: its AST, and parameters and checksum of its own plan."""

    workflow: ast.Workflow
    parameters: tuple[JsonObject, ...]
    checksum: str
    nested: tuple[JsonObject, ...]

    @property
    def pin(self) -> JsonObject:
        """What an outer plan says of it."""
        workflow = self.workflow
        return {"name": workflow.name, "version": workflow.version, "checksum": self.checksum}


NestedSourceOf = Callable[[str, "str | None", Location], "Nested | None"]
"""(name, version or None, place of the reference) -> the workflow; reports WF501, WF503."""


@dataclass(slots=True, kw_only=True)
class Context:
    """What all frames of one compilation share.

    `places` says where (operation id, member or "") stands in the source. `stack` are the
    workflows that are being inlined, outermost first.
    """

    data: Data
    problems: Problems
    parameters: Parameters
    nested_source: NestedSourceOf
    inlined: list[Nested] = field(default_factory=list)
    unpinned: list[Scalar] = field(default_factory=list)
    rollback: list[JsonObject] = field(default_factory=list)
    places: dict[tuple[str, str], Location] = field(default_factory=dict)
    stack: list[ast.Workflow] = field(default_factory=list)
    public: set[str] = field(default_factory=set)
    created: list[Lowered] = field(default_factory=list)
    """Steps whose call is mutating, in plan order."""

    def typer(self, frame: Frame) -> Typer:
        """Return what types expressions inside a frame."""
        return Typer(FrameScope(frame, self.parameters, self.problems), self.problems)

    def value(self, frame: Frame, node: Node, expected: Type | None = None) -> Typed | None:
        """Return the tree of a value."""
        return self.typer(frame).value(node, expected)

    def condition(self, frame: Frame, scalar: Scalar) -> JsonObject | None:
        """Return the tree of a condition."""
        return self.typer(frame).condition(scalar)

    def place(self, operation_id: str, member: str | None = None) -> Location:
        """Return where an operation stands, or one of its members."""
        found = self.places.get((operation_id, member or ""))
        return found or self.places.get((operation_id, "")) or self.stack[0].location


def lower_steps(
    context: Context, frame: Frame, steps: Sequence[ast.Step], *, parents: frozenset[str]
) -> list[JsonObject]:
    """Lower the steps of a frame, in order. `parents` are what all of them depend on."""
    from naftiko.workflow.lowering.steps import lower_step

    ids = {step.id for step in steps}
    ordered = order(steps, context.problems)
    if ordered is None:
        frame.failed |= ids
        return []
    frame.later |= ids
    operations: list[JsonObject] = []
    for step in ordered.steps:
        frame.reachable = ordered.ancestors[step.id] | parents
        is_enough = len(context.problems.errors) >= MAX_ERRORS
        lowered = None if is_enough else lower_step(context, frame, step)
        frame.later.discard(step.id)
        if lowered is None:
            frame.failed.add(step.id)
        else:
            frame.steps[step.id] = lowered
            operations += lowered.operations
    frame.reachable = frozenset(frame.steps) | parents
    return operations


def outputs_of(steps: Mapping[str, Lowered]) -> dict[str, Typed]:
    """Return what a workflow without `outputs` gives: the outputs of each step that shows some."""
    from naftiko.workflow.types import record

    found: dict[str, Typed] = {}
    for id_, step in steps.items():
        if not step.is_public or not step.outputs:
            continue
        trees: JsonObject = {name: typed.tree for name, typed in step.outputs.items()}
        members = {name: typed.type for name, typed in step.outputs.items()}
        found[id_] = Typed(tree={"obj": trees}, type=record(members))
    return found
