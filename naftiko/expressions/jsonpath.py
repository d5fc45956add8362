"""JSONPath text -> Path.

Paths of names and indexes, nearly all that documents hold, run as plain lookups. Wildcards,
slices, deep scans, filters and functions are searches, within the bounds of a meter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from naftiko.expressions.filtertests import Several
from naftiko.expressions.meter import MAX_RESULTS, Meter, too_many
from naftiko.expressions.pathfunctions import FUNCTIONS
from naftiko.expressions.pathsyntax import (
    Call,
    Filter,
    Index,
    Indexes,
    Name,
    Names,
    ParsedPath,
    Segment,
    Slice,
    Wildcard,
    parse_path,
)
from naftiko.source import Anchor
from naftiko.values import MISSING, JsonValue, Missing

Find: TypeAlias = Callable[[JsonValue], "JsonValue | Missing"]
Look: TypeAlias = Callable[[JsonValue, JsonValue, Meter], "JsonValue | Missing"]
"""(value, root, meter) -> what is found."""
Select: TypeAlias = Callable[[JsonValue, JsonValue, Meter], Sequence[JsonValue]]


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
    definite = _is_definite(parsed)
    is_root = not parsed.segments and parsed.call is None
    return Path(text, definite or parsed.call is not None, is_root, _find(parsed, at))


def _is_definite(parsed: ParsedPath) -> bool:
    return all(segment.is_single for segment in parsed.segments)


def _find(parsed: ParsedPath, at: Anchor) -> Find:
    if parsed.call is None and _is_definite(parsed):
        return _lookup(parsed.segments)
    each = _one_wildcard(parsed)
    if each is not None:
        return each
    look = _look(parsed, at)
    return lambda value: look(value, value, Meter())


def _look(parsed: ParsedPath, at: Anchor) -> Look:
    """Compile a path that may look at the root too, and shares a meter: in filters, in calls."""
    if _is_definite(parsed):
        find = _lookup(parsed.segments)

        def look(value: JsonValue, _root: JsonValue, _meter: Meter, /) -> JsonValue | Missing:
            return find(value)

        found: Look = look
    else:
        found = _walk(tuple((_select(item, at), item.deep) for item in parsed.segments))
    return found if parsed.call is None else _called(found, parsed.call, at)


def _called(look: Look, call: Call, at: Anchor) -> Look:
    function = FUNCTIONS[call.function].run
    arguments = tuple(_argument(item, at) for item in call.arguments)

    def run(value: JsonValue, root: JsonValue, meter: Meter) -> JsonValue | Missing:
        found = look(value, root, meter)
        if found is MISSING:
            return MISSING
        meter.spend(len(found) if isinstance(found, list) else 1)
        return function(found, *(argument(value, root, meter) for argument in arguments))

    return run


def _argument(argument: JsonValue | ParsedPath, at: Anchor) -> Look:
    if isinstance(argument, ParsedPath):
        look = _look(argument, at)
        return lambda _value, root, meter: look(root, root, meter)
    return lambda _value, _root, _meter: argument


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


def _one_wildcard(parsed: ParsedPath) -> Find | None:
    """Return the function for a path with one `[*]` and nothing else to search."""
    segments = parsed.segments
    wide = [number for number, segment in enumerate(segments) if not segment.is_single]
    if len(wide) != 1 or parsed.call is not None:
        return None
    first = segments[wide[0]]
    if first.deep or not isinstance(first.selector, Wildcard):
        return None
    return _each(_lookup(segments[: wide[0]]), _lookup(segments[wide[0] + 1 :]))


def _each(before: Find, after: Find) -> Find:
    def find(value: JsonValue) -> JsonValue | Missing:
        items = _members(before(value))
        if len(items) > MAX_RESULTS:
            raise too_many()
        if after is _itself:
            return list(items)
        return [found for item in items if (found := after(item)) is not MISSING]

    return find


def _walk(steps: tuple[tuple[Select, bool], ...]) -> Look:
    def look(value: JsonValue, root: JsonValue, meter: Meter) -> JsonValue | Missing:
        nodes: Sequence[JsonValue] = [value]
        for select, deep in steps:
            found: list[JsonValue] = []
            for node in nodes:
                for place in _descendants(node) if deep else (node,):
                    picked = select(place, root, meter)
                    meter.spend(1 + len(picked))
                    found.extend(picked)
                    if len(found) > MAX_RESULTS:
                        raise too_many()
            nodes = found
        return Several(nodes)

    return look


def _select(segment: Segment, at: Anchor) -> Select:
    match segment.selector:
        case Wildcard():
            return lambda value, _root, _meter: _members(value)
        case Slice(bounds):
            return lambda value, _root, _meter: value[bounds] if isinstance(value, list) else ()
        case Indexes(indexes):
            return _several(tuple(_one_index(index) for index in indexes))
        case Names(names, merged=False):
            return _several(tuple(_one_name(name) for name in names))
        case Filter() as filter_:
            from naftiko.expressions.pathfilters import compile_filter

            return compile_filter(filter_, at, _look)
        case _:
            return _several((_step(segment),))


def _several(finds: tuple[Find, ...]) -> Select:
    def select(value: JsonValue, _root: JsonValue, _meter: Meter) -> Sequence[JsonValue]:
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
