"""What a registry holds -> a schema that the engine validates with, and publishes."""

from __future__ import annotations

from naftiko.errors import ShapingError
from naftiko.plan.found_schema.converter import Converter, Part
from naftiko.plan.found_schema.dialects import Dialect, dialect_of
from naftiko.plan.found_schema.document import Document, root_of
from naftiko.plan.found_schema.faults import (
    MAX_INPUT_BYTES,
    MAX_RESULT_BYTES,
    result_too_large,
    shown,
    too_large,
    unreadable,
)
from naftiko.values import JsonObject, JsonValue


def convert_schema(source: JsonValue, *, format_: str = "", root: str = "") -> JsonObject:
    """Return a found schema as one object of JSON Schema 2020-12, without references.

    `source` is a text or an object: JSON Schema of draft-04 to 2020-12, or an OpenAPI document of
    3.0 or 3.1. `format_` says which ("JSONSchemaDraft4", "OpenApi3"); without it the document does.
    `root` is the name of one of its schemas. Every value that fits the original fits the result;
    the opposite holds, too, but for schemas inside of themselves, and for what no validator takes.

    Raises: ShapingError[unreadable-schema, schema-too-large].
    """
    content = _content(source)
    dialect = dialect_of(content, format_)
    if isinstance(content, bool):
        return _object(content)
    part = _converted(content, root_of(content, dialect, root), dialect)
    schema = _object(part.schema)
    _check(schema)
    return schema


def _object(schema: JsonObject | bool) -> JsonObject:
    """Return a schema as an object: `false` is {"not": {}}."""
    if isinstance(schema, bool):
        return {} if schema else {"not": {}}
    return schema


def _content(source: JsonValue) -> JsonObject | bool:
    """Return the document, with no two places that share an object."""
    import orjson

    try:
        data = source.encode() if isinstance(source, str) else orjson.dumps(source)
    except (TypeError, ValueError) as error:
        message = "it is no JSON of usual depth and numbers"
        raise unreadable(message) from error
    if len(data) > MAX_INPUT_BYTES:
        message = "its document has more than 1 MiB"
        raise too_large(message)
    try:
        content: JsonValue = orjson.loads(data)
    except orjson.JSONDecodeError:
        message = "it is no JSON"
        raise unreadable(message) from None
    if not isinstance(content, dict | bool):
        message = "it is no object"
        raise unreadable(message)
    return content


def _converted(document: JsonObject, root: JsonValue, dialect: Dialect) -> Part:
    places = Document(document, dialect)
    converter = Converter(places, dialect, unroll=1)
    try:
        return converter.root(root)
    except ShapingError as error:
        if error.code != "schema-too-large" or not converter.recursive:
            raise
    # Schemas inside of themselves, written out once more each, may be what is too large.
    return Converter(places, dialect, unroll=0).root(root)


def _check(schema: JsonObject) -> None:
    """Refuse what is too large, or what no validator can be made of."""
    import orjson

    from naftiko.plan.inputs import compile_validator
    from naftiko.plan.schema_bounds import refuse_explosion

    if len(orjson.dumps(schema)) > MAX_RESULT_BYTES:
        raise result_too_large()
    try:
        compile_validator(schema)
        refuse_explosion(schema)
    except ValueError as error:
        message = f"no validator takes it: {shown(str(error).partition(chr(10))[0])}"
        raise unreadable(message) from None
