"""One run of steps: what it may still use, what its templates see, and how a step is run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from time import monotonic
from typing import Protocol

from naftiko.errors import DeadlineError, RunError
from naftiko.expressions.conditions import Condition
from naftiko.plan.masking import Masker
from naftiko.plan.ports import Effect, Result
from naftiko.plan.run import Run
from naftiko.plan.steps.telling import Telling
from naftiko.plan.steps.weight import weigh
from naftiko.plan.values import ValueTemplate
from naftiko.source import Location
from naftiko.values import MISSING, JsonObject, JsonValue, Missing

MAX_STEPS = 10_000
"""Steps of one run, those of loops counted each time."""
MAX_HELD_BYTES = 64 * 1024 * 1024
"""About what the outputs of one run may take at the same time."""

ERRORS = "errors"
"""What templates see of steps that failed while the run went on: `{{errors.get-user.status}}`."""

logger = logging.getLogger("naftiko.steps")


class Skipped(Enum):
    """The type of SKIPPED."""

    SKIPPED = "skipped"


SKIPPED = Skipped.SKIPPED
"""What a step gives that its `when` skips."""


class OnError(Enum):
    """What a failure of a step does. DEFAULT: a failed status goes on, an error ends the run."""

    DEFAULT = "default"
    STOP = "stop"
    CONTINUE = "continue"


@dataclass(slots=True)
class Budget:
    """What one run has left, shared by all its branches."""

    steps_left: int = MAX_STEPS
    held: int = 0
    journal_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One run. `journaled` where it may be suspended, so that its steps note what they did."""

    run: Run
    masker: Masker
    budget: Budget = field(default_factory=Budget)
    journaled: bool = False
    telling: Telling | None = None

    def until(self, deadline: float) -> Execution:
        """Return the same run with an earlier deadline."""
        current = self.run.deadline
        if current is not None and current <= deadline:
            return self
        return replace(self, run=replace(self.run, deadline=deadline))

    def start_step(self, path: str) -> None:
        """Charge a step.

        Raises: DeadlineError where no time is left, RunError where the run takes too many steps.
        """
        deadline = self.run.deadline
        if deadline is not None and monotonic() >= deadline:
            raise DeadlineError(message=f"no time was left for the step `{path}`")
        self.budget.steps_left -= 1
        if self.budget.steps_left < 0:
            raise RunError(
                code="too-many-steps",
                message=f"the run takes more than {MAX_STEPS:,} steps, those of loops each counted",
                hint="let the consumed API do more of the work in one call",
            )

    def hold(self, weight: int) -> None:
        """Charge memory.

        Raises: RunError where the outputs of the run grow too large.
        """
        self.budget.held += weight
        if self.budget.held > MAX_HELD_BYTES:
            raise RunError(
                code="too-much-output",
                message="the outputs of the steps take more than 64 MiB",
                hint="ask the consumed API for less, or keep less of it with `outputParameters`",
            )


@dataclass(slots=True, kw_only=True)
class Frame:
    """What the steps of one branch see. Each iteration of a loop over items has its own, too.

    `values` are inputs, loop variables and outputs by name, for templates and paths; `outputs` are
    those of steps alone. `last` is the answer of the last call.
    """

    values: JsonObject
    outputs: JsonObject = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)
    last: Result | None = None

    def child(self, variables: Mapping[str, JsonValue] | None = None) -> Frame:
        """Return a frame that sees what this one sees, and whose outputs this one does not see."""
        return Frame(values={**self.values, **(variables or {})}, outputs=dict(self.outputs))

    @property
    def errors(self) -> JsonObject:
        """Return the failures that templates see."""
        found = self.values.get(ERRORS)
        return found if isinstance(found, dict) else {}

    def release(self, execution: Execution) -> None:
        """Give back what the outputs of a frame that ends were charged."""
        execution.budget.held -= sum(self.weights.values())
        self.weights.clear()

    def take_over(self, last: Result | None, errors: JsonObject) -> None:
        """Keep what outlives a child: its last answer, its tolerated errors."""
        self.last = last or self.last
        if errors and errors is not self.values.get(ERRORS):
            self._add_errors(errors)

    def put(self, name: str, value: JsonValue | Missing, execution: Execution) -> None:
        """Store a step's output in place of an earlier one of that name; MISSING removes it.

        Raises: RunError where the outputs of the run grow too large.
        """
        execution.budget.held -= self.weights.pop(name, 0)
        if value is MISSING:
            if self.outputs.pop(name, MISSING) is not MISSING:
                del self.values[name]
            return
        weight = weigh(value)
        execution.hold(weight)
        self.weights[name] = weight
        self.values[name] = self.outputs[name] = value

    def note_error(self, name: str, error: JsonObject) -> None:
        """Show the failure of a step to later ones, which go on."""
        self._add_errors({name: error})

    def forget_error(self, name: str) -> None:
        """Show no failure of a step any more, which runs again."""
        if name in self.errors:
            self.values[ERRORS] = {key: item for key, item in self.errors.items() if key != name}

    def _add_errors(self, errors: JsonObject) -> None:
        # A new object: branches share the one they started with.
        self.values[ERRORS] = {**self.errors, **errors}


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """Where an action runs: its frame, its path, and what its own templates see."""

    frame: Frame
    path: str
    name: str
    scope: JsonObject
    given: JsonObject


class Action(Protocol):
    """What a step does."""

    @property
    def silent(self) -> bool:
        """Whether it has no output, so that the step before it counts as the last one."""
        ...

    @property
    def calls(self) -> Sequence[str]:
        """The addresses it may call."""
        ...

    @property
    def effect(self) -> Effect:
        """The worst that its calls do."""
        ...

    async def run(self, execution: Execution, at: At) -> JsonValue | Missing:
        """Run it and return its output.

        Raises: RunError, Suspended.
        """
        ...

    def explain(self) -> Sequence[str]:
        """Return lines that say what it does; the first stands beside the step's name."""
        ...


class CallsNothing:
    """What actions share that call no consumed operation."""

    __slots__ = ()

    @property
    def calls(self) -> Sequence[str]:
        """Return nothing."""
        return ()

    @property
    def effect(self) -> Effect:
        """Return that nothing changes."""
        return Effect.READ


class CallsItsSteps:
    """What loops share: they call what their steps call."""

    __slots__ = ()
    steps: tuple[StepNode, ...]

    @property
    def calls(self) -> Sequence[str]:
        """Return those of its steps."""
        return all_calls(self.steps)

    @property
    def effect(self) -> Effect:
        """Return the worst of its steps."""
        return worst_of(self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepNode:
    """One step, compiled. `name` is "" for one without a name, whose output nobody can read."""

    name: str
    label: str
    location: Location
    action: Action
    when: Condition | None = None
    with_: tuple[tuple[str, ValueTemplate], ...] = ()
    on_error: OnError = OnError.DEFAULT

    async def run(
        self, execution: Execution, frame: Frame, prefix: str
    ) -> JsonValue | Missing | Skipped:
        """Run it, store its output and return it.

        Raises: RunError, with the place of the step; Suspended.
        """
        path = prefix + self.label
        try:
            execution.start_step(path)
            if self.when is not None and not self.when.test(frame.values):
                self._store(MISSING, execution, frame)
                return SKIPPED
        except RunError as error:
            raise self._placed(error, path) from None
        try:
            value = await self.action.run(execution, self._at(frame, path))
        except RunError as error:
            self._placed(error, path)
            if self.on_error is not OnError.CONTINUE:
                raise
            logger.warning("step %s failed, and the run goes on: %s", path, error.code)
            frame.note_error(self.label, error_object(error, self.label, execution.masker))
            value = None
        self._store(value, execution, frame)
        return value

    def _store(self, value: JsonValue | Missing, execution: Execution, frame: Frame) -> None:
        if self.name and not self.action.silent:
            frame.put(self.name, value, execution)

    def _at(self, frame: Frame, path: str) -> At:
        given: JsonObject = {}
        for name, template in self.with_:
            value = template.render(frame.values)
            if value is not MISSING:
                given[name] = value
        scope = {**frame.values, **given} if given else frame.values
        return At(frame=frame, path=path, name=self.label, scope=scope, given=given)

    def _placed(self, error: RunError, path: str) -> RunError:
        error.location = error.location or self.location
        if "step" not in error.details:
            error.details = {"step": path, **error.details}
        return error


async def run_steps(
    steps: Sequence[StepNode], execution: Execution, frame: Frame, prefix: str = ""
) -> JsonValue | Missing:
    """Run steps one after the other; return the output of the last that ran and can have one.

    Raises: RunError, Suspended.
    """
    last: JsonValue | Missing = MISSING
    for step in steps:
        value = await step.run(execution, frame, prefix)
        if not isinstance(value, Skipped) and not step.action.silent:
            last = value
    return last


def error_object(error: RunError, step: str, masker: Masker) -> JsonObject:
    """Return what templates see of a failure, without secrets."""
    found, aws_code = error.details.get("step"), error.details.get("awsCode")
    shown: JsonObject = {
        "code": error.code,
        "message": masker(error.message),
        "status": error.status,
        "step": found if isinstance(found, str) else step,
    }
    if isinstance(aws_code, str):
        shown["awsCode"] = aws_code
    return shown


def worst(effects: Sequence[Effect]) -> Effect:
    """Return the worst of several effects; what is not known counts worse than reading."""
    order = (Effect.DESTRUCTIVE, Effect.WRITE, Effect.UNKNOWN)
    return next((effect for effect in order if effect in effects), Effect.READ)


def all_calls(steps: Sequence[StepNode]) -> tuple[str, ...]:
    """Return the addresses that steps may call, each once, in the file's order."""
    return tuple(dict.fromkeys(call for step in steps for call in step.action.calls))


def worst_of(*branches: Sequence[StepNode]) -> Effect:
    """Return the worst that the calls of these steps do."""
    return worst([step.action.effect for steps in branches for step in steps])


def explain_steps(steps: Sequence[StepNode]) -> list[str]:
    """Return the steps as an indented tree."""
    lines: list[str] = []
    for step in steps:
        first, *rest = step.action.explain()
        notes = [f"when {step.when.text}"] if step.when else []
        if step.on_error is not OnError.DEFAULT:
            notes.append(f"on error: {step.on_error.value}")
        note = f"  ({'; '.join(notes)})" if notes else ""
        lines.append(f"{step.label}: {first}{note}")
        lines += [f"  {line}" for line in rest]
    return lines
