"""Exposed operations -> OperationPlans: what a route or tool takes, runs and answers.

An operation that cannot be compiled is left out with a problem that names it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from naftiko.document.nodes import Node, Scalar
from naftiko.errors import Problem, Problems, Severity, ShapingError
from naftiko.expressions import ExpressionError
from naftiko.model.aggregates import Aggregate
from naftiko.model.exposes import ExposedOperation
from naftiko.model.parameters import Hints
from naftiko.model.scripting import ScriptSettings
from naftiko.plan.aftermath import Aftermath
from naftiko.plan.aggregates import Body, Functions, ReferredPlan, merged_hints, referring
from naftiko.plan.call_compiler import CallCompiler
from naftiko.plan.called import Called, Setting, declared_and_fixed, declared_output, input_table
from naftiko.plan.capability import Disabled, OperationPlan
from naftiko.plan.clients import Clients, LeftOut, leave_out
from naftiko.plan.infer import declared_inputs
from naftiko.plan.mock import compile_mock, has_given_values
from naftiko.plan.ports import (
    ClientOperation,
    Effect,
)
from naftiko.plan.templates import PlanTemplates, unbound
from naftiko.plan.values import ValueTemplate

if TYPE_CHECKING:
    from naftiko.plan.scripts import ScriptCompiler


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
            output_schema = declared_output(operation) or called.output_schema
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
            tags=operation.tags,
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

    def _called(self, operation: ExposedOperation, setting: Setting) -> Called:
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

    def _call(
        self, operation: ExposedOperation, client: ClientOperation, setting: Setting
    ) -> Called:
        compiler = CallCompiler(templates=self.templates, problems=self.problems)
        return compiler.compile(operation, client, setting)

    def _referred(
        self, operation: ExposedOperation, ref: Scalar, functions: Functions, setting: Setting
    ) -> Called:
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

    def _orchestrated(self, operation: ExposedOperation, setting: Setting) -> Called:
        # Most files have no steps, and all that steps can do takes 30 ms to import.
        from naftiko.plan.steps.compiler import compile_orchestration, undeclared

        place = setting.place
        declared, fixed = declared_and_fixed(operation, setting, self.templates, self.problems)
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
        table = input_table(operation, inputs, fixed, closed=closed)
        return Called(plan=found.plan, inputs=table, output_schema=None, effect=found.plan.effect)

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

    def _mock(self, operation: ExposedOperation, setting: Setting) -> Called:
        read: set[str] = set()

        def compile_value(node: Node) -> ValueTemplate:
            value = self.templates.value(node)
            names = unbound(value.references, self.templates)
            read.update(name.partition(".")[0] for name, _ in names)
            return value

        plan = compile_mock(operation.output_parameters, compile_value)
        declared, fixed = declared_and_fixed(operation, setting, self.templates, self.problems)
        inputs = declared_inputs(declared, place=setting.place, parameters={})
        # What a mock reads and does not declare, callers may give all the same.
        known = {*fixed, *(item.name for item in inputs), *setting.given}
        inputs = tuple(item for item in inputs if item.name not in setting.given)
        is_declared = setting.declares(operation)
        table = input_table(operation, inputs, fixed, closed=is_declared and read <= known)
        return Called(plan=plan, inputs=table, output_schema=None, effect=Effect.READ)

    def _bound_by_name(self, operation: ExposedOperation, setting: Setting) -> Called:
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


def _only_reads(hints: Hints, effect: Effect) -> bool:
    """What --read-only keeps. An effect that is known counts more than the file's hint."""
    if effect is Effect.READ:
        return hints.read_only is not False
    return effect is Effect.UNKNOWN and hints.read_only is True
