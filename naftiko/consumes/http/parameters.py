"""inputParameters of the three levels -> where each value comes from and where it goes.

The reference engine ignores the resource's level and sends nothing for path, cookie and body; here
all three levels hold, the narrower one wins, and each place is served (behaviour reference 15: 13,
14, 19).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from naftiko.consumes.http.binder import Binder, FromArgument, FromTemplate, Given, ValueSource
from naftiko.consumes.http.encoding import HEADER_NAME, json_bytes
from naftiko.errors import Problems, did_you_mean
from naftiko.model.parameters import InputParameter
from naftiko.plan.ports import ClientContext, Parameter
from naftiko.values import MISSING, JsonObject, JsonValue

PLACES = ("path", "query", "header", "cookie", "body", "environment")
BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})

_FRAMING_HEADERS = frozenset(
    (
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
"""Set by the connection itself; a value from elsewhere could split or misroute the request."""

_TYPE_SPELLINGS = {"float": "number", "int": "integer", "bool": "boolean", "list": "array"}
_TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object"})

Declared: TypeAlias = tuple[InputParameter, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A parameter, the place it goes to, and the source of its value."""

    declared: InputParameter
    in_: str
    source: ValueSource

    @property
    def name(self) -> str:
        """Its name, as written."""
        return self.declared.name

    @property
    def is_argument(self) -> bool:
        """Whether a caller gives it."""
        return isinstance(self.source, FromArgument)


def merge_levels(
    levels: Iterable[Declared], *, path_names: Collection[str], method: str, problems: Problems
) -> tuple[InputParameter, ...]:
    """Return the parameters that hold for an operation, each with its place in `in_`."""
    merged: dict[tuple[str, str], InputParameter] = {}
    for level in levels:
        for item in level:
            placed = _placed(item, path_names, method, problems)
            if placed is not None:
                name = item.name.lower() if placed.in_ == "header" else item.name
                merged[placed.in_ or "", name] = placed
    return tuple(merged.values())


def _placed(
    item: InputParameter, path_names: Collection[str], method: str, problems: Problems
) -> InputParameter | None:
    if item.in_ is None:
        fallback = "body" if method in BODY_METHODS else "query"
        return replace(item, in_="path" if item.name in path_names else fallback)
    if item.in_ not in PLACES:
        message = f"`{item.name}` is sent `in: {item.in_}`, which is no place in a request"
        problems.warn("unknown-place", message, item.location, did_you_mean(item.in_, PLACES))
        return None
    if item.in_ == "header" and not _is_usable_header(item, problems):
        return None
    return item


def _is_usable_header(item: InputParameter, problems: Problems) -> bool:
    if HEADER_NAME.fullmatch(item.name) is None:
        message = f"`{item.name}` is no header name, so it is not sent"
        problems.warn("invalid-header", message, item.location)
        return False
    if item.name.lower() in _FRAMING_HEADERS:
        message = f"the header `{item.name}` is set by the connection, so it is not sent"
        problems.warn("reserved-header", message, item.location, "remove it")
        return False
    return True


def constants_of(parameters: Iterable[InputParameter], context: ClientContext) -> JsonObject:
    """Return what is fixed before any call: variables of `in: environment`, and constant values.

    A variable that is not set is null, so that no argument of that name can stand in for it.
    """
    constants: JsonObject = {}
    for item in parameters:
        if item.in_ == "environment" and item.value is None:
            constants[item.name] = _variable(item.name, context)
    binder = Binder(context=context, constants=constants)
    fixed: JsonObject = {}
    for item in parameters:
        if item.value is not None:
            source = binder.source(item.value)
            if isinstance(source, Given):
                fixed[item.name] = source.value
    return {**fixed, **constants}


def _variable(name: str, context: ClientContext) -> JsonValue:
    value = context.bound(name) or context.environment.get(name) or None
    if value is not None and not name.lower().endswith("region"):
        context.add_secret(value)
    return value


def place_parameters(parameters: Iterable[InputParameter], binder: Binder) -> tuple[Placed, ...]:
    """Compile where each value comes from.

    Raises: ExpressionError.
    """
    return tuple(Placed(item, item.in_ or "", _source(item, binder)) for item in parameters)


def _source(item: InputParameter, binder: Binder) -> ValueSource:
    if item.value is not None:
        return binder.source(item.value)
    bound = binder.context.bound(item.name)
    if bound is not None:
        return Given(bound)
    if item.name in binder.constants:
        return Given(binder.constants[item.name])
    return FromArgument(item.name, item.default if item.has_default else MISSING)


def presets_of(placed: Iterable[Placed], needed: Collection[str]) -> tuple[Placed, ...]:
    """Return the parameters whose computed `value` other templates refer to by its name."""
    return tuple(
        item for item in placed if isinstance(item.source, FromTemplate) and item.name in needed
    )


def arguments_of(
    placed: Iterable[Placed], path_names: Iterable[str], needed: Iterable[str]
) -> Iterator[Parameter]:
    """Yield the operation's parameters: declared ones, then placeholders that nothing declares."""
    seen: set[str] = set()
    in_path = set(path_names)
    declared = {item.name: item for item in placed if item.is_argument}
    for item in declared.values():
        seen.add(item.name)
        must = item.declared.required is True or item.name in in_path
        required = must and not item.declared.has_default
        yield Parameter(
            name=item.name, schema=_schema(item.declared), required=required, in_=item.in_
        )
    for name in needed:
        if name not in seen and not any(item.name == name for item in placed):
            seen.add(name)
            path = name in in_path
            schema: JsonObject = {"type": "string"} if path else {}
            yield Parameter(name=name, schema=schema, required=path, in_="path" if path else "")


def _schema(item: InputParameter) -> JsonObject:
    schema: JsonObject = {}
    type_ = (item.type_ or "").lower()
    type_ = _TYPE_SPELLINGS.get(type_, type_)
    if type_ in _TYPES:
        schema["type"] = type_
    elif item.in_ == "path":
        schema["type"] = "string"
    for keyword, value in item.schema:
        if _is_valid_keyword(keyword, value):
            schema[keyword] = value
    if item.has_default:
        schema["default"] = item.default
    if item.description:
        schema["description"] = item.description
    return schema


def _is_valid_keyword(keyword: str, value: JsonValue) -> bool:
    """Tell whether a keyword is JSON Schema as the file writes it; what is not is left out."""
    from naftiko.plan.inputs import compile_validator

    if b'"$ref"' in json_bytes(value):
        return False
    try:
        compile_validator({keyword: value})
    except ValueError:
        return False
    return True
