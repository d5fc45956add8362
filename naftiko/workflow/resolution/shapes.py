"""Values of a plan (trees) against botocore's input shapes: WF304. Spec: section 3, rule 2."""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from naftiko.document.nodes import Mapping, Node, Sequence
from naftiko.document.scalars import shorten
from naftiko.errors import Problems, did_you_mean
from naftiko.source import Location
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.types import Type, list_of, of_shape

if TYPE_CHECKING:
    from botocore.model import Shape

    from naftiko.workflow.expressions.typed import Typed

MAX_MATCHED = 512
"""Longer texts are not matched against AWS's patterns, which nobody has proved quick."""

MAX_TYPE_DEPTH = 4
_INDEX = re.compile(r"\[(\d+)\]")
_INTEGERS = frozenset({"integer", "long", "biginteger"})
_NUMBERS = frozenset({"float", "double", "bigdecimal"})
_TEXTS = frozenset({"string", "character"})
_ACCEPTED = {
    "string": frozenset({"string", "enum"}),
    "integer": frozenset({"integer"}),
    "number": frozenset({"integer", "number"}),
    "boolean": frozenset({"boolean"}),
    # a timestamp or a blob is written as a text; only the call itself can tell a wrong one
    "timestamp": frozenset({"timestamp", "string"}),
    "opaque": frozenset({"opaque", "string"}),
}


def as_list(shape: Shape, typed: Typed) -> Typed:
    """Return a value as the list a member takes: one that is no list becomes a list of one."""
    if shape.type_name != "list" or typed.type.kind in {"list", "opaque", "null"}:
        return typed
    return replace(typed, tree={"list": [typed.tree]}, type=list_of(typed.type))


def check_value(
    shape: Shape,
    typed: Typed,
    location: Location,
    problems: Problems,
    *,
    name: str = "",
    node: Node | None = None,
) -> bool:
    """Report a WF304 for everything in a value that does not fit a shape; tell whether it fits.

    Constants are checked for type, enum, pattern, length, range, members; others for their type.
    `name` is what the value is called; with `node`, problems stand where in it they are.
    """
    before = len(problems)
    _Check(location, problems, name, node).tree(shape, typed.tree, typed.type, name)
    return len(problems) == before


@dataclass(frozen=True, slots=True)
class _Check:
    location: Location
    problems: Problems
    name: str = ""
    node: Node | None = None

    def at(self, where: str, key: str | None = None) -> Location:
        """Return the place of a part of the value, or of a name in it."""
        if self.node is None:
            return self.location
        return _place(self.node, where.removeprefix(self.name).lstrip("."), key)

    def tree(self, shape: Shape, tree: JsonObject, type_: Type | None, where: str) -> None:
        if shape.metadata.get("document"):
            return
        if "lit" in tree:
            self.constant(shape, tree["lit"], where)
        elif "obj" in tree:
            self.object(shape, cast("MappingType[str, JsonObject]", tree["obj"]), where)
        elif "list" in tree:
            self.items(shape, cast("list[JsonObject]", tree["list"]), where)
        elif type_ is not None:
            self.type(shape, type_, where, MAX_TYPE_DEPTH)
        elif isinstance(tree.get("t"), str):
            self.type(shape, Type(kind=str(tree["t"])), where, 1)
        elif "cat" in tree:
            self.type(shape, Type(kind="string"), where, 1)

    # Trees

    def object(self, shape: Shape, members: MappingType[str, JsonObject], where: str) -> None:
        if shape.type_name == "map":
            for name, tree in members.items():
                self.text(shape.key, name, _below(where, name))
                self.tree(shape.value, tree, None, _below(where, name))
            return
        if shape.type_name != "structure":
            self.wrong(shape, "an object", where)
            return
        self.names(shape, list(members), where)
        for name, tree in members.items():
            if name in shape.members:
                self.tree(shape.members[name], tree, None, _below(where, name))

    def items(self, shape: Shape, items: list[JsonObject], where: str) -> None:
        if shape.type_name != "list":
            self.wrong(shape, "a list", where)
            return
        self.length(shape, len(items), where, "elements")
        for index, tree in enumerate(items):
            self.tree(shape.member, tree, None, f"{where}[{index}]")

    # Types

    def type(self, shape: Shape, type_: Type, where: str, depth: int) -> None:
        wanted = of_shape(shape)
        if type_.kind in {"opaque", "null"} or (wanted.kind == "opaque" and type_.kind == "string"):
            return
        if wanted.kind == "list" and type_.kind == "list":
            if depth > 1 and type_.item is not None:
                self.type(shape.member, type_.element(), f"{where}[]", depth - 1)
            return
        if wanted.kind == "map" and type_.kind == "map":
            self.members(shape, type_, where, depth)
            return
        if type_.kind not in _ACCEPTED.get(wanted.kind, frozenset()):
            self.wrong(shape, _article(type_.kind), where)
        elif type_.enum and wanted.enum and set(type_.enum).isdisjoint(wanted.enum):
            message = f"none of the values it can have is allowed{_for(where)}"
            self.problems.error("WF304", message, self.at(where), _one_of(wanted.enum))

    def members(self, shape: Shape, type_: Type, where: str, depth: int) -> None:
        if shape.type_name != "structure" or type_.members is None:
            return
        self.names(shape, list(type_.members), where)
        for name in type_.members if depth > 1 else ():
            found = type_.member(name)
            if name in shape.members and found is not None:
                self.type(shape.members[name], found, _below(where, name), depth - 1)

    # Constants

    def constant(self, shape: Shape, value: JsonValue, where: str) -> None:
        if value is None or shape.metadata.get("document"):
            return
        if isinstance(value, dict):
            self.object(shape, {key: _lit(item) for key, item in value.items()}, where)
        elif isinstance(value, list):
            self.items(shape, [_lit(item) for item in value], where)
        else:
            self.scalar(shape, value, where)

    def scalar(self, shape: Shape, value: JsonValue, where: str) -> None:
        if shape.type_name in _TEXTS:
            self.text(shape, value, where)
        elif shape.type_name in _INTEGERS | _NUMBERS:
            self.number(shape, value, where)
        elif shape.type_name == "timestamp":
            self.timestamp(value, where)
        elif not isinstance(value, {"boolean": bool, "blob": str}.get(shape.type_name, type(None))):
            self.wrong(shape, _shown(value), where)

    def text(self, shape: Shape, value: JsonValue, where: str) -> None:
        if not isinstance(value, str):
            hint = "quote it" if value is not None and not isinstance(value, (dict, list)) else ""
            self.wrong(shape, _shown(value), where, hint)
            return
        allowed = tuple(getattr(shape, "enum", ()) or ())
        if allowed and value not in allowed:
            message = f"`{shorten(value)}` is not allowed{_for(where)}"
            hint = did_you_mean(value, allowed) or _one_of(allowed)
            self.problems.error("WF304", message, self.at(where), hint)
            return
        self.length(shape, len(value), where, "characters")
        pattern = shape.metadata.get("pattern")
        compiled = safe_pattern(pattern) if isinstance(pattern, str) else None
        if compiled is not None and len(value) <= MAX_MATCHED and not compiled.fullmatch(value):
            message = f"`{shorten(value)}` does not match AWS's pattern{_for(where)}"
            self.problems.error("WF304", message, self.at(where), f"the pattern: {pattern}")

    def number(self, shape: Shape, value: JsonValue, where: str) -> None:
        whole = shape.type_name in _INTEGERS
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            self.wrong(shape, _shown(value), where)
            return
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if (low is not None and value < low) or (high is not None and value > high):
            message = f"`{value}` is out of range{_for(where)}"
            self.problems.error("WF304", message, self.at(where), f"allowed: {_range(low, high)}")

    def timestamp(self, value: JsonValue, where: str) -> None:
        if isinstance(value, str):
            try:
                datetime.fromisoformat(value.replace("Z", "+00:00"))
            except ValueError:
                pass
            else:
                return
        message = f"{_shown(value)} is no time{_for(where)}"
        self.problems.error("WF304", message, self.at(where), "for example 2026-01-31T10:00:00Z")

    # Reports

    def names(self, shape: Shape, given: list[str], where: str) -> None:
        for name in given:
            if name not in shape.members:
                message = f"`{name}` is no member of {_what(where)}"
                hint = did_you_mean(name, sorted(shape.members))
                self.problems.error("WF304", message, self.at(where, name), hint)
        for name in sorted(set(shape.required_members) - set(given)):
            if not shape.members[name].metadata.get("idempotencyToken"):
                message = f"{_what(where)} needs `{name}`"
                self.problems.error("WF304", message, self.at(where), f"add it: `{name}: ...`")

    def length(self, shape: Shape, found: int, where: str, unit: str) -> None:
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if (low is not None and found < low) or (high is not None and found > high):
            message = f"{found} {unit} are given{_for(where)}"
            self.problems.error("WF304", message, self.at(where), f"allowed: {_range(low, high)}")

    def wrong(self, shape: Shape, found: str, where: str, hint: str = "") -> None:
        wanted = _article(of_shape(shape).kind if shape.type_name != "blob" else "blob")
        message = f"{wanted} is expected{_for(where)}, found {found}"
        self.problems.error("WF304", message, self.at(where), hint)


@lru_cache(maxsize=2048)
def safe_pattern(pattern: str) -> re.Pattern[str] | None:
    """Return AWS's pattern, None where it is Java's alone or might take very long."""
    if len(pattern) > 1_000 or _has_nested_repeats(pattern):
        return None
    try:
        return re.compile(pattern, re.DOTALL)
    except (re.error, RecursionError, OverflowError):
        return None


_TOKEN = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\??|\)|[*+?|]|\{[0-9]*(,?)[0-9]*\}|.", re.DOTALL
)


def _has_nested_repeats(pattern: str) -> bool:
    """Tell whether a repeated group holds a repetition: `(a+)*`."""
    stack = [False]
    closed = False
    for match in _TOKEN.finditer(pattern):
        part = match.group()
        repeats = part in {"*", "+"} or (len(part) > 1 and part.startswith("{"))
        if repeats and closed:
            return True
        closed = False
        if part.startswith("("):
            stack.append(False)
        elif part == ")" and len(stack) > 1:
            closed = stack.pop()
            stack[-1] = stack[-1] or closed
        elif repeats:
            stack[-1] = True
    return False


def _place(node: Node, path: str, key: str | None) -> Location:
    """Return the place of `[0].KeyType` in a node, or that of a name there; else the nearest."""
    index = _INDEX.match(path)
    if index is not None and isinstance(node, Sequence) and int(index[1]) < len(node.items):
        return _place(node.items[int(index[1])], path[index.end() :].lstrip("."), key)
    for name, value in node.entries if isinstance(node, Mapping) else ():
        if path and (path == name.text or path.startswith((f"{name.text}.", f"{name.text}["))):
            return _place(value, path[len(name.text) :].lstrip("."), key)
        if not path and name.text == key:
            return name.location
    return node.location


def _lit(value: JsonValue) -> JsonObject:
    return {"lit": value}


def _below(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _what(where: str) -> str:
    return f"`{where}`" if where else "the value"


def _for(where: str) -> str:
    return f" for `{where}`" if where else ""


def _article(kind: str) -> str:
    name = {"map": "object", "opaque": "value that is passed on as it is"}.get(kind, kind)
    return f"an {name}" if name[0] in "aeio" else f"a {name}"


def _shown(value: JsonValue) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{shorten(str(value))}`"


def _range(low: object, high: object) -> str:
    if low is None or high is None:
        return f"up to {high}" if low is None else f"at least {low}"
    return f"{low} to {high}"


def _one_of(values: tuple[str, ...]) -> str:
    shown = ", ".join(f"`{value}`" for value in values[:8])
    return f"one of {shown}" + (", ..." if len(values) > 8 else "")
