"""Changes to moto's interpreter that a subclass cannot make, applied once per process."""

from __future__ import annotations

import datetime
import functools
import importlib
import importlib.util
import json
import logging
import re
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import botocore.config
import botocore.session
from botocore import xform_name
from botocore.exceptions import DataNotFoundError, UnknownServiceError
from jsonpath_ng.ext import parse as parse_path
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.retry.jitter_strategy_decl import (
    JitterStrategyDecl,
)
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.component.state.choice.state_choice import StateChoice
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.distributed_iteration_component import (  # noqa: E501
    DistributedIterationComponent,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import (  # noqa: E501
    StateTaskService,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.timestamp import Timestamp
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import (
    WaitFunction,
)
from moto.stepfunctions.parser.asl.eval import states, variable_store
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded
from moto.stepfunctions.parser.asl.jsonata import jsonata
from moto.stepfunctions.parser.asl.utils import boto_client, json_path

from naftiko.sandbox import machinery, queries, sdk_tasks
from naftiko.sandbox.interpreter import RunEnvironment, resumed

_MANY_VALUED = re.compile(r"\*|\.\.|\?\(|\[[^\]'\"]*[:,]")
"""Finds the wildcards, slices, filters and unions in a JSONPath."""

_evaluate_program = Program.eval
_apply_jitter = JitterStrategyDecl._eval_body
_choose_rule = StateChoice._eval_state
_evaluate_service_task = StateTaskService._eval_execution
_run_items = DistributedIterationComponent._map_run
_caller = threading.local()


def apply() -> None:
    """Change moto's classes; a second call does nothing new."""
    logging.getLogger("moto.stepfunctions").setLevel(logging.CRITICAL)
    WaitFunction._wait_interval = _wait_interval
    Timestamp._get_wait_seconds = _seconds_until
    Timestamp._from_timestamp_string = staticmethod(_moment)
    JitterStrategyDecl._eval_body = _pause_before_retry
    StateChoice._eval_state = _choose
    Program.eval = _evaluate
    jsonata._eval_jsonata = _evaluate_jsonata
    states.encode_jsonata_variable_declarations = _declare_variables
    variable_store.encode_jsonata_variable_declarations = _declare_variables
    DistributedIterationComponent._map_run = _run_map
    StateTaskService._eval_execution = _call_service
    StateTaskService._normalise_parameters = _to_api_names
    StateTaskService._normalise_response = _from_api_names
    boto_client.boto3 = LoopbackClients
    queries.apply()
    sdk_tasks.apply()
    _replace_everywhere("extract_json", json_path.extract_json, _extract)


def _replace_everywhere(name: str, old: object, new: object) -> None:
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("moto.stepfunctions.parser") and (
            vars(module).get(name) is old
        ):
            setattr(module, name, new)


@functools.lru_cache(maxsize=1024)
def _parsed(path: str) -> Any:
    return parse_path(path)


def _extract(path: str, data: Any) -> Any:
    # moto parses each path each time, and makes a list of `$.items[0].price`.
    values = [match.value for match in _parsed(path).find(data)]
    if _MANY_VALUED.search(path):
        ends_in_index = path.endswith("]") and path[path.rfind("[") + 1 : -1].isdigit()
        return values[0] if ends_in_index and len(values) == 1 else values
    if not values:
        raise json_path.NoSuchJsonPathError(json_path=path, data=data)
    return values[0]


def _wait_interval(_: WaitFunction, env: Any, wait_seconds: float) -> None:
    # moto counts whole seconds and begins to wait even when the execution is over. Time may pass
    # faster here, or not at all.
    deadline = time.monotonic() + wait_seconds * machinery.time_scale()
    while env.is_running() and (left := deadline - time.monotonic()) > 0:
        env.program_state_event.wait(left)


def _seconds_until(self: Timestamp, env: Any) -> float:
    # moto compares a UTC timestamp with local time, and drops what is below a second.
    self.string.eval(env=env)
    text = env.stack.pop()
    moment = _moment(text)
    if moment is None:
        raise FailureEventException(self._create_failure_event(env, str(text)))
    return (moment - datetime.datetime.now(tz=datetime.UTC)).total_seconds()


def _moment(text: object) -> datetime.datetime | None:
    # moto knows no offsets.
    try:
        moment = datetime.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _pause_before_retry(self: JitterStrategyDecl, env: Any) -> None:
    # moto's next step is `time.sleep(env.stack.pop())`, which nothing can interrupt.
    _apply_jitter(self, env)
    if isinstance(env, RunEnvironment):
        _wait_interval(self, env, env.stack.pop())
        env.stack.append(0)


def _choose(self: StateChoice, env: Any) -> None:
    # moto knows no error name for this.
    try:
        _choose_rule(self, env)
    except RuntimeError as error:
        details = {
            "error": "States.NoChoiceMatched",
            "cause": f"No rule of the state '{self.name}' matched, and it has no Default",
        }
        raise FailureEventException(
            FailureEvent(
                env=env,
                error_name=ErrorName("States.NoChoiceMatched"),
                event_type=HistoryEventType.TaskFailed,
                event_details={"taskFailedEventDetails": details},
            )
        ) from error


def _evaluate_jsonata(expression: str) -> Any:
    # moto wants a Java virtual machine for this.
    if importlib.util.find_spec("jsonata") is None:
        raise RuntimeError("JSONata in the sandbox needs the package jsonata-python")
    parsed = importlib.import_module("jsonata.jsonata").Jsonata(expression)
    return json.loads(json.dumps(parsed.evaluate(None)))


def _declare_variables(bindings: Mapping[str, Any]) -> str:
    # moto does not escape strings.
    return "".join(f"{name}:={json.dumps(value)};" for name, value in bindings.items())


def _evaluate(self: Program, env: Any) -> None:
    if not isinstance(env, RunEnvironment):
        _evaluate_program(self, env)
        return
    if env.is_over:
        return
    program = resumed(self, env)
    if program is not None:
        _evaluate_program(program, env)
    if env.is_frame() and isinstance(env.program_state(), ProgramEnded):
        env.log.checkpoints.outputs[env.path] = env.states.get_input()


def _run_map(self: DistributedIterationComponent, env: Any, eval_input: Any) -> None:
    # moto counts failed items, and then goes on with nulls in their places.
    _run_items(self, env, eval_input)
    record = eval_input.map_run_record
    failed, total = record.item_counter.failed.get(), record.item_counter.total.get()
    most, share = record.tolerated_failure_count, record.tolerated_failure_percentage
    is_exceeded = (
        (failed > most) if most else bool(failed) and not share,
        bool(share) and failed * 100 > share * total,
    )
    if any(is_exceeded):
        details = {
            "error": "States.ExceedToleratedFailureThreshold",
            "cause": "The specified tolerated failure threshold was exceeded",
        }
        raise FailureEventException(
            FailureEvent(
                env=env,
                error_name=ErrorName(details["error"]),
                event_type=HistoryEventType.MapRunFailed,
                event_details={"mapRunFailedEventDetails": details},
            )
        )


def _call_service(self: StateTaskService, env: Any) -> None:
    # moto's clients do not know for which execution they call.
    _caller.endpoint_url = getattr(env, "endpoint_url", None)
    try:
        _evaluate_service_task(self, env)
    finally:
        _caller.endpoint_url = None


def _session() -> Any:
    # No profile: the one that AWS_PROFILE names may not even exist.
    return botocore.session.Session(session_vars={"profile": (None, None, None, None)})


@functools.lru_cache(maxsize=256)
def _operation(service: str, action: str) -> Any:
    try:
        model = _session().get_service_model(service)
    except (UnknownServiceError, DataNotFoundError):
        return None
    names = (name for name in model.operation_names if xform_name(name) == action)
    name = next(names, None)
    return None if name is None else model.operation_model(name)


def _to_api_names(
    self: StateTaskService,
    parameters: Any,
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    # In workflows every member starts with a capital (`StateMachineArn`); moto left out the way
    # back to the API's own names.
    operation = _operation(
        self._get_boto_service_name(boto_service_name),
        self._get_boto_service_action(service_action_name),
    )
    if operation is not None and operation.input_shape is not None:
        self._to_boto_request(parameters, operation.input_shape)


def _from_api_names(
    self: StateTaskService,
    response: Any,
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    operation = _operation(
        self._get_boto_service_name(boto_service_name),
        self._get_boto_service_action(service_action_name),
    )
    if operation is not None and operation.output_shape is not None:
        self._from_boto_response(response, operation.output_shape)


class LoopbackClients:
    """Stands in for `boto3` where the interpreter makes its clients: the sandbox or nothing.

    No profile, no credential chain, no proxy, no metadata service is looked at.
    """

    @staticmethod
    def client(**settings: Any) -> Any:
        """Return a client that talks to the sandbox."""
        endpoint_url = getattr(_caller, "endpoint_url", None) or machinery.endpoint_url
        if endpoint_url is None:
            raise RuntimeError("the sandbox that this execution belongs to has been stopped")
        config = botocore.config.Config(
            parameter_validation=False,
            inject_host_prefix=False,
            proxies={},
            retries={"total_max_attempts": 1},
            connect_timeout=10,
            read_timeout=3600,
        )
        return _session().create_client(
            settings["service_name"],
            region_name=settings["region_name"],
            endpoint_url=endpoint_url,
            aws_access_key_id=settings["aws_access_key_id"],
            aws_secret_access_key=settings["aws_secret_access_key"],
            config=config,
        )
