"""`set`, `fail` and `try` steps: a value made, a run ended, a failure caught."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import ClassVar

from naftiko.errors import RunError
from naftiko.expressions.template import Template
from naftiko.plan.aftermath import Aftermath
from naftiko.plan.ports import Effect
from naftiko.plan.steps.execution import (
    At,
    CallsNothing,
    Execution,
    Frame,
    StepNode,
    all_calls,
    error_object,
    explain_steps,
    logger,
    run_steps,
    worst_of,
)
from naftiko.plan.values import ValueTemplate
from naftiko.values import MISSING, JsonValue, Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAction(CallsNothing):
    """Makes a value. Members whose template leads nowhere are left out; all of it is null then."""

    value: ValueTemplate
    shown: str
    silent: ClassVar[bool] = False

    async def run(self, execution: Execution, at: At) -> JsonValue | Missing:
        """Return the value."""
        value = self.value.render(at.scope)
        return None if value is MISSING else value

    def explain(self) -> Sequence[str]:
        """Return the value as written."""
        return [f"set {self.shown}"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailAction(CallsNothing):
    """Ends the run with an error of the file's own."""

    code: str
    message: Template
    status: int
    silent: ClassVar[bool] = True

    async def run(self, execution: Execution, at: At) -> JsonValue | Missing:
        """Fail.

        Raises: RunError.
        """
        message = self.message.render_text(at.scope)
        raise RunError(code=self.code, message=execution.masker(message), status=self.status)

    def explain(self) -> Sequence[str]:
        """Return the error."""
        return [f"fail with {self.status} {self.code}: {self.message.text}"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TryAction:
    """Runs steps, `catch` where they fail, and `finally` in both cases.

    A run that is suspended or cancelled goes through none of the two: the first one comes back, and
    nobody waits for the other. `on_cancel` runs beside a run that is cancelled in `steps` or
    `catch`, in a task that `aftermath` keeps.
    """

    steps: tuple[StepNode, ...]
    catch: tuple[StepNode, ...] | None
    variable: str
    finally_: tuple[StepNode, ...]
    on_cancel: tuple[StepNode, ...] = ()
    aftermath: Aftermath = field(default_factory=Aftermath)
    silent: ClassVar[bool] = False

    @property
    def calls(self) -> Sequence[str]:
        """Return those of all its steps."""
        return all_calls((*self.steps, *(self.catch or ()), *self.finally_, *self.on_cancel))

    @property
    def effect(self) -> Effect:
        """Return the worst of all its steps."""
        return worst_of(self.steps, self.catch or (), self.finally_, self.on_cancel)

    async def run(self, execution: Execution, at: At) -> JsonValue | Missing:
        """Run the steps; the output is that of the last one, in `steps` or `catch`.

        Raises: RunError without `catch`, or where `catch` or `finally` fail.
        """
        try:
            value = await self._try(execution, at)
        except CancelledError:
            self._cancelled(execution, at)
            raise
        except RunError:
            await run_steps(self.finally_, execution, at.frame, f"{at.path}.finally.")
            raise
        await run_steps(self.finally_, execution, at.frame, f"{at.path}.finally.")
        return value

    async def _try(self, execution: Execution, at: At) -> JsonValue | Missing:
        try:
            return await run_steps(self.steps, execution, at.frame, f"{at.path}.steps.")
        except RunError as error:
            if self.catch is None:
                raise
            caught = error_object(error, at.path, execution.masker)
        values = at.frame.values
        hidden = values.get(self.variable, MISSING)
        values[self.variable] = caught
        try:
            return await run_steps(self.catch, execution, at.frame, f"{at.path}.catch.")
        finally:
            del values[self.variable]
            if hidden is not MISSING:
                values[self.variable] = hidden

    def _cancelled(self, execution: Execution, at: At) -> None:
        """Begin `on_cancel`, and wait for nothing: a cancelled task ends at its next `await`."""
        if not self.on_cancel:
            return
        # Branches of the run that are still being cancelled must not change what these steps see.
        frame = Frame(values=dict(at.frame.values), outputs=dict(at.frame.outputs))
        run = replace(
            execution.run,
            deadline=monotonic() + self.aftermath.max_seconds,
            progress=None,
            log=None,
            ask=None,
            journal={},
        )
        alone = Execution(run=run, masker=execution.masker)
        path = f"{at.path}.onCancel"

        async def work() -> None:
            try:
                await run_steps(self.on_cancel, alone, frame, f"{path}.")
            except RunError as error:
                step = error.details.get("step", path)
                message = execution.masker(error.message)
                logger.warning("step %s failed, and nobody waits for it: %s", step, message)

        self.aftermath.start(work, f"{execution.masker(path)} of request {run.request_id}")

    def explain(self) -> Sequence[str]:
        """Return all its steps."""
        lines = ["try", *(f"  {line}" for line in explain_steps(self.steps))]
        if self.catch is not None:
            lines += [f"catch {self.variable}"]
            lines += [f"  {line}" for line in explain_steps(self.catch)]
        if self.finally_:
            lines += ["finally", *(f"  {line}" for line in explain_steps(self.finally_))]
        if self.on_cancel:
            lines += ["on cancel", *(f"  {line}" for line in explain_steps(self.on_cancel))]
        return lines
