"""Shapes of a service model -> JSON Schema 2020-12, for inputs and for results."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from naftiko.consumes.aws.rules import JsonMembers

if TYPE_CHECKING:
    from botocore.model import Shape

    from naftiko.values import JsonObject, JsonValue

MAX_DEPTH = 6
"""Deeper structures are described as any object; many models are recursive."""
MAX_NODES = 1500
"""Members described in one schema; what is past them is described as any value."""
MAX_DESCRIPTION = 300

JSON_TYPES: list[JsonValue] = ["string", "object", "array", "number", "boolean"]

_TAG = re.compile(r"<[^>]*>")
_BREAK = re.compile(r"</(?:p|li|dt|dd|h\d|note|important)>", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\"'(])")
_SCALARS: dict[str, str] = {
    "string": "string",
    "character": "string",
    "integer": "integer",
    "long": "integer",
    "short": "integer",
    "byte": "integer",
    "bigInteger": "integer",
    "float": "number",
    "double": "number",
    "bigDecimal": "number",
    "boolean": "boolean",
}
JSON_KINDS = {**_SCALARS, "structure": "object", "map": "object", "list": "array"}
"""The JSON type of a shape; of what is not listed, such as times and bytes, it is a string."""


@dataclass(slots=True, kw_only=True)
class SchemaWriter:
    """Writes the schema of one shape. `for_output` leaves out what only a request must satisfy.

    A service may add an enum value, leave out a "required" member or exceed a length in its
    answers at any time: output schemas promise types and names only.
    """

    json_members: JsonMembers
    for_output: bool = False
    described: bool = True
    _nodes: int = field(default=0, init=False)

    def write(self, shape: Shape, name: str = "", depth: int = 0) -> JsonObject:
        """Return the schema of a shape; `name` is the member that holds it."""
        self._nodes += 1
        schema = self._typed(shape, name, depth)
        if self.described and (text := plain_text(shape.documentation)):
            schema["description"] = text
        return schema

    def _typed(self, shape: Shape, name: str, depth: int) -> JsonObject:
        kind = shape.type_name
        if not self.for_output and kind in {"string", "blob"} and self._holds_json(shape, name):
            return self._json(shape)
        match kind:
            case "structure":
                return self._structure(shape, depth)
            case "list":
                return self._list(shape, name, depth)
            case "map":
                return self._map(shape, depth)
            case "timestamp":
                types: JsonValue = "string" if self.for_output else ["string", "number"]
                return {"type": types, "format": "date-time"}
            case "blob":
                if self.for_output and shape.serialization.get("streaming"):
                    return {"type": "string"}
                return {"type": "string", "contentEncoding": "base64"}
            case _:
                return self._scalar(shape)

    def _holds_json(self, shape: Shape, name: str) -> bool:
        return self.json_members.kind(name) is not None or bool(
            shape.serialization.get("jsonvalue")
        )

    def _json(self, shape: Shape) -> JsonObject:
        schema: JsonObject = {"type": JSON_TYPES, "contentMediaType": "application/json"}
        if shape.type_name == "string":
            self._limit(schema, shape, "minLength", "maxLength")
        return schema

    def _scalar(self, shape: Shape) -> JsonObject:
        kind = _SCALARS.get(shape.type_name)
        if kind is None:
            return {}
        schema: JsonObject = {"type": kind}
        if self.for_output:
            return schema
        if kind == "string":
            if shape.metadata.get("enum"):
                schema["enum"] = list(shape.metadata["enum"])
            self._limit(schema, shape, "minLength", "maxLength")
        elif kind in {"integer", "number"}:
            self._limit(schema, shape, "minimum", "maximum")
        return schema

    def _structure(self, shape: Shape, depth: int) -> JsonObject:
        if shape.metadata.get("document"):
            return {}
        if depth >= MAX_DEPTH or self._nodes >= MAX_NODES:
            return {"type": "object"}
        members = shape.members
        schema: JsonObject = {
            "type": "object",
            "properties": {
                name: self.write(member, name, depth + 1) for name, member in members.items()
            },
        }
        if self.for_output:
            return schema
        schema["additionalProperties"] = False
        if shape.required_members:
            schema["required"] = list(shape.required_members)
        if shape.metadata.get("union"):
            schema |= {"minProperties": 1, "maxProperties": 1}
        return schema

    def _list(self, shape: Shape, name: str, depth: int) -> JsonObject:
        if depth >= MAX_DEPTH or self._nodes >= MAX_NODES:
            return {"type": "array"}
        schema: JsonObject = {"type": "array", "items": self.write(shape.member, name, depth + 1)}
        if not self.for_output:
            self._limit(schema, shape, "minItems", "maxItems")
        return schema

    def _map(self, shape: Shape, depth: int) -> JsonObject:
        if depth >= MAX_DEPTH or self._nodes >= MAX_NODES:
            return {"type": "object"}
        value = self.write(shape.value, "", depth + 1)
        schema: JsonObject = {"type": "object", "additionalProperties": value}
        if self.for_output:
            return schema
        keys = shape.key.metadata.get("enum") or ()
        holders = [key for key in keys if self.json_members.kind(key)]
        if holders and shape.value.type_name == "string":
            schema["properties"] = {key: self._json(shape.value) for key in holders}
        self._limit(schema, shape, "minProperties", "maxProperties")
        return schema

    @staticmethod
    def _limit(schema: JsonObject, shape: Shape, least: str, most: str) -> None:
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if low is not None and not (low == 0 and least != "minimum"):
            schema[least] = low
        if high is not None:
            schema[most] = high


def plain_text(documentation: str) -> str:
    """Return the first sentence or two of a model's HTML as plain text, within 300 characters.

    "<p>Lists the <i>machines</i>.</p>" -> "Lists the machines."
    """
    if not documentation:
        return ""
    # Only the beginning is looked at: some documentation has 50 KB.
    start = _BREAK.sub(" \n", documentation[: MAX_DESCRIPTION * 8])
    lines = (" ".join(line.split()) for line in html.unescape(_TAG.sub("", start)).split("\n"))
    text = next((line for line in lines if line), "")
    kept = ""
    for sentence in _SENTENCE.split(text)[:2]:
        if kept and len(kept) + len(sentence) >= MAX_DESCRIPTION:
            break
        kept = f"{kept} {sentence}".strip()
    return kept if len(kept) <= MAX_DESCRIPTION else kept[: MAX_DESCRIPTION - 1].rstrip() + "…"
