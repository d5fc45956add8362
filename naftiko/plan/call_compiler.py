"""An exposed operation that makes one call -> CallPlan, and the inputs that the call implies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from naftiko.document.nodes import Scalar
from naftiko.errors import Problems, did_you_mean
from naftiko.model.exposes import ExposedOperation
from naftiko.plan.call import Argument, CallPlan
from naftiko.plan.called import Called, Setting, declared_and_fixed, input_table
from naftiko.plan.infer import Place, Use, argument_parameter, declared_inputs, infer_inputs
from naftiko.plan.inputs import Input, InputTable
from naftiko.plan.ports import ClientOperation, Origin, Parameter, SuppliesArguments
from naftiko.plan.shaping import compile_shaper
from naftiko.plan.templates import PlanTemplates, input_references
from naftiko.plan.undeclared import Situation, fill_by_spelling, undeclared_inputs
from naftiko.plan.values import TextValue
from naftiko.values import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCompiler:
    """Compiles operations whose `call` names a consumed operation."""

    templates: PlanTemplates
    problems: Problems

    def compile(
        self, operation: ExposedOperation, client: ClientOperation, setting: Setting
    ) -> Called:
        """Compile the operation; what its caller gives follows from what the call takes.

        Raises: LeftOut, ExpressionError.
        """
        parameters = {parameter.name: parameter for parameter in client.parameters}
        arguments = self._arguments(operation, parameters, client, setting.place)
        uses = [use for argument in arguments for use in self._uses(argument, parameters)]
        situation = Situation(
            name=operation.name,
            location=operation.location,
            place=setting.place,
            client=client,
            arguments=arguments,
            uses=uses,
        )
        for argument, use in fill_by_spelling(situation, self.problems):
            arguments.append(argument)
            uses.append(use)
        inputs: Sequence[Input] = infer_inputs(
            place=setting.place, arguments=arguments, uses=uses, parameters=client.parameters
        )
        inputs = [item for item in inputs if item.name not in setting.given]
        fixed: JsonObject = {}
        is_declared = setting.declares(operation)
        if is_declared:
            declared, fixed = declared_and_fixed(operation, setting, self.templates, self.problems)
            known = parameters | _by_use(uses)
            listed = declared_inputs(declared, place=setting.place, parameters=known)
            names = {*fixed, *(item.name for item in listed), *setting.given}
            extra = undeclared_inputs(situation, inputs, names, self.problems)
            inputs = (*listed, *extra)
        closed = is_declared or not client.open_arguments
        shaper = compile_shaper(operation.output_parameters, self.templates.value)
        self._warn_several(operation)
        table = input_table(operation, inputs, fixed, closed=closed)
        target = operation.call.target.location if operation.call else operation.location
        filled = {argument.name for argument in arguments}
        used = {use.root for use in uses}
        plan = CallPlan(
            origin=Origin(name=f"{setting.adapter}.{operation.name}", location=target),
            operation=client,
            arguments=tuple(arguments),
            passed=_passed(table, parameters, filled),
            pass_rest=client.open_arguments,
            consumed=frozenset(
                name for name in (*used, *setting.place.path_names) if name not in parameters
            )
            | filled
            | frozenset(setting.given),
            shaper=shaper,
        )
        return Called(
            plan=plan,
            inputs=table,
            output_schema=shaper.output_schema(client.output_schema),
            effect=client.effect,
            description=client.description,
        )

    def _arguments(
        self,
        operation: ExposedOperation,
        parameters: Mapping[str, Parameter],
        client: ClientOperation,
        place: Place,
    ) -> list[Argument]:
        arguments: list[Argument] = []
        supplied = client.supplied if isinstance(client, SuppliesArguments) else frozenset()
        for entry in operation.call.with_ if operation.call else ():
            if entry.name.lower() in supplied:
                if place.method is None:
                    continue  # a tool's caller would be asked for what is not used
            elif entry.name not in parameters and not client.open_arguments:
                self.problems.warn(
                    "unknown-argument",
                    f"`{client.address}` has no parameter `{entry.name}`; it is not passed",
                    entry.location,
                    did_you_mean(entry.name, parameters),
                )
                continue
            value = self.templates.with_value(entry.value, entry.name)
            shown = entry.value.text if isinstance(entry.value, Scalar) else "a value in the file"
            arguments.append(Argument(name=entry.name, value=value, text=shown))
        return arguments

    def _uses(self, argument: Argument, parameters: Mapping[str, Parameter]) -> list[Use]:
        parameter = argument_parameter(argument, parameters)
        value = argument.value
        needed = isinstance(value, TextValue) and not value.template.is_whole
        return [
            Use(name=name, parameter=parameter, needed=needed, flat=name == argument.name)
            for name, _ in input_references(value, self.templates)
        ]

    def _warn_several(self, operation: ExposedOperation) -> None:
        outputs = operation.output_parameters
        if len(outputs) > 1:
            self.problems.warn(
                "several-outputs",
                "only the first output that is not null is the answer; several do not form an "
                "object",
                outputs[1].location,
                "put them under `properties` of one `type: object`",
            )


def _by_use(uses: Iterable[Use]) -> dict[str, Parameter]:
    """The parameter each input fills, so that a declared input can take over its schema."""
    return {use.name: use.parameter for use in uses if use.parameter is not None}


def _passed(
    table: InputTable, parameters: Mapping[str, Parameter], filled: set[str]
) -> tuple[str, ...]:
    """The inputs that go on under their own names: those the operation knows."""
    names = [item.name for item in table.inputs] if table.verbatim is None else list(parameters)
    names += table.constants
    return tuple(name for name in names if name in parameters and name not in filled)
