"""`call` steps: a consumed operation, called with what the step passes; its answer as a value."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from naftiko.errors import ConsumedError
from naftiko.plan.ports import ClientOperation, Effect, Result
from naftiko.plan.shaping import Shape
from naftiko.plan.steps.execution import At, Execution, OnError, logger
from naftiko.plan.steps.journal import once
from naftiko.values import MISSING, JsonObject, JsonValue, Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAction:
    """Calls one consumed operation.

    Its parameters take their values from the step's `with`, else from what templates see under
    their names. With `pass_inputs` every input but `not_passed` goes on beside them, to an
    operation that takes more than its parameters. `outputs` are the `outputParameters` of the
    consumed operation. `quiet` where the file itself says what a failure is, so that the log need
    not.
    """

    operation: ClientOperation
    parameters: tuple[str, ...]
    pass_inputs: bool
    on_error: OnError
    not_passed: frozenset[str] = frozenset()
    outputs: tuple[tuple[str, Shape], ...] = ()
    shown: tuple[str, ...] = ()
    quiet: bool = False
    silent: ClassVar[bool] = False

    @property
    def calls(self) -> Sequence[str]:
        """Return the one address."""
        return (self.operation.address,)

    @property
    def effect(self) -> Effect:
        """Return what the operation does."""
        return self.operation.effect

    async def run(self, execution: Execution, at: At) -> JsonValue | Missing:
        """Call, keep the answer as the run's last one, and return its value.

        Raises: RunError; ConsumedError[step-failed] for a failed status under `onError: stop`.
        """

        async def work() -> Result:
            return await self.operation.call(self._arguments(execution, at), execution.run)

        result = await once(execution, at.path, work)
        value = await _value(result)
        at.frame.last = result
        if result.failed:
            self._failed(result, value, execution, at)
        return self._kept(value, at)

    def _arguments(self, execution: Execution, at: At) -> JsonObject:
        scope = at.scope
        arguments = {name: scope[name] for name in self.parameters if name in scope}
        if self.pass_inputs:
            inputs = execution.run.inputs.items()
            free = {name: value for name, value in inputs if name not in self.not_passed}
            arguments = {**free, **arguments}
        return {**arguments, **at.given}

    def _failed(
        self, result: Result, value: JsonValue | Missing, execution: Execution, at: At
    ) -> None:
        """A failed status is stored like any other answer, unless the step is to stop the run."""
        address = self.operation.address
        message = f"the step `{at.path}` failed: `{address}` answered with status {result.status}"
        if result.status < 400:
            message = f"the step `{at.path}` failed: so says the answer of `{address}`"
        error = ConsumedError(
            code="step-failed",
            message=message,
            status=result.status if result.status >= 400 else 502,
            details={"step": at.path} if value is MISSING else {"step": at.path, "result": value},
        )
        if self.on_error is OnError.STOP:
            raise error
        level = logging.DEBUG if self.quiet else logging.WARNING
        logger.log(level, "%s; the run goes on", execution.masker(message))
        at.frame.note_error(
            at.name,
            {
                "code": "step-failed",
                "message": execution.masker(message),
                "status": error.status,
                "step": at.path,
            },
        )

    def _kept(self, value: JsonValue | Missing, at: At) -> JsonValue | Missing:
        """Keep of an object what the operation declares; add it to each element of a list."""
        if not self.outputs or value is MISSING:
            return value
        if isinstance(value, list):
            return [
                {**item, **self._declared(item, at.scope)} if isinstance(item, dict) else item
                for item in value
            ]
        return self._declared(value, at.scope) if isinstance(value, dict) else value

    def _declared(self, value: JsonValue, scope: Mapping[str, JsonValue]) -> JsonObject:
        return {name: shape.shape(value, scope) for name, shape in self.outputs}

    def explain(self) -> Sequence[str]:
        """Return what is called with what."""
        lines = [f"call {self.operation.address}", *(f"  {line}" for line in self.shown)]
        if self.parameters:
            lines.append(f"  by their names: {', '.join(self.parameters)}")
        if self.pass_inputs:
            lines.append("  every input under its own name")
        lines += [f"  {line}" for line in self.operation.explain()]
        if self.outputs:
            kept = ", ".join(f"{name}: {shape.explain()}" for name, shape in self.outputs)
            lines.append(f"  keeps: {{{kept}}}")
        return lines


async def _value(result: Result) -> JsonValue | Missing:
    """Return the value of an answer: null for an empty one, MISSING for what has no value.

    Raises: ConsumedError where a good answer is not of the declared format. A failed one may well
        be an error page of some proxy.
    """
    try:
        value = await result.decoded()
    except ConsumedError:
        if not result.failed:
            raise
        return MISSING
    return None if value is MISSING and not result.raw else value
