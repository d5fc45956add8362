"""GivenPlan: what the file itself holds; nothing is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from naftiko.model.exposes import ExposedOperation
from naftiko.model.parameters import Hints, InputParameter
from naftiko.plan.capability import OperationPlan
from naftiko.plan.clients import leave_out
from naftiko.plan.content import Content, Given
from naftiko.plan.fixed import split_fixed
from naftiko.plan.infer import Place, declared_inputs
from naftiko.plan.inputs import InputTable, compile_validator
from naftiko.plan.mock import has_given_values
from naftiko.plan.operations import OperationCompiler
from naftiko.plan.ports import Effect, Result
from naftiko.plan.run import Run
from naftiko.plan.schema_bounds import refuse_explosion


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenPlan:
    """Answers with a value over the inputs, with bytes, or with nothing but its content."""

    given: Given | None = None
    raw: bytes | None = None
    media_type: str = "text/plain"

    @property
    def calls(self) -> Sequence[str]:
        """Return nothing: no operation is called."""
        return ()

    async def run(self, run: Run) -> Result:
        """Render the value."""
        if self.raw is not None:
            return Result(raw=self.raw, media_type=self.media_type)
        return Result(value=self.given.value(run.inputs)) if self.given else Result()

    def explain(self) -> Sequence[str]:
        """Say that nothing is called."""
        return ["no call: answers as given in the file"]


def declares_nothing_to_run(operation: ExposedOperation) -> bool:
    """Tell whether an operation says nothing of what runs: no call, steps, ref, given outputs."""
    return not (
        operation.call is not None
        or operation.steps
        or operation.ref is not None
        or has_given_values(operation.output_parameters)
    )


def given_operation(
    operation: ExposedOperation,
    declared: Sequence[InputParameter],
    plan: GivenPlan,
    operations: OperationCompiler,
    content: Content | None = None,
) -> OperationPlan:
    """Compile an operation of which everything stands in the file.

    Raises: LeftOut where its inputs form no schema.
    """
    place = Place()
    open_, fixed = split_fixed(
        declared, place=place, templates=operations.templates, problems=operations.problems
    )
    inputs = declared_inputs(open_, place=place, parameters={})
    verbatim = operation.input_schema.plain() if operation.input_schema else None
    table = InputTable(
        inputs=inputs, verbatim=verbatim if isinstance(verbatim, dict) else None, constants=fixed
    )
    try:
        refuse_explosion(table.schema)
        compile_validator(table.schema)
    except ValueError as error:
        raise leave_out(
            "invalid-input-schema",
            f"the inputs of `{operation.name}` form no valid JSON Schema: {error}"[:300],
            (operation.input_schema or operation).location,
        ) from error
    return OperationPlan(
        name=operation.name,
        label=operation.label,
        description=operation.description,
        inputs=table,
        plan=plan,
        output_schema=None,
        effect=Effect.READ,
        hints=operation.hints or Hints(),
        location=operation.location,
        content=content,
    )
