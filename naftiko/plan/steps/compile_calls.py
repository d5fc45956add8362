"""Compiles `call`, `lookup` and `script` steps, which the specification has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from naftiko.document.nodes import Scalar
from naftiko.errors import did_you_mean
from naftiko.expressions.jsonpath import compile_path
from naftiko.expressions.lookup import default_getter
from naftiko.model.build_parameters import build_call
from naftiko.model.consumes import Consumes, ConsumesAws, ConsumesHttp
from naftiko.model.parameters import OutputParameter
from naftiko.plan.clients import leave_out
from naftiko.plan.ports import ClientOperation, SuppliesArguments
from naftiko.plan.shaping import MappedShape, Shape, ValueCompiler, compile_shaper
from naftiko.plan.steps.building import Kind, Place, StepCompiler, With
from naftiko.plan.steps.calls import CallAction
from naftiko.plan.steps.execution import Action
from naftiko.plan.steps.lookup import LookupAction
from naftiko.plan.steps.script import ScriptAction
from naftiko.plan.values import ValueTemplate
from naftiko.source import Anchor, Location


def compile_call(at: Place, compiler: StepCompiler) -> tuple[Action, With]:
    """Compile a call: the operation, what it is passed, what is kept of its answer."""
    fields = at.step.fields
    loop = fields.node.key("forEach")
    if loop is not None:
        raise leave_out(
            "unsupported-step-member",
            f"{at.shown} cannot loop by itself",
            loop.location,
            "put it into the `steps` of a step of type `forEach`",
        )
    call = build_call(fields)
    if call is None:
        raise leave_out("missing-member", f"{at.shown} needs `call`", at.step.location)
    operation = compiler.clients.find(call.target, compiler.operation.name)
    parameters = {parameter.name: parameter for parameter in operation.parameters}
    entries, shown = compiler.with_entries(at, parameters)
    passed = tuple(_passed(entries, operation, at, compiler))
    filled = {name for name, _ in passed}
    free = tuple(name for name in parameters if name not in filled)
    for name in free:
        if name not in at.visible.names:
            parameter = parameters[name]
            required = parameter.required and at.visible.certain
            compiler.unfilled.append(replace(parameter, required=required))
    pass_inputs = operation.open_arguments and not passed
    compiler.is_open = compiler.is_open or pass_inputs
    namespace, _, name = call.target.text.partition(".")
    action = CallAction(
        operation=operation,
        parameters=free,
        pass_inputs=pass_inputs,
        not_passed=frozenset(compiler.path_names),
        on_error=at.on_error,
        outputs=tuple(
            _kept(
                _declared_outputs(compiler.clients.consumes.get(namespace), name),
                compiler.templates.value,
            )
        ),
        shown=shown,
        quiet=compiler.operation.is_error is not None,
    )
    return action, passed


def _passed(
    entries: With, operation: ClientOperation, at: Place, compiler: StepCompiler
) -> Iterator[tuple[str, ValueTemplate]]:
    """Yield the entries of `with` that the operation takes; warn of the others."""
    known = {parameter.name for parameter in operation.parameters}
    supplied = operation.supplied if isinstance(operation, SuppliesArguments) else frozenset()
    keys = at.step.fields.mapping("with")
    for name, value in entries:
        if name.lower() in supplied or name in known or operation.open_arguments:
            yield name, value
            continue
        key = keys.key(name) if keys is not None else None
        compiler.problems.warn(
            "unknown-argument",
            f"`{operation.address}` has no parameter `{name}`; it is not passed",
            (key or at.step).location,
            did_you_mean(name, known),
        )


def _declared_outputs(entry: Consumes | None, name: str) -> tuple[OutputParameter, ...]:
    if isinstance(entry, ConsumesHttp):
        for resource in entry.resources:
            for operation in resource.operations:
                if operation.name == name:
                    return operation.output_parameters
    elif isinstance(entry, ConsumesAws):
        for action in entry.operations:
            if action.name == name:
                return action.output_parameters
    return ()


def _kept(
    outputs: tuple[OutputParameter, ...], compile_value: ValueCompiler
) -> Iterator[tuple[str, Shape]]:
    """Yield what is kept under each declared name; `value: $.x` is a path as `mapping: $.x` is."""
    for declared in outputs:
        if not declared.name:
            continue
        output, value = declared, declared.value
        if isinstance(value, Scalar) and value.text.lstrip().startswith("$"):
            output = replace(declared, mapping=value, value=None)
        if output.mapping is None and output.value is None and not output.properties:
            quoted = declared.name.replace("\\", "\\\\").replace("'", "\\'")
            yield declared.name, MappedShape(compile_path(f"$['{quoted}']", _at(output)))
            continue
        yield declared.name, compile_shaper((output,), compile_value).shapes[0]


def _at(output: OutputParameter) -> Anchor:
    def at(_offset: int, _length: int = 0, /) -> Location:
        return output.location

    return at


def compile_lookup(at: Place, compiler: StepCompiler) -> tuple[Action, With]:
    """Compile a lookup. The step it searches must have run by then."""
    index = compiler.scalar(at, "index")
    if index.text not in at.visible.names:
        raise leave_out(
            "unknown-step",
            f"{at.shown} searches `{index.text}`, which is no step before it",
            index.location,
            did_you_mean(index.text, at.visible.names),
        )
    match = compiler.scalar(at, "match").text
    value = compiler.node(at, "lookupValue")
    names = (
        *at.step.fields.texts("outputParameters"),
        *(named.name for named in at.step.fields.named("outputParameters") if named.name),
    )
    action = LookupAction(
        index=index.text,
        match=match,
        get_match=default_getter(match),
        value=compiler.values.value(value, at.visible, path=True),
        fields=tuple((name, default_getter(name)) for name in names),
    )
    return action, ()


def compile_script(at: Place, compiler: StepCompiler) -> tuple[Action, With]:
    """Compile a script."""
    entries, _ = compiler.with_entries(at)
    script = compiler.scripts.compile(at.step)
    return ScriptAction(script=script, language=script.source.language), entries


KINDS: Mapping[str, Kind] = {
    "call": compile_call,
    "lookup": compile_lookup,
    "script": compile_script,
}
