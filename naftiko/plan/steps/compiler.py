"""ExposedOperation with `steps` -> what runs, and the inputs that it reads."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from naftiko.document.nodes import Scalar
from naftiko.errors import Problems
from naftiko.model.exposes import ExposedOperation
from naftiko.model.parameters import OutputParameter
from naftiko.model.steps import OutputMapping
from naftiko.plan.aftermath import Aftermath
from naftiko.plan.clients import Clients, leave_out
from naftiko.plan.infer import Place, Use, infer_inputs
from naftiko.plan.inputs import Input
from naftiko.plan.ports import Origin, Parameter
from naftiko.plan.scripts import ScriptCompiler
from naftiko.plan.shaping import compile_shaper
from naftiko.plan.steps import compile_calls, compile_flow, compile_rest, compile_schema
from naftiko.plan.steps.building import Kind, StepCompiler
from naftiko.plan.steps.plan import ResultMapping, StepsPlan
from naftiko.plan.steps.scope import Visible
from naftiko.plan.templates import PlanTemplates

KINDS: Mapping[str, Kind] = {
    **compile_calls.KINDS,
    **compile_flow.KINDS,
    **compile_rest.KINDS,
    **compile_schema.KINDS,
}
"""Every type of step, and what compiles it."""

_ROOT = re.compile(r"[A-Za-z0-9_-]+(?=[.\[]|\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Orchestration:
    """The plan of an operation, and what it reads of inputs.

    `unfilled` are the parameters of its calls that inputs of their names fill. `is_open` where a
    call passes on every input.
    """

    plan: StepsPlan
    uses: Sequence[Use]
    unfilled: Sequence[Parameter]
    is_open: bool

    def inferred(self, place: Place) -> tuple[Input, ...]:
        """Return the inputs of an operation that declares none."""
        return infer_inputs(place=place, arguments=(), uses=self.uses, parameters=self.unfilled)

    def known(self) -> dict[str, Parameter]:
        """Return the parameter that each input fills, by the input's name."""
        filled = {use.name: use.parameter for use in self.uses if use.parameter is not None}
        return {parameter.name: parameter for parameter in self.unfilled} | filled


def compile_orchestration(
    operation: ExposedOperation,
    *,
    clients: Clients,
    templates: PlanTemplates,
    problems: Problems,
    scripts: ScriptCompiler,
    declared: Collection[str] | None,
    adapter: str,
    path_names: Collection[str] = (),
    aftermath: Aftermath | None = None,
    given: Collection[str] = (),
) -> Orchestration:
    """Compile steps, mappings and outputs. `declared` are the declared inputs, None for none.

    `given` are names that steps see like outputs of earlier steps, and no caller gives.

    Raises: LeftOut, ExpressionError.
    """
    compiler = StepCompiler(
        kinds=KINDS,
        operation=operation,
        clients=clients,
        templates=templates,
        problems=problems,
        declared=declared,
        scripts=scripts,
        path_names=path_names,
        aftermath=Aftermath() if aftermath is None else aftermath,
    )
    visible = Visible(dict.fromkeys(given))
    steps = compiler.compile(operation.steps, visible)
    after = Visible(visible.names, certain=False, inferring=False)
    mappings = tuple(_mappings(operation.mappings, after, compiler))
    shaper = compile_shaper(
        operation.output_parameters, lambda node: compiler.values.value(node, after)
    )
    plan = StepsPlan(
        origin=Origin(name=f"{adapter}.{operation.name}", location=operation.location),
        steps=steps,
        mappings=mappings,
        names=_names(operation.output_parameters),
        shaper=shaper,
        masker=templates.masker,
        asks=compiler.asks,
        tells=compiler.tells,
    )
    return Orchestration(
        plan=plan,
        uses=tuple(compiler.values.uses),
        unfilled=tuple(compiler.unfilled),
        is_open=compiler.is_open,
    )


def _names(outputs: Sequence[OutputParameter]) -> tuple[str, ...]:
    """Return the outputs that are declared by name only, which steps of their names fill."""
    return tuple(
        output.name
        for output in outputs
        if output.name and output.mapping is None and output.value is None
    )


def _mappings(
    mappings: Sequence[OutputMapping], visible: Visible, compiler: StepCompiler
) -> Iterator[ResultMapping]:
    for mapping in mappings:
        target = tuple(mapping.target.text.split("."))
        if not all(target):
            raise leave_out(
                "bad-target",
                f"`{mapping.target.text}` is no place in an answer",
                mapping.target.location,
                "write names with single dots between them: `customer.name`",
            )
        node = mapping.value
        if isinstance(node, Scalar) and isinstance(node.value, str):
            root = _ROOT.match(node.text.strip())
            if root is not None and root.group() in visible.names and "{{" not in node.text:
                # `get-user.name` for `$.get-user.name`
                node = replace(node, value=f"$.{node.text.strip()}", text=f"$.{node.text.strip()}")
        shown = node.text if isinstance(node, Scalar) else "a value in the file"
        value = compiler.values.value(node, visible, path=True)
        yield ResultMapping(target=target, value=value, shown=shown)


def undeclared(
    operation: ExposedOperation,
    orchestration: Orchestration,
    place: Place,
    declared: Collection[str],
    problems: Problems,
) -> list[Input]:
    """Return the inputs that steps read and the file does not declare, among those it does."""
    used = {use.root for use in orchestration.uses}
    extra = [
        item
        for item in orchestration.inferred(place)
        if item.name not in declared and (item.required or item.name in used)
    ]
    for item in extra:
        if item.name in place.path_names:
            continue
        reason = "which its steps read" if item.name in used else "which a call requires"
        problems.warn(
            "undeclared-input",
            f"`{operation.name}` does not declare the input `{item.name}`, {reason}; callers may "
            "give it all the same",
            operation.location,
            f"add `{item.name}` to `inputParameters`",
        )
    return extra
