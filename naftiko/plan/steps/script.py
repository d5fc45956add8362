"""`script` steps. Behaviour reference, section 11."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from naftiko.plan.ports import Result
from naftiko.plan.steps.execution import At, CallsNothing, Execution
from naftiko.plan.steps.journal import once
from naftiko.values import JsonValue, Missing

if TYPE_CHECKING:
    from naftiko.scripting import Script


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptAction(CallsNothing):
    """Runs a script; its `context` is what templates of the step see."""

    script: Script
    language: str
    silent: ClassVar[bool] = False

    async def run(self, execution: Execution, at: At) -> JsonValue | Missing:
        """Run it and return its `result`.

        Raises: RunError.
        """

        async def work() -> Result:
            timeout_s = execution.run.remaining_s()
            return Result(value=await self.script.run(at.scope, timeout_s=timeout_s))

        return (await once(execution, at.path, work)).value

    def explain(self) -> Sequence[str]:
        """Return the script's name."""
        return [f"run {self.language} {self.script.name}"]
