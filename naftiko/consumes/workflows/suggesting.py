"""What is suggested -> what callers see of it. Spec: section 10."""

from __future__ import annotations

from collections.abc import Iterator

from naftiko.consumes.workflows.describing import deprecated, seen, seen_schema
from naftiko.consumes.workflows.schemas import parameters_schema
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.discovery.suggest import Suggestion, Suggestions
from naftiko.workflow.plan.walk import mapping, objects
from naftiko.workflow.runtime.policy import TIERS

MAX_REASONS = 5
UNTOLD = "what its author says of it answers the question"
"""Stands for a reason that quotes what reads like an instruction."""


def shown_suggestions(answer: Suggestions) -> JsonObject:
    """Return an answer as section 10 has it, texts of authors as models may see them."""
    filtered: JsonObject = {str(name): count for name, count in answer.filtered.items()}
    return {
        "suggestions": [_suggestion(one) for one in answer.found],
        "filtered": filtered,
        "index_digest": answer.digest,
    }


def suggestions_schema() -> JsonObject:
    """Return the JSON Schema of what `shown_suggestions` gives."""
    text: JsonObject = {"type": "string"}
    shown_text: JsonObject = {"type": ["string", "object"]}
    names: JsonObject = {"type": "array", "items": {"type": "string"}}
    count: JsonObject = {"type": "integer", "minimum": 0}
    risk: JsonObject = {"type": "number", "minimum": 0, "maximum": 10}
    members: JsonObject = {
        "workflow_name": text,
        "version": text,
        "description": shown_text,
        "tier": {"type": "string", "enum": [*TIERS]},
        "risk_score": risk,
        "risk_summary": text,
        "confidence": {"type": "string", "enum": ["low", "medium", "high"]},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "reasons": names,
        "services": names,
        "complexity": {"type": ["string", "null"]},
        "parameters": {"type": "object"},
        "read_only": {"type": "boolean"},
        "steps": count,
        "max_duration": {"type": "integer", "description": "In seconds."},
        "required_permissions": names,
        "executable": {"enum": [True, False, "unknown"]},
        "missing_permissions": names,
    }
    blocked: JsonObject = {"type": "string", "enum": ["risk", "tier", "permission"]}
    suggestion: JsonObject = {
        "type": "object",
        "properties": {**members, "blocked_by": blocked, "deprecated": shown_text},
        "required": [*members],
    }
    filtered: JsonObject = {"risk": count, "tier": count, "permission": count}
    return {
        "type": "object",
        "properties": {
            "suggestions": {"type": "array", "items": suggestion},
            "filtered": {"type": "object", "properties": filtered, "required": [*filtered]},
            "index_digest": text,
        },
        "required": ["suggestions", "filtered", "index_digest"],
    }


def _suggestion(one: Suggestion) -> JsonObject:
    plan = one.plan
    metadata = mapping(plan["metadata"])
    found: JsonObject = {
        "workflow_name": one.entry.name,
        "version": one.entry.version,
        "description": seen(plan["description"]),
        "tier": one.entry.tier,
        "risk_score": metadata["risk_score"],
        "risk_summary": risk_summary(metadata),
        "confidence": one.hit.confidence,
        "score": round(one.hit.score, 4),
        "reasons": list(_reasons(one.hit.reasons)),
        "services": metadata["services"],
        "complexity": mapping(metadata["embedding"]).get("complexity"),
        "parameters": seen_schema(parameters_schema(plan)),
        "read_only": metadata["read_only"],
        "steps": len(objects(plan["execution_plan"])),
        "max_duration": metadata["max_duration"],
        "required_permissions": metadata["required_permissions"],
        "executable": one.executable,
        "missing_permissions": list(one.missing),
    }
    if one.blocked_by is not None:
        found["blocked_by"] = one.blocked_by
    return {**found, **deprecated(one.deprecated)}


def risk_summary(metadata: JsonObject) -> str:
    """Say what a risk comes from: "4.5 of 10: `cleanup` 4.3 (irreversible, fan-out <= 50), ..."."""
    score = metadata["risk_score"]
    assert isinstance(score, int | float)  # it has been verified
    terms = sorted(objects(metadata["risk"]), key=_weight, reverse=True)
    if metadata["read_only"] is True:
        return f"{score:g} of 10: it changes nothing"
    told = [_term(term) for term in terms if _weight(term) >= 1][:3]
    return f"{score:g} of 10: {', '.join(told)}" if told else f"{score:g} of 10"


def _weight(term: JsonObject) -> float:
    base = term["base"]
    total = float(base) if isinstance(base, int | float) else 0.0
    return round(total + sum(value for _, value in _adds(term)), 2)


def _adds(term: JsonObject) -> Iterator[tuple[str, float]]:
    added = term.get("add")
    for item in added if isinstance(added, list) else ():
        match item:
            case [str(name), int() | float() as value]:
                yield name, float(value)


def _term(term: JsonObject) -> str:
    why = ", ".join(name for name, _ in _adds(term))
    told = f"`{term['step_id']}` {_weight(term):g}"
    return f"{told} ({why})" if why else told


def _reasons(reasons: tuple[str, ...]) -> Iterator[JsonValue]:
    for reason in reasons[:MAX_REASONS]:
        text = seen(reason)
        yield text if isinstance(text, str) else UNTOLD
