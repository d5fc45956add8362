"""ValidateStateMachineDefinition, and the check that creating and updating a machine make."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from naftiko.sandbox import faults, machinery
from naftiko.sandbox.backend import Backend
from naftiko.sandbox.definition_rules import Diagnostic, check_machine

JsonObject = dict[str, Any]
Request = Mapping[str, Any]

MOST_DIAGNOSTICS = 100
LARGEST_DEFINITION_BYTES = 1024 * 1024


def validate(_: Backend, request: Request) -> JsonObject:
    """Say what is wrong with a definition; warnings do not fail it."""
    found = diagnose(request["definition"], request.get("type") or "STANDARD")
    errors = [each for each in found if each.severity == "ERROR"]
    shown = found if request.get("severity") == "WARNING" else errors
    limit = request.get("maxResults") or MOST_DIAGNOSTICS
    return {
        "result": "FAIL" if errors else "OK",
        "diagnostics": [each.as_json() for each in shown[:limit]],
        "truncated": len(shown) > limit,
    }


def check_definition(definition: str, machine_type: str) -> None:
    """See that a machine can be made of the definition.

    Raises: InvalidDefinition, naming every error.
    """
    errors = [each for each in diagnose(definition, machine_type) if each.severity == "ERROR"]
    if not errors:
        return
    named = ", ".join(
        f"{each.code}: {each.message}" + (f" at {each.location}" if each.location else "")
        for each in errors
    )
    raise faults.fault("InvalidDefinition", f"Invalid State Machine Definition: '{named}'")


def diagnose(definition: str, machine_type: str) -> list[Diagnostic]:
    """Return everything that is wrong with a definition, errors first.

    Our own rules know the places; what they let pass, the interpreter's parser judges.
    """
    if len(definition.encode()) > LARGEST_DEFINITION_BYTES:
        return [Diagnostic("SCHEMA_VALIDATION_FAILED", "The definition is larger than 1 MB", "")]
    try:
        machine = json.loads(definition)
    except ValueError as error:
        return [Diagnostic("INVALID_JSON_DESCRIPTION", f"The definition is not JSON: {error}", "")]
    except RecursionError:
        return [Diagnostic("INVALID_JSON_DESCRIPTION", "The definition is nested too deeply", "")]
    found = check_machine(machine, machine_type)
    if not any(each.severity == "ERROR" for each in found):
        found += _ask_interpreter(definition)
    return sorted(found, key=lambda each: each.severity != "ERROR")


def _ask_interpreter(definition: str) -> list[Diagnostic]:
    interpreter = machinery.load_interpreter()
    try:
        interpreter.parse(definition)
    except Exception as error:  # noqa: BLE001 - moto's parser raises whatever it comes upon
        return [Diagnostic("SCHEMA_VALIDATION_FAILED", str(error) or repr(error), "")]
    return []
