"""What this engine knows of single operations beyond their model: five small JSON files.

Code names no operation; a new rule is a line in a file. Service names are botocore's.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson

from naftiko.plan.ports import Effect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.model import OperationModel

    from naftiko.values import JsonObject, JsonValue

DEFAULT_TIMEOUT_S = 60.0
"""What boto3 waits for a read."""

READ_VERBS = frozenset(
    {
        "BatchGet",
        "Check",
        "Count",
        "Decode",
        "Describe",
        "Detect",
        "Discover",
        "Download",
        "Estimate",
        "Filter",
        "Get",
        "Head",
        "List",
        "Lookup",
        "Preview",
        "Query",
        "Read",
        "Retrieve",
        "Scan",
        "Search",
        "Select",
        "Simulate",
        "Test",
        "Validate",
        "Verify",
        "View",
    }
)
DESTRUCTIVE_VERBS = frozenset(
    {
        "Abort",
        "BatchDelete",
        "Cancel",
        "Delete",
        "Deregister",
        "Destroy",
        "Disassociate",
        "Purge",
        "Reject",
        "Remove",
        "Reset",
        "Revoke",
        "Stop",
        "Terminate",
    }
)
REPEATABLE_VERBS = frozenset(
    {
        "Abort",
        "Associate",
        "BatchDelete",
        "Cancel",
        "Delete",
        "Deregister",
        "Detach",
        "Disable",
        "Disassociate",
        "Enable",
        "Purge",
        "Remove",
        "Set",
        "Stop",
        "Tag",
        "Terminate",
        "Untag",
    }
)
"""Doing these twice does what doing them once does (a second Delete may say NotFound)."""


class JsonMembers:
    """Which members of a service's inputs hold JSON: `kind("definition")` -> "json"."""

    def __init__(self, rules: Mapping[str, JsonValue], declared: tuple[str, ...] = ()) -> None:
        """Join the shipped rules with what the file declares."""
        self._kinds = {str(name): "json_or_text" for name in _texts(rules.get("json_or_text"))}
        self._kinds |= {str(name): "json" for name in _texts(rules.get("json"))}
        self._kinds |= dict.fromkeys(declared, "json")

    def kind(self, name: str) -> str | None:
        """Return "json" (must be valid), "json_or_text", or None."""
        return self._kinds.get(name)


def json_members(service: str, declared: tuple[str, ...] = ()) -> JsonMembers:
    """Return the rules of json_strings.json for a service."""
    rules = _load("json_strings").get(service, {})
    return JsonMembers(rules if isinstance(rules, dict) else {}, declared)


class TimeoutRule(NamedTuple):
    """How long an operation may take: `seconds`, and those in the parameter `plus`."""

    seconds: float = DEFAULT_TIMEOUT_S
    plus: str | None = None


def timeout_rule(service: str, operation: str) -> TimeoutRule:
    """Return the rule of timeouts.json, or the default."""
    rule = _rule("timeouts", service, operation)
    if isinstance(rule, dict):
        plus = rule.get("plus")
        return TimeoutRule(float(str(rule["base"])), None if plus is None else str(plus))
    return TimeoutRule(float(rule)) if isinstance(rule, int | float) else TimeoutRule()


def outcome_rule(service: str, operation: str) -> JsonObject | None:
    """Return the rule of outcomes.json: `{"member": ..., "failed": ..., "header": ...}`."""
    rule = _rule("outcomes", service, operation)
    return rule if isinstance(rule, dict) else None


def effect_of(service: str, model: OperationModel) -> Effect:
    """Tell what an operation does: by the data file, the model's trait, the verb, the method."""
    stated = _rule("effects", service, model.name)
    if isinstance(stated, str):
        return Effect(stated)
    verb = _verb(model.name)
    if _has_trait(model, "readonly") or verb in READ_VERBS:
        return Effect.READ
    method = str(model.http.get("method", "POST"))
    if verb in DESTRUCTIVE_VERBS or method == "DELETE":
        return Effect.DESTRUCTIVE
    rest = str(model.service_model.resolved_protocol).startswith("rest")
    return Effect.READ if rest and method in {"GET", "HEAD"} else Effect.WRITE


def repeatable(service: str, model: OperationModel) -> bool | str:
    """Tell whether a call may be repeated when it is unknown whether AWS did it.

    A text is the name of the parameter that must be given for that.
    """
    stated = _rule("idempotent", service, model.name)
    if isinstance(stated, bool | str):
        return stated
    if effect_of(service, model) is Effect.READ or model.idempotent_members:
        return True
    return _has_trait(model, "idempotent") or _verb(model.name) in REPEATABLE_VERBS


def _verb(name: str) -> str:
    """Return what a name starts with: "ListTables" -> "List", "BatchGetItem" -> "BatchGet"."""
    words = _words(name)
    if words[:1] == ["Batch"] and len(words) > 1:
        return words[0] + words[1]
    return words[0] if words else name


def _words(name: str) -> list[str]:
    words: list[str] = []
    for character in name:
        if character.isupper() or not words:
            words.append(character)
        else:
            words[-1] += character
    return words


def _has_trait(model: OperationModel, trait: str) -> bool:
    # botocore's OperationModel has no accessor for `readonly` and `idempotent`.
    return bool(model._operation_model.get(trait))


def _rule(file: str, service: str, operation: str) -> JsonValue:
    rules = _load(file).get(service)
    return rules.get(operation) if isinstance(rules, dict) else None


def _texts(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


@cache
def _load(file: str) -> JsonObject:
    text = Path(__file__).with_name(f"{file}.json").read_bytes()
    services: JsonObject = orjson.loads(text)["services"]
    return services
