"""Schemas that items bring along -> JSON Schemas that can be checked against at no great cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from naftiko.errors import RunError
from naftiko.plan.inputs import compile_validator
from naftiko.plan.schema_bounds import refuse_explosion
from naftiko.values import MISSING, JsonObject, JsonValue

if TYPE_CHECKING:
    from naftiko.plan.values import ValueTemplate

INPUT_SCHEMA = "inputSchema"
MAX_SCHEMA_BYTES = 256 * 1024
MAX_PATTERNS = 100
"""Patterns of a schema that was found: compiling one may take 20 ms, and the event loop waits."""


def render_schema(template: ValueTemplate, scope: JsonObject, member: str) -> JsonObject:
    """Render a JSON Schema.

    Raises: RunError[invalid-schema] where it is no object, too large, or no JSON Schema.
    """
    found = template.render(scope)
    if not isinstance(found, dict):
        shown = "nothing" if found is MISSING else "no object"
        raise RunError(code="invalid-schema", message=f"its `{member}` is {shown}")
    import orjson

    try:
        if len(orjson.dumps(found)) > MAX_SCHEMA_BYTES:
            raise RunError(
                code="invalid-schema",
                message=f"its `{member}` has more than {MAX_SCHEMA_BYTES // 1024} KiB",
            )
        if member == INPUT_SCHEMA and not _may_be_object(found.get("type", "object")):
            raise RunError(
                code="invalid-schema", message=f"its `{member}` does not describe an object"
            )
        if sum(_patterns(found)) > MAX_PATTERNS:
            raise RunError(
                code="invalid-schema",
                message=f"its `{member}` has more than {MAX_PATTERNS} patterns",
            )
        refuse_explosion(found)
        compile_validator(found)
    except (ValueError, TypeError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise RunError(
            code="invalid-schema", message=f"its `{member}` is no valid JSON Schema: {reason}"
        ) from error
    return found


def _may_be_object(kind: JsonValue) -> bool:
    return kind == "object" or (isinstance(kind, list) and "object" in kind)


def _patterns(node: JsonValue) -> Iterator[int]:
    """Yield how many patterns each part of a schema has."""
    if isinstance(node, list):
        for item in node:
            yield from _patterns(item)
    if isinstance(node, dict):
        yield isinstance(node.get("pattern"), str)
        named = node.get("patternProperties")
        yield len(named) if isinstance(named, dict) else 0
        for item in node.values():
            yield from _patterns(item)
