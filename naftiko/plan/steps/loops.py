"""`forEach` steps: the same for each item of a list, within bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from naftiko.errors import RunError
from naftiko.expressions.text import type_name
from naftiko.plan.ports import Result
from naftiko.plan.steps.execution import (
    At,
    CallsItsSteps,
    Execution,
    Frame,
    StepNode,
    error_object,
    explain_steps,
    run_steps,
)
from naftiko.plan.steps.together import run_together
from naftiko.plan.steps.weight import weigh
from naftiko.plan.values import ValueTemplate
from naftiko.values import MISSING, JsonObject, JsonValue, Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class ForEachAction(CallsItsSteps):
    """Runs steps for each item of a list; its output is the list of what each gave.

    That is `collect`, else the output of the last step; null where an item gave nothing. `tolerant`
    goes on with the other items when one fails, whose output is null then.
    """

    items: ValueTemplate
    shown: str
    item: str
    index: str
    parallel: int
    max_items: int
    steps: tuple[StepNode, ...]
    collect: ValueTemplate | None
    tolerant: bool
    silent: ClassVar[bool] = False

    async def run(self, execution: Execution, at: At) -> JsonValue | Missing:
        """Run the steps once an item.

        Raises: RunError[not-a-list, too-many-items], and as its steps do.
        """
        items = self._items(at)
        outputs: list[JsonValue] = [None] * len(items)
        joined = _Joined()

        async def job(number: int) -> None:
            frame = at.frame.child(self._variables(items[number], number))
            path = f"{at.path}[{number}]"
            try:
                outputs[number] = await self._once(execution, frame, path)
            except RunError as error:
                if not self.tolerant:
                    raise
                frame.note_error(path, error_object(error, path, execution.masker))
            finally:
                joined.add(number, frame, execution)
            weight = weigh(outputs[number])
            joined.weight += weight
            execution.hold(weight)
            joined.count += 1
            if execution.telling is not None:
                await execution.telling.rounds(joined.count, len(items), at.path, exact=True)

        try:
            if self.parallel > 1:
                await run_together(len(items), job, at_once=self.parallel)
            else:
                for number in range(len(items)):
                    await job(number)
        finally:
            execution.budget.held -= joined.weight
            at.frame.take_over(joined.last, joined.errors)
        return outputs

    def _items(self, at: At) -> list[JsonValue]:
        items = self.items.render(at.scope)
        if not isinstance(items, list):
            found = "nothing" if items is MISSING else type_name(items)
            raise RunError(
                code="not-a-list",
                message=f"`in` of the step `{at.path}` is to be a list, found {found}",
                hint="where it may be absent, write `{{ x or [] }}`",
            )
        if len(items) > self.max_items:
            raise RunError(
                code="too-many-items",
                message=f"the step `{at.path}` is given {len(items):,} items, more than its "
                f"`maxItems` of {self.max_items:,}",
                hint="raise `maxItems`, or ask for fewer items",
            )
        return items

    def _variables(self, item: JsonValue, number: int) -> JsonObject:
        variables: JsonObject = {self.item: item}
        if self.index:
            variables[self.index] = number
        return variables

    async def _once(self, execution: Execution, frame: Frame, path: str) -> JsonValue:
        value = await run_steps(self.steps, execution, frame, f"{path}.")
        if self.collect is not None:
            value = self.collect.render(frame.values)
        return None if value is MISSING else value

    def explain(self) -> Sequence[str]:
        """Return the loop and its steps."""
        how = f", {self.parallel} at a time" if self.parallel > 1 else ""
        lines = [f"for each {self.item} in {self.shown}, at most {self.max_items:,}{how}"]
        return lines + [f"  {line}" for line in explain_steps(self.steps)]


@dataclass(slots=True)
class _Joined:
    """What outlives the frames of a loop: the answer of the last item with one, and errors."""

    weight: int = 0
    count: int = 0
    number: int = -1
    last: Result | None = None
    errors: JsonObject = field(default_factory=dict)

    def add(self, number: int, frame: Frame, execution: Execution) -> None:
        frame.release(execution)
        self.errors |= frame.errors
        if frame.last is not None and number > self.number:
            self.number, self.last = number, frame.last
