"""What the JSON Schema of an object says of its properties."""

from __future__ import annotations

from collections.abc import Iterator

from naftiko.values import JsonObject, JsonSchema


def properties_of(schema: JsonSchema) -> Iterator[tuple[str, JsonObject, bool]]:
    """Yield name, schema and whether it is required, of each property that has a schema.

    {"properties": {"id": {"type": "string"}}, "required": ["id"]} -> ("id", {...}, True)
    """
    properties, required = schema.get("properties"), schema.get("required")
    needed = required if isinstance(required, list) else []
    for name, inner in properties.items() if isinstance(properties, dict) else ():
        if isinstance(inner, dict):
            yield name, inner, name in needed
