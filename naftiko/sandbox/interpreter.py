"""moto's Amazon States Language interpreter, with what a server that lives on needs added.

Importing this module imports the interpreter (0.15 s); the other modules do so when they first
run or check something, through `naftiko.sandbox.machinery`.

Added to moto: a definition is parsed once; a stopped execution lets go of everything it waits for
(activities, task tokens, `Wait`, the pause before a retry) and no late thread writes to its
history; a redriven one starts where it failed.
"""

from __future__ import annotations

import copy
import functools
import json
from dataclasses import dataclass
from typing import Any

from moto.stepfunctions.parser.api import StateMachineType
from moto.stepfunctions.parser.asl.component.common.flow.start_at import StartAt
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.evaluation_details import AWSExecutionDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from moto.stepfunctions.parser.asl.eval.program_state import (
    ProgramEnded,
    ProgramError,
    ProgramRunning,
    ProgramStopped,
    ProgramTimedOut,
)
from moto.stepfunctions.parser.asl.eval.states import (
    ContextObjectData,
    ExecutionData,
    StateMachineData,
)
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

from naftiko.sandbox.event_log import Checkpoints, EventLog, FramePath
from naftiko.sandbox.task_endpoints import FrameTasks
from naftiko.sandbox.tasks import TaskBoard


@functools.lru_cache(maxsize=512)
def parse(definition: str) -> Any:
    """Return the program of a definition; programs hold no state, so runs share them.

    Raises: whatever moto's parser raises.
    """
    return AmazonStateLanguageParser.parse(_as_moto_reads_it(definition))[0]


def _as_moto_reads_it(definition: str) -> str:
    # The grammar knows no Express children of a Map, and no whole number as a percentage.
    if '"EXPRESS"' not in definition and '"ToleratedFailurePercentage"' not in definition:
        return definition

    def adapt(member: dict[str, Any]) -> dict[str, Any]:
        if member.get("ExecutionType") == "EXPRESS":
            member["ExecutionType"] = "STANDARD"
        if isinstance(member.get("ToleratedFailurePercentage"), int):
            member["ToleratedFailurePercentage"] = float(member["ToleratedFailurePercentage"])
        return member

    return json.dumps(json.loads(definition, object_hook=adapt))


class RunEnvironment(Environment):  # type: ignore[misc] # moto is untyped
    """What one frame of an execution knows; the frames below it are made by `open_frame`."""

    path: FramePath = ()
    kind = "program"
    endpoint_url: str | None = None
    resume: Checkpoints | None = None
    log: EventLog
    callback_pool_manager: Any

    @classmethod
    def as_frame_of(cls, env: Any, event_history_frame_cache: Any = None) -> Any:
        """Open a frame that shares its parent's variables: that of a state, or of a worker."""
        frame = cls.as_inner_frame_of(
            env=env,
            variable_store=env.variable_store,
            event_history_frame_cache=event_history_frame_cache,
        )
        frame.kind = "state" if env.kind == "program" else "worker"
        frame.path = (*env.path, env.next_state_name)
        if frame.kind == "state":
            frame._begin_attempt()
        return frame

    @classmethod
    def as_inner_frame_of(
        cls, env: Any, variable_store: Any, event_history_frame_cache: Any = None
    ) -> Any:
        """Open a frame for a branch or an iteration."""
        frame = super().as_inner_frame_of(env, variable_store, event_history_frame_cache)
        frame.path = (*env.path, len(env._frames))
        frame._join(env)
        return frame

    def _join(self, parent: RunEnvironment) -> None:
        self.log = parent.log
        self.resume = parent.resume
        self.endpoint_url = parent.endpoint_url
        outer = parent.callback_pool_manager
        self.callback_pool_manager = FrameTasks(outer.board, outer)
        context = self.event_history_context
        context.run_number = getattr(
            parent.event_history_context, "run_number", self.log.run_number
        )
        context.environment = self
        self._release_if_over()

    def _begin_attempt(self) -> None:
        # A state that is tried again, or visited again, starts anew: nothing kept counts.
        attempts = self.log.checkpoints.attempts
        attempts[self.path] = attempts.get(self.path, 0) + 1
        self.log.checkpoints.forget(self.path)
        if self.resume is not None and attempts[self.path] > 1:
            self.resume.forget(self.path)

    @property
    def is_over(self) -> bool:
        """Say whether this frame has come to its end, whichever."""
        return self._program_state is not None and not self.is_running()

    def set_ended(self) -> None:
        """End this frame and those below."""
        super().set_ended()
        self._release_if_over()

    def set_error(self, error: Any) -> None:
        """Fail this frame and those below, unless they are over already."""
        if self._program_state is None or self.is_running():
            super().set_error(error)
        self._release_if_over()

    def set_timed_out(self) -> None:
        """End this frame and those below: their time is up."""
        if not self.is_frame():
            self.log.seal()
        super().set_timed_out()
        self._release_if_over()

    def set_stop(self, stop_date: Any, cause: str | None, error: str | None) -> None:
        """Abort this frame and those below."""
        if not self.is_frame():
            self.log.seal()
        super().set_stop(stop_date, cause, error)
        self._release_if_over()

    def _release_if_over(self) -> None:
        # moto sets this event and clears it at once: whoever begins to wait later never wakes.
        if self.is_over:
            self.program_state_event.set()
            if isinstance(self.callback_pool_manager, FrameTasks):
                self.callback_pool_manager.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetails:
    """What a run needs to know of its execution."""

    execution_arn: str
    name: str
    role_arn: str
    account_id: str
    region: str
    machine_arn: str
    machine_name: str
    machine_type: str
    definition: str
    input: Any
    start_time: str


def open_environment(
    details: RunDetails, *, log: EventLog, board: TaskBoard, previous: Any = None
) -> RunEnvironment:
    """Return the top frame for a run; `previous` is the one to go on from."""
    context = EventHistoryContext.of_program_start()
    environment = RunEnvironment(
        aws_execution_details=AWSExecutionDetails(
            account=details.account_id, region=details.region, role_arn=details.role_arn
        ),
        execution_type=StateMachineType(details.machine_type),
        context=ContextObjectData(
            Execution=ExecutionData(
                Id=details.execution_arn,
                Input=copy.deepcopy(details.input),
                Name=details.name,
                RoleArn=details.role_arn,
                StartTime=details.start_time,
            ),
            StateMachine=StateMachineData(Id=details.machine_arn, Name=details.machine_name),
        ),
        event_history_context=context,
        cloud_watch_logging_session=None,
        activity_store={},
        variable_store=copy.deepcopy(previous.variable_store) if previous is not None else None,
    )
    environment.event_manager = environment.log = log
    environment.callback_pool_manager = FrameTasks(board)
    environment.endpoint_url = board.endpoint_url
    if previous is not None:
        last = previous.event_history_context.last_published_event_id
        context.source_event_id = context.last_published_event_id = last
        environment.map_run_record_pool_manager = previous.map_run_record_pool_manager
        environment.resume = log.checkpoints.copy()
        log.checkpoints.attempts.clear()
    context.run_number = log.begin_run()
    context.environment = environment
    # moto marks a program as running in its own thread: a stop before that would be lost.
    environment._program_state = ProgramRunning()
    return environment


def evaluate(definition: str, environment: RunEnvironment) -> None:
    """Run the definition to its end, in the calling thread."""
    parse(definition).eval(environment)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended."""

    status: str
    output: Any = None
    error: str | None = None
    cause: str | None = None


def ending_of(environment: RunEnvironment) -> Ending:
    """Read the end of a run from its top frame."""
    state = environment.program_state()
    match state:
        case ProgramEnded():
            return Ending("SUCCEEDED", output=environment.states.get_input())
        case ProgramError():
            error = state.error or {}
            return Ending("FAILED", error=error.get("error"), cause=error.get("cause"))
        case ProgramTimedOut():
            return Ending("TIMED_OUT")
        case ProgramStopped():
            return Ending("ABORTED", error=state.error, cause=state.cause)
        case _:
            return Ending("FAILED", error="States.Runtime", cause="The interpreter gave up")


def resumed(program: Any, frame: RunEnvironment) -> Any:
    """Return the program to run in `frame`: all of it, its rest, or None if it is done."""
    place = frame.states.context_object.context_object_data.get("Map")
    if frame.is_frame() and place is not None:
        frame.path = (*frame.path[:-1], place["Item"]["Index"])
    if frame.resume is None:
        return program
    if frame.is_frame() and frame.path in frame.resume.outputs:
        frame.next_state_name = program.start_at.start_at_name
        frame.states.reset(input_value=frame.resume.outputs[frame.path])
        frame.set_ended()
        return None
    place = frame.resume.entered.get(frame.path)
    if place is None:
        return program
    name, state_input = place
    rest = copy.copy(program)
    rest.start_at = StartAt(name)
    frame.states.reset(input_value=state_input)
    return rest
