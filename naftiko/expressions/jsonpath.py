"""JSONPath text -> Path.

Paths of names and indexes, nearly all that documents hold, run as plain lookups. Wildcards,
slices, deep scans and functions run here too, within bounds. Only filters use jsonpath-ng.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from naftiko.errors import ShapingError
from naftiko.expressions.pathfunctions import Function
from naftiko.expressions.pathsyntax import (
    Filter,
    Index,
    Indexes,
    Name,
    Names,
    Segment,
    Slice,
    Wildcard,
    parse_path,
)
from naftiko.source import Anchor
from naftiko.values import MISSING, JsonValue, Missing

MAX_RESULTS = 100_000
MAX_VISITS = 1_000_000
"""How many values the deep scans of one path may look at."""
FILTER_COST = 10
"""A filter takes 3 us for each member it tests; it may test a tenth of what scans may look at."""

Find: TypeAlias = Callable[[JsonValue], "JsonValue | Missing"]
Select: TypeAlias = Callable[[JsonValue, JsonValue], Sequence[JsonValue]]
Cost: TypeAlias = Callable[[JsonValue], int]

_LOOKS_FURTHER = re.compile(r"[*:]")


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """A compiled path. `definite` means that it leads to one place (or ends in a function).

    `find` returns MISSING where a definite path leads nowhere, and a list, possibly empty, for
    an indefinite one. An explicit null is None, and kept in lists. It raises ShapingError where a
    path finds more than 100,000 values.
    """

    text: str
    definite: bool
    is_root: bool
    find: Find

    def __repr__(self) -> str:
        """Show the text."""
        return f"Path({self.text!r})"


def compile_path(text: str, at: Anchor) -> Path:
    """Compile a path so that finding parses nothing.

    "$.items[0].name", "items[*].name", "$", "$.", "$..id", "$.a[?(@.x > 1)].b", "$.items.length()"

    Raises: ExpressionError[bad-path] at the character that is wrong.
    Source: RFC 9535; functions, `$.` and paths without `$` as in Jayway JsonPath.
    """
    parsed = parse_path(text, at)
    segments = parsed.segments
    definite = all(segment.is_single for segment in segments)
    find = _lookup(segments) if definite else _search(segments, at)
    if parsed.function is not None:
        find = _then(find, parsed.function)
    is_root = not segments and parsed.function is None
    return Path(text, definite or parsed.function is not None, is_root, find)


def _then(find: Find, function: Function) -> Find:
    def run(value: JsonValue) -> JsonValue | Missing:
        found = find(value)
        return MISSING if found is MISSING else function(found)

    return run


# Definite paths


def _lookup(segments: Sequence[Segment]) -> Find:
    keys = [_key(segment) for segment in segments]
    if not keys:
        return _itself
    names = [key for key in keys if isinstance(key, str)]
    if len(names) == len(keys):
        return _one_name(names[0]) if len(keys) == 1 else _names(tuple(names))
    plain = [key for key in keys if key is not None]
    if len(plain) == len(keys):
        return _names_and_indexes(tuple(plain))
    return _steps(tuple(_step(segment) for segment in segments))


def _key(segment: Segment) -> str | int | None:
    match segment.selector:
        case Name(name):
            return name
        case Index(index):
            return index
        case _:
            return None


def _itself(value: JsonValue) -> JsonValue | Missing:
    return value


def _one_name(name: str) -> Find:
    def find(value: JsonValue) -> JsonValue | Missing:
        return value.get(name, MISSING) if isinstance(value, dict) else MISSING

    return find


def _names(names: tuple[str, ...]) -> Find:
    def find(value: JsonValue) -> JsonValue | Missing:
        found: JsonValue | Missing = value
        for name in names:
            if not isinstance(found, dict):
                return MISSING
            found = found.get(name, MISSING)
        return found

    return find


def _names_and_indexes(keys: tuple[str | int, ...]) -> Find:
    def find(value: JsonValue) -> JsonValue | Missing:
        found: JsonValue | Missing = value
        for key in keys:
            if isinstance(key, str):
                if not isinstance(found, dict):
                    return MISSING
                found = found.get(key, MISSING)
            elif isinstance(found, list) and -len(found) <= key < len(found):
                found = found[key]
            else:
                return MISSING
        return found

    return find


def _steps(steps: tuple[Find, ...]) -> Find:
    def find(value: JsonValue) -> JsonValue | Missing:
        found: JsonValue | Missing = value
        for step in steps:
            if found is MISSING:
                return MISSING
            found = step(found)
        return found

    return find


def _step(segment: Segment) -> Find:
    match segment.selector:
        case Name(name):
            return _one_name(name)
        case Index(index):
            return _one_index(index)
        case Names(names):
            return _picked(names)
        case _:
            raise AssertionError(segment)


def _one_index(index: int) -> Find:
    def find(value: JsonValue) -> JsonValue | Missing:
        if not isinstance(value, list) or not -len(value) <= index < len(value):
            return MISSING
        return value[index]

    return find


def _picked(names: tuple[str, ...]) -> Find:
    def find(value: JsonValue) -> JsonValue | Missing:
        if not isinstance(value, dict):
            return MISSING
        return {name: value[name] for name in names if name in value}

    return find


# Indefinite paths


def _search(segments: Sequence[Segment], at: Anchor) -> Find:
    wide = [number for number, segment in enumerate(segments) if not segment.is_single]
    first = segments[wide[0]]
    if len(wide) == 1 and not first.deep and isinstance(first.selector, Wildcard):
        return _each(_lookup(segments[: wide[0]]), _lookup(segments[wide[0] + 1 :]))
    return _walk(
        tuple((_select(segment, at), segment.deep, _cost(segment)) for segment in segments)
    )


def _each(before: Find, after: Find) -> Find:
    """Return the function for a path with one `[*]`."""

    def find(value: JsonValue) -> JsonValue | Missing:
        items = _members(before(value))
        if len(items) > MAX_RESULTS:
            raise _too_many()
        if after is _itself:
            return list(items)
        return [found for item in items if (found := after(item)) is not MISSING]

    return find


def _cost(segment: Segment) -> Cost:
    """Return what a segment costs at one place, counted in visits."""
    if not isinstance(segment.selector, Filter):
        return _one_visit
    return _size_cost if _LOOKS_FURTHER.search(segment.selector.text) else _members_cost


def _one_visit(_value: JsonValue) -> int:
    return 1


def _members_cost(value: JsonValue) -> int:
    return 1 + FILTER_COST * len(value) if isinstance(value, (dict, list)) else 1


def _size_cost(value: JsonValue) -> int:
    """Return the cost of a filter that looks at the members of members: of all that is below."""
    limit = MAX_VISITS // FILTER_COST + 1
    return FILTER_COST * sum(1 for _ in islice(_descendants(value), limit))


def _walk(steps: tuple[tuple[Select, bool, Cost], ...]) -> Find:
    def find(value: JsonValue) -> JsonValue | Missing:
        nodes: Sequence[JsonValue] = [value]
        visits = 0
        for select, deep, cost in steps:
            found: list[JsonValue] = []
            for node in nodes:
                for place in _descendants(node) if deep else (node,):
                    visits += cost(place)
                    if visits > MAX_VISITS:
                        raise _too_many()
                    found.extend(select(place, value))
                    if len(found) > MAX_RESULTS:
                        raise _too_many()
            nodes = found
        return list(nodes)

    return find


def _select(segment: Segment, at: Anchor) -> Select:
    match segment.selector:
        case Wildcard():
            return lambda value, _root: _members(value)
        case Slice(bounds):
            return lambda value, _root: value[bounds] if isinstance(value, list) else ()
        case Indexes(indexes):
            return _several(tuple(_one_index(index) for index in indexes))
        case Names(names, merged=False):
            return _several(tuple(_one_name(name) for name in names))
        case Filter() as filter_:
            from naftiko.expressions.pathfilters import compile_filter

            return compile_filter(filter_, at)
        case _:
            return _several((_step(segment),))


def _several(finds: tuple[Find, ...]) -> Select:
    def select(value: JsonValue, _root: JsonValue) -> Sequence[JsonValue]:
        return [found for find in finds if (found := find(value)) is not MISSING]

    return select


def _members(value: JsonValue | Missing) -> Sequence[JsonValue]:
    if isinstance(value, list):
        return value
    return list(value.values()) if isinstance(value, dict) else ()


def _descendants(value: JsonValue) -> Iterator[JsonValue]:
    """Yield the value and all below it in document order."""
    pending = [value]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(reversed(_members(node)))


def _too_many() -> ShapingError:
    return ShapingError(code="too-many-values", message="a path finds too many values")
