"""TestState: one state run by itself, with the data as each of its fields leaves it."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from naftiko.sandbox import arns, faults, machinery
from naftiko.sandbox.backend import Backend
from naftiko.sandbox.definition_rules import SCHEMA, check_single_state
from naftiko.sandbox.run import json_text

JsonObject = dict[str, Any]
Request = Mapping[str, Any]

MOCKED_ONLY_TYPES = frozenset({"Map", "Parallel"})
_WAITING_PATTERNS = (".sync", ".sync:2", ".waitForTaskToken")

DEFAULT_ATTEMPTS = 3
DEFAULT_INTERVAL_S = 1
DEFAULT_BACKOFF = 2.0


def run(backend: Backend, request: Request) -> JsonObject:
    """Run a state, or answer for it with a mock, and say where the workflow would go on."""
    state = _state_of(request)
    _check_request(state, request)
    given_input = _json(request.get("input", "{}"), "input", "InvalidExecutionInput")
    outcome = _single_state().run(
        {key: value for key, value in state.items() if key not in ("Retry", "Catch")},
        account_id=backend.account_id,
        region=backend.region_name,
        role_arn=request.get("roleArn"),
        input_value=given_input,
        variables=_json(request.get("variables", "{}"), "variables", "ValidationException"),
        context=_json(request.get("context", "{}"), "context", "ValidationException"),
        mock=_mock_of(request),
    )
    inspection = dict(outcome.inspection)
    if state.get("QueryLanguage") != "JSONata":
        inspection.setdefault("afterInputPath", inspection["input"])
    answer = _judge(state, request, outcome, given_input, inspection)
    if request.get("inspectionLevel", "INFO") != "INFO":
        answer["inspectionData"] = inspection
    return answer


def _single_state() -> Any:
    machinery.load_interpreter()
    return importlib.import_module("naftiko.sandbox.single_state")


def _state_of(request: Request) -> JsonObject:
    definition = _json(request["definition"], "definition", "InvalidDefinition")
    name = request.get("stateName")
    if not isinstance(definition, dict):
        raise _invalid("The definition of a state must be a JSON object")
    if name is None:
        return definition
    states = definition.get("States")
    state = states.get(name) if isinstance(states, dict) else None
    if not isinstance(state, dict):
        raise faults.validation_error(f"State '{name}' is not in the definition")
    if "QueryLanguage" in definition:
        state.setdefault("QueryLanguage", definition["QueryLanguage"])
    return state


def _check_request(state: JsonObject, request: Request) -> None:
    errors = [each for each in check_single_state(state) if each.severity == "ERROR"]
    if errors:
        raise _invalid(", ".join(f"{each.message} at {each.location or '/'}" for each in errors))
    if request.get("roleArn"):
        arns.check_role_arn(request["roleArn"])
    if request.get("mock") is not None:
        return
    if state["Type"] in MOCKED_ONLY_TYPES:
        raise faults.validation_error(f"A {state['Type']} state can be tested with a mock only")
    resource = str(state.get("Resource", ""))
    if ":activity:" in resource or resource.endswith(_WAITING_PATTERNS):
        raise faults.validation_error(f"'{resource}' can be tested with a mock only")


def _mock_of(request: Request) -> JsonObject | None:
    mock = request.get("mock")
    if mock is None:
        return None
    result, failure = mock.get("result"), mock.get("errorOutput")
    if (result is None) == (failure is None):
        raise faults.validation_error("A mock has either a result or an errorOutput")
    if failure is not None:
        return {"error": failure.get("error"), "cause": failure.get("cause")}
    return {"result": _json(result, "mock.result", "ValidationException")}


def _judge(
    state: JsonObject, request: Request, outcome: Any, given_input: Any, inspection: JsonObject
) -> JsonObject:
    if outcome.error is None and outcome.cause is None and not outcome.failed:
        answer: JsonObject = {"status": "SUCCEEDED", "output": json_text(outcome.output)}
        if outcome.next_state is not None:
            answer["nextState"] = outcome.next_state
        return answer
    answer = {
        key: value for key, value in (("error", outcome.error), ("cause", outcome.cause)) if value
    }
    error = outcome.error or ""
    retried = _retry(state.get("Retry") or (), error, request)
    if retried is not None:
        inspection["errorDetails"] = retried
        return answer | {"status": "RETRIABLE"}
    for index, catcher in enumerate(state.get("Catch") or ()):
        if _matches(error, catcher["ErrorEquals"]):
            inspection["errorDetails"] = {"catchIndex": index}
            caught = {"Error": error, "Cause": outcome.cause or ""}
            return answer | {
                "status": "CAUGHT_ERROR",
                "nextState": catcher["Next"],
                "output": json_text(_placed(caught, catcher.get("ResultPath", "$"), given_input)),
            }
    return answer | {"status": "FAILED"}


def _retry(retriers: Sequence[JsonObject], error: str, request: Request) -> JsonObject | None:
    count = (request.get("stateConfiguration") or {}).get("retrierRetryCount", 0)
    for index, retrier in enumerate(retriers):
        if not _matches(error, retrier["ErrorEquals"]):
            continue
        if count >= retrier.get("MaxAttempts", DEFAULT_ATTEMPTS):
            return None
        pause = retrier.get("IntervalSeconds", DEFAULT_INTERVAL_S)
        pause *= retrier.get("BackoffRate", DEFAULT_BACKOFF) ** count
        pause = min(pause, retrier.get("MaxDelaySeconds", pause))
        return {"retryIndex": index, "retryBackoffIntervalSeconds": int(pause)}
    return None


def _matches(error: str, names: Sequence[str]) -> bool:
    if error in names:
        return True
    if "States.ALL" in names:
        return error not in ("States.DataLimitExceeded", "States.Runtime")
    return "States.TaskFailed" in names and error != "States.Timeout"


def _placed(value: Any, path: str | None, target: Any) -> Any:
    if path is None:
        return target
    if path == "$":
        return value
    root: JsonObject = dict(target) if isinstance(target, dict) else {}
    here = root
    *parents, last = path.removeprefix("$.").split(".")
    for key in parents:
        here[key] = dict(here[key]) if isinstance(here.get(key), dict) else {}
        here = here[key]
    here[last] = value
    return root


def _json(text: str, field: str, code: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise faults.fault(code, f"'{field}' is not JSON: {error}") from error


def _invalid(message: str) -> Exception:
    return faults.fault(
        "InvalidDefinition", f"Invalid State Machine Definition: '{SCHEMA}: {message}'"
    )
