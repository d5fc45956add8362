"""`if`, `switch` and `parallel` steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from naftiko.errors import RunError
from naftiko.expressions.conditions import Condition
from naftiko.expressions.text import value_text
from naftiko.plan.ports import Effect
from naftiko.plan.steps.execution import (
    At,
    Execution,
    StepNode,
    all_calls,
    error_object,
    explain_steps,
    run_steps,
    worst_of,
)
from naftiko.plan.steps.together import run_together
from naftiko.plan.values import ValueTemplate
from naftiko.values import MISSING, JsonObject, JsonValue, Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class IfAction:
    """Runs one of two branches. Its output is that of the branch's last step."""

    condition: Condition
    then: tuple[StepNode, ...]
    otherwise: tuple[StepNode, ...]
    silent: ClassVar[bool] = False

    @property
    def calls(self) -> Sequence[str]:
        """Return those of both branches."""
        return all_calls((*self.then, *self.otherwise))

    @property
    def effect(self) -> Effect:
        """Return the worst of both branches."""
        return worst_of(self.then, self.otherwise)

    async def run(self, execution: Execution, at: At) -> JsonValue | Missing:
        """Run the branch that the condition chooses."""
        if self.condition.test(at.scope):
            return await run_steps(self.then, execution, at.frame, f"{at.path}.then.")
        return await run_steps(self.otherwise, execution, at.frame, f"{at.path}.else.")

    def explain(self) -> Sequence[str]:
        """Return both branches."""
        lines = [f"if {self.condition.text}", *_indented(explain_steps(self.then))]
        if self.otherwise:
            lines += ["else", *_indented(explain_steps(self.otherwise))]
        return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case: the texts of the values it is for, None among them for null."""

    when: frozenset[str | None]
    steps: tuple[StepNode, ...]
    shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchAction:
    """Runs the first case that has the value, compared by its text: 5 is "5"."""

    value: ValueTemplate
    shown: str
    cases: tuple[Case, ...]
    default: tuple[StepNode, ...]
    silent: ClassVar[bool] = False

    @property
    def calls(self) -> Sequence[str]:
        """Return those of all cases."""
        return all_calls([step for steps in self._branches() for step in steps])

    @property
    def effect(self) -> Effect:
        """Return the worst of all cases."""
        return worst_of(*self._branches())

    def _branches(self) -> tuple[tuple[StepNode, ...], ...]:
        return (*(case.steps for case in self.cases), self.default)

    async def run(self, execution: Execution, at: At) -> JsonValue | Missing:
        """Run a case, `default` where none has the value; null and nothing are the same.

        Raises: RunError[switch-failed] for a value that is an object or a list.
        """
        value = self.value.render(at.scope)
        if isinstance(value, list | dict):
            raise RunError(
                code="switch-failed",
                message=f"the `value` of the step `{at.path}` is to be one value, found "
                f"{'a list' if isinstance(value, list) else 'an object'}",
            )
        key = None if value is None or value is MISSING else value_text(value)
        for number, case in enumerate(self.cases):
            if key in case.when:
                prefix = f"{at.path}.{number}."
                return await run_steps(case.steps, execution, at.frame, prefix)
        return await run_steps(self.default, execution, at.frame, f"{at.path}.default.")

    def explain(self) -> Sequence[str]:
        """Return all cases."""
        lines = [f"switch {self.shown}"]
        for case in self.cases:
            lines += [f"case {case.shown}", *_indented(explain_steps(case.steps))]
        if self.default:
            lines += ["default", *_indented(explain_steps(self.default))]
        return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelAction:
    """Runs branches side by side. Its output is `{branch: output of its last step}`.

    A branch sees what came before and its own steps. `tolerant` lets the others go on when one
    fails, whose output is null then.
    """

    branches: tuple[tuple[str, tuple[StepNode, ...]], ...]
    tolerant: bool
    silent: ClassVar[bool] = False

    @property
    def calls(self) -> Sequence[str]:
        """Return those of all branches."""
        return all_calls([step for _, steps in self.branches for step in steps])

    @property
    def effect(self) -> Effect:
        """Return the worst of all branches."""
        return worst_of(*(steps for _, steps in self.branches))

    async def run(self, execution: Execution, at: At) -> JsonValue | Missing:
        """Run all branches.

        Raises: RunError of the first branch that fails; Suspended with all questions.
        """
        frames = [at.frame.child() for _ in self.branches]
        outputs: JsonObject = {name: None for name, _ in self.branches}

        async def job(number: int) -> None:
            name, steps = self.branches[number]
            path = f"{at.path}.{name}"
            try:
                value = await run_steps(steps, execution, frames[number], f"{path}.")
            except RunError as error:
                if not self.tolerant:
                    raise
                frames[number].note_error(path, error_object(error, path, execution.masker))
                return
            outputs[name] = None if value is MISSING else value

        try:
            await run_together(len(self.branches), job, at_once=len(self.branches))
        finally:
            for frame in frames:
                frame.release(execution)
                at.frame.take_over(frame.last, frame.errors)
        return outputs

    def explain(self) -> Sequence[str]:
        """Return all branches."""
        lines = [f"{len(self.branches)} branches side by side"]
        for name, steps in self.branches:
            lines += [f"{name}", *_indented(explain_steps(steps))]
        return lines


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]
