"""JudgedPlan: says of an answer that came in good order whether the work failed. `isError`."""

from __future__ import annotations

import contextlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace

from naftiko.errors import ShapingError
from naftiko.expressions.conditions import Condition
from naftiko.plan.ports import Plan, Result
from naftiko.plan.run import Run
from naftiko.values import JsonObject, JsonValue, Missing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class JudgedPlan:
    """Runs a plan; its answer counts as failed where the condition holds.

    The condition sees inputs, outputs of steps, and the answer as `result`.
    """

    plan: Plan
    failed: Condition

    @property
    def calls(self) -> Sequence[str]:
        """Return what the plan calls."""
        return self.plan.calls

    async def run(self, run: Run) -> Result:
        """Run the plan. What failed by itself stays failed, whatever the condition says.

        Raises: as the plan does; ShapingError where the condition fails on a good answer.
        """
        run.streams = False  # what comes page by page cannot be judged
        result = await self.plan.run(run)
        if not result.failed:
            await result.decoded()
            judged = self.failed.test(answer_scope(run, result))
        else:
            judged = self._holds(answer_scope(run, result))
        return replace(result, failed=True, judged=True) if judged else result

    def _holds(self, scope: JsonObject) -> bool:
        try:
            return self.failed.test(scope)
        except ShapingError:  # an answer of another shape, which is no news where a call failed
            return False

    def explain(self) -> Sequence[str]:
        """Return what the plan does, and what a failure is."""
        return [*self.plan.explain(), f"a failure where {self.failed.text}"]


def answer_scope(run: Run, result: Result) -> JsonObject:
    """Return what is seen of a run that is done: inputs, outputs of steps, `result`.

    Bytes that are neither JSON nor text are Base64 text.
    """
    scope: JsonObject = {**run.inputs, **run.outputs}
    if not isinstance(result.value, Missing):
        scope["result"] = result.value
    elif result.raw is not None:
        scope["result"] = _read(result.raw, result.media_type)
    return scope


def _read(raw: bytes, media_type: str) -> JsonValue:
    if "json" in media_type:
        import orjson

        with contextlib.suppress(orjson.JSONDecodeError):
            value: JsonValue = orjson.loads(raw)
            return value
    if media_type.startswith("text/"):
        return raw.decode("utf-8", "replace")
    return b64encode(raw).decode("ascii")
