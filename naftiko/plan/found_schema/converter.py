"""Schemas of any dialect -> JSON Schema 2020-12 without references.

What cannot be kept is left out so that every value that fits the original fits the result. Where
leaving out would do the opposite (`not`, `if`, `oneOf`), what depends on it is loosened, too:
`exact` says whether a part means the same as its original.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from naftiko.plan.found_schema.dialects import Dialect
from naftiko.plan.found_schema.document import Document
from naftiko.plan.found_schema.faults import MAX_HOPS, Budget, too_large
from naftiko.plan.found_schema.patterns import Patterns
from naftiko.plan.found_schema.plain import EMPTY, NOTES, PLAIN, is_number, name_lists
from naftiko.values import MISSING, JsonObject, JsonValue

GOES_ON: Final = "The schema refers to itself here. What is nested deeper is not described."

_ONE = frozenset(
    {"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then",
     "unevaluatedItems", "unevaluatedProperties"}
)  # fmt: skip
_LIST = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_TABLE = frozenset({"dependentSchemas", "patternProperties", "properties"})


class Part(NamedTuple):
    """A converted schema; `exact` where it means what the original means."""

    schema: JsonObject | bool
    exact: bool


@dataclass(slots=True)
class Draft:
    """A schema while it is converted. `loose` are its keywords that take more than they did."""

    node: JsonObject
    depth: int
    out: JsonObject = field(default_factory=dict)
    loose: set[str] = field(default_factory=set)

    def drop(self, *names: str) -> None:
        """Leave keywords out."""
        for name in names:
            if self.out.pop(name, None) is not None:
                self.loose.add(name)


class Converter:
    """Converts one document. A schema inside itself is written out `unroll` times more.

    `recursive` where there is one.
    """

    def __init__(self, document: Document, dialect: Dialect, unroll: int) -> None:
        """Begin with nothing written."""
        self.recursive = False
        self._document = document
        self._dialect = dialect
        self._unroll = unroll
        self._budget = Budget()
        self._patterns = Patterns()
        self._active: dict[int, int] = {}
        self._hops = 0

    def root(self, node: JsonValue) -> Part:
        """Convert the outermost schema.

        Raises: ShapingError[unreadable-schema, schema-too-large].
        """
        return self._inside(node, 0)

    def _inside(self, node: JsonValue, depth: int) -> Part:
        """Convert a schema that references may lead back to."""
        key = id(node)
        self._active[key] = self._active.get(key, 0) + 1
        part = self._schema(node, depth)
        self._active[key] -= 1
        return part

    def _schema(self, node: JsonValue, depth: int) -> Part:
        self._budget.node(depth)
        if isinstance(node, bool):
            return Part(node, exact=True)
        if not isinstance(node, dict):
            return Part({}, exact=False)
        references = self._references(node)
        if references and self._dialect.alone:
            return self._target(*references[0], node, depth)
        draft = Draft(node, depth)
        self._keywords(draft)
        part = Part(draft.out, exact=not draft.loose)
        for keyword, reference in references:
            part = self._beside(part, self._target(keyword, reference, node, depth + 2))
        return part

    # ------------------------------------------------------------------ references

    def _references(self, node: JsonObject) -> list[tuple[str, str]]:
        keywords = ("$ref", *self._dialect.dynamic)
        found = [(keyword, node.get(keyword)) for keyword in keywords]
        return [(keyword, target) for keyword, target in found if isinstance(target, str)]

    def _target(self, keyword: str, reference: str, node: JsonObject, depth: int) -> Part:
        target = self._document.target(reference, node)
        if self._document.is_ambiguous(keyword, reference):
            return Part({}, exact=False)
        if not isinstance(target, dict):
            return self._schema(target, depth)
        active = self._active.get(id(target), 0)
        self.recursive = self.recursive or active > 0
        if active > self._unroll:
            return self._anything_like(target, depth)
        if self._hops >= MAX_HOPS:
            message = f"its references are nested more than {MAX_HOPS} deep"
            raise too_large(message)
        self._hops += 1
        part = self._inside(target, depth)
        self._hops -= 1
        return part

    def _anything_like(self, target: JsonObject, depth: int) -> Part:
        """Return what takes every value of the target's type."""
        self._budget.node(depth)
        schema: JsonObject = {}
        if not (self._dialect.alone and "$ref" in target):
            draft = Draft(
                {name: target[name] for name in ("type", "nullable") if name in target}, depth
            )
            self._plain(draft, "type", target.get("type"))
            self._nullable(draft)
            schema = draft.out
        schema["description"] = self._budget.text(GOES_ON)
        return Part(schema, exact=False)

    def _beside(self, part: Part, target: Part) -> Part:
        """Return what takes the values that both take."""
        schema, exact = part
        assert isinstance(schema, dict)
        exact = exact and target.exact
        if schema.keys() <= NOTES and isinstance(target.schema, dict):
            return Part({**target.schema, **schema}, exact)
        all_of = schema.get("allOf")
        parts: list[JsonValue] = [*all_of] if isinstance(all_of, list) else []
        schema["allOf"] = [*parts, target.schema]
        if not target.exact:
            schema.pop("unevaluatedItems", None)
            schema.pop("unevaluatedProperties", None)
        return Part(schema, exact)

    # ------------------------------------------------------------------ keywords

    def _keywords(self, draft: Draft) -> None:
        for name, value in draft.node.items():
            if name in self._dialect.keywords:
                self._keyword(draft, name, value)
        for rule in _RULES:
            rule(self, draft)

    def _keyword(self, draft: Draft, name: str, value: JsonValue) -> None:
        if name in _ONE and not isinstance(value, list):
            self._one(draft, name, value)
        elif name == "items" or name in _LIST:
            self._list(draft, "prefixItems" if name == "items" else name, value)
        elif name in _TABLE:
            self._table(draft, name, value)
        elif name in _OTHERS:
            _OTHERS[name](self, draft, value)
        elif name in PLAIN and not (name.startswith("exclusive") and isinstance(value, bool)):
            self._plain(draft, name, value)

    def _plain(self, draft: Draft, name: str, value: JsonValue) -> None:
        if value is None and name != "const":
            return
        found = PLAIN[name](value)
        if found is not MISSING:
            self._budget.value(found, draft.depth + 1)
            draft.out[name] = found
        elif name not in NOTES and not _asks_nothing(name, value):
            draft.loose.add(name)

    def _one(self, draft: Draft, name: str, value: JsonValue) -> None:
        schema, exact = self._schema(value, draft.depth + 1)
        draft.out[name] = schema
        if not exact:
            draft.loose.add(name)

    def _list(self, draft: Draft, name: str, value: JsonValue) -> None:
        if not isinstance(value, list):
            draft.loose.add(name)
            return
        parts = [self._schema(item, draft.depth + 2) for item in value]
        if parts:
            draft.out[name] = [part.schema for part in parts]
        if not all(part.exact for part in parts):
            draft.loose.add(name)

    def _table(self, draft: Draft, name: str, value: JsonValue) -> None:
        if not isinstance(value, dict):
            draft.loose.add(name)
            return
        found: JsonObject = {}
        for key, item in value.items():
            if name == "patternProperties" and not self._patterns.takes(key, names=True):
                draft.loose |= {name, _LOST}
                continue
            schema, exact = self._schema(item, draft.depth + 2)
            found[self._budget.text(key)] = schema
            if not exact:
                draft.loose.add(name)
        draft.out[name] = found

    def _dependencies(self, draft: Draft, value: JsonValue) -> None:
        entries = value if isinstance(value, dict) else {}
        lists: JsonObject = {
            name: [item] if isinstance(item, str) else item
            for name, item in entries.items()
            if isinstance(item, str | list)
        }
        found = name_lists(lists)
        if found is not MISSING:
            self._budget.value(found, draft.depth + 1)
            draft.out["dependentRequired"] = found
        schemas: JsonObject = {
            name: item for name, item in entries.items() if isinstance(item, dict | bool)
        }
        if schemas:
            self._table(draft, "dependentSchemas", schemas)

    def _example(self, draft: Draft, value: JsonValue) -> None:
        if "examples" not in draft.node:
            self._plain(draft, "examples", [value])

    def _pattern(self, draft: Draft, value: JsonValue) -> None:
        if isinstance(value, str) and self._patterns.takes(value):
            draft.out["pattern"] = self._budget.text(value)
        else:
            draft.loose.add("pattern")

    # ------------------------------------------------------------------ keywords that work together

    def _nullable(self, draft: Draft) -> None:
        """OpenAPI 3.0: {"type": "string", "nullable": true} -> {"type": ["string", "null"]}."""
        found = draft.out.get("type")
        if self._dialect.nullable and draft.node.get("nullable") is True and isinstance(found, str):
            draft.out["type"] = list(dict.fromkeys((found, "null")))

    def _limits(self, draft: Draft) -> None:
        """Until draft-04, and in OpenAPI 3.0: {"minimum": 1, "exclusiveMinimum": true}."""
        for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if draft.node.get(exclusive) is True and is_number(draft.out.get(limit)):
                draft.out[exclusive] = draft.out.pop(limit)

    def _rest_of_items(self, draft: Draft) -> None:
        """Until 2019-09: {"items": [...], "additionalItems": false}."""
        rest = draft.node.get("additionalItems")
        is_tuple = isinstance(draft.node.get("items"), list)
        if (
            is_tuple
            and "additionalItems" in self._dialect.keywords
            and isinstance(rest, dict | bool)
        ):
            self._one(draft, "items", rest)

    def _negations(self, draft: Draft) -> None:
        """Loosen what would take less, for a part of it takes more."""
        if "not" in draft.loose:
            draft.drop("not")
        if "if" in draft.loose or "if" not in draft.out:
            draft.drop("if", "then", "else")
        if "contains" in draft.loose:
            draft.drop("maxContains")
        if _LOST in draft.loose:
            draft.drop("additionalProperties")
        if "oneOf" in draft.loose and "oneOf" in draft.out:
            parts = draft.out.pop("oneOf")
            if "anyOf" in draft.out:
                all_of = draft.out.get("allOf")
                draft.out["allOf"] = [
                    *(all_of if isinstance(all_of, list) else []),
                    {"anyOf": parts},
                ]
            else:
                draft.out["anyOf"] = parts

    def _unevaluated(self, draft: Draft) -> None:
        names = {"unevaluatedItems", "unevaluatedProperties"}
        if draft.loose - names:
            draft.drop(*names)


def _asks_nothing(name: str, value: JsonValue) -> bool:
    return any(type(value) is type(item) and value == item for item in EMPTY.get(name, ()))


_LOST = "a pattern of patternProperties"
_OTHERS: Mapping[str, Callable[[Converter, Draft, JsonValue], None]] = {
    "dependencies": Converter._dependencies,
    "example": Converter._example,
    "pattern": Converter._pattern,
}
_RULES: tuple[Callable[[Converter, Draft], None], ...] = (
    Converter._nullable,
    Converter._limits,
    Converter._rest_of_items,
    Converter._negations,
    Converter._unevaluated,
)
