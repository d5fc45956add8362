"""Which language a schema is written in: a draft of JSON Schema, or OpenAPI."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from naftiko.plan.found_schema.faults import shown, unreadable
from naftiko.values import JsonObject, JsonValue

_BASE = frozenset(
    {
        "additionalProperties", "allOf", "anyOf", "default", "deprecated", "description", "enum",
        "example", "examples", "exclusiveMaximum", "exclusiveMinimum", "format", "items",
        "maxItems", "maxLength", "maxProperties", "maximum", "minItems", "minLength",
        "minProperties", "minimum", "multipleOf", "not", "oneOf", "pattern", "properties",
        "readOnly", "required", "title", "type", "uniqueItems", "writeOnly",
    }
)  # fmt: skip
_DRAFT4 = _BASE | {"patternProperties", "additionalItems", "dependencies"}
_DRAFT6 = _DRAFT4 | {"const", "contains", "propertyNames"}
_DRAFT7 = _DRAFT6 | {"if", "then", "else", "contentEncoding", "contentMediaType"}
_2019 = (_DRAFT7 - {"dependencies"}) | {
    "dependentRequired", "dependentSchemas", "minContains", "maxContains", "unevaluatedItems",
    "unevaluatedProperties",
}  # fmt: skip
_2020 = (_2019 - {"additionalItems"}) | {"prefixItems"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """A language of schemas: the keywords that mean something in it, and how references work.

    `alone` where what stands beside a `$ref` means nothing. `dynamic` are its other keywords that
    refer.
    """

    name: str
    keywords: frozenset[str]
    id_: str = "$id"
    alone: bool = False
    nullable: bool = False
    dynamic: tuple[str, ...] = ()


DRAFT4 = Dialect(name="JSON Schema draft-04", keywords=_DRAFT4, id_="id", alone=True)
DRAFT6 = Dialect(name="JSON Schema draft-06", keywords=_DRAFT6, alone=True)
DRAFT7 = Dialect(name="JSON Schema draft-07", keywords=_DRAFT7, alone=True)
DRAFT2019 = Dialect(name="JSON Schema 2019-09", keywords=_2019, dynamic=("$recursiveRef",))
DRAFT2020 = Dialect(name="JSON Schema 2020-12", keywords=_2020, dynamic=("$dynamicRef",))
OPENAPI30 = Dialect(name="OpenAPI 3.0", keywords=_BASE, alone=True, nullable=True)
OPENAPI31 = Dialect(name="OpenAPI 3.1", keywords=_2020, dynamic=("$dynamicRef",))

_BY_NAME: Mapping[str, Dialect] = {
    "draft3": DRAFT4,
    "draft4": DRAFT4,
    "draft6": DRAFT6,
    "draft7": DRAFT7,
    "201909": DRAFT2019,
    "202012": DRAFT2020,
}
_NAME = re.compile(
    r"(?:jsonschema)?(?:draft)?(?:(?<=draft)0?(?P<draft>[3467])|(?P<year>2019-?09|2020-?12))"
)
_OPENAPI = re.compile(r"(?:openapi|oas)3(?:[.]?[0-9])?(?:[.]?[0-9])?")
_URI = re.compile(
    r"https?://json-schema\.org/(?:draft-0(?P<draft>[3467])|draft/(?P<year>\d{4}-\d\d))/"
)
_UNDATED = re.compile("jsonschema")
_PUNCTUATION = re.compile(r"[ _-]")


def dialect_of(document: JsonValue, format_: str) -> Dialect:
    """Return the dialect that `format` names, or, without one, that the document says it is in.

    "JSONSchemaDraft4", "OpenApi3" (AWS EventBridge Schema Registry), "draft-07", "2020-12".

    Raises: ShapingError[unreadable-schema].
    """
    if format_:
        return _named(document, format_)
    if not isinstance(document, dict):
        return DRAFT2020
    if "openapi" in document or "swagger" in document:
        return _openapi(document)
    uri = document.get("$schema")
    match = _URI.match(uri) if isinstance(uri, str) else None
    if match is not None:
        found = _by_match(match)
        if found is not None:
            return found
    return _guessed(document)


def is_format(format_: str) -> bool:
    """Tell whether a format is known here."""
    name = _plain(format_)
    return any(known.fullmatch(name) for known in (_OPENAPI, _NAME, _UNDATED))


def _plain(format_: str) -> str:
    return _PUNCTUATION.sub("", format_[:100]).lower()


def _named(document: JsonValue, format_: str) -> Dialect:
    name = _plain(format_)
    if _OPENAPI.fullmatch(name):
        return _openapi(document if isinstance(document, dict) else {})
    match = _NAME.fullmatch(name)
    found = _by_match(match) if match is not None else None
    if found is None and _UNDATED.fullmatch(name):
        return dialect_of(document, "")
    if found is None:
        message = f"`{shown(format_)}` is no format of schemas that is known here"
        raise unreadable(message)
    return found


def _by_match(match: re.Match[str]) -> Dialect | None:
    year = match["year"]
    return _BY_NAME.get(year.replace("-", "") if year else f"draft{match['draft']}")


def _openapi(document: JsonObject) -> Dialect:
    version = document.get("openapi")
    if not isinstance(version, str) or not version.startswith("3."):
        message = "it is no OpenAPI document of version 3"
        raise unreadable(message)
    return OPENAPI30 if version.startswith("3.0") else OPENAPI31


def _guessed(document: JsonObject) -> Dialect:
    """Return the dialect of a schema that does not say: draft-07 if nothing speaks against."""
    if "$defs" in document or "$anchor" in document or "$dynamicAnchor" in document:
        return DRAFT2020
    if isinstance(document.get("id"), str) and "$id" not in document and "properties" in document:
        return DRAFT4
    return DRAFT7
