"""What operations of every kind are compiled from and to: where one stands, and what it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from naftiko.errors import Problems
from naftiko.model.exposes import ExposedOperation
from naftiko.model.parameters import Hints, InputParameter
from naftiko.plan.clients import leave_out
from naftiko.plan.fixed import split_fixed
from naftiko.plan.infer import Place
from naftiko.plan.inputs import Input, InputTable, compile_validator
from naftiko.plan.ports import Effect, Plan
from naftiko.plan.schema_bounds import refuse_explosion
from naftiko.plan.templates import PlanTemplates
from naftiko.values import JsonObject, JsonSchema


@dataclass(frozen=True, slots=True)
class Setting:
    """Where an operation stands: its adapter, its method and path, the inputs declared above it.

    `given` are names that templates see and no caller gives, such as the item of a `discover`
    entry. `closed` says that callers give nothing under a name of its own. `lists` says that the
    operation is compiled even where --read-only keeps it from being served.
    """

    adapter: str
    place: Place = field(default_factory=Place)
    shared: tuple[InputParameter, ...] = ()
    given: tuple[str, ...] = ()
    closed: bool = False
    lists: bool = False

    def declares(self, operation: ExposedOperation) -> bool:
        """Tell whether the file says what callers give."""
        return operation.input_parameters is not None or bool(self.shared) or self.closed


@dataclass(frozen=True, slots=True)
class Called:
    """What a compiled operation runs and what that means for its inputs and hints."""

    plan: Plan
    inputs: InputTable
    output_schema: JsonSchema | None
    effect: Effect
    description: str = ""
    hints: Hints | None = None


def declared_and_fixed(
    operation: ExposedOperation, setting: Setting, templates: PlanTemplates, problems: Problems
) -> tuple[list[InputParameter], JsonObject]:
    """Return the declared inputs that callers give, and the values of the others.

    Raises: LeftOut for an input that cannot be checked.
    """
    return split_fixed(
        (*setting.shared, *(operation.input_parameters or ())),
        place=setting.place,
        templates=templates,
        problems=problems,
    )


def declared_output(operation: ExposedOperation) -> JsonSchema | None:
    """Return the `outputSchema` of an operation.

    Raises: LeftOut where it is no JSON Schema.
    """
    node = operation.output_schema
    if node is None:
        return None
    schema = node.plain()
    try:
        if not isinstance(schema, dict):
            raise ValueError("it is no object")  # said as the others are
        refuse_explosion(schema)
        compile_validator(schema)
    except ValueError as error:
        raise leave_out(
            "invalid-output-schema",
            f"the `outputSchema` of `{operation.name}` is no valid JSON Schema: "
            + str(error).partition("\n")[0][:200],
            node.location,
        ) from error
    return schema


def input_table(
    operation: ExposedOperation,
    inputs: Sequence[Input],
    fixed: JsonObject,
    *,
    closed: bool,
) -> InputTable:
    """Return the inputs of an operation, its `inputSchema` before what was inferred.

    Raises: LeftOut where they form no JSON Schema.
    """
    verbatim = operation.input_schema.plain() if operation.input_schema else None
    table = InputTable(
        inputs=tuple(inputs),
        closed=closed,
        verbatim=verbatim if isinstance(verbatim, dict) else None,
        constants=fixed,
    )
    try:
        refuse_explosion(table.schema)
        compile_validator(table.schema)
    except ValueError as error:
        place = operation.input_schema or operation
        raise leave_out(
            "invalid-input-schema",
            f"the inputs of `{operation.name}` form no valid JSON Schema: {error}"[:300],
            place.location,
        ) from error
    return table
