"""What parent and worker say to each other: JSON objects, each after its length.

Four bytes of length, big-endian, then JSON. A message has `t`; what awaits an answer has `id`.

| from the worker | |
|---|---|
| ready | it is closed in; `closed`: how |
| call, append, sleep | id, and request, record or seconds |
| drop | the answer to id is no longer awaited |
| event | a StepEvent |
| end | status and result |

| to the worker | |
|---|---|
| start | plan, principal, seed, limits, the time, and what to run or resume |
| reply | id, the time, revoked; value, failure or lost |
| cancel | |
"""

from __future__ import annotations

import json
import struct
from datetime import datetime

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.ports import AwsAnswer, AwsFailure, AwsRequest, Clock, StepEvent

MAX_BYTES = 32 * 1024 * 1024
HEADER = struct.Struct(">I")


class FrameError(Exception):
    """What came is no message."""


def encode(message: JsonObject) -> bytes:
    """Return a message with its length.

    Raises: FrameError: it is too large, or no JSON.
    """
    try:
        text = json.dumps(message, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError):
        raise FrameError("a message is not JSON") from None
    if len(text) > MAX_BYTES:
        raise FrameError("a message is too large")
    return HEADER.pack(len(text)) + text


def decode(text: bytes) -> JsonObject:
    """Return a message.

    Raises: FrameError.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise FrameError("a message is not JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("t"), str):
        raise FrameError("a message is not an object with a type")
    return message


def length_of(header: bytes) -> int:
    """Return the length of the message that follows.

    Raises: FrameError: it is too large.
    """
    length: int = HEADER.unpack(header)[0]
    if length > MAX_BYTES:
        raise FrameError("a message is too large")
    return length


def time_of(clock: Clock) -> JsonObject:
    """Return the time as every message to the worker has it."""
    return {"now": clock.now().isoformat(), "monotonic": clock.monotonic()}


def read_time(message: JsonObject) -> tuple[datetime, float]:
    """Return the time of a message to the worker."""
    monotonic = message["monotonic"]
    assert isinstance(monotonic, float | int)
    return datetime.fromisoformat(str(message["now"])), float(monotonic)


def write_request(request: AwsRequest) -> JsonObject:
    """Return a request as JSON."""
    return {
        "service": request.service,
        "operation": request.operation,
        "members": request.members,
        "step_id": request.step_id,
        "region": request.region,
        "timeout_s": request.timeout_s,
        "mutating": request.mutating,
    }


def read_request(value: JsonValue) -> AwsRequest:
    """Return a request; nothing of it is believed but its form.

    Raises: FrameError.
    """
    match value:
        case {
            "service": str(service),
            "operation": str(operation),
            "members": dict(members),
            "step_id": str(step_id),
            "region": (str() | None) as region,
            "timeout_s": (int() | float()) as timeout_s,
            "mutating": bool(mutating),
        }:
            return AwsRequest(
                service=service,
                operation=operation,
                members=members,
                step_id=step_id,
                region=region,
                timeout_s=float(timeout_s),
                mutating=mutating,
            )
    raise FrameError("a request has not the form of one")


def write_answer(answer: AwsAnswer) -> JsonObject:
    """Return an answer as JSON."""
    return {"output": answer.output, "request_id": answer.request_id}


def read_answer(value: JsonObject) -> AwsAnswer:
    """Return an answer."""
    output, request_id = value["output"], value["request_id"]
    assert isinstance(output, dict)
    return AwsAnswer(output=output, request_id=str(request_id) if request_id is not None else None)


def write_failure(failure: AwsFailure) -> JsonObject:
    """Return a failure as JSON."""
    return {
        "kind": failure.kind,
        "code": failure.code,
        "status": failure.status,
        "message": failure.message,
        "request_id": failure.request_id,
        "retry_after_s": failure.retry_after_s,
        "sent": failure.sent,
    }


def read_failure(value: JsonObject) -> AwsFailure:
    """Return a failure."""
    kind = str(value["kind"])
    rest = {name: item for name, item in value.items() if name != "kind"}
    return AwsFailure(kind, **rest)  # type: ignore[arg-type] # as write_failure wrote it


def write_event(event: StepEvent) -> JsonObject:
    """Return an event as JSON."""
    return {
        "execution_id": event.execution_id,
        "step_id": event.step_id,
        "op": event.op,
        "phase": event.phase,
        "done": event.done,
        "total": event.total,
        "attempt": event.attempt,
        "detail": event.detail,
    }


def read_event(value: JsonValue) -> StepEvent:
    """Return an event.

    Raises: FrameError.
    """
    match value:
        case {
            "execution_id": str(execution_id),
            "step_id": str(step_id),
            "op": str(op),
            "phase": str(phase),
            "done": int(done),
            "total": int(total),
            "attempt": int(attempt),
            "detail": str(detail),
        }:
            return StepEvent(
                execution_id=execution_id,
                step_id=step_id,
                op=op,
                phase=phase,
                done=done,
                total=total,
                attempt=attempt,
                detail=detail,
            )
    raise FrameError("an event has not the form of one")
