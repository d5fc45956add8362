"""A call of AWS as a Task: resource, arguments, time limit, retries, and what its errors mean."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from naftiko.awsapi import catalog
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.asl import names as sdk
from naftiko.workflow.asl.jsonata import Names
from naftiko.workflow.asl.literals import NotMappable, literal, wrapped
from naftiko.workflow.asl.values import arguments, required_check, selected
from naftiko.workflow.plan.paths import parts_of

if TYPE_CHECKING:
    from botocore.model import OperationModel, Shape

_THROTTLING = re.compile(
    r"Throttl|TooManyRequests|RequestLimitExceeded|SlowDown|ProvisionedThroughputExceeded"
)
_SAFE = frozenset({"read", "token"})
MAX_DELAY_S = 31_622_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of the plan with its operation."""

    plan: JsonObject
    model: OperationModel

    @property
    def kind(self) -> str:
        """How it can be repeated."""
        return str(cast("JsonObject", self.plan["idempotency"])["kind"])

    @property
    def members(self) -> JsonObject:
        """The input members with their trees."""
        return cast("JsonObject", self.plan["input_mapping"])

    @property
    def required(self) -> frozenset[str]:
        """The members that must have a value."""
        schema = cast("dict[str, str]", self.plan["input_schema"])
        return frozenset(name for name, type_ in schema.items() if type_.endswith("!"))


def read_call(plan: JsonObject) -> Call:
    """Return a call with the model of its operation.

    Raises: NotMappable, for what no integration can do.
    """
    model = catalog.service_model(str(plan["service"])).operation_model(str(plan["operation"]))
    if plan["region"] is not None:
        raise NotMappable("a region of its own")
    if model.has_streaming_input or model.has_streaming_output or model.has_event_stream_output:
        raise NotMappable(f"the stream of {plan['operation']}")
    if cast("JsonObject", plan["retry"])["ambiguous"]:
        raise NotMappable("`retry.ambiguous`")
    return Call(plan=plan, model=model)


def resource(call: Call, partition: str) -> str:
    """Return the ARN of the integration."""
    service = sdk.sdk_service(call.model.service_model)
    return f"arn:{partition}:states:::aws-sdk:{service}:{sdk.sdk_operation(call.model.name)}"


def task(
    call: Call, names: Names, *, partition: str, timeout: str, members: JsonObject | None = None
) -> JsonObject:
    """Return a Task without its way on.

    Raises: NotMappable.
    """
    given = call.members if members is None else members
    shape = call.model.input_shape
    state: JsonObject = {
        "Type": "Task",
        "Resource": resource(call, partition),
        "Arguments": arguments(given, shape, call.required, names) if shape is not None else {},
        "TimeoutSeconds": timeout,
        "Output": {},
    }
    retry = retries(call)
    if retry is not None:
        state["Retry"] = [retry]
    return state


def missing_input(call: Call, names: Names) -> str | None:
    """Return the condition that a required member has no value."""
    return required_check(call.members, call.required, names)


def retries(call: Call) -> JsonObject | None:
    """Return the Retrier; None where nothing is tried again."""
    plan = cast("JsonObject", call.plan["retry"])
    attempts = int(cast("int", plan["max_attempts"]))
    errors = retried_errors(call, [str(name) for name in cast("list[JsonValue]", plan["retry_on"])])
    if attempts < 2 or not errors:
        return None
    first = max(1, math.ceil(cast("float", plan["initial_delay"])))
    longest = min(MAX_DELAY_S, math.ceil(cast("float", plan["max_delay"])))
    retrier: JsonObject = {
        "ErrorEquals": [*errors],
        "IntervalSeconds": min(first, longest) or 1,
        "MaxAttempts": attempts - 1,
        "BackoffRate": 1 if plan["backoff"] == "fixed" or longest <= first else 2,
        "JitterStrategy": "FULL" if plan["jitter"] == "full" else "NONE",
    }
    if retrier["BackoffRate"] != 1:
        retrier["MaxDelaySeconds"] = longest
    return retrier


def retried_errors(call: Call, classes: list[str]) -> list[str]:
    """Return the names of the errors that belong to classes or have one of the codes."""
    prefix = sdk.error_prefix(call.model.service_model)
    found: set[str] = set()
    if "throttling" in classes:
        found.update(
            f"{prefix}.{name}Exception"
            for name in ("Throttling", "TooManyRequests", "RequestLimitExceeded", "SlowDown")
        )
    for shape in call.model.error_shapes:
        name = sdk.sdk_error(prefix, shape.name)
        code = sdk.error_code(shape)
        if ("throttling" in classes and _THROTTLING.search(code)) or code in classes:
            found.add(name)
        if "server_error" in classes and _is_server_error(shape):
            found.add(name)
    if "connection" in classes and call.kind in _SAFE:
        found.add(sdk.connection_error(prefix))
    if "timeout" in classes and call.kind in _SAFE:
        found.add("States.Timeout")
    return sorted(found)


def is_again(call: Call) -> str | None:
    """Return the condition under which an error that the model does not name is worth a retry.

    All such errors have one name there, refusals too. AWS's status stands at the end of the cause,
    behind whatever the service says; services that throttle with status 400 say so in words.
    None where nothing is tried again.
    """
    plan = cast("JsonObject", call.plan["retry"])
    classes = cast("list[str]", plan["retry_on"])
    if cast("int", plan["max_attempts"]) < 2:
        return None
    cause = "$states.errorOutput.Cause"
    last = f'$split({cause}, "(Service: ")[-1]'
    tests = []
    if "server_error" in classes:
        tests.append(f"$contains({last}, /Status Code: 5[0-9][0-9],/)")
    if "throttling" in classes:
        tests.append(f"$contains({last}, /Status Code: 429,/)")
        tests.append(f"$contains({cause}, /^(?:Rate exceeded|Request limit exceeded|Throttl)/)")
    return f"$exists({cause}) and ({' or '.join(tests)})" if tests else None


def unnamed_error(call: Call) -> str:
    """Return the name of all errors that the service's model does not name."""
    return sdk.other_error(sdk.error_prefix(call.model.service_model))


def pause(call: Call, tries: str) -> str:
    """Return how many seconds to wait after attempt number `tries`; there is no jitter in it."""
    plan = cast("JsonObject", call.plan["retry"])
    first, longest = cast("float", plan["initial_delay"]), cast("float", plan["max_delay"])
    factor = {"exponential": f"$power(2, {tries} - 1)", "linear": tries}
    grown = f"{math.ceil(first)} * {factor.get(str(plan['backoff']), '1')}"
    return wrapped(f"$min([{math.ceil(longest)}, {grown}])")


def attempts(call: Call) -> int:
    """Return how often a call is made at most."""
    return int(cast("int", cast("JsonObject", call.plan["retry"])["max_attempts"]))


def _is_server_error(shape: Shape) -> bool:
    status = (shape.metadata.get("error") or {}).get("httpStatusCode", 0)
    return bool(shape.metadata.get("fault")) or status >= 500


def failure(call: Call, step_id: str) -> str:
    """Return the error object for what a Task's Catch got, as an expression."""
    prefix = sdk.error_prefix(call.model.service_model)
    caught = "$states.errorOutput.Error"
    types: list[tuple[str, str]] = [("States.Timeout", "StepTimeout")]
    types.append(("States.QueryEvaluationError", "TypeMismatch"))
    types.append(("States.Permissions", "PermissionDenied"))
    if call.plan["mutating"] and call.kind not in _SAFE:
        types[0] = ("States.Timeout", "AmbiguousOutcome")
        types.append((sdk.connection_error(prefix), "AmbiguousOutcome"))
    table = literal(dict(types))
    codes = literal(dict(sdk.error_codes(call.model)))
    return wrapped(
        f"($type := $lookup({table}, {caught}); $code := $lookup({codes}, {caught}); "
        f'$merge([{{"type": $exists($type) ? $type : "AwsError", "step_id": {literal(step_id)}}}, '
        '$exists($code) ? {"aws_code": $code} : {}]))'
    )


def outputs(call: Call, base: str = "$states.result") -> list[tuple[str, str]]:
    """Return the selected outputs as (name, expression).

    Raises: NotMappable.
    """
    fields = cast("dict[str, list[str]]", call.plan["fields"])
    select = cast("dict[str, str]", call.plan["select"])
    return [
        (name, at_path(call, path, base, fields.get(name, []))) for name, path in select.items()
    ]


def at_path(call: Call, path: str, base: str, fields: list[str] | None = None) -> str:
    """Return the expression of a path in a result.

    Raises: NotMappable.
    """
    shape = call.model.output_shape
    if shape is None:
        raise NotMappable(f"a result of {call.model.name}")
    return selected(base, parts_of(path), shape, fields or [])


def element_at(call: Call, path: str) -> Shape:
    """Return the shape of the elements of the list at a path of a result."""
    shape = call.model.output_shape
    for part in parts_of(path):
        shape = shape.member if isinstance(part, int) else shape.members[part]
    return shape.member if shape.type_name == "list" else shape
