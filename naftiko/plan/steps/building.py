"""Steps of the model -> StepNodes: what all types of steps share.

What cannot be compiled leaves out the operation, with a warning that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from naftiko.document.nodes import Node, Scalar
from naftiko.errors import Problem, Problems, RunError, did_you_mean
from naftiko.expressions.durations import parse_duration_s
from naftiko.model.build_parameters import build_with
from naftiko.model.build_steps import nested_steps
from naftiko.model.exposes import ExposedOperation
from naftiko.model.steps import Step
from naftiko.plan.aftermath import Aftermath
from naftiko.plan.clients import Clients, LeftOut, leave_out
from naftiko.plan.ports import Parameter
from naftiko.plan.steps.execution import ERRORS, Action, OnError, StepNode
from naftiko.plan.steps.scope import StepValues, Visible
from naftiko.plan.templates import PlanTemplates, unbound
from naftiko.plan.values import ValueTemplate
from naftiko.values import MISSING, JsonValue

if TYPE_CHECKING:
    from naftiko.plan.scripts import ScriptCompiler

MAX_DEPTH = 20
MAX_DIGITS = 10
_DURATION = "a duration such as `500ms`, `10s` or `2m`"

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A member of a step that is settled at load. `is_bound` where a variable gives its value."""

    name: str
    node: Node
    value: JsonValue
    is_bound: bool = False

    def refusal(self, code: str, expected: str, at: Place) -> LeftOut:
        """Return the problem of a value that does not fit. A variable's is a secret: not shown."""
        shown = f" (`{self.node.text}`)" if self.is_bound and isinstance(self.node, Scalar) else ""
        message = f"`{self.name}`{shown} of {at.shown} is to be {expected}"
        hint = "correct the value of the variable, or its default" if self.is_bound else ""
        return leave_out(code, message, self.node.location, hint)


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
        setting = self._setting(at, name)
        if setting is None:
            return default
        value = setting.value
        if setting.is_bound and isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value) if len(value) < MAX_DIGITS else None
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= maximum:
            return value
        raise setting.refusal("invalid-bound", f"a whole number from 1 to {maximum:,}", at)

    def number(self, at: Place, name: str, default: float, least: float, most: float) -> float:
        """Return a number within its bounds.

        Raises: LeftOut.
        """
        setting = self._setting(at, name)
        if setting is None:
            return default
        value = setting.value
        if setting.is_bound and isinstance(value, str):
            value = _number(value)
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and least <= value <= most
        ):
            return float(value)
        raise setting.refusal("invalid-bound", f"a number from {least:g} to {most:g}", at)

    def duration_s(self, at: Place, name: str) -> float | None:
        """Return a duration in seconds, None where it is not given.

        Raises: LeftOut.
        """
        setting = self._setting(at, name)
        if setting is None:
            return None
        try:
            return parse_duration_s(setting.value)
        except ValueError as error:
            if setting.is_bound:
                raise setting.refusal("invalid-duration", _DURATION, at) from None
            message = f"`{name}`: {error}"
            raise leave_out("invalid-duration", message, setting.node.location) from None

    def _setting(self, at: Place, name: str) -> Setting | None:
        """Return a member that is settled at load; None where it is not given, or empty.

        Raises: LeftOut where it reads what only a run knows.
        """
        node = at.step.fields.node_of(name)
        if node is None:
            return None
        value = node.value if isinstance(node, Scalar) else None
        if not isinstance(node, Scalar) or not isinstance(value, str) or "{{" not in value:
            return Setting(name=name, node=node, value=value)
        template = self.templates.scalar(node)
        for read, reference in unbound(template.references, self.templates):
            raise leave_out(
                "setting-of-a-run",
                f"`{name}` of {at.shown} reads `{read}`, which only a run knows; it is settled "
                "when the file is loaded",
                reference.location,
                "read variables of `binds` there, and nothing else",
            )
        self.templates.warn_settled(template.references)
        try:
            rendered = template.render({})
        except RunError as error:
            message = f"`{name}` of {at.shown} has no value: {self.templates.masker(error.message)}"
            raise leave_out("invalid-member", message, node.location) from None
        if rendered is MISSING or rendered is None:
            return None
        if isinstance(rendered, str):
            rendered = rendered.strip()
            if not rendered:
                return None  # of an optional variable, which has no value
        return Setting(name=name, node=node, value=rendered, is_bound=True)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


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
