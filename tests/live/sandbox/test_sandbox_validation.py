"""ValidateStateMachineDefinition, over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

END = {"Type": "Pass", "End": True}


def machine(**states: Any) -> dict[str, Any]:
    """Return a definition that starts at the first of the states."""
    return {"StartAt": next(iter(states)), "States": states}


def choice(**fields: Any) -> dict[str, Any]:
    """Return a choice with one rule."""
    rule = {"Variable": "$.x", "NumericEquals": 1, "Next": "B"}
    return {"Type": "Choice", "Choices": [rule]} | fields


CASES = {
    "not an object": ([], "SCHEMA_VALIDATION_FAILED", None),
    "no StartAt": ({"States": {"A": END}}, "SCHEMA_VALIDATION_FAILED", "/"),
    "no States": ({"StartAt": "A"}, "SCHEMA_VALIDATION_FAILED", "/"),
    "empty States": ({"StartAt": "A", "States": {}}, "SCHEMA_VALIDATION_FAILED", "/States"),
    "unknown StartAt": (
        {"StartAt": "B", "States": {"A": END}},
        "MISSING_TRANSITION_TARGET",
        "/StartAt",
    ),
    "unknown Next": (
        machine(A={"Type": "Pass", "Next": "B"}, C=END),
        "MISSING_TRANSITION_TARGET",
        "/States/A/Next",
    ),
    "unknown choice": (
        machine(A=choice(Default="C"), C=END),
        "MISSING_TRANSITION_TARGET",
        "/States/A/Choices/0/Next",
    ),
    "unknown default": (
        machine(A=choice(Default="C"), B=END),
        "MISSING_TRANSITION_TARGET",
        "/States/A/Default",
    ),
    "no end": (
        machine(A={"Type": "Pass", "Next": "B"}, B={"Type": "Pass", "Next": "A"}),
        "MISSING_END_STATE",
        "/States",
    ),
    "unknown type": (machine(A={"Type": "Nap"}), "SCHEMA_VALIDATION_FAILED", "/States/A/Type"),
    "no type": (machine(A={"End": True}), "SCHEMA_VALIDATION_FAILED", "/States/A"),
    "Next and End": (
        machine(A={"Type": "Pass", "Next": "B", "End": True}, B=END),
        "SCHEMA_VALIDATION_FAILED",
        "/States/A",
    ),
    "neither": (machine(A={"Type": "Pass"}, B=END), "SCHEMA_VALIDATION_FAILED", "/States/A"),
    "unknown field": (
        machine(A=END | {"Colour": "red"}),
        "SCHEMA_VALIDATION_FAILED",
        "/States/A/Colour",
    ),
    "task without resource": (
        machine(A={"Type": "Task", "End": True}),
        "SCHEMA_VALIDATION_FAILED",
        "/States/A",
    ),
    "wait for nothing": (
        machine(A={"Type": "Wait", "End": True}),
        "SCHEMA_VALIDATION_FAILED",
        "/States/A",
    ),
    "in a branch": (
        machine(
            A={
                "Type": "Parallel",
                "Branches": [machine(B={"Type": "Pass", "Next": "Z"}, C=END)],
                "End": True,
            }
        ),
        "MISSING_TRANSITION_TARGET",
        "/States/A/Branches/0/States/B/Next",
    ),
    "in a map": (
        machine(A={"Type": "Map", "ItemProcessor": {"StartAt": "B"}, "End": True}),
        "SCHEMA_VALIDATION_FAILED",
        "/States/A/ItemProcessor",
    ),
    "catch": (
        machine(
            A={
                "Type": "Task",
                "Resource": "arn:aws:states:::sqs:sendMessage",
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Z"}],
                "End": True,
            }
        ),
        "MISSING_TRANSITION_TARGET",
        "/States/A/Catch/0/Next",
    ),
    "a name to escape": (
        machine(**{"a/b~c": {"Type": "Nap"}}),
        "SCHEMA_VALIDATION_FAILED",
        "/States/a~1b~0c/Type",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_errors(client: Any, name: str) -> None:
    definition, code, location = CASES[name]
    answer = client.validate_state_machine_definition(definition=json.dumps(definition))
    assert answer["result"] == "FAIL"
    assert answer["truncated"] is False
    found = [(each["code"], each.get("location")) for each in answer["diagnostics"]]
    assert (code, location) in found
    assert all(each["severity"] == "ERROR" and each["message"] for each in answer["diagnostics"])


def test_bad_json(client: Any) -> None:
    answer = client.validate_state_machine_definition(definition='{"StartAt": ')
    assert answer["result"] == "FAIL"
    assert [each["code"] for each in answer["diagnostics"]] == ["INVALID_JSON_DESCRIPTION"]


def test_a_good_one(client: Any) -> None:
    answer = client.validate_state_machine_definition(definition=json.dumps(machine(A=END)))
    assert (answer["result"], answer["diagnostics"]) == ("OK", [])


def test_warnings_are_shown_on_request_and_fail_nothing(client: Any) -> None:
    definition = json.dumps(machine(A=END, B=END))
    answer = client.validate_state_machine_definition(definition=definition, severity="WARNING")
    assert answer["result"] == "OK"
    assert [
        (each["severity"], each["code"], each["location"]) for each in answer["diagnostics"]
    ] == [("WARNING", "UNREACHABLE_STATE", "/States/B")]
    answer = client.validate_state_machine_definition(definition=definition, severity="ERROR")
    assert answer["diagnostics"] == []


def test_max_results(client: Any) -> None:
    definition = json.dumps(machine(**{f"S{number}": {"Type": "Nap"} for number in range(5)}))
    answer = client.validate_state_machine_definition(definition=definition, maxResults=2)
    assert (len(answer["diagnostics"]), answer["truncated"]) == (2, True)


def test_express_knows_no_activities(client: Any) -> None:
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:us-east-1:123456789012:activity:x",
        "End": True,
    }
    definition = json.dumps(machine(A=task))
    for kind, result in (("STANDARD", "OK"), ("EXPRESS", "FAIL")):
        answer = client.validate_state_machine_definition(definition=definition, type=kind)
        assert answer["result"] == result
