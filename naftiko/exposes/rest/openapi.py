"""RestAdapterPlan -> an OpenAPI 3.1 document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from naftiko.exposes.problem import PROBLEM_MEDIA_TYPE
from naftiko.exposes.rest.inputs import InputReader, is_scalar
from naftiko.exposes.rest.router import plain_path, variables
from naftiko.model.capability import Info
from naftiko.plan.forward import READING_METHODS
from naftiko.plan.response import success_status
from naftiko.values import JsonObject, JsonSchema, JsonValue

if TYPE_CHECKING:
    from naftiko.plan.capability import (
        OperationPlan,
        RestAdapterPlan,
        RestOperationPlan,
        RoutePlan,
        ServerAuth,
    )
    from naftiko.plan.forward import ForwardPlan
    from naftiko.plan.inputs import Input

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]")

_NOT_EMBEDDED = frozenset({"$defs", "$schema", "$id"})
"""What holds for a document of its own only."""

_PROBLEM_STATUSES = {
    "400": "The request or one of its inputs is not valid; `errors` names every bad field.",
    "404": "There is no such thing.",
    "405": "The path is not served for this method; `Allow` lists those it is.",
    "429": "Too many calls; `Retry-After` says when to try again.",
    "500": "The engine failed.",
    "502": "The consumed API refused or could not be reached.",
    "504": "The consumed API did not answer in time.",
}
_BODY_STATUSES = {
    "408": "The body did not arrive in time.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
}
_AUTH_STATUSES = {"401": "The request carries no credentials that are accepted."}

_PROBLEM_SCHEMA: JsonObject = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "requestId"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What is wrong this time."},
        "instance": {"type": "string", "format": "uri-reference"},
        "code": {"type": "string", "description": "Stable; to be told apart by programs."},
        "requestId": {"type": "string", "description": "Also in `X-Request-Id` and in the log."},
        "hint": {"type": "string", "description": "The way out."},
        "retryable": {"type": "boolean"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "in", "message"],
                "properties": {
                    "name": {"type": "string"},
                    "in": {"type": "string"},
                    "message": {"type": "string"},
                    "hint": {"type": "string"},
                },
            },
        },
    },
}


def openapi_document(plan: RestAdapterPlan, info: Info, *, root_path: str = "") -> JsonObject:
    """Describe the routes of an adapter as clients see them below `root_path`.

    Source: OpenAPI Specification 3.1.1.
    """
    writer = _Writer(plan)
    paths = writer.paths()
    document: JsonObject = {
        "openapi": "3.1.0",
        "info": {
            "title": info.label or plan.namespace,
            "version": info.version or "1.0.0",
            "description": plan.description or info.description,
        },
        "servers": [{"url": root_path or "/"}],
        "paths": paths,
        "components": writer.components(),
    }
    if plan.auth is not None:
        document["security"] = [{"caller": []}]
    return document


class _Writer:
    """Writes the operations, and collects what they share."""

    def __init__(self, plan: RestAdapterPlan) -> None:
        self._plan = plan
        self._pool = _SchemaPool()
        self._operation_ids: set[str] = set()

    def paths(self) -> JsonObject:
        paths: JsonObject = {}
        shapes: dict[str, tuple[str, JsonObject]] = {}
        for route in self._plan.routes:
            path = plain_path(route.path)
            shape = _shape(path)
            # Two templates that differ in names only are one path to OpenAPI: the first one's.
            path, item = shapes.setdefault(shape, (path, {}))
            for entry in route.operations:
                method = entry.method.lower()
                if method not in item:
                    item[method] = self._operation(route, entry, variables(path))
            if route.forward is not None:
                self._forwarded(item, route, route.forward, variables(path))
            if item:
                paths[path] = item
        return paths

    def components(self) -> JsonObject:
        problem_content: JsonObject = {
            PROBLEM_MEDIA_TYPE.decode(): {"schema": {"$ref": "#/components/schemas/Problem"}}
        }
        statuses = {**_PROBLEM_STATUSES, **_BODY_STATUSES, **_AUTH_STATUSES}
        responses: JsonObject = {
            f"Problem{status}": {"description": text, "content": problem_content}
            for status, text in statuses.items()
        }
        responses["Problem"] = {"description": "Any other error.", "content": problem_content}
        components: JsonObject = {
            "schemas": {"Problem": _PROBLEM_SCHEMA, **self._pool.schemas},
            "responses": responses,
        }
        if self._plan.auth is not None:
            components["securitySchemes"] = {"caller": _security_scheme(self._plan.auth)}
        return components

    def _operation(
        self, route: RoutePlan, entry: RestOperationPlan, path_names: Sequence[str]
    ) -> JsonObject:
        operation = entry.operation
        operation_id = self._unique_id(operation.name or f"{entry.method.lower()}-{route.name}")
        own_names = variables(plain_path(route.path))
        reader = InputReader(operation.inputs, method=entry.method, path_names=own_names)
        described = _Described(operation, operation_id, self._pool, reader.reads_body)
        out: JsonObject = {"operationId": operation_id}
        if operation.label:
            out["summary"] = operation.label
        if operation.description:
            out["description"] = operation.description
        if route.name:
            out["tags"] = [route.name]
        parameters = described.parameters(own_names, path_names)
        if parameters:
            out["parameters"] = parameters
        body = None
        if reader.reads_body:
            describe = described.schema_body if entry.by_schema else described.request_body
            body = describe(own_names)
        if body:
            out["requestBody"] = body
        out["responses"] = self._responses(described, entry, with_body=reader.reads_body)
        return out

    def _forwarded(
        self, item: JsonObject, route: RoutePlan, forward: ForwardPlan, path_names: Sequence[str]
    ) -> None:
        """Describe the methods that are passed on: what they take and give is the API's affair."""
        parameters: list[JsonValue] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in path_names
        ]
        for method in forward.methods:
            if method == "OPTIONS" or method.lower() in item:
                continue
            reads = method in READING_METHODS
            operation: JsonObject = {
                "operationId": self._unique_id(f"{forward.name}-{method.lower()}"),
                "summary": f"Passed on to `{forward.namespace}`",
                "x-forward": forward.namespace,
            }
            if forward.description:
                operation["description"] = forward.description
            if route.name:
                operation["tags"] = [route.name]
            if parameters:
                operation["parameters"] = parameters
            if not reads:
                operation["requestBody"] = {"required": False, "content": {"*/*": {}}}
            operation["responses"] = {
                "default": {"description": "What the API answers.", "content": {"*/*": {}}}
            }
            item[method.lower()] = operation

    def _unique_id(self, name: str) -> str:
        candidate, number = name, 2
        while candidate in self._operation_ids:
            candidate, number = f"{name}-{number}", number + 1
        self._operation_ids.add(candidate)
        return candidate

    def _responses(
        self, described: _Described, entry: RestOperationPlan, *, with_body: bool
    ) -> JsonObject:
        statuses: list[str] = list(_PROBLEM_STATUSES)
        statuses += _BODY_STATUSES if with_body else ()
        statuses += _AUTH_STATUSES if self._plan.auth is not None else ()
        out: JsonObject = dict(entry.documented)
        if not any(status.startswith("2") for status in out):
            out.update(described.successes())
        for status in sorted(set(statuses) - out.keys()):
            out[status] = {"$ref": f"#/components/responses/Problem{status}"}
        out["default"] = {"$ref": "#/components/responses/Problem"}
        return out


@dataclass(slots=True)
class _Described:
    """One operation, in OpenAPI's words."""

    operation: OperationPlan
    operation_id: str
    pool: _SchemaPool
    reads_body: bool

    def parameters(self, own_names: Sequence[str], path_names: Sequence[str]) -> list[JsonValue]:
        """Describe what stands outside the body. Path variables go by the path's first names."""
        inputs = self.operation.inputs
        out: list[JsonValue] = []
        for own_name, shown_name in zip(own_names, path_names, strict=True):
            item = inputs.get(own_name)
            schema: JsonObject = self._schema(item) if item else {"type": "string"}
            parameter: JsonObject = {
                "name": shown_name,
                "in": "path",
                "required": True,
                "schema": schema,
            }
            _describe(parameter, item)
            out.append(parameter)
        for item in inputs.inputs:
            place = self._place(item, own_names)
            if place in ("query", "header", "cookie"):
                out.append(self._parameter(item, place))
        return out

    def request_body(self, own_names: Sequence[str]) -> JsonObject | None:
        """Describe the body: an object of the inputs it holds, or the one input it is."""
        fields: list[Input] = []
        picked = [item for item in self.operation.inputs.inputs if "body-path" in item.sources]
        if picked:
            return _json_body({}, required=any(item.required for item in picked))
        for item in self.operation.inputs.inputs:
            place = self._place(item, own_names)
            if place in ("body", "whole-body"):
                if "whole-body" in item.sources:
                    return _json_body(self._whole(item), required=item.required)
                fields.append(item)
        if not fields and self.operation.inputs.closed:
            return None
        properties: JsonObject = {item.name: self._property(item) for item in fields}
        schema: JsonObject = {"type": "object", "properties": properties}
        required: list[JsonValue] = [item.name for item in fields if item.required]
        if required:
            schema["required"] = required
        if self.operation.inputs.closed:
            schema["additionalProperties"] = False
        return _json_body(schema, required=bool(required))

    def _whole(self, item: Input) -> JsonObject:
        """Describe the one input of a body; a scalar is taken by its name as well."""
        alone = self._schema(item)
        if "body" not in item.sources or not is_scalar(item):
            return alone
        named: JsonObject = {
            "type": "object",
            "properties": {item.name: self._property(item)},
            "additionalProperties": False,
        }
        if item.required:
            named["required"] = [item.name]
        return {"anyOf": [named, alone]}

    def schema_body(self, own_names: Sequence[str]) -> JsonObject:
        """Describe a body by the schema of all inputs, without those of the path."""
        schema: JsonObject = {**self.operation.inputs.schema}
        properties, required = schema.get("properties"), schema.get("required")
        if isinstance(properties, dict) and not properties.keys().isdisjoint(own_names):
            schema["properties"] = {k: v for k, v in properties.items() if k not in own_names}
        listed = required if isinstance(required, list) else []
        needed: list[JsonValue] = [name for name in listed if name not in own_names]
        schema.pop("required", None)
        if needed:
            schema["required"] = needed
        body = self.pool.embed(f"{self.operation_id}-input", schema)
        return _json_body(body, required=bool(needed))

    def successes(self) -> Iterable[tuple[str, JsonValue]]:
        """Yield the answers that are no errors."""
        output = self.operation.output_schema
        if output is not None:
            schema = self.pool.embed(f"{self.operation_id}-output", output)
            yield (
                success_status(self.operation.plan),
                {
                    "description": "The result.",
                    "content": {"application/json": {"schema": schema}},
                },
            )
            return
        # What an upstream answers passes through: any status below 300, any media type.
        status = success_status(self.operation.plan)
        any_body: JsonObject = {"description": "The result.", "content": {"*/*": {}}}
        yield "2XX" if status == "200" else status, any_body

    def _place(self, item: Input, own_names: Sequence[str]) -> str:
        """Return the first place the input can be read from on this route."""
        for source in item.sources:
            if source == "path":
                if item.name in own_names:
                    return source
            elif source not in ("body", "whole-body", "body-path") or self.reads_body:
                return source
        return ""

    def _parameter(self, item: Input, place: str) -> JsonObject:
        parameter: JsonObject = {"name": item.name, "in": place, "required": item.required}
        schema = self._schema(item)
        if "object" in item.types and "string" not in item.types:
            parameter["content"] = {"application/json": {"schema": schema}}
        else:
            parameter["schema"] = schema
        _describe(parameter, item)
        return parameter

    def _schema(self, item: Input) -> JsonObject:
        schema = self.pool.embed(f"{self.operation_id}-{item.name}", item.schema)
        if item.has_default and "default" not in schema and "$ref" not in schema:
            schema["default"] = item.default
        return schema

    def _property(self, item: Input) -> JsonObject:
        """Describe a field of the body; null stands for an optional one that is not given."""
        schema = self._schema(item)
        if not item.required and isinstance(schema.get("type"), str):
            schema["type"] = [schema["type"], "null"]
            allowed = schema.get("enum")
            if isinstance(allowed, list):
                schema["enum"] = [*allowed, None]
        if item.description and "description" not in schema and "$ref" not in schema:
            schema["description"] = item.description
        return schema


@dataclass(slots=True)
class _SchemaPool:
    """Schemas that are referred to. `$defs` of an embedded schema move here under unique names."""

    schemas: JsonObject = field(default_factory=dict)

    def embed(self, name: str, schema: JsonSchema) -> JsonObject:
        """Return the schema so that it holds anywhere in the document.

        {"$ref": "#/$defs/Node", "$defs": {...}} -> {"$ref": "#/components/schemas/<name>.Node"}
        """
        definitions = schema.get("$defs")
        moved: dict[str, str] = {}
        if isinstance(definitions, dict):
            moved = {key: _component_name(f"{name}.{key}") for key in definitions}
            for key, definition in definitions.items():
                self.schemas[moved[key]] = _rewritten(definition, moved)
        rest = {key: value for key, value in schema.items() if key not in _NOT_EMBEDDED}
        rewritten = _rewritten(rest, moved)
        return rewritten if isinstance(rewritten, dict) else {}


def _rewritten(value: JsonValue, moved: dict[str, str]) -> JsonValue:
    """Point references to where the definitions moved; one that leads elsewhere allows anything."""
    if isinstance(value, list):
        return [_rewritten(item, moved) for item in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    if not isinstance(reference, str):
        return {key: _rewritten(member, moved) for key, member in value.items()}
    target = moved.get(reference.removeprefix("#/$defs/"))
    return {"$ref": f"#/components/schemas/{target}"} if target else {}


def _component_name(name: str) -> str:
    """Return a name OpenAPI allows for a component: letters, digits, `.`, `-` and `_`."""
    return _NOT_IN_NAMES.sub("_", name)


def _shape(path: str) -> str:
    for name in variables(path):
        path = path.replace("{" + name + "}", "{}", 1)
    return path


def _describe(parameter: JsonObject, item: Input | None) -> None:
    if item is not None and item.description:
        parameter["description"] = item.description


def _json_body(schema: JsonObject, *, required: bool) -> JsonObject:
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def _security_scheme(auth: ServerAuth) -> JsonObject:
    if auth.type_ in ("bearer", "basic"):
        return {"type": "http", "scheme": auth.type_}
    placement = auth.fields.get("placement", "header")
    return {"type": "apiKey", "in": placement, "name": auth.fields.get("key", "")}
