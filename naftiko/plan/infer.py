"""Inputs of an exposed operation: as declared, or inferred from what it calls.

Inferred inputs are the union of what `with` names, the placeholders of the exposed path, and the
operation's own parameters; type, required, enum and description come from the consumed operation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from naftiko.document.nodes import Scalar
from naftiko.expressions.jsonpath import Path, compile_path
from naftiko.model.parameters import InputParameter
from naftiko.plan.call import Argument
from naftiko.plan.inputs import Input, InputTable, compile_validator
from naftiko.plan.ports import Parameter
from naftiko.plan.values import TextValue
from naftiko.values import JsonObject, JsonValue

PATH_VARIABLE = re.compile(r"\{\{?\s*([A-Za-z0-9_.*-]+)\s*\}?\}")
BODYLESS = frozenset({"GET", "HEAD", "DELETE"})
BODY = "body"
STANDARD_HEADERS = frozenset(
    [
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "authorization",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "date",
        "expect",
        "forwarded",
        "from",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "origin",
        "pragma",
        "proxy-authorization",
        "range",
        "referer",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "via",
    ]
)
"""Never read as an input by its name alone: clients send these for themselves."""

_TYPE_SPELLINGS = {"float": "number", "int": "integer", "bool": "boolean", "list": "array"}
_TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where the inputs of an operation come from: a REST method and path, or a tool."""

    method: str | None = None
    path: str = ""

    @property
    def path_names(self) -> tuple[str, ...]:
        """The names of the path's variables."""
        return tuple(PATH_VARIABLE.findall(self.path))

    def sources(self, name: str, *, whole_body: str | None = None) -> tuple[str, ...]:
        """Return where an input that is not declared is looked for.

        `whole_body` is the input that the body itself is, if one is.
        """
        if self.method is None:
            return ()
        if name in self.path_names:
            return ("path",)
        header = () if name.lower() in STANDARD_HEADERS else ("header",)
        if name == whole_body:
            return ("body", "whole-body")
        if self.method in BODYLESS or whole_body is not None:
            return ("query", *header)
        return ("body", "query", *header)


@dataclass(frozen=True, slots=True)
class Use:
    """One use of an input: the parameter it fills, None where that is not known.

    `needed` is true where the input is part of a text, which would be wrong without it. `flat`
    means that the dots in its name are no path: `{page.size: rest.page.size}`.
    """

    name: str
    parameter: Parameter | None
    needed: bool = False
    flat: bool = False

    @property
    def root(self) -> str:
        """The name of the input: what stands before the first dot."""
        return self.name if self.flat else self.name.partition(".")[0]


def infer_inputs(
    *,
    place: Place,
    arguments: Sequence[Argument],
    uses: Sequence[Use],
    parameters: Sequence[Parameter],
) -> tuple[Input, ...]:
    """Return the inputs of an operation that declares none."""
    found: dict[str, Input] = {name: _path_input(name) for name in place.path_names}
    for use in uses:
        name = use.root
        nested = name != use.name
        parameter = None if nested else use.parameter
        _merge(found, _used_input(name, parameter, nested=nested, needed=use.needed))
    given = {argument.name for argument in arguments}
    for parameter in parameters:
        if parameter.name not in given:
            _merge(found, _used_input(parameter.name, parameter))
    whole = _whole_body(place, uses, parameters)
    return tuple(
        replace(
            item,
            sources=place.sources(item.name, whole_body=whole),
            required=item.required or item.name in place.path_names,
        )
        for item in found.values()
    )


def _whole_body(place: Place, uses: Sequence[Use], parameters: Sequence[Parameter]) -> str | None:
    """Return the input that is the request's body itself: `with: {body: rest.body}`."""
    if place.method is None or place.method in BODYLESS:
        return None
    used = [use.parameter for use in uses if use.name == BODY and use.parameter is not None]
    named = [*used, *(item for item in parameters if item.name == BODY)]
    return BODY if named and named[0].name == BODY and named[0].in_ == "body" else None


def _path_input(name: str) -> Input:
    return Input(name=name, schema={"type": "string", "minLength": 1}, required=True)


def _used_input(
    name: str, parameter: Parameter | None, *, nested: bool = False, needed: bool = False
) -> Input:
    if parameter is None:
        schema: JsonObject = {"type": "object"} if nested else {}
        return Input(name=name, schema=schema, required=needed)
    schema = dict(parameter.schema)
    return Input(
        name=name,
        schema=schema,
        required=parameter.required,
        description=str(schema.get("description") or ""),
    )


def _merge(found: dict[str, Input], item: Input) -> None:
    """The first use with a schema decides the type; one that needs the input makes it required."""
    earlier = found.get(item.name)
    if earlier is None:
        found[item.name] = item
        return
    weak = earlier.schema.keys() <= {"type", "minLength"} and bool(item.schema)
    chosen = item if weak or not earlier.schema else earlier
    found[item.name] = replace(chosen, required=earlier.required or item.required)


def declared_inputs(
    declared: Sequence[InputParameter],
    *,
    place: Place,
    parameters: Mapping[str, Parameter],
) -> tuple[Input, ...]:
    """Return the inputs of an operation that declares them; later ones of a name override.

    A tool's input is required unless the file says otherwise; a route's only when it says so, or
    when it is part of the path. What the consumed operation knows fills what the file leaves out.
    """
    last = {item.name: item for item in declared}
    in_body = [item for item in last.values() if declared_place(item, place) == "body"]
    only_body = in_body[0].name if len(in_body) == 1 else None
    inputs = [
        _declared(item, place, parameters.get(item.name), whole=item.name == only_body)
        for item in last.values()
    ]
    known = {item.name for item in inputs}
    inputs += [
        replace(_path_input(name), sources=("path",))
        for name in place.path_names
        if name not in known
    ]
    return tuple(inputs)


def declared_place(item: InputParameter, place: Place) -> str:
    """Return where a declared input is read from: "query", "body", "argument" of a tool."""
    if place.method is None:
        return "argument"
    if item.name in place.path_names and item.in_ in (None, "path"):
        return "path"
    if item.in_ is None:
        return "query" if place.method in BODYLESS else "body"
    return item.in_


def _declared(
    item: InputParameter, place: Place, parameter: Parameter | None, *, whole: bool
) -> Input:
    where = declared_place(item, place)
    sources: tuple[str, ...] = () if where == "argument" else (where,)
    path = body_path(item) if where == "body" else None
    if path is not None:
        sources = ("body-path",)
    elif whole:
        sources = ("body", "whole-body")
    required = where == "path" if item.required is None else item.required
    if item.required is None:
        # A route's input that fills what the call requires is asked for by its own name.
        needed = parameter is not None and parameter.required
        required = not item.has_default if place.method is None else required or needed
    known = parameter.schema if parameter else {}
    default = declared_default(item, known)
    return Input(
        name=item.name,
        schema=declared_schema(item, known),
        required=required and not item.has_default,
        description=item.description or str(known.get("description") or ""),
        sources=sources,
        default=default,
        has_default=default is not None,
        path=path,
    )


def declared_default(
    item: InputParameter, known: Mapping[str, JsonValue] | None = None
) -> JsonValue:
    """Return the default of an input: "5" is 5 where its type is integer. None for none."""
    if not isinstance(item.default, str):
        return item.default
    typed = Input(name=item.name, schema=declared_schema(item, known or {}))
    if not typed.types or typed.types - {"integer", "number", "boolean"}:
        return item.default
    return InputTable(inputs=(typed,)).read_text(typed, [item.default])


def body_path(item: InputParameter) -> Path | None:
    """Return the path into the body that `value: $.user.name` is, None for another value.

    Raises: ExpressionError.
    """
    if not leads_into_body(item):
        return None
    assert isinstance(item.value, Scalar)
    return compile_path(item.value.text, item.value.at)


def leads_into_body(item: InputParameter) -> bool:
    """Tell whether a parameter's `value` is a path rather than a constant."""
    return isinstance(item.value, Scalar) and item.value.text.lstrip().startswith("$")


def declared_schema(item: InputParameter, known: Mapping[str, JsonValue]) -> JsonObject:
    """Return the JSON Schema of a declared input; `known` is that of the parameter it fills."""
    schema: JsonObject = {}
    declared = _TYPE_SPELLINGS.get(item.type_ or "", item.type_ or "")
    if declared in _TYPES:
        schema["type"] = declared
    elif "type" in known:
        schema = {key: value for key, value in known.items() if key != "description"}
    for keyword, value in item.schema:
        schema[keyword] = _keyword(keyword, value)
    return {key: value for key, value in schema.items() if value is not None}


def _keyword(keyword: str, value: JsonValue) -> JsonValue:
    """Leave out a keyword the file gives in a form JSON Schema does not have."""
    if keyword == "items":
        return value if isinstance(value, dict) else None
    if keyword == "properties":
        is_map = isinstance(value, dict) and all(isinstance(v, dict) for v in value.values())
        return value if is_map else None
    if keyword == "enum":
        return value if isinstance(value, list) and value else None
    if keyword == "pattern":
        return value if is_regular_expression(value) else None
    if keyword == "uniqueItems":
        return value if isinstance(value, bool) else None
    if keyword == "additionalProperties":
        return value if isinstance(value, bool | dict) else None
    if keyword in ("format", "examples"):
        return value if isinstance(value, str | list) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def is_regular_expression(pattern: JsonValue) -> bool:
    """Tell whether it is one to the engine that tries it on inputs."""
    if not isinstance(pattern, str):
        return False
    try:
        compile_validator({"pattern": pattern})
    except ValueError:
        return False
    return True


def argument_parameter(argument: Argument, parameters: Mapping[str, Parameter]) -> Parameter | None:
    """Return the parameter that an argument of one whole input fills: `with: {a: rest.b}`."""
    value = argument.value
    if isinstance(value, TextValue) and value.template.is_whole:
        return parameters.get(argument.name)
    return None
