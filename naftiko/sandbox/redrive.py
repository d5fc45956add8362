"""RedriveExecution: a failed execution goes on from the state that failed."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from naftiko.sandbox import faults
from naftiko.sandbox.backend import Backend
from naftiko.sandbox.run import Execution, now

JsonObject = dict[str, Any]
Request = Mapping[str, Any]

REDRIVABLE_FOR = datetime.timedelta(days=14)
MOST_REDRIVES = 1000
REDRIVABLE_STATUSES = frozenset({"FAILED", "ABORTED", "TIMED_OUT"})


def redrive(backend: Backend, request: Request) -> JsonObject:
    """Go on where the execution failed, with the definition and input that it started with."""
    execution = backend.execution(request["executionArn"])
    token = request.get("clientToken")
    with backend.lock:
        if token and token in execution.redrive_tokens:
            return {"redriveDate": execution.redrive_tokens[token]}
        reason = why_not(execution)
        if reason is not None:
            raise faults.fault("ExecutionNotRedrivable", reason)
        execution.redrive()
        date = execution.redrive_date or now()
        if token:
            execution.redrive_tokens[token] = date
        return {"redriveDate": date}


def describe(execution: Execution) -> JsonObject:
    """Return what DescribeExecution says of redriving."""
    reason = why_not(execution)
    answer: JsonObject = {
        "redriveCount": execution.redrive_count,
        "redriveStatus": "NOT_REDRIVABLE" if reason else "REDRIVABLE",
    }
    if reason:
        answer["redriveStatusReason"] = reason
    if execution.redrive_date is not None:
        answer["redriveDate"] = execution.redrive_date
    return answer


def why_not(execution: Execution) -> str | None:
    """Say why an execution cannot be redriven, or None if it can."""
    if execution.status not in REDRIVABLE_STATUSES:
        return f"Execution is {execution.status} and cannot be redriven"
    if execution.redrive_count >= MOST_REDRIVES:
        return f"Execution has been redriven {MOST_REDRIVES} times, the most there can be"
    if execution.stop_date is not None and now() - execution.stop_date > REDRIVABLE_FOR:
        return "Execution has exceeded the redrivable period of 14 days"
    return None
