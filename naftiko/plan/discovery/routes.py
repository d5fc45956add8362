"""Paths and inputs of discovered routes, and who answers a path that several want.

Values in a path are percent-encoded as parts of one segment, so that what an item is called makes
neither segments nor variables: only what the file itself writes does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from naftiko.errors import RunError
from naftiko.plan.infer import BODYLESS
from naftiko.plan.inputs import Input, InputTable
from naftiko.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from naftiko.expressions.template import Template

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PAGES = ("/", "/openapi.json")
"""What an adapter says about itself; no item hides it."""
MAX_PATH = 2_048

_PLACEHOLDER = re.compile(r"\{\{.*?\}\}\}?|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_VARIABLE = re.compile(r"\{([A-Za-z0-9_.*-]+)\}")
_VALUE = "\0"
"""Stands for a placeholder, which no variable may reach across."""
_IN_VALUES = ":@"
_IN_PATHS = "/%{}:@!$&'()*+,;="
_OWN_VARIABLE = re.compile(r"\{[^{}]+\}")


def path_variables(text: str) -> tuple[str, ...]:
    """Return the variables of a path that is a template: "/a/{{name}}/{run}" -> ("run",).

    Raises: ValueError that says what no path can have.
    """
    written = _PLACEHOLDER.sub(_VALUE, text.strip())
    rest = _VARIABLE.sub("", written)
    if "{" in rest or "}" in rest:
        raise ValueError("a brace of it is no part of a `{variable}` or a `{{template}}`")
    for sign in "?#":
        if sign in rest:
            raise ValueError(f"it holds `{sign}`, which ends a path")
    return tuple(_VARIABLE.findall(written))


def render_path(template: Template, scope: Mapping[str, JsonValue]) -> str:
    """Return the path of an item, percent-encoded but for its variables.

    "/reports/{{item.id}}/{run}" -> "/reports/a%2Fb/{run}"

    Raises: RunError[invalid-path] where it would lead elsewhere; ShapingError.
    """
    text = template.render_text(scope, escape=_segment)
    path = quote(text.strip(), safe=_IN_PATHS)
    path = path if path.startswith("/") else f"/{path}"
    if len(path) > MAX_PATH:
        raise _invalid(f"has more than {MAX_PATH:,} characters")
    *inner, last = path.split("/")[1:]
    if "" in inner or (not last and not template.text.rstrip().endswith("/")):
        raise _invalid("has an empty segment, for a value in it is empty")
    for segment in (*inner, last):
        if segment in (".", ".."):
            raise _invalid(f"has the segment `{segment}`, which leads elsewhere")
    return path


def _segment(text: str) -> str:
    try:
        return quote(text, safe=_IN_VALUES)
    except UnicodeEncodeError:
        raise _invalid("has a value that is no text") from None


def _invalid(reason: str) -> RunError:
    return RunError(code="invalid-path", message=f"its path {reason}")


def route_inputs(schema: JsonObject, method: str, variables: Sequence[Input]) -> InputTable:
    """Return the inputs of a route: what its schema says, and the variables of its path.

    What the schema says of a variable holds for it.
    """
    place = "query" if method in BODYLESS else "body"
    properties, required = schema.get("properties"), schema.get("required")
    declared = properties if isinstance(properties, dict) else {}
    listed = required if isinstance(required, list) else []
    needed = [name for name in listed if isinstance(name, str)]
    in_path = [_in_path(item, declared.get(item.name)) for item in variables]
    names = {item.name for item in in_path}
    inputs = [
        Input(name=name, schema=inner, required=name in needed, sources=(place,))
        for name, inner in declared.items()
        if isinstance(inner, dict) and name not in names
    ]
    published = schema
    if in_path:
        published = {
            **schema,
            "properties": {**declared, **{item.name: dict(item.schema) for item in in_path}},
            "required": list[JsonValue](dict.fromkeys((*needed, *(v.name for v in in_path)))),
        }
    table = InputTable(inputs=(*in_path, *inputs), verbatim=published)
    table.prepare()
    return table


def _in_path(variable: Input, declared: JsonValue) -> Input:
    schema = declared if isinstance(declared, dict) else variable.schema
    return replace(variable, schema=schema, required=True, sources=("path",))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Pattern:
    path: str
    matches: re.Pattern[str]


class OwnRoutes:
    """The routes that the file itself holds. They win over everything that is discovered."""

    def __init__(self, routes: Iterable[tuple[str, str]]) -> None:
        """Keep them: ("GET", "/orders/{id}")."""
        self._by_method: dict[str, list[_Pattern]] = {}
        for method, path in routes:
            pattern = _Pattern(path, re.compile(_expression(path), re.DOTALL))
            self._by_method.setdefault(method, []).append(pattern)

    def objection(
        self, method: str, path: str, claimed: dict[tuple[str, str], str], key: str
    ) -> str | None:
        """Return why an item cannot have a route; else note in `claimed` that it has it.

        `key` is what the item is called where it is in the way of another: the first one stays.
        """
        if path in PAGES:
            return f"`{path}` is a page of the adapter itself"
        probe = "/".join(map(_probe, path.split("/")))
        for own in self._by_method.get(method, ()):
            if own.matches.fullmatch(probe):
                return f"`{method} {own.path}` of the file answers {method} {path}"
        shape = _VARIABLE.sub("{}", path)
        other = claimed.get((method, shape))
        if other is not None:
            return f"{method} {path} is the route of {other}"
        claimed[method, shape] = key
        return None


def _probe(segment: str) -> str:
    """Return a segment as values are, a variable as `{}`, which only a variable takes."""
    return unquote(_VARIABLE.sub("{}", segment)).replace("/", _VALUE)


def _expression(path: str) -> str:
    *inner, last = path.split("/")
    parts = [*map(_segment_expression, inner)]
    parts.append(".*" if last == "{path}" else _segment_expression(last))
    return "/".join(parts)


def _segment_expression(segment: str) -> str:
    literals = _OWN_VARIABLE.split(segment)
    return "[^/]+".join(map(re.escape, literals))
