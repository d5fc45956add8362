"""What is told of workflows: lists, and all of one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from naftiko.consumes.workflows.schemas import outputs_schema, parameters_schema, result_schema
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.catalog import CatalogError, Entry
from naftiko.workflow.disassembler import disassemble, headline
from naftiko.workflow.discovery.shelf import Said, Shelf
from naftiko.workflow.graph import mermaid
from naftiko.workflow.plan.refused import IntegrityError
from naftiko.workflow.plan.walk import mapping, objects, operations
from naftiko.workflow.runtime.plans import Plans, Standing
from naftiko.workflow.runtime.policy import Refused
from naftiko.workflow.view import redacted, visible

MAX_LISTED = 200
_DESCRIBING = frozenset({"name", "description", "use case"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which workflows are listed. `text` is looked for in names, descriptions and use cases."""

    tier: str | None = None
    service: str | None = None
    text: str | None = None
    limit: int = 50
    cursor: str | None = None


def listed(plans: Plans, wanted: Wanted, now: datetime, read: Callable[[], Shelf]) -> JsonObject:
    """Return the newest version of each workflow, by name; `next_cursor` where there are more.

    `read` gives what all workflows say of themselves, which filters need. Reads files: it is for a
    thread. Raises: CatalogError.
    """
    plans.refresh()
    shelf = read() if wanted.service or wanted.text else Shelf()
    entries: list[Entry] = []
    for entry in _newest(plans, wanted.cursor or ""):
        if _matches(entry, shelf.said.get(entry.name), wanted):
            entries.append(entry)
            if len(entries) > wanted.limit:
                break
    page = plans.standings(entries[: wanted.limit], now)
    found: list[JsonValue] = [
        {
            **_brief(one.entry, _readable(plans, one)),
            "revoked": plans.is_revoked(one.entry),
            **deprecated(plans.deprecation(one.entry)),
            **_executable(one),
        }
        for one in page
    ]
    answer: JsonObject = {"workflows": found}
    if len(entries) > wanted.limit:
        answer["next_cursor"] = page[-1].entry.name
    return answer


def described(plans: Plans, ref: str, now: datetime) -> JsonObject:
    """Return all there is to say of a workflow.

    Raises: Refused[UnknownWorkflow, IntegrityError].
    """
    plans.refresh()
    entry = plans.find(ref)
    plan = plan_of(plans, entry)
    whole: JsonObject = {
        **_brief(entry, plan),
        "versions": [one.version for one in plans.catalog.versions(entry.name)],
        **deprecated(plans.deprecation(entry)),
        **_executable(plans.standings([entry], now)[0]),
    }
    if plan is None:
        return whole
    metadata = mapping(plan["metadata"])
    outputs = outputs_schema(plan)
    whole |= {
        "type": plan["type"],
        "author": seen(metadata.get("author")),
        "license": seen(metadata.get("license")),
        "checksum": plan["checksum"],
        "risk": metadata["risk"],
        "advisory_permissions": metadata["advisory_permissions"],
        "permission_resources": metadata["permission_resources"],
        "use_cases": seen(mapping(metadata["embedding"]).get("use_cases")),
        "nested": plan["nested"],
        "parameters": seen_schema(parameters_schema(plan)),
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


def plan_of(plans: Plans, entry: Entry) -> JsonObject | None:
    """Return the plan of an entry, None where it has not been compiled.

    Raises: Refused[IntegrityError].
    """
    if entry.plan is None:
        return None
    try:
        return plans.catalog.plan(entry)
    except IntegrityError as error:
        raise Refused("IntegrityError", str(error)) from None
    except CatalogError as error:
        raise Refused("IntegrityError", error.message) from None


def _readable(plans: Plans, standing: Standing) -> JsonObject | None:
    """Return a plan, also one that is not to be believed; None of one that cannot be read."""
    if standing.verified is not None:
        return standing.verified.plan
    try:
        return plan_of(plans, standing.entry)
    except Refused:
        return None


def _newest(plans: Plans, after: str) -> Iterator[Entry]:
    for name in plans.catalog.names:
        if name <= after:
            continue
        *_, newest = versions = plans.catalog.versions(name)
        if len(versions) > 1:
            newest = plans.preferred(versions) or newest
        yield newest


def _matches(entry: Entry, said: Said | None, wanted: Wanted) -> bool:
    if wanted.tier is not None and entry.tier != wanted.tier:
        return False
    if wanted.service is not None and (said is None or wanted.service not in said.services):
        return False
    if not wanted.text:
        return True
    fields = said.document.fields if said is not None else ()
    described = [entry.name, *(one.text for one in fields if one.name in _DESCRIBING)]
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
        "description": seen(plan["description"]),
        "risk_score": metadata["risk_score"],
        "read_only": metadata["read_only"],
        "services": metadata["services"],
        "required_permissions": metadata["required_permissions"],
        "max_duration": metadata["max_duration"],
        "step_count": len(objects(plan["execution_plan"])),
    }


def deprecated(reason: str | None) -> JsonObject:
    """Return why another version is better, as models may see it; {} where none is."""
    return {} if reason is None else {"deprecated": seen(reason) or ""}


def _executable(standing: Standing) -> JsonObject:
    """Tell whether it may be executed here, and why not; permissions are asked for later."""
    if standing.refused is not None:
        return {"executable": False, "refusal": standing.refused.message}
    return {"executable": True}


def _step(operation: JsonObject) -> JsonObject:
    return {
        "step_id": operation["step_id"],
        "op": operation["op"],
        "mutating": operation.get("mutating") is True,
        "text": visible(headline(operation)),
    }


def seen(value: JsonValue) -> JsonValue:
    """Return an author's texts as models may see them."""
    if isinstance(value, str):
        shown = _seen_text(value)
        return {**shown} if isinstance(shown, dict) else shown
    return redacted(value)


@lru_cache(maxsize=4_096)
def _seen_text(text: str) -> JsonValue:
    # The same few texts are shown again and again, each time against hundreds of patterns.
    return redacted(text)


def seen_schema(schema: JsonObject) -> JsonObject:
    """Return a schema whose descriptions are as models may see them: patterns stay patterns."""
    properties = mapping(schema["properties"])
    for name, found in properties.items():
        declared = mapping(found)
        if isinstance(text := declared.get("description"), str):
            shown = seen(text)
            kept = {key: value for key, value in declared.items() if key != "description"}
            properties[name] = {**kept, "description": shown} if isinstance(shown, str) else kept
    return schema
