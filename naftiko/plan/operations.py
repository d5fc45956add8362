"""Exposed operations -> OperationPlans: what a route or tool takes, runs and answers.

An operation that cannot be compiled is left out with a problem that names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from naftiko.document.nodes import Node, Scalar
from naftiko.errors import Problem, Problems, Severity, ShapingError, did_you_mean
from naftiko.expressions import ExpressionError
from naftiko.model.aggregates import Aggregate
from naftiko.model.exposes import ExposedOperation
from naftiko.model.parameters import Hints, InputParameter
from naftiko.model.scripting import ScriptSettings
from naftiko.plan.aftermath import Aftermath
from naftiko.plan.aggregates import Body, Functions, ReferredPlan, merged_hints, referring
from naftiko.plan.call import Argument, CallPlan
from naftiko.plan.capability import Disabled, OperationPlan
from naftiko.plan.clients import Clients, LeftOut, leave_out
from naftiko.plan.fixed import split_fixed
from naftiko.plan.infer import Place, Use, argument_parameter, declared_inputs, infer_inputs
from naftiko.plan.inputs import Input, InputTable, compile_validator
from naftiko.plan.mock import compile_mock, has_given_values
from naftiko.plan.ports import (
    ClientOperation,
    Effect,
    Origin,
    Parameter,
    Plan,
    SuppliesArguments,
)
from naftiko.plan.schema_bounds import refuse_explosion
from naftiko.plan.shaping import compile_shaper
from naftiko.plan.templates import PlanTemplates, input_references, unbound
from naftiko.plan.undeclared import Situation, fill_by_spelling, undeclared_inputs
from naftiko.plan.values import TextValue, ValueTemplate
from naftiko.values import JsonObject, JsonSchema

if TYPE_CHECKING:
    from naftiko.plan.scripts import ScriptCompiler


@dataclass(frozen=True, slots=True)
class _Called:
    """What a compiled operation runs and what that means for its inputs and hints."""

    plan: Plan
    inputs: InputTable
    output_schema: JsonSchema | None
    effect: Effect
    description: str = ""
    hints: Hints | None = None


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


@dataclass(slots=True, kw_only=True)
class OperationCompiler:
    """Compiles the operations of one capability. `disabled` are those left out."""

    clients: Clients
    templates: PlanTemplates
    problems: Problems
    read_only: bool = False
    disabled: list[Disabled] = field(default_factory=list)
    functions: Functions | None = None
    script_settings: ScriptSettings = field(default_factory=ScriptSettings)
    aftermath: Aftermath = field(default_factory=Aftermath)
    _scripts: ScriptCompiler | None = field(default=None, init=False)

    def compile(self, operation: ExposedOperation, setting: Setting) -> OperationPlan | None:
        """Compile one operation; None where it is left out.

        A template or path that does not parse leaves out its operation, not the file.
        """
        try:
            if not self.is_wanted(operation):
                return None
            called = self._called(operation, setting)
            if operation.response is not None and setting.place.method is not None:
                from naftiko.plan.response import compile_response

                plan = compile_response(operation.response, called.plan, self.templates)
                called = replace(called, plan=plan)
            if operation.is_error is not None:
                from naftiko.plan.judged import JudgedPlan

                condition = self.templates.condition(operation.is_error)
                called = replace(called, plan=JudgedPlan(plan=called.plan, failed=condition))
            output_schema = self._declared_output(operation) or called.output_schema
        except ExpressionError as error:
            problem = replace(error.problem, severity=Severity.WARNING)
            self._left(setting.adapter, operation, problem)
            return None
        except LeftOut as left:
            self._left(setting.adapter, operation, left.problem)
            return None
        hints = merged_hints(operation.hints, called.hints)
        self._check_hints(operation, hints, called.effect)
        if not setting.lists and not self.may_serve(hints, called.effect):
            return None
        return OperationPlan(
            name=operation.name,
            label=operation.label,
            description=operation.description or called.description,
            inputs=called.inputs,
            plan=called.plan,
            output_schema=output_schema,
            effect=called.effect,
            hints=hints,
            location=operation.location,
        )

    def may_serve(self, hints: Hints, effect: Effect) -> bool:
        """Tell whether --read-only, where it is set, lets an operation be served."""
        return not self.read_only or _only_reads(hints, effect)

    def is_wanted(self, operation: ExposedOperation) -> bool:
        """Tell whether the `when` of an operation lets it be there.

        Raises: LeftOut where it reads what nobody knows yet, or fails; ExpressionError.
        """
        if operation.when is None:
            return True
        condition = self.templates.condition(operation.when)
        try:
            for name, reference in unbound(condition.references, self.templates):
                raise leave_out(
                    "unsettled-condition",
                    f"`when` of `{operation.name}` reads `{name}`; it is settled when the file is "
                    "loaded, over bound variables only",
                    reference.location,
                )
            return condition.test({})
        except ShapingError as error:
            raise leave_out("condition-failed", error.message, operation.when.location) from None

    def body(self, operation: ExposedOperation, setting: Setting) -> Body:
        """Compile what an operation runs that is not exposed itself.

        Raises: LeftOut, ExpressionError.
        """
        called = self._called(operation, setting)
        return Body(
            plan=called.plan,
            inputs=called.inputs,
            output_schema=called.output_schema,
            effect=called.effect,
            description=called.description,
        )

    def _declared_output(self, operation: ExposedOperation) -> JsonSchema | None:
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

    def _left(self, adapter: str, operation: ExposedOperation, problem: Problem) -> None:
        self.problems.add(problem)
        self.disabled.append(Disabled(adapter=adapter, name=operation.name, problem=problem))

    def _check_hints(self, operation: ExposedOperation, hints: Hints, effect: Effect) -> None:
        if hints.read_only and effect in (Effect.WRITE, Effect.DESTRUCTIVE):
            self.problems.warn(
                "hint-contradicts-call",
                f"`{operation.name}` is marked `readOnly`, but what it calls changes something",
                operation.location,
                "correct `hints`, or --read-only would still leave it out",
            )

    def _called(self, operation: ExposedOperation, setting: Setting) -> _Called:
        if operation.ref is not None and self.functions is not None:
            return self._referred(operation, operation.ref, self.functions, setting)
        if operation.steps:
            return self._orchestrated(operation, setting)
        if operation.call is not None:
            self._warn_unused_mappings(operation)
            client = self.clients.find(operation.call.target, operation.name)
            return self._call(operation, client, setting)
        if has_given_values(operation.output_parameters):
            return self._mock(operation, setting)
        return self._bound_by_name(operation, setting)

    def _referred(
        self, operation: ExposedOperation, ref: Scalar, functions: Functions, setting: Setting
    ) -> _Called:
        """What `ref` names is called like a consumed operation, and is all that runs."""
        client = functions.find(ref, self._function)
        called = self._call(referring(operation, ref, client, self.problems), client, setting)
        plan = ReferredPlan(ref=client.address, call=called.plan, function=client.body.plan)
        return replace(called, plan=plan, hints=client.hints)

    def check_functions(self) -> None:
        """Say what is wrong with the functions of aggregates, whether referred to or not."""
        if self.functions is not None:
            self.functions.check(self._function)

    def _function(self, operation: ExposedOperation, aggregate: Aggregate) -> Body:
        """Compile a function, where the aggregate's namespace stands for its inputs."""
        prefixes = {aggregate.namespace, aggregate.written_as}
        scoped = replace(self, templates=replace(self.templates, namespaces=prefixes))
        return scoped.body(operation, Setting(aggregate.namespace))

    def _orchestrated(self, operation: ExposedOperation, setting: Setting) -> _Called:
        # Most files have no steps, and all that steps can do takes 30 ms to import.
        from naftiko.plan.steps.compiler import compile_orchestration, undeclared

        place = setting.place
        declared, fixed = self._split_fixed(operation, setting)
        is_declared = setting.declares(operation)
        names = {*fixed, *(item.name for item in declared), *place.path_names, *setting.given}
        self._refuse_call_beside_steps(operation)
        found = compile_orchestration(
            operation,
            clients=self.clients,
            templates=self.templates,
            problems=self.problems,
            scripts=self._script_compiler(),
            declared=names if is_declared else None,
            adapter=setting.adapter,
            path_names=(*place.path_names, *setting.given),
            aftermath=self.aftermath,
            given=setting.given,
        )
        inputs = [item for item in found.inferred(place) if item.name not in setting.given]
        if is_declared:
            listed = declared_inputs(declared, place=place, parameters=found.known())
            known = {*names, *(item.name for item in listed)}
            extra = undeclared(operation, found, place, known, self.problems)
            inputs = [*listed, *extra]
        closed = is_declared or not found.is_open
        table = self._table(operation, inputs, fixed, closed=closed)
        return _Called(plan=found.plan, inputs=table, output_schema=None, effect=found.plan.effect)

    def _script_compiler(self) -> ScriptCompiler:
        from naftiko.plan.scripts import ScriptCompiler

        if self._scripts is None:
            context = self.clients.context
            self._scripts = ScriptCompiler(
                settings=self.script_settings,
                workspace_root=context.workspace_root,
                environment=context.environment,
                problems=self.problems,
            )
        return self._scripts

    def _warn_unused_mappings(self, operation: ExposedOperation) -> None:
        if operation.mappings:
            self.problems.warn(
                "unused-mappings",
                f"`mappings` of `{operation.name}` put outputs of steps together, and it has no "
                "steps; they have no effect",
                operation.mappings[0].location,
                "shape the answer of a `call` with `outputParameters`",
            )

    def _refuse_call_beside_steps(self, operation: ExposedOperation) -> None:
        if operation.call is not None:
            raise LeftOut(
                Problem(
                    code="steps-with-call",
                    message=f"`{operation.name}` has both `steps` and `call`, and only one can run",
                    location=operation.call.target.location,
                    hint="make the call a step, or remove `steps`",
                )
            )

    def _mock(self, operation: ExposedOperation, setting: Setting) -> _Called:
        read: set[str] = set()

        def compile_value(node: Node) -> ValueTemplate:
            value = self.templates.value(node)
            names = unbound(value.references, self.templates)
            read.update(name.partition(".")[0] for name, _ in names)
            return value

        plan = compile_mock(operation.output_parameters, compile_value)
        declared, fixed = self._split_fixed(operation, setting)
        inputs = declared_inputs(declared, place=setting.place, parameters={})
        # What a mock reads and does not declare, callers may give all the same.
        known = {*fixed, *(item.name for item in inputs), *setting.given}
        inputs = tuple(item for item in inputs if item.name not in setting.given)
        is_declared = setting.declares(operation)
        table = self._table(operation, inputs, fixed, closed=is_declared and read <= known)
        return _Called(plan=plan, inputs=table, output_schema=None, effect=Effect.READ)

    def _bound_by_name(self, operation: ExposedOperation, setting: Setting) -> _Called:
        """An operation that says nothing of what it runs: one consumed operation of its name."""
        matches = self.clients.named(operation.name)
        if len(matches) != 1:
            reason = "several consumed operations have" if matches else "no consumed operation has"
            raise leave_out(
                "nothing-to-call",
                f"`{operation.name}` has neither `call` nor outputs with a `value`, and {reason} "
                "its name",
                operation.location,
                "add `call: namespace.operation`",
            )
        self.problems.warn(
            "bound-by-name",
            f"`{operation.name}` has no `call`; it calls `{matches[0].address}`, of the same name",
            operation.location,
            f"add `call: {matches[0].address}`",
        )
        return self._call(operation, matches[0], setting)

    def _call(
        self,
        operation: ExposedOperation,
        client: ClientOperation,
        setting: Setting,
    ) -> _Called:
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
            declared, fixed = self._split_fixed(operation, setting)
            known = parameters | _by_use(uses)
            listed = declared_inputs(declared, place=setting.place, parameters=known)
            names = {*fixed, *(item.name for item in listed), *setting.given}
            extra = undeclared_inputs(situation, inputs, names, self.problems)
            inputs = (*listed, *extra)
        closed = is_declared or not client.open_arguments
        shaper = compile_shaper(operation.output_parameters, self.templates.value)
        self._warn_several(operation)
        table = self._table(operation, inputs, fixed, closed=closed)
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
        return _Called(
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

    def _split_fixed(
        self, operation: ExposedOperation, setting: Setting
    ) -> tuple[list[InputParameter], JsonObject]:
        return split_fixed(
            (*setting.shared, *(operation.input_parameters or ())),
            place=setting.place,
            templates=self.templates,
            problems=self.problems,
        )

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

    def _table(
        self,
        operation: ExposedOperation,
        inputs: Sequence[Input],
        fixed: JsonObject,
        *,
        closed: bool,
    ) -> InputTable:
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


def _only_reads(hints: Hints, effect: Effect) -> bool:
    """What --read-only keeps. An effect that is known counts more than the file's hint."""
    if effect is Effect.READ:
        return hints.read_only is not False
    return effect is Effect.UNKNOWN and hints.read_only is True
