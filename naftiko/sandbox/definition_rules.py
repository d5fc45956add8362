"""Rules of the Amazon States Language: a definition -> diagnostics with JSON pointers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

JsonObject = Mapping[str, Any]

SCHEMA = "SCHEMA_VALIDATION_FAILED"
MISSING_TARGET = "MISSING_TRANSITION_TARGET"

STATE_TYPES = ("Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map")
_NEXT_OR_END = frozenset({"Task", "Pass", "Wait", "Parallel", "Map"})
_WITH_ERRORS = frozenset({"Task", "Parallel", "Map"})
_TERMINAL = frozenset({"Succeed", "Fail"})

MACHINE_FIELDS = frozenset(
    {"Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"}
)
_EVERYWHERE = frozenset({"Type", "Comment", "QueryLanguage"})
_FLOW = frozenset({"Next", "End", "InputPath", "OutputPath", "Output", "Assign"})
_RESULT = frozenset({"Parameters", "ResultPath", "ResultSelector", "Arguments"})
_ERRORS = frozenset({"Retry", "Catch"})
STATE_FIELDS: Mapping[str, frozenset[str]] = {
    "Task": _EVERYWHERE
    | _FLOW
    | _RESULT
    | _ERRORS
    | {
        "Resource",
        "TimeoutSeconds",
        "TimeoutSecondsPath",
        "HeartbeatSeconds",
        "HeartbeatSecondsPath",
        "Credentials",
    },
    "Pass": _EVERYWHERE | _FLOW | {"Parameters", "ResultPath", "Result"},
    "Choice": _EVERYWHERE | {"Choices", "Default", "InputPath", "OutputPath", "Output", "Assign"},
    "Wait": _EVERYWHERE | _FLOW | {"Seconds", "SecondsPath", "Timestamp", "TimestampPath"},
    "Succeed": _EVERYWHERE | {"InputPath", "OutputPath", "Output"},
    "Fail": _EVERYWHERE | {"Error", "ErrorPath", "Cause", "CausePath"},
    "Parallel": _EVERYWHERE | _FLOW | _RESULT | _ERRORS | {"Branches"},
    "Map": _EVERYWHERE
    | _FLOW
    | _RESULT
    | _ERRORS
    | {
        "Iterator",
        "ItemProcessor",
        "ItemsPath",
        "Items",
        "ItemSelector",
        "ItemReader",
        "ItemBatcher",
        "ResultWriter",
        "MaxConcurrency",
        "MaxConcurrencyPath",
        "ToleratedFailurePercentage",
        "ToleratedFailurePercentagePath",
        "ToleratedFailureCount",
        "ToleratedFailureCountPath",
        "Label",
    },
}

LONGEST_STATE_NAME = 80


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding; `location` is a JSON pointer such as "/States/Ship/Next"."""

    code: str
    message: str
    location: str
    severity: str = "ERROR"

    def as_json(self) -> dict[str, str]:
        """Return it as the API shows it."""
        shown = {"severity": self.severity, "code": self.code, "message": self.message}
        return shown | ({"location": self.location} if self.location else {})


Findings = Iterator[Diagnostic]


def check_machine(machine: Any, machine_type: str = "STANDARD") -> list[Diagnostic]:
    """Return what is wrong with a parsed definition."""
    if not isinstance(machine, dict):
        return [Diagnostic(SCHEMA, "A state machine must be a JSON object", "")]
    found = [
        Diagnostic(SCHEMA, f"Field is not supported: '{field}'", _below("", field))
        for field in machine
        if field not in MACHINE_FIELDS
    ]
    return found + list(_check_states(machine, "", machine_type))


def check_single_state(state: JsonObject) -> list[Diagnostic]:
    """Return what is wrong with a state that stands alone: where it leads is not looked at."""
    found = _check_state("", state, {}, "", "STANDARD")
    return [each for each in found if each.code != MISSING_TARGET]


def _check_states(machine: JsonObject, at: str, machine_type: str) -> Findings:
    states, start = machine.get("States"), machine.get("StartAt")
    if "StartAt" not in machine:
        yield Diagnostic(SCHEMA, "Missing required field: 'StartAt'", at or "/")
    elif not isinstance(start, str):
        yield Diagnostic(SCHEMA, "'StartAt' must be a string", f"{at}/StartAt")
    if "States" not in machine:
        yield Diagnostic(SCHEMA, "Missing required field: 'States'", at or "/")
        return
    if not isinstance(states, dict) or not states:
        yield Diagnostic(
            SCHEMA, "'States' must be an object with at least one state", f"{at}/States"
        )
        return
    if isinstance(start, str) and start not in states:
        yield Diagnostic(
            MISSING_TARGET, f"'StartAt' names '{start}', which is no state", f"{at}/StartAt"
        )
    for name, state in states.items():
        yield from _check_state(name, state, states, _below(f"{at}/States", name), machine_type)
    yield from _check_flow(start, states, at)


def _check_state(name: str, state: Any, states: JsonObject, at: str, machine_type: str) -> Findings:
    if len(name) > LONGEST_STATE_NAME:
        yield Diagnostic(SCHEMA, "A state's name may have 80 characters", at)
    if not isinstance(state, dict):
        yield Diagnostic(SCHEMA, "A state must be a JSON object", at)
        return
    kind = state.get("Type")
    if not isinstance(kind, str) or kind not in STATE_TYPES:
        yield _type_problem(state, at)
        return
    for field in state:
        if field not in STATE_FIELDS[kind]:
            yield Diagnostic(
                SCHEMA, f"Field is not supported: '{field}' in a {kind} state", _below(at, field)
            )
    if kind in _NEXT_OR_END:
        yield from _check_next_or_end(state, at)
    for target, place in _targets(state, at):
        yield from _check_target(target, states, place)
    check = _CHECKS.get(kind)
    if check is not None:
        yield from check(state, at, machine_type)
    if kind in _WITH_ERRORS:
        yield from _check_retry_and_catch(state, at)


def _type_problem(state: JsonObject, at: str) -> Diagnostic:
    if "Type" not in state:
        return Diagnostic(SCHEMA, "Missing required field: 'Type'", at)
    known = ", ".join(STATE_TYPES)
    return Diagnostic(
        SCHEMA, f"'{state['Type']}' is no type of state; there are {known}", f"{at}/Type"
    )


def _check_next_or_end(state: JsonObject, at: str) -> Findings:
    has_next, ends = "Next" in state, state.get("End") is True
    if "End" in state and not isinstance(state["End"], bool):
        yield Diagnostic(SCHEMA, "'End' must be true or false", f"{at}/End")
    elif has_next and ends:
        yield Diagnostic(SCHEMA, "A state has either 'Next' or 'End', not both", at)
    elif not has_next and not ends:
        yield Diagnostic(SCHEMA, "Missing required field: 'Next' or 'End'", at)


def _targets(state: JsonObject, at: str) -> Iterator[tuple[Any, str]]:
    if "Next" in state:
        yield state["Next"], f"{at}/Next"
    if state.get("Type") == "Choice" and "Default" in state:
        yield state["Default"], f"{at}/Default"
    for field in ("Choices", "Catch"):
        rules = state.get(field)
        for index, rule in enumerate(rules if isinstance(rules, list) else ()):
            if isinstance(rule, dict) and "Next" in rule:
                yield rule["Next"], f"{at}/{field}/{index}/Next"


def _check_target(target: Any, states: JsonObject, at: str) -> Findings:
    if not isinstance(target, str):
        yield Diagnostic(SCHEMA, "The name of the next state must be a string", at)
    elif target not in states:
        yield Diagnostic(MISSING_TARGET, f"There is no state '{target}' to go to", at)


def _check_flow(start: Any, states: JsonObject, at: str) -> Findings:
    whole = {name: state for name, state in states.items() if isinstance(state, dict)}
    if whole and not any(
        state.get("End") is True or state.get("Type") in _TERMINAL for state in whole.values()
    ):
        yield Diagnostic(
            "MISSING_END_STATE",
            "No state ends the workflow: one needs 'End': true, or the type Succeed or Fail",
            f"{at}/States",
        )
    if start not in whole:
        return
    reached, waiting = {start}, [start]
    while waiting:
        for target, _ in _targets(whole[waiting.pop()], ""):
            if isinstance(target, str) and target in whole and target not in reached:
                reached.add(target)
                waiting.append(target)
    for name in whole:
        if name not in reached:
            yield Diagnostic(
                "UNREACHABLE_STATE",
                f"No path leads to the state '{name}'",
                _below(f"{at}/States", name),
                "WARNING",
            )


def _check_task(state: JsonObject, at: str, machine_type: str) -> Findings:
    resource = state.get("Resource")
    if not isinstance(resource, str) or not resource:
        yield Diagnostic(SCHEMA, "Missing required field: 'Resource'", at)
    elif not resource.startswith("arn:"):
        yield Diagnostic(SCHEMA, "'Resource' must be an ARN", f"{at}/Resource")
    elif machine_type == "EXPRESS" and ":activity:" in resource:
        yield Diagnostic(
            SCHEMA, "Express state machines do not support activities", f"{at}/Resource"
        )
    elif machine_type == "EXPRESS" and resource.endswith((".sync", ".sync:2", ".waitForTaskToken")):
        yield Diagnostic(
            SCHEMA,
            "Express state machines do not support the patterns .sync and .waitForTaskToken",
            f"{at}/Resource",
        )


def _check_choice(state: JsonObject, at: str, _: str) -> Findings:
    choices = state.get("Choices")
    if not isinstance(choices, list) or not choices:
        yield Diagnostic(SCHEMA, "A Choice state needs at least one rule in 'Choices'", at)
        return
    for index, rule in enumerate(choices):
        place = f"{at}/Choices/{index}"
        if not isinstance(rule, dict):
            yield Diagnostic(SCHEMA, "A choice rule must be a JSON object", place)
        elif "Next" not in rule:
            yield Diagnostic(SCHEMA, "Missing required field: 'Next'", place)
    if "Default" not in state:
        yield Diagnostic(
            "MISSING_DEFAULT",
            "Without 'Default', input that no rule takes fails with States.NoChoiceMatched",
            at,
            "WARNING",
        )


def _check_wait(state: JsonObject, at: str, _: str) -> Findings:
    given = [
        key for key in ("Seconds", "SecondsPath", "Timestamp", "TimestampPath") if key in state
    ]
    if len(given) != 1:
        yield Diagnostic(
            SCHEMA,
            "A Wait state has exactly one of Seconds, SecondsPath, Timestamp, TimestampPath",
            at,
        )
        return
    seconds = state.get("Seconds", 0)
    is_count = isinstance(seconds, int) and not isinstance(seconds, bool) and seconds >= 0
    if not is_count and not isinstance(seconds, str):
        yield Diagnostic(SCHEMA, "'Seconds' must be a whole number from 0", f"{at}/Seconds")


def _check_parallel(state: JsonObject, at: str, machine_type: str) -> Findings:
    branches = state.get("Branches")
    if not isinstance(branches, list) or not branches:
        yield Diagnostic(SCHEMA, "A Parallel state needs at least one branch in 'Branches'", at)
        return
    for index, branch in enumerate(branches):
        place = f"{at}/Branches/{index}"
        if isinstance(branch, dict):
            yield from _check_states(branch, place, machine_type)
        else:
            yield Diagnostic(SCHEMA, "A branch must be a JSON object", place)


def _check_map(state: JsonObject, at: str, machine_type: str) -> Findings:
    for field in ("ItemProcessor", "Iterator"):
        if isinstance(state.get(field), dict):
            yield from _check_states(state[field], f"{at}/{field}", machine_type)
            return
    yield Diagnostic(SCHEMA, "Missing required field: 'ItemProcessor'", at)


def _check_retry_and_catch(state: JsonObject, at: str) -> Findings:
    for field in ("Retry", "Catch"):
        rules = state.get(field, [])
        if not isinstance(rules, list):
            yield Diagnostic(SCHEMA, f"'{field}' must be a list", f"{at}/{field}")
            continue
        for index, rule in enumerate(rules):
            place = f"{at}/{field}/{index}"
            errors = rule.get("ErrorEquals") if isinstance(rule, dict) else None
            if not isinstance(errors, list) or not errors:
                yield Diagnostic(SCHEMA, "Missing required field: 'ErrorEquals'", place)
            elif field == "Catch" and "Next" not in rule:
                yield Diagnostic(SCHEMA, "Missing required field: 'Next'", place)


_CHECKS: Mapping[str, Callable[[JsonObject, str, str], Findings]] = {
    "Task": _check_task,
    "Choice": _check_choice,
    "Wait": _check_wait,
    "Parallel": _check_parallel,
    "Map": _check_map,
}


def _below(at: str, key: str) -> str:
    return f"{at}/{key.replace('~', '~0').replace('/', '~1')}"
