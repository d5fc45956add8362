"""Document -> what its JSON Schema finds in it, each finding at the node that it is about.

All of them are warnings: a file that can be served in spite of them is served.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from itertools import chain, islice
from typing import TYPE_CHECKING

from naftiko.document.nodes import Document, Mapping, Node, Scalar, Sequence
from naftiko.errors import Problem, Problems
from naftiko.validate.schema_wording import Finding, Schemas, wire_text
from naftiko.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from jsonschema_rs import Validator

    from naftiko.source import Location

MAX_FINDINGS = 500
MAX_DEPTH = 200
"""The validator refuses to go deeper than 255; the reader does not either, by far."""

_LITERALS = frozenset({"const", "enum", "required", "type", "$ref", "$id", "$schema"})
_ANNOTATIONS = frozenset(
    {
        *("title", "description", "$comment", "default", "examples", "deprecated"),
        *("x-generation", "x-counterpart", "x-expected"),
    }
)

_QUOTED = re.compile(r"`([^`]*)`")
_NAME = re.compile(r"[\w.-]+")


def schema_findings(document: Document) -> list[Problem]:
    """Check a document against the schema of its generation; nothing in it makes this raise.

    Codes: unknown-field, other-generation-field, wrong-type, missing-field, invalid-value.
    """
    root = document.root
    generation = "ikanos" if "ikanos" in root and "naftiko" not in root else "naftiko"
    value, names = checkable(root)
    errors = list(islice(_validator(generation, names).iter_errors(value), MAX_FINDINGS))
    if not errors:
        return []
    schemas = _schemas(generation)
    found = chain.from_iterable(Finding(schemas, root, error).problems() for error in errors)
    problems = Problems()
    problems.extend(islice(found, MAX_FINDINGS))
    return list(problems)


def unsaid(findings: Iterable[Problem], problems: Iterable[Problem]) -> list[Problem]:
    """Return the findings that no problem at the same place says about the same name already.

    The builder's "has no `namespace`" makes the schema's "lacks `namespace`" an echo.
    """
    said: dict[Location, set[str]] = {}
    for problem in problems:
        quoted = " ".join(_QUOTED.findall(f"{problem.message} {problem.hint}"))
        names = _NAME.findall(quoted)
        # `resilience.retry` is about `retry`, as the schema calls it.
        names += [name.rpartition(".")[2] for name in names]
        said.setdefault(problem.location, set()).update(names)
    return [
        finding
        for finding in findings
        if not said.get(finding.location, set()).intersection(_QUOTED.findall(finding.message))
    ]


@lru_cache(maxsize=1)
def _whole() -> JsonObject:
    import orjson

    from naftiko.resources import read_schema

    whole: JsonObject = orjson.loads(read_schema())
    return whole


@lru_cache(maxsize=2)
def _schemas(generation: str) -> Schemas:
    """Return what findings are worded with, which most files have none of."""
    whole = _whole()
    own = {name: of_generation(value, generation) for name, value in whole.items()}
    return Schemas(generation=generation, own=own, whole=whole)


@lru_cache(maxsize=8)
def _validator(generation: str, names: frozenset[str]) -> Validator:
    """Compile as much of the schema as documents need that have members of these names only.

    To compile all of it takes 5 ms, and every start pays for it.
    """
    from jsonschema_rs import Draft202012Validator, RegexOptions

    schema = narrowed(_whole(), generation, names)
    return Draft202012Validator(schema, pattern_options=RegexOptions())


def narrowed(whole: JsonObject, generation: str, names: Collection[str]) -> JsonObject:
    """Return a schema of one generation that takes what `whole` takes, and refuses alike.

    That is so for documents in which no member has another name than these: what the schema says
    of other members comes to nothing, and so do definitions that only they refer to.
    """
    narrower = _Narrower(generation, frozenset(names))
    defined = whole.get("$defs")
    out = narrower.schema({name: value for name, value in whole.items() if name != "$defs"})
    assert isinstance(out, dict)
    assert isinstance(defined, dict)
    definitions: JsonObject = {}
    inside: dict[str, frozenset[str]] = {}
    while narrower.wanted:
        # "#/$defs/TlsConfig/properties/key" is followed into that member, whoever has it.
        name, *steps = narrower.wanted.pop().removeprefix("#/$defs/").split("/")
        known = inside.get(name, frozenset())
        if name not in definitions or not known.issuperset(steps):
            inside[name] = narrower.names = known.union(names, steps)
            definitions[name] = narrower.schema(defined[name])
    return {**out, "$defs": definitions}


class _Narrower:
    """Copies what matters of a schema; `wanted` are the references that it has come by."""

    def __init__(self, generation: str, names: frozenset[str]) -> None:
        self.wanted: set[str] = set()
        self.names = names
        self._generation = generation

    def schema(self, schema: JsonValue) -> JsonValue:
        """Return a schema, or a list of them, as far as it matters."""
        if isinstance(schema, list):
            return [self.schema(item) for item in schema]
        if not isinstance(schema, dict):
            return schema
        reference = schema.get("$ref")
        if isinstance(reference, str):
            self.wanted.add(reference)
        foreign = self._foreign(schema)
        return {
            keyword: value if keyword in _LITERALS else self._keyword(keyword, value, foreign)
            for keyword, value in schema.items()
            if keyword not in _ANNOTATIONS
        }

    def _keyword(self, keyword: str, value: JsonValue, foreign: set[str]) -> JsonValue:
        if keyword == "anyOf" and isinstance(value, list):
            return [self.schema(item) for item in value if not _demands(item, foreign)]
        if keyword == "properties" and isinstance(value, dict):
            return {
                name: self.schema(item) if name in self.names else True
                for name, item in value.items()
                if name not in foreign
            }
        if keyword == "patternProperties" and isinstance(value, dict):
            return {name: self.schema(item) for name, item in value.items()}
        return self.schema(value)

    def _foreign(self, schema: JsonObject) -> set[str]:
        """Return the members that only the other generation has."""
        members = schema.get("properties")
        if not isinstance(members, dict):
            return set()
        return {name for name, item in members.items() if _is_foreign(item, self._generation)}


def of_generation(schema: JsonValue, generation: str) -> JsonValue:
    """Leave out the members that only the other generation has, and demands for them."""
    if isinstance(schema, list):
        return [of_generation(item, generation) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out = {name: of_generation(value, generation) for name, value in schema.items()}
    members, branches = out.get("properties"), out.get("anyOf")
    if isinstance(members, dict):
        foreign = {name for name, value in members.items() if _is_foreign(value, generation)}
        out["properties"] = {name: members[name] for name in members if name not in foreign}
        if isinstance(branches, list):
            out["anyOf"] = [item for item in branches if not _demands(item, foreign)]
    return out


def _is_foreign(member: JsonValue, generation: str) -> bool:
    found = member.get("x-generation") if isinstance(member, dict) else None
    return found in ("naftiko", "ikanos") and found != generation


def _demands(schema: JsonValue, names: set[str]) -> bool:
    required = schema.get("required") if isinstance(schema, dict) else None
    return isinstance(required, list) and any(name in names for name in required)


def checkable(root: Node) -> tuple[JsonValue, frozenset[str]]:
    """Return the JSON value of a node without what the validator cannot take, and its names."""
    names: set[str] = set()
    return _value(root, 0, names), frozenset(names)


def _value(node: Node, depth: int, names: set[str]) -> JsonValue:
    match node:
        case Mapping():
            entries = node.entries if depth < MAX_DEPTH else ()
            out = {wire_text(key.text): _value(item, depth + 1, names) for key, item in entries}
            names.update(out)
            return out
        case Sequence():
            items = node.items if depth < MAX_DEPTH else ()
            return [_value(item, depth + 1, names) for item in items]
        case Scalar(value=str() as text):
            return wire_text(text)
        case Scalar(value=float() as number):
            # Infinity and NaN are no JSON numbers; any other number has the type to be checked.
            return number if abs(number) < float("inf") else 0.0
        case Scalar():
            return node.value
