"""What keeps a JSON Schema that a file gives from making each check of a value take for ever."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from naftiko.values import JsonObject, JsonSchema, JsonValue

MAX_COST: Final = 100_000
"""Subschemas that may be tried on one chain of nested values."""
MAX_NESTING: Final = 20
"""How deep a value is thought to nest. Where cost doubles with each level, it shows long before."""

_LOOK_AROUND = re.compile(r"\(\?(?:[=!>]|<[=!])|\\[1-9k]|\(\?\(")
_PLAIN_VALUES = frozenset({"const", "default", "enum", "examples"})

_IN_PLACE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas")
_OF_LISTS = ("items", "prefixItems", "contains", "unevaluatedItems")
_OF_OBJECTS = (
    "properties",
    "patternProperties",
    "additionalProperties",
    "propertyNames",
    "unevaluatedProperties",
)


def with_bounded_patterns(schema: JsonSchema, max_length: int) -> JsonObject:
    """Return the schema with a `maxLength` before each pattern that can take quadratic time.

    {"pattern": "^(?!aws)"} -> {"maxLength": 10000, "allOf": [{"if": {"maxLength": 10000}, "then":
    {"pattern": "^(?!aws)"}}]}; where there is no such pattern, nothing is copied but the outermost
    object.
    """
    bounded = _bounded(dict(schema), max_length)
    assert isinstance(bounded, dict)
    return bounded


def _bounded(value: JsonValue, max_length: int) -> JsonValue:
    if isinstance(value, list):
        items = [_bounded(item, max_length) for item in value]
        return value if all(map(_is, items, value)) else items
    if not isinstance(value, dict):
        return value
    members = {
        name: item if name in _PLAIN_VALUES else _bounded(item, max_length)
        for name, item in value.items()
    }
    pattern = value.get("pattern")
    if isinstance(pattern, str) and _LOOK_AROUND.search(pattern):
        return _guarded(members, max_length)
    return value if all(map(_is, members.values(), value.values())) else members


def _guarded(members: JsonObject, max_length: int) -> JsonObject:
    """Put the pattern behind a condition: a validator tries all keywords, also after one failed."""
    declared, others = members.get("maxLength"), members.get("allOf")
    limit = min(declared, max_length) if isinstance(declared, int) else max_length
    tried: JsonObject = {"if": {"maxLength": limit}, "then": {"pattern": members["pattern"]}}
    rest = {name: item for name, item in members.items() if name != "pattern"}
    all_of: list[JsonValue] = [*others, tried] if isinstance(others, list) else [tried]
    return {**rest, "maxLength": limit, "allOf": all_of}


def _is(one: object, two: object) -> bool:
    return one is two


def refuse_explosion(schema: JsonSchema, limit: int = MAX_COST) -> None:
    """Refuse a schema whose references multiply: what they cost may not pass `limit` subschemas.

    {"allOf": [{"properties": {"a": {"$ref": "#"}}}, {"properties": {"a": {"$ref": "#"}}}]} takes
    twice the time for each level of a value; forty definitions that refer twice to the next take
    2^40 for any value. A tree with `left` and `right` is fine.

    Raises: ValueError.
    """
    if not _refers(schema):
        return
    try:
        cost = max(_Costs(schema, limit).of(schema, MAX_NESTING))
    except RecursionError:
        cost = limit + 1
    if cost > limit:
        message = f"its references make it check more than {limit} subschemas for one value"
        raise ValueError(message)


def _refers(value: JsonValue | JsonSchema) -> bool:
    pending: list[object] = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, Mapping):
            if "$ref" in item or "$dynamicRef" in item:
                return True
            pending += item.values()
        elif isinstance(item, list):
            pending += item
    return False


@dataclass(slots=True)
class _Costs:
    """Counts the subschemas that are tried on one chain of nested lists, or of nested objects."""

    root: JsonSchema
    limit: int
    known: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)

    def of(self, schema: object, levels: int) -> tuple[int, int]:
        """Return the cost on a list, and on an object, with that many levels below."""
        if not isinstance(schema, Mapping):
            return 1, 1
        key = (id(schema), levels)
        if key in self.known:
            return self.known[key]
        # A reference that leads back here without going deeper is cut off by the validator, too.
        self.known[key] = (1, 1)
        on_list = on_object = 1
        for part in self._in_place(schema):
            more = self.of(part, levels)
            on_list, on_object = on_list + more[0], on_object + more[1]
        if levels:
            on_list += sum(max(self.of(part, levels - 1)) for part in _parts(schema, _OF_LISTS))
            on_object += self._members(schema, levels - 1)
        top = self.limit + 1
        self.known[key] = min(on_list, top), min(on_object, top)
        return self.known[key]

    def _members(self, schema: Mapping[str, object], levels: int) -> int:
        """Return the cost of one member: each keyword tries it once, `properties` by its name."""
        total = 0
        for keyword in _OF_OBJECTS:
            costs = [max(self.of(part, levels)) for part in _parts(schema, (keyword,))]
            if costs:
                total += sum(costs) if keyword == "patternProperties" else max(costs)
        return total

    def _in_place(self, schema: Mapping[str, object]) -> Iterator[object]:
        yield from _parts(schema, _IN_PLACE)
        for keyword in ("$ref", "$dynamicRef"):
            target = schema.get(keyword)
            if isinstance(target, str):
                yield self._target(target)

    def _target(self, reference: str) -> object:
        """Return what a reference within the schema leads to; the validator resolves the others."""
        if reference in ("#", ""):
            return self.root
        if not reference.startswith("#/"):
            return self._anchored(reference.removeprefix("#"))
        found: object = self.root
        for step in reference[2:].split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping):
                found = found.get(name)
            elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            else:
                return None
        return found

    def _anchored(self, name: str) -> object:
        definitions = self.root.get("$defs")
        entries = definitions.values() if isinstance(definitions, Mapping) else ()
        names = ("$anchor", "$dynamicAnchor", "$id")
        for entry in entries:
            if isinstance(entry, Mapping) and any(entry.get(key) == name for key in names):
                return entry
        return self.root


def _parts(schema: Mapping[str, object], keywords: tuple[str, ...]) -> Iterator[object]:
    """Yield the schemas under some keywords: one, a list, or an object of them."""
    for keyword in keywords:
        value = schema.get(keyword)
        if isinstance(value, list):
            yield from value
        elif isinstance(value, Mapping):
            is_table = keyword in ("properties", "patternProperties", "dependentSchemas")
            yield from value.values() if is_table else (value,)


MAX_COMPARISONS = 1_000_000
"""Integers that `uniqueItems` may compare with each other. The validator sorts values by their
hash, and integers that are the same as floats have the same: a body of a few megabytes full of
those beyond 53 bits would take hours."""
_EXACT_BITS = 53


def compares_items(schema: JsonSchema) -> bool:
    """Tell whether a validator of this schema compares the items of lists."""
    pending: list[object] = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending += node
        elif isinstance(node, Mapping):
            if node.get("uniqueItems") is True:
                return True
            pending += node.values()
    return False


def compare_for_ever(value: JsonValue) -> bool:
    """Tell whether a value holds too many long integers next to each other to compare them."""
    alike: defaultdict[float, float] = defaultdict(float)
    pending: list[JsonValue] = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending += item.values()
        elif isinstance(item, list):
            pending += item
        elif isinstance(item, int) and item.bit_length() > _EXACT_BITS:
            # A longer one takes longer.
            alike[_as_float(item)] += item.bit_length() / 64
    return sum(count * count for count in alike.values()) > MAX_COMPARISONS


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
