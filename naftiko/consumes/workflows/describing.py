"""What is told of workflows: lists, and all of one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from naftiko.consumes.workflows.schemas import outputs_schema, parameters_schema, result_schema
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.catalog import CatalogError, Entry
from naftiko.workflow.disassembler import disassemble, headline
from naftiko.workflow.graph import mermaid
from naftiko.workflow.plan.refused import IntegrityError
from naftiko.workflow.plan.walk import mapping, objects, operations, texts
from naftiko.workflow.runtime.plans import Plans
from naftiko.workflow.runtime.policy import Refused
from naftiko.workflow.view import redacted, visible

MAX_LISTED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which workflows are listed. `text` is looked for in names, descriptions and use cases."""

    tier: str | None = None
    service: str | None = None
    text: str | None = None
    limit: int = 50
    cursor: str | None = None


def listed(plans: Plans, wanted: Wanted, now: datetime) -> JsonObject:
    """Return the newest version of each workflow, by name; `next_cursor` where there are more.

    Raises: CatalogError.
    """
    plans.refresh()
    found: list[JsonValue] = []
    following: str | None = None
    for entry, plan in _newest(plans):
        if wanted.cursor is not None and entry.name <= wanted.cursor:
            continue
        if not _matches(entry, plan, wanted):
            continue
        if len(found) == wanted.limit:
            following = str(mapping(found[-1])["workflow_name"])
            break
        found.append({**_brief(entry, plan), **_executable(plans, entry, now)})
    answer: JsonObject = {"workflows": found}
    return {**answer, "next_cursor": following} if following is not None else answer


def described(plans: Plans, ref: str, now: datetime) -> JsonObject:
    """Return all there is to say of a workflow.

    Raises: Refused[UnknownWorkflow, IntegrityError].
    """
    plans.refresh()
    entry = plans.find(ref)
    plan = _plan(plans, entry)
    whole: JsonObject = {
        **_brief(entry, plan),
        "versions": [one.version for one in plans.catalog.versions(entry.name)],
        **_executable(plans, entry, now),
    }
    if plan is None:
        return whole
    metadata = mapping(plan["metadata"])
    outputs = outputs_schema(plan)
    whole |= {
        "type": plan["type"],
        "author": _seen(metadata.get("author")),
        "license": _seen(metadata.get("license")),
        "checksum": plan["checksum"],
        "risk": metadata["risk"],
        "advisory_permissions": metadata["advisory_permissions"],
        "permission_resources": metadata["permission_resources"],
        "use_cases": _seen(mapping(metadata["embedding"]).get("use_cases")),
        "nested": plan["nested"],
        "parameters": _seen_schema(parameters_schema(plan)),
        "outputs": outputs,
        "result": result_schema(outputs),
        "steps": [_step(operation) for operation in operations(objects(plan["execution_plan"]))],
        "rollback": [
            {"handler": handler["handler"], "steps": handler["steps"]}
            for handler in objects(plan["rollback"])
        ],
        "disassembly": visible(disassemble(plan)),
        "graph": visible(mermaid(plan)),
    }
    return whole


def _plan(plans: Plans, entry: Entry) -> JsonObject | None:
    if entry.plan is None:
        return None
    try:
        return plans.catalog.plan(entry)
    except IntegrityError as error:
        raise Refused("IntegrityError", str(error)) from None
    except CatalogError as error:
        raise Refused("IntegrityError", error.message) from None


def _newest(plans: Plans) -> Iterator[tuple[Entry, JsonObject | None]]:
    for name in plans.catalog.names:
        versions = plans.catalog.versions(name)
        entry = next((one for one in reversed(versions) if not plans.is_revoked(one)), versions[-1])
        try:
            yield entry, _plan(plans, entry)
        except Refused:
            yield entry, None


def _matches(entry: Entry, plan: JsonObject | None, wanted: Wanted) -> bool:
    if wanted.tier is not None and entry.tier != wanted.tier:
        return False
    metadata = mapping(plan["metadata"]) if plan is not None else {}
    if wanted.service is not None and wanted.service not in texts(metadata.get("services")):
        return False
    if not wanted.text:
        return True
    described = [entry.name, str(plan["description"])] if plan is not None else [entry.name]
    described += texts(mapping(metadata.get("embedding")).get("use_cases"))
    haystack = " ".join(described).lower().replace("_", " ")
    return all(word in haystack for word in wanted.text.lower().replace("_", " ").split())


def _brief(entry: Entry, plan: JsonObject | None) -> JsonObject:
    found: JsonObject = {
        "workflow_name": entry.name,
        "version": entry.version,
        "tier": entry.tier,
        "state": entry.state,
    }
    if plan is None:
        return found
    metadata = mapping(plan["metadata"])
    return {
        **found,
        "description": _seen(plan["description"]),
        "risk_score": metadata["risk_score"],
        "read_only": metadata["read_only"],
        "services": metadata["services"],
        "required_permissions": metadata["required_permissions"],
        "max_duration": metadata["max_duration"],
        "step_count": len(objects(plan["execution_plan"])),
    }


def _executable(plans: Plans, entry: Entry, now: datetime) -> JsonObject:
    """Tell whether it may be executed here, and why not; permissions are asked for later."""
    if entry.plan is None:
        return {"executable": False, "refusal": "it has not been compiled"}
    try:
        plans.runnable(entry.ref, now)
    except (Refused, CatalogError) as error:
        return {"executable": False, "refusal": error.message}
    return {"executable": True}


def _step(operation: JsonObject) -> JsonObject:
    return {
        "step_id": operation["step_id"],
        "op": operation["op"],
        "mutating": operation.get("mutating") is True,
        "text": visible(headline(operation)),
    }


def _seen(value: JsonValue) -> JsonValue:
    """Return an author's texts as models may see them."""
    return redacted(value)


def _seen_schema(schema: JsonObject) -> JsonObject:
    """Return a schema whose descriptions are as models may see them: patterns stay patterns."""
    properties = mapping(schema["properties"])
    for name, found in properties.items():
        declared = mapping(found)
        if isinstance(text := declared.get("description"), str):
            seen = redacted(text)
            kept = {key: value for key, value in declared.items() if key != "description"}
            properties[name] = {**kept, "description": seen} if isinstance(seen, str) else kept
    return schema
