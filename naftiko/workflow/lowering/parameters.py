"""The parameters of a plan: declared ones, and those that an expression brings in."""

from __future__ import annotations

import json

from naftiko.errors import Problems, did_you_mean
from naftiko.source import Location
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow import ast
from naftiko.workflow.expressions.typed import Typed
from naftiko.workflow.types import STRING, Type, of_parameter

_SOURCE_TYPES = {"list": "array", "map": "object", "timestamp": "string", "duration": "integer"}


class Parameters:
    """What `${params.x}` names in the outermost workflow.

    A parameter with a default that is not declared is declared by its use (WF210); one without,
    too, where the workflow has no `parameters` at all.
    """

    def __init__(self, workflow: ast.Workflow, problems: Problems) -> None:
        """Take the declared ones."""
        self._problems = problems
        self._is_open = not workflow.parameters_given
        self._found: dict[str, tuple[Type, JsonObject]] = {
            item.name: (
                of_parameter(item.type_, item.items, sensitive=item.sensitive),
                described(item),
            )
            for item in workflow.parameters
        }
        self.locations = {item.name: item.location for item in workflow.parameters}

    def __contains__(self, name: object) -> bool:
        """Tell whether there is one of that name."""
        return name in self._found

    def names(self) -> list[str]:
        """Return their names, declared ones first."""
        return list(self._found)

    def typed(self, name: str) -> Typed:
        """Return the tree of a parameter that is there."""
        type_ = self._found[name][0]
        return Typed(tree={"ref": ["params", name], "t": type_.kind}, type=type_)

    def described(self) -> list[JsonObject]:
        """Return them as a plan lists them."""
        return [dict(description) for _, description in self._found.values()]

    def description(self, name: str) -> JsonObject:
        """Return one as a plan lists it."""
        return self._found[name][1]

    def find(
        self,
        name: str,
        at: Location,
        *,
        default: JsonValue = None,
        default_type: Type | None = None,
        expected: Type | None = None,
    ) -> Typed | None:
        """Return a parameter's tree; declares it by its use where that is allowed.

        `default_type` is the type of the literal after `:-`, None where there is none.
        """
        if name in self._found:
            return self.typed(name)
        if default_type is not None:
            return self.declare(name, default_type, at, default=default)
        if self._is_open:
            return self.declare(name, expected or STRING, at)
        self._problems.error(
            "WF320",
            f"`params.{name}` names no parameter of this workflow",
            at,
            did_you_mean(name, self._found)
            or f"declare it under `parameters`, or write `${{params.{name}:-default}}`",
        )
        return None

    def declare(
        self,
        name: str,
        type_: Type,
        at: Location,
        *,
        default: JsonValue = None,
        required: bool | None = None,
    ) -> Typed:
        """Add a parameter that the source does not declare, and say so (WF210)."""
        is_required = default is None if required is None else required
        kind = type_.kind if type_.kind not in {"opaque", "null"} else "string"
        source_type = _SOURCE_TYPES.get(kind, kind)
        description: JsonObject = {"name": name, "type": source_type, "required": is_required}
        if not is_required:
            description["default"] = default
        items = type_.element().kind if kind == "list" else ""
        if items in {"string", "integer", "number", "boolean"}:
            description["items"] = items
        own = of_parameter(source_type, items or None, sensitive=type_.sensitive)
        self._found[name] = (own, description)
        self.locations[name] = at
        rest = "required" if is_required else f"optional, default {json.dumps(default)}"
        self._problems.warn(
            "WF210",
            f"`params.{name}` is not declared: taken as a parameter of type {source_type}, {rest}",
            at,
            f"declare `{name}` under `parameters`",
        )
        return self.typed(name)

    def lift(self, description: JsonObject, nested: str, at: Location) -> None:
        """Take over a parameter of a nested workflow that nothing binds (WF211)."""
        name, items = str(description["name"]), description.get("items")
        type_ = of_parameter(
            str(description["type"]),
            items if isinstance(items, str) else None,
            sensitive=bool(description.get("sensitive")),
        )
        self._found[name] = (type_, dict(description))
        self.locations[name] = at
        self._problems.info(
            "WF211",
            f"`{name}` of `{nested}` is bound by nothing: it becomes a parameter of this workflow",
            at,
        )


def described(item: ast.Parameter) -> JsonObject:
    """Return a declared parameter as a plan lists it: what is not given is left out."""
    out: JsonObject = {"name": item.name, "type": item.type_, "required": item.required}
    if item.has_default:
        out["default"] = item.default
    if item.description:
        out["description"] = item.description
    if item.pattern is not None:
        out["pattern"] = item.pattern.text
    if item.min is not None:
        out["min"] = item.min
    if item.max is not None:
        out["max"] = item.max
    if item.enum:
        out["enum"] = list(item.enum)
    if item.items is not None:
        out["items"] = item.items
    if item.sensitive:
        out["sensitive"] = True
    return out


def constant(value: JsonValue) -> Typed:
    """Return the tree of a constant: 7 -> {"lit": 7, "t": "integer"}."""
    kind = _kind(value)
    return Typed(tree={"lit": value, "t": kind}, type=Type(kind=kind))


def _kind(value: JsonValue) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "list" if isinstance(value, list) else "map"
