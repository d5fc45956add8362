"""Steps of the model -> StepNodes: what all types of steps share.

What cannot be compiled leaves out the operation, with a warning that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from naftiko.document.nodes import Node, Scalar
from naftiko.errors import Problem, Problems, did_you_mean
from naftiko.model.build_parameters import build_with
from naftiko.model.build_steps import nested_steps
from naftiko.model.exposes import ExposedOperation
from naftiko.model.steps import Step
from naftiko.plan.aftermath import Aftermath
from naftiko.plan.clients import Clients, LeftOut, leave_out
from naftiko.plan.ports import Parameter
from naftiko.plan.settled import Member, SettledMembers
from naftiko.plan.steps.execution import ERRORS, Action, OnError, StepNode
from naftiko.plan.steps.scope import StepValues, Visible
from naftiko.plan.templates import PlanTemplates
from naftiko.plan.values import ValueTemplate

if TYPE_CHECKING:
    from naftiko.plan.scripts import ScriptCompiler

MAX_DEPTH = 20

With: TypeAlias = "tuple[tuple[str, ValueTemplate], ...]"
Kind: TypeAlias = "Callable[[Place, StepCompiler], tuple[Action, With]]"
"""Compiles the steps of one type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A step while it is compiled: what it sees, and what a failure does."""

    step: Step
    label: str
    visible: Visible
    on_error: OnError

    @property
    def shown(self) -> str:
        """Name the step in a problem."""
        return f"the `{self.step.type_}` step `{self.label}`"


@dataclass(slots=True, kw_only=True)
class StepCompiler:
    """Compiles the steps of one operation.

    `path_names` are variables of the route's path, which no body takes. `unfilled` are parameters
    of calls that no `with` and no step fills: inputs of their names do. `is_open` where a call
    passes on every input.
    """

    kinds: Mapping[str, Kind]
    operation: ExposedOperation
    clients: Clients
    templates: PlanTemplates
    problems: Problems
    declared: Collection[str] | None
    scripts: ScriptCompiler
    path_names: Collection[str] = ()
    aftermath: Aftermath = field(default_factory=Aftermath)
    values: StepValues = field(init=False)
    on_error: OnError = field(init=False)
    asks: bool = field(init=False, default=False)
    tells: bool = field(init=False, default=False)
    unfilled: list[Parameter] = field(init=False, default_factory=list)
    is_open: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        """Learn the names of all steps.

        Raises: LeftOut for steps that are nested too deep.
        """
        every = list(every_step(self.operation.steps))
        self.asks = any(step.type_ == "ask" for step in every)
        self.tells = any(step.type_ == "progress" for step in every)
        names = frozenset(step.name for step in every if step.name)
        self.templates = replace(self.templates, steps=names)
        self.values = StepValues(
            operation=self.operation.name,
            templates=self.templates,
            problems=self.problems,
            all_names=names,
            declared=self.declared,
        )
        self.on_error = self._on_error(self.operation.on_error, OnError.DEFAULT)

    def compile(self, steps: Sequence[Step], visible: Visible) -> tuple[StepNode, ...]:
        """Compile a list of steps; what they are called is visible afterwards.

        Raises: LeftOut, ExpressionError.
        """
        return tuple(self._step(step, number, visible) for number, step in enumerate(steps, 1))

    def branch(self, steps: Sequence[Step], visible: Visible) -> tuple[StepNode, ...]:
        """Compile steps that may not run, whose names are visible afterwards all the same."""
        inner = visible.branch()
        nodes = self.compile(steps, inner)
        visible.names |= {name: place for name, place in inner.names.items() if place is not None}
        return nodes

    def _step(self, step: Step, number: int, visible: Visible) -> StepNode:
        kind = self.kinds.get(step.type_)
        if kind is None:
            place = step.fields.scalar("type") or step
            raise leave_out(
                "unknown-step-type",
                f"`{step.type_}` is no type of step",
                place.location,
                did_you_mean(step.type_, self.kinds),
            )
        label = step.name or self._label(step, number)
        # The default is for what may fail by itself: `fail` is meant, and others only pass it on.
        default = self.on_error if step.type_ in ("call", "script") else OnError.DEFAULT
        on_error = self._on_error(step.fields.scalar("onError"), default)
        at = Place(step=step, label=label, visible=visible, on_error=on_error)
        self._check_name(at)
        when = step.fields.node_of("when")
        condition = self.values.condition(self._scalar(at, when, "when"), visible) if when else None
        if condition is not None:
            at = Place(
                step=step, label=label, on_error=on_error,
                visible=Visible(visible.names, certain=False),
            )  # fmt: skip
        action, with_ = kind(at, self)
        if step.name and not action.silent:
            visible.names[step.name] = step.location
        return StepNode(
            name=step.name,
            label=label,
            location=step.location,
            action=action,
            when=condition,
            with_=with_,
            on_error=on_error,
        )

    def _label(self, step: Step, number: int) -> str:
        """Return what to call a step without a name; what it did is noted under that."""
        label = f"{step.type_}-{number}"
        while label in self.values.all_names:
            label += "'"
        return label

    def _check_name(self, at: Place) -> None:
        name = at.step.name
        if not name:
            return
        earlier = at.visible.names.get(name)
        if earlier is not None:
            raise LeftOut(
                Problem(
                    code="duplicate-step",
                    message=f"two steps of `{self.operation.name}` are called `{name}`, so that "
                    "nobody could tell their outputs apart",
                    location=at.step.location,
                    hint=f"the other one stands at {earlier}; rename one",
                )
            )
        if name == ERRORS:
            raise leave_out(
                "reserved-step-name",
                f"a step cannot be called `{name}`: `{{{{{name}.x}}}}` tells of failures",
                at.step.location,
                "rename the step",
            )

    def _on_error(self, scalar: Scalar | None, default: OnError) -> OnError:
        if scalar is None:
            return default
        try:
            return OnError(scalar.text)
        except ValueError:
            raise leave_out(
                "invalid-on-error",
                f"`onError` is `stop` or `continue`, found `{scalar.text}`",
                scalar.location,
                did_you_mean(scalar.text, ("stop", "continue")),
            ) from None

    # ------------------------------------------------------------------ members

    def with_entries(
        self, at: Place, parameters: dict[str, Parameter] | None = None
    ) -> tuple[With, tuple[str, ...]]:
        """Compile `with`; return it, and its entries as a person reads them."""
        found: list[tuple[str, ValueTemplate]] = []
        shown: list[str] = []
        for entry in build_with(at.step.fields.mapping("with")):
            parameter = (parameters or {}).get(entry.name)
            value = self.values.value(entry.value, at.visible, name=entry.name, parameter=parameter)
            found.append((entry.name, value))
            text = entry.value.text if isinstance(entry.value, Scalar) else "a value in the file"
            shown.append(f"{entry.name} = {text}")
        return tuple(found), tuple(shown)

    def node(self, at: Place, name: str) -> Node:
        """Return a member that the step needs.

        Raises: LeftOut.
        """
        found = at.step.fields.node_of(name)
        if found is None:
            raise leave_out("missing-member", f"{at.shown} needs `{name}`", at.step.location)
        return found

    def scalar(self, at: Place, name: str) -> Scalar:
        """Return a member that the step needs, a text or number.

        Raises: LeftOut.
        """
        return self._scalar(at, self.node(at, name), name)

    def _scalar(self, at: Place, node: Node, name: str) -> Scalar:
        if isinstance(node, Scalar) and node.value is not None:
            return node
        raise leave_out(
            "invalid-member", f"`{name}` of {at.shown} is to be one text", node.location
        )

    def count(self, at: Place, name: str, default: int, maximum: int) -> int:
        """Return a bound, from 1 to its maximum.

        Raises: LeftOut.
        """
        return self._settled.count(_member(at, name), default, maximum)

    def number(self, at: Place, name: str, default: float, least: float, most: float) -> float:
        """Return a number within its bounds.

        Raises: LeftOut.
        """
        return self._settled.number(_member(at, name), default, least, most)

    def duration_s(self, at: Place, name: str) -> float | None:
        """Return a duration in seconds, None where it is not given.

        Raises: LeftOut.
        """
        return self._settled.duration_s(_member(at, name))

    @property
    def _settled(self) -> SettledMembers:
        return SettledMembers(self.templates)


def _member(at: Place, name: str) -> Member:
    return Member(name=name, of=at.shown, node=at.step.fields.node_of(name))


def every_step(steps: Sequence[Step], depth: int = 1) -> Iterator[Step]:
    """Yield steps and those within them.

    Raises: LeftOut for steps that are nested too deep.
    """
    for step in steps:
        if depth > MAX_DEPTH:
            raise leave_out(
                "steps-too-deep", f"steps are nested more than {MAX_DEPTH} deep", step.location
            )
        yield step
        for inner in nested_steps(step):
            yield from every_step(inner, depth + 1)
