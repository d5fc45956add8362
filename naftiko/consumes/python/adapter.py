"""Functions a program registers -> client adapters of `type: python`.

`{"pricing.quote": quote}` gives the namespace `pricing` an operation `quote`. Parameters come from
the signature: `def quote(sku: str, count: int = 1) -> dict` takes a required string and an integer.
"""

from __future__ import annotations

import asyncio
import inspect
import types
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from naftiko.errors import ConsumedError, RunError, StartError
from naftiko.plan.ports import ClientAdapter, Effect, Parameter, Result
from naftiko.plan.run import Run
from naftiko.values import JsonObject, JsonSchema, JsonValue

Function = Callable[..., object]
"""Gives a JSON value, or what orjson writes as one (dataclasses, dates); or a coroutine of it."""

_SIMPLE: dict[object, JsonObject] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    dict: {"type": "object"},
    list: {"type": "array"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonOperation:
    """One function. Plain functions run in a thread, coroutine functions on the loop."""

    address: str
    function: Function
    description: str
    parameters: Sequence[Parameter]
    open_arguments: bool
    output_schema: JsonSchema | None = None
    effect: Effect = Effect.UNKNOWN

    def explain(self) -> Sequence[str]:
        """Name the function."""
        name = getattr(self.function, "__qualname__", repr(self.function))
        return [f"Python function {name}"]

    async def call(self, arguments: Mapping[str, JsonValue], run: Run) -> Result:
        """Call the function with the arguments by name.

        Raises: RunError as the function raises it; ConsumedError for any other exception of it.
        """
        try:
            if inspect.iscoroutinefunction(self.function):
                value = await cast("Awaitable[object]", self.function(**arguments))
            else:
                value = await asyncio.to_thread(self.function, **arguments)
        except RunError:
            raise
        except Exception as error:
            # A caller must not see the text of an arbitrary exception; the log has it all.
            raise ConsumedError(
                code="function-failed",
                message=f"{self.address}: the function raised {type(error).__name__}",
                status=500,
            ) from error
        return Result(value=self._json(value))

    def _json(self, value: object) -> JsonValue:
        """Return what the function gave as JSON, detached from the function's own objects."""
        import orjson

        try:
            plain: JsonValue = orjson.loads(orjson.dumps(value))
        except TypeError as error:
            raise ConsumedError(
                code="function-failed",
                message=f"{self.address}: the function gave no JSON but {type(value).__name__}",
                status=500,
            ) from error
        return plain


@dataclass(frozen=True, slots=True)
class PythonClientAdapter:
    """The functions of one namespace."""

    namespace: str
    operations: dict[str, PythonOperation] = field(default_factory=dict)
    type_: str = "python"

    def operation_names(self) -> Sequence[str]:
        """Return the names calls may use."""
        return tuple(self.operations)

    def operation(self, name: str) -> PythonOperation | None:
        """Return that operation, None where there is none."""
        return self.operations.get(name)

    async def close(self) -> None:
        """Do nothing: functions hold no connections of ours."""


def compile_functions(functions: Mapping[str, Function]) -> dict[str, ClientAdapter]:
    """Return an adapter for each namespace.

    Raises: StartError for a name that is not `namespace.operation`.
    """
    adapters: dict[str, PythonClientAdapter] = {}
    for address, function in functions.items():
        namespace, dot, name = address.partition(".")
        if not dot or not namespace or not name or "." in name:
            raise StartError(
                f"a function is registered as `{address}`",
                hint="register it as `namespace.operation`",
            )
        adapter = adapters.setdefault(namespace, PythonClientAdapter(namespace))
        adapter.operations[name] = _operation(address, function)
    return dict(adapters)


def _operation(address: str, function: Function) -> PythonOperation:
    signature = inspect.signature(function)
    hints = get_type_hints(function)
    kinds = inspect.Parameter
    parameters = [
        _parameter(item, hints.get(item.name))
        for item in signature.parameters.values()
        if item.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
    ]
    return PythonOperation(
        address=address,
        function=function,
        description=inspect.getdoc(function) or "",
        parameters=tuple(parameters),
        open_arguments=any(
            item.kind is kinds.VAR_KEYWORD for item in signature.parameters.values()
        ),
    )


def _parameter(item: inspect.Parameter, hint: object) -> Parameter:
    schema = _schema(hint)
    if item.default is not inspect.Parameter.empty and item.default is not None:
        schema = {**schema, "default": item.default}
    return Parameter(
        name=item.name, schema=schema, required=item.default is inspect.Parameter.empty
    )


def _schema(hint: Any) -> JsonObject:
    """Return the JSON Schema of a type hint, {} for one that says nothing JSON knows."""
    origin = get_origin(hint)
    if origin is Literal:
        return {"enum": list(get_args(hint))}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(inner) for inner in get_args(hint)]}
    if origin is list and get_args(hint):
        return {"type": "array", "items": _schema(get_args(hint)[0])}
    return dict(_SIMPLE.get(origin or hint, {}))
