"""CapabilityPlan -> JSON, as `inspect --format json` prints it."""

from __future__ import annotations

from naftiko.capability import operations_of
from naftiko.model.capability import Info
from naftiko.plan.capability import (
    AdapterPlan,
    CapabilityPlan,
    ControlAdapterPlan,
    McpAdapterPlan,
    OperationPlan,
    SkillAdapterPlan,
    discovered_of,
)
from naftiko.values import JsonObject, JsonValue


def to_json(plan: CapabilityPlan) -> JsonObject:
    """Return the plan as JSON: the same as the tables, with schemas."""
    consumes: list[JsonValue] = [
        {
            "namespace": namespace,
            "type": client.type_,
            "operations": list[JsonValue](client.operation_names()),
        }
        for namespace, client in plan.clients.items()
    ]
    disabled: list[JsonValue] = [
        {
            "adapter": item.adapter,
            "name": item.name,
            "code": item.problem.code,
            "message": item.problem.message,
        }
        for item in plan.disabled
    ]
    return {
        "path": plan.path,
        "label": plan.info.label,
        "description": plan.info.description,
        "info": _info_json(plan.info),
        "consumes": consumes,
        "exposes": [_adapter_json(adapter) for adapter in plan.adapters],
        "disabled": disabled,
    }


def _info_json(info: Info) -> JsonObject:
    """Return `info` in the file's words, `label` for either generation's name."""
    people: list[JsonValue] = [
        {"role": person.role, "fullName": person.full_name, "email": person.email}
        for person in info.stakeholders
    ]
    members: JsonObject = {
        "version": info.version,
        "created": info.created,
        "modified": info.modified,
        "tags": list[JsonValue](info.tags),
        "stakeholders": people,
    }
    return {name: value for name, value in members.items() if value}


def _adapter_json(adapter: AdapterPlan) -> JsonObject:
    out: JsonObject = {
        "type": adapter.kind,
        "namespace": adapter.namespace,
        "address": adapter.address,
        "port": adapter.port,
        "authentication": adapter.auth.type_ if adapter.auth else None,
    }
    if isinstance(adapter, McpAdapterPlan):
        out["transport"] = adapter.transport
        out["discovers"] = _discovered_json(adapter)
        if adapter.options.tool_search is not None:
            listed = adapter.options.tool_search.listed
            out["toolSearch"] = {"list": "all" if listed is None else [*listed] or "none"}
        out["tools"] = [_operation_json(tool) for tool in operations_of(adapter)]
        out["resources"] = [
            {"uri": item.uri, "name": item.name, "description": item.description}
            for item in adapter.resources
        ]
        out["prompts"] = [
            {
                "name": item.name,
                "description": item.description,
                "arguments": [
                    {"name": one.name, "required": one.required} for one in item.arguments
                ],
            }
            for item in adapter.prompts
        ]
        return out
    if isinstance(adapter, ControlAdapterPlan):
        out["endpoints"] = list[JsonValue](adapter.endpoints)
        return out
    if isinstance(adapter, SkillAdapterPlan):
        out["skills"] = [dict(skill.details) for skill in adapter.skills.values()]
        return out
    out["discovers"] = _discovered_json(adapter)
    out["routes"] = [
        {"method": item.method, "path": route.path, **_operation_json(item.operation)}
        for route in adapter.routes
        for item in route.operations
    ]
    out["forwards"] = [
        {
            "path": route.path,
            "name": route.forward.name,
            "namespace": route.forward.namespace,
            "methods": list(route.forward.methods),
        }
        for route in adapter.routes
        if route.forward is not None
    ]
    return out


def _discovered_json(adapter: AdapterPlan) -> list[JsonValue]:
    found = discovered_of(adapter)
    if found is None:
        return []
    return [
        {
            **template.finder.status(),
            "name": template.discovery,
            "calls": list[JsonValue](template.finder.plan.calls),
            "problems": [*template.finder.notes, *found.problems(template.discovery)],
            "entries": [
                {
                    "name": item.operation.name,
                    "key": item.key,
                    "method": item.method or None,
                    "path": item.path,
                }
                for item in found.operations_of(template)
            ],
        }
        for template in found.templates
    ]


def _operation_json(operation: OperationPlan) -> JsonObject:
    calls = operation.plan.calls
    return {
        "name": operation.name,
        "description": operation.description,
        "calls": list(calls),
        "effect": operation.effect.value,
        "hints": hints_of(operation),
        "inputs": dict(operation.inputs.schema),
        "output": dict(operation.output_schema) if operation.output_schema else None,
        "location": str(operation.location),
    }


def hints_of(operation: OperationPlan) -> JsonObject:
    """Return the hints that are given, in the file's words: {"readOnly": true}."""
    hints = operation.hints
    found: JsonObject = {
        "readOnly": hints.read_only,
        "destructive": hints.destructive,
        "idempotent": hints.idempotent,
        "openWorld": hints.open_world,
    }
    return {name: value for name, value in found.items() if value is not None}
