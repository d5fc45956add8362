"""Reading an answer: compiled paths, types, sizes. What is read here is data and stays data.

Spec: sections 6.2 (only selected outputs are kept), 8 (typed by output_schema), I3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.expressions.values import TypeMismatch, read_time
from naftiko.workflow.plan.paths import parts_of

MAX_DEPTH = 60
"""Values nested deeper than this are not kept: no shape of AWS comes near."""


class WrongData(Exception):  # noqa: N818 - becomes the TypeMismatch of a step
    """A value is not of the type that the plan says; the text is the engine's, without data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """`DBInstances[0].Endpoint` as ("DBInstances", 0, "Endpoint")."""

    text: str
    parts: tuple[str | int, ...]

    def get(self, value: JsonValue) -> JsonValue:
        """Return what stands there; null where it is absent.

        Raises: WrongData, where a list or an object should be and something else is.
        """
        for part in self.parts:
            if value is None:
                return None
            if type(part) is int:
                if not isinstance(value, list):
                    raise WrongData(f"`{self.text}` is not a list where a list was expected")
                value = value[part] if -len(value) <= part < len(value) else None
            else:
                if not isinstance(value, dict):
                    raise WrongData(f"`{self.text}` is not an object where one was expected")
                value = value.get(str(part))
        return value

    def under(self, prefix: Path) -> Path:
        """Return this path without its first part, below `prefix`."""
        parts = prefix.parts + self.parts[1:]
        return Path(text=self.text, parts=parts)


def path(text: str) -> Path:
    """Compile a path of the plan."""
    return Path(text=text, parts=parts_of(text))


def fits(value: JsonValue, type_: str) -> bool:
    """Return whether a value is of the type `t`; null fits all of them."""
    if value is None or type_ == "opaque":
        return True
    match type_:
        case "string":
            return isinstance(value, str)
        case "integer" | "duration":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "timestamp":
            return isinstance(value, str) and is_timestamp(value)
        case "list":
            return isinstance(value, list)
        case "map":
            return isinstance(value, dict)
    return False


def kind_of(value: JsonValue) -> str:
    """Return the name of a value's type, for a message: "a string"."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    names = {int: "integer", float: "number", str: "string", list: "list", dict: "map"}
    return _with_article(names.get(type(value), "opaque value"))


def misfit(name: str, value: JsonValue, type_: str) -> str:
    """Say that a value is of another type: "`days` is a string and must be an integer"."""
    return f"`{name}` is {kind_of(value)} and must be {_with_article(type_)}"


def _with_article(type_: str) -> str:
    return f"an {type_}" if type_[:1] in "aio" else f"a {type_}"


def is_timestamp(text: str) -> bool:
    """Return whether a text is an ISO 8601 time."""
    return moment(text) is not None


def moment(text: JsonValue) -> float | None:
    """Return a time of AWS as seconds since 1970; None if it is none."""
    try:
        return read_time(text).timestamp()
    except TypeMismatch:
        return None


def select_members(value: JsonValue, members: Sequence[str], where: str) -> JsonValue:
    """Keep only these members of each element of a list of structures.

    Raises: WrongData.
    """
    if not isinstance(value, list):
        return value
    kept: list[JsonValue] = []
    for element in value:
        if element is None:
            continue
        if not isinstance(element, dict):
            raise WrongData(f"an element of `{where}` is not an object")
        kept.append({name: element[name] for name in members if name in element})
    return kept


def size_of(value: JsonValue, limit: int) -> int:
    """Return about how many bytes a value takes as JSON; more than `limit` is not counted on.

    Raises: WrongData, if it is nested too deep.
    """
    size = 0
    level: list[JsonValue] = [value]
    for _ in range(MAX_DEPTH):
        below: list[JsonValue] = []
        for item in level:
            if isinstance(item, str):
                size += 2 + (len(item) if item.isascii() else len(item.encode(errors="replace")))
            elif isinstance(item, dict):
                size += 2 + sum(len(name) + 4 for name in item)
                below.extend(item.values())
            elif isinstance(item, list):
                size += 2 + len(item)
                below.extend(item)
            else:
                size += 8
        if size > limit or not below:
            return size
        level = below
    raise WrongData(f"a value is nested deeper than {MAX_DEPTH} levels")


def prune(value: JsonValue) -> JsonValue:
    """Drop what is null inside lists and objects; what becomes empty by that is null itself."""
    if isinstance(value, dict):
        kept: JsonObject = {}
        for name, inner in value.items():
            pruned = prune(inner)
            if pruned is not None:
                kept[name] = pruned
        return kept if kept or not value else None
    if isinstance(value, list):
        items: list[JsonValue] = [pruned for inner in value if (pruned := prune(inner)) is not None]
        return items if items or not value else None
    return value
