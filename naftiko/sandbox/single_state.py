"""One state in moto's interpreter; imported when the first TestState comes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType, StateMachineType
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.test_state.program.test_state_program import (
    TestStateProgram,
)
from moto.stepfunctions.parser.asl.eval.evaluation_details import AWSExecutionDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from moto.stepfunctions.parser.asl.eval.program_state import ProgramError, ProgramTimedOut
from moto.stepfunctions.parser.asl.eval.states import (
    ContextObjectData,
    ExecutionData,
    StateMachineData,
)
from moto.stepfunctions.parser.asl.eval.test_state.environment import TestStateEnvironment
from moto.stepfunctions.parser.asl.eval.test_state.program_state import ProgramChoiceSelected
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.test_state.asl_parser import (
    TestStateAmazonStateLanguageParser,
)

from naftiko.sandbox import faults
from naftiko.sandbox.run import now

JsonObject = dict[str, Any]

NAME = "TestState"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a single state ended, and its data on the way."""

    failed: bool
    output: Any
    error: str | None
    cause: str | None
    next_state: str | None
    inspection: Mapping[str, Any]


def run(
    state: JsonObject,
    *,
    account_id: str,
    region: str,
    role_arn: str | None,
    input_value: Any,
    variables: Mapping[str, Any],
    context: Mapping[str, Any],
    mock: Mapping[str, Any] | None,
) -> Outcome:
    """Run a state that has no Retry and no Catch.

    Raises: InvalidDefinition.
    """
    program = _parse(state) if mock is None else _parse_mocked(state, mock)
    environment = TestStateEnvironment(
        aws_execution_details=AWSExecutionDetails(
            account=account_id, region=region, role_arn=role_arn or ""
        ),
        execution_type=StateMachineType.STANDARD,
        context=_context(account_id, region, role_arn, input_value, context),
        event_history_context=EventHistoryContext.of_program_start(),
        activity_store={},
    )
    for name, value in variables.items():
        environment.variable_store.set(name, value)
    program.eval(environment)
    return _outcome(environment, state)


def _parse(state: JsonObject) -> Any:
    try:
        return TestStateAmazonStateLanguageParser.parse(json.dumps(state))[0]
    except Exception as error:
        raise _invalid(error) from error


def _parse_mocked(state: JsonObject, mock: Mapping[str, Any]) -> TestStateProgram:
    # moto's parser for single states cannot read those with states inside.
    if state["Type"] not in ("Map", "Parallel"):
        program = _parse(state)
        _answer_with(program.test_state, mock)
        return program
    alone = {key: value for key, value in state.items() if key != "Next"} | {"End": True}
    machine = json.dumps({"StartAt": NAME, "States": {NAME: alone}})
    try:
        parsed = AmazonStateLanguageParser.parse(machine)[0].states.states[NAME]
    except Exception as error:
        raise _invalid(error) from error
    _answer_with(parsed, mock)
    return TestStateProgram(parsed)


def _invalid(error: Exception) -> faults.ApiFault:
    return faults.fault("InvalidDefinition", f"Invalid State Machine Definition: '{error}'")


def _context(
    account_id: str,
    region: str,
    role_arn: str | None,
    input_value: Any,
    given: Mapping[str, Any],
) -> ContextObjectData:
    arn = f"arn:aws:states:{region}:{account_id}"
    execution = ExecutionData(
        Id=f"{arn}:execution:{NAME}:{NAME}",
        Input=input_value,
        Name=NAME,
        RoleArn=role_arn or "",
        StartTime=now().isoformat(),
    )
    machine = StateMachineData(Id=f"{arn}:stateMachine:{NAME}", Name=NAME)
    context = ContextObjectData(
        Execution=execution | given.get("Execution", {}),
        StateMachine=machine | given.get("StateMachine", {}),
    )
    # The interpreter takes the state's input from here.
    context["Execution"]["Input"] = input_value
    for key in ("Map", "Task"):
        if key in given:
            context[key] = given[key]
    return context


def _answer_with(state: Any, mock: Mapping[str, Any]) -> None:
    def evaluate(env: Any) -> None:
        arguments = getattr(state, "parargs", None)
        if arguments is not None:
            arguments.eval(env=env)
            env.stack.pop()
        if "result" not in mock:
            details = {key: value for key, value in mock.items() if value is not None}
            raise FailureEventException(
                FailureEvent(
                    env=env,
                    error_name=ErrorName(mock.get("error")),
                    event_type=HistoryEventType.TaskFailed,
                    event_details={"taskFailedEventDetails": details},
                )
            )
        env.inspection_data["result"] = json.dumps(mock["result"])
        env.stack.append(mock["result"])

    state._eval_execution = evaluate


def _outcome(environment: TestStateEnvironment, state: JsonObject) -> Outcome:
    ended = environment.program_state()
    error: str | None = None
    cause: str | None = None
    next_state: str | None = state.get("Next")
    failed = isinstance(ended, ProgramError | ProgramTimedOut)
    if isinstance(ended, ProgramError):
        details = ended.error or {}
        error, cause = details.get("error"), details.get("cause")
    elif isinstance(ended, ProgramTimedOut):
        error = "States.Timeout"
    elif isinstance(ended, ProgramChoiceSelected):
        next_state = ended.next_state_name
    return Outcome(
        failed=failed,
        output=environment.states.get_input(),
        error=error,
        cause=cause,
        next_state=next_state,
        inspection=environment.inspection_data,
    )
