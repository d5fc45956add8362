"""StepsPlan: runs the steps, then builds the answer from their outputs. Section 5.5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from naftiko.plan.masking import Masker
from naftiko.plan.ports import Effect, Origin, Result
from naftiko.plan.run import Run
from naftiko.plan.shaping import Shaper
from naftiko.plan.steps.execution import (
    SKIPPED,
    Execution,
    Frame,
    StepNode,
    all_calls,
    explain_steps,
    run_steps,
    worst_of,
)
from naftiko.plan.steps.telling import Telling
from naftiko.plan.values import ValueTemplate
from naftiko.values import MISSING, JsonObject, JsonValue, Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultMapping:
    """One entry of `mappings`: a value and the members that lead to its place in the answer."""

    target: tuple[str, ...]
    value: ValueTemplate
    shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepsPlan:
    """An orchestrated operation.

    `names` are the declared outputs, for an answer without `mappings`; `shaper` shapes the last
    call's answer where neither those nor `mappings` give anything. `asks` where the run may be
    suspended, so that its steps note what they have done; `tells` where it has `progress` steps.
    """

    origin: Origin
    steps: tuple[StepNode, ...]
    mappings: tuple[ResultMapping, ...]
    names: tuple[str, ...]
    shaper: Shaper
    masker: Masker
    asks: bool
    tells: bool

    @property
    def calls(self) -> Sequence[str]:
        """Return the addresses its steps may call."""
        return all_calls(self.steps)

    @property
    def effect(self) -> Effect:
        """Return the worst of its calls."""
        return worst_of(self.steps)

    async def run(self, run: Run) -> Result:
        """Run the steps and build the answer.

        Raises: RunError, with the place of the step; Suspended.
        """
        frame = Frame(values=dict(run.inputs))
        # Steps need answers whole, so nobody takes their pages one by one.
        whole = replace(run, streams=False)
        telling = None
        if run.progress is not None and not self.tells:
            telling = Telling(progress=run.progress, total=len(self.steps))
            whole = replace(whole, progress=None)  # pages would count in numbers of their own
        execution = Execution(run=whole, masker=self.masker, journaled=self.asks, telling=telling)
        last = await self._run_steps(execution, frame)
        run.outputs.update(frame.outputs)
        mapped = self._mapped(frame) if self.mappings else self._named(frame)
        return Result(value=mapped) if mapped is not None else await self._unmapped(frame, last)

    async def _run_steps(self, execution: Execution, frame: Frame) -> JsonValue | Missing:
        telling = execution.telling
        if telling is None:
            return await run_steps(self.steps, execution, frame)
        last: JsonValue | Missing = MISSING
        for number, step in enumerate(self.steps):
            await telling.step(number, step.label)
            given = await step.run(execution, frame, "")
            if given is not SKIPPED and not step.action.silent:
                last = given
        return last

    def _mapped(self, frame: Frame) -> JsonObject | None:
        """Return the object that `mappings` build; None where no value is found."""
        answer: JsonObject = {}
        for mapping in self.mappings:
            value = mapping.value.render(frame.values)
            if value is not MISSING:
                _put(answer, mapping.target, value)
        return answer or None

    def _named(self, frame: Frame) -> JsonObject | None:
        """Return an object of the declared outputs that steps of their names have."""
        if not any(name in frame.outputs for name in self.names):
            return None
        return {name: frame.outputs.get(name) for name in self.names}

    async def _unmapped(self, frame: Frame, value: JsonValue | Missing) -> Result:
        """Return the last call's answer, shaped; without one the last step's output."""
        result = frame.last
        if result is None:
            return Result(status=204) if value is MISSING else Result(value=value)
        if not self.shaper.shapes:
            return result  # a mapping, also of the whole root, asks for JSON, whatever came
        found = await result.decoded()
        shaped = MISSING if found is MISSING else self.shaper.shape(found, frame.values)
        if shaped is MISSING:
            return result
        return Result(
            value=shaped, status=result.status, failed=result.failed, headers=result.headers
        )

    def explain(self) -> Sequence[str]:
        """Return the steps as a tree, and the answer."""
        lines = [f"steps, at most 10,000 a run, {len(self.steps)} here:"]
        lines += [f"  {line}" for line in explain_steps(self.steps)]
        if self.mappings:
            lines += [f"answer: {'.'.join(item.target)} = {item.shown}" for item in self.mappings]
            return [*lines, "answer: the last call's where none of these is found"]
        if self.names:
            lines.append(f"answer: the outputs of {', '.join(self.names)}, by step")
        return [*lines, *(f"answer of the last call: {line}" for line in self.shaper.explain())]


def _put(answer: JsonObject, target: Sequence[str], value: JsonValue) -> None:
    """Put a value in its place; what stands in the way is replaced."""
    place = answer
    for name in target[:-1]:
        inner = place.get(name)
        # What a path found belongs to a step: it is copied before anything is put into it.
        inner = place[name] = dict(inner) if isinstance(inner, dict) else {}
        place = inner
    place[target[-1]] = value
