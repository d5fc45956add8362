"""Functions of aggregates: compiled once, and called by what refers to them.

`ref: shop.get-order` calls the function like an operation of an API, so that inputs are inferred,
placed and checked as for any other call. The function's own templates name its inputs by the
aggregate's namespace (`with: {id: shop.id}`), which is settled when it is compiled: runs share
nothing that changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from naftiko.document.nodes import Scalar
from naftiko.errors import Problem, Problems, Severity, did_you_mean
from naftiko.expressions import ExpressionError
from naftiko.model.parameters import Call, Hints
from naftiko.plan.call import CallPlan
from naftiko.plan.clients import LeftOut, leave_out
from naftiko.plan.ports import Effect, Parameter, Plan, Result
from naftiko.plan.properties import properties_of

if TYPE_CHECKING:
    from naftiko.model.aggregates import Aggregate, Function
    from naftiko.model.exposes import ExposedOperation
    from naftiko.plan.inputs import InputTable
    from naftiko.plan.run import Run
    from naftiko.values import JsonObject, JsonSchema, JsonValue

MAX_LISTED = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Body:
    """What the compiler made of a function: its plan, and what that means for those who call it."""

    plan: Plan
    inputs: InputTable
    output_schema: JsonSchema | None
    effect: Effect
    description: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class FunctionOperation:
    """A function as a `ClientOperation`."""

    address: str
    function: Function
    body: Body
    parameters: Sequence[Parameter]

    @property
    def description(self) -> str:
        """Say what it does."""
        return self.body.description

    @property
    def open_arguments(self) -> bool:
        """Whether inputs beyond its own are passed on."""
        return not self.body.inputs.closed

    @property
    def output_schema(self) -> JsonSchema | None:
        """The JSON Schema of its result, if known."""
        return self.body.output_schema

    @property
    def effect(self) -> Effect:
        """What calling it does."""
        return self.body.effect

    @property
    def hints(self) -> Hints | None:
        """The hints that follow from its `semantics`."""
        return self.function.semantics.hints()

    def explain(self) -> Sequence[str]:
        """Return what it does."""
        return self.body.plan.explain()

    async def call(self, arguments: Mapping[str, JsonValue], run: Run) -> Result:
        """Run it with inputs of its own.

        Raises: InputError for arguments its parameters do not take; what its plan raises.
        """
        inputs = self.body.inputs.check(self._read(arguments))
        result = await self.body.plan.run(replace(run, inputs=inputs))
        return self._as_declared(result)

    def _read(self, arguments: Mapping[str, JsonValue]) -> JsonObject:
        """A template gives text, which is read as the type the parameter has."""
        table = self.body.inputs
        values: JsonObject = dict(arguments)
        for name, value in arguments.items():
            item = table.get(name)
            if isinstance(value, str) and item is not None and "string" not in item.types:
                values[name] = table.read_text(item, [value])
        return values

    def _as_declared(self, result: Result) -> Result:
        """`outputMediaType` names what bytes are; a JSON answer, such as an error, stays one."""
        declared = self.function.operation.output_media_type
        is_json = "json" in result.media_type
        if declared is None or result.raw is None or result.failed or is_json:
            return result
        return replace(result, media_type=declared.text)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ReferredPlan:
    """Runs what a `ref` names. `call` passes the inputs on to the function."""

    ref: str
    call: Plan
    function: Plan

    @property
    def calls(self) -> Sequence[str]:
        """Return what the function calls."""
        return self.function.calls

    async def run(self, run: Run) -> Result:
        """Run the function.

        Raises: what the function's plan raises.
        """
        return await self.call.run(run)

    def explain(self) -> Sequence[str]:
        """Return what is passed on, and what the function does with it."""
        first, *rest = self.call.explain()
        return [first.replace("call ", "ref ", 1), *rest]


CompileBody = Callable[["ExposedOperation", "Aggregate"], Body]


@dataclass(slots=True, kw_only=True)
class Functions:
    """The functions of a capability, compiled when something first refers to them."""

    aggregates: Mapping[str, Aggregate]
    problems: Problems
    _compiled: dict[str, FunctionOperation] = field(default_factory=dict)
    _compiling: list[str] = field(default_factory=list)

    def find(self, ref: Scalar, compile_body: CompileBody) -> FunctionOperation:
        """Return what a `ref` names.

        Raises: LeftOut, as an error where there is no such function.
        """
        address = ref.text.strip()
        known = self._compiled.get(address)
        if known is not None:
            return known
        aggregate, function = self._look_up(address, ref)
        if address in self._compiling:
            cycle = " -> ".join([*self._compiling[self._compiling.index(address) :], address])
            raise leave_out(
                "ref-cycle", f"the functions refer to each other in a circle: {cycle}", ref.location
            )
        self._compiling.append(address)
        try:
            compiled = _compile(address, aggregate, function, compile_body)
        finally:
            self._compiling.pop()
        self._compiled[address] = compiled
        return compiled

    def _look_up(self, address: str, ref: Scalar) -> tuple[Aggregate, Function]:
        namespace, _, name = address.partition(".")
        aggregate = self.aggregates.get(namespace)
        for function in aggregate.functions if aggregate else ():
            if aggregate is not None and function.name == name:
                return aggregate, function
        raise LeftOut(
            Problem(
                code="unknown-ref",
                message=f"no aggregate has the function `{address}`",
                location=ref.location,
                hint=self._hint(address),
            )
        )

    def _hint(self, address: str) -> str:
        known = list(self.addresses())
        near = did_you_mean(address, known)
        if near or not known:
            return near or "the file has no `aggregates`"
        shown = ", ".join(f"`{item}`" for item in known[:MAX_LISTED])
        return f"known here: {shown}, and {len(known) - MAX_LISTED} more"

    def addresses(self) -> Iterator[str]:
        """Yield what a `ref` may name."""
        for namespace, aggregate in self.aggregates.items():
            for function in aggregate.functions:
                yield f"{namespace}.{function.name}"

    def check(self, compile_body: CompileBody) -> None:
        """Refuse two functions of one name, and say what is wrong with those nobody refers to."""
        self._refuse_repeated()
        for namespace, aggregate in self.aggregates.items():
            for function in aggregate.functions:
                place = function.location
                address = Scalar(function.name, f"{namespace}.{function.name}", place)
                try:
                    self.find(address, compile_body)
                except LeftOut as left:
                    self.problems.add(left.problem)
                except ExpressionError as error:
                    self.problems.add(replace(error.problem, severity=Severity.WARNING))

    def _refuse_repeated(self) -> None:
        """A `ref` to one of two functions of a name would be ambiguous."""
        for aggregate in self.aggregates.values():
            seen: dict[str, Function] = {}
            for function in aggregate.functions:
                earlier = seen.setdefault(function.name, function)
                if earlier is not function:
                    self.problems.error(
                        "duplicate-operation",
                        f"two functions are called `{aggregate.namespace}.{function.name}`",
                        function.location,
                        f"the other one stands at {earlier.location}; rename one",
                    )


def _compile(
    address: str, aggregate: Aggregate, function: Function, compile_body: CompileBody
) -> FunctionOperation:
    body = compile_body(function.operation, aggregate)
    if isinstance(body.plan, CallPlan):
        body = replace(body, plan=replace(body.plan, mapped_status=200))
    return FunctionOperation(
        address=address,
        function=function,
        body=replace(body, description=function.operation.description or body.description),
        parameters=tuple(_parameters(body.inputs)),
    )


def _parameters(table: InputTable) -> Iterator[Parameter]:
    if table.verbatim is not None:
        for name, inner, is_required in properties_of(table.verbatim):
            yield Parameter(name=name, schema=inner, required=is_required)
        return
    for item in table.inputs:
        schema = dict(item.schema)
        if item.description:
            schema.setdefault("description", item.description)
        if item.has_default:
            schema.setdefault("default", item.default)
        yield Parameter(name=item.name, schema=schema, required=item.required)


def referring(
    operation: ExposedOperation, ref: Scalar, function: FunctionOperation, problems: Problems
) -> ExposedOperation:
    """Return an operation as a call of the function that its `ref` names.

    Raises: LeftOut, as an error, where it says itself what runs.
    """
    if operation.call is not None or operation.steps:
        member = "call" if operation.call is not None else "steps"
        raise LeftOut(
            Problem(
                code="ref-with-call",
                message=f"`{operation.name}` has both `ref` and `{member}`, and only one can run",
                location=ref.location,
                hint=f"remove `{member}`, or `ref`",
            )
        )
    if operation.output_parameters or operation.mappings:
        member = "outputParameters" if operation.output_parameters else "mappings"
        problems.warn(
            "ref-shapes-itself",
            f"`{member}` of `{operation.name}` has no effect beside `ref`: `{function.address}` "
            "says what comes out",
            operation.location,
            f"remove it, or change `{member}` of the function",
        )
    declares = operation.input_parameters is not None or operation.input_schema is not None
    inherited = None if declares or operation.with_ else function.function.operation.input_schema
    return replace(
        operation,
        call=Call(target=ref, with_=operation.with_),
        input_schema=inherited or operation.input_schema,
        output_parameters=(),
        mappings=(),
    )


def merged_hints(own: Hints | None, derived: Hints | None) -> Hints:
    """Return a tool's hints: what it says itself goes over what follows from `semantics`."""
    if own is None or derived is None:
        return own or derived or Hints()
    return Hints(
        read_only=derived.read_only if own.read_only is None else own.read_only,
        destructive=derived.destructive if own.destructive is None else own.destructive,
        idempotent=derived.idempotent if own.idempotent is None else own.idempotent,
        open_world=derived.open_world if own.open_world is None else own.open_world,
    )
