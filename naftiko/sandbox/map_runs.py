"""Runs of distributed maps: describe, list, update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from naftiko.sandbox import arns, faults
from naftiko.sandbox.backend import Backend
from naftiko.sandbox.paging import page_of

JsonObject = dict[str, Any]
Request = Mapping[str, Any]


def describe(backend: Backend, request: Request) -> JsonObject:
    """Describe a map run."""
    record = record_of(backend, request["mapRunArn"])
    answer: JsonObject = dict(record.describe())
    for counts in ("itemCounts", "executionCounts"):
        answer[counts] = dict(answer[counts]) | {
            "failuresNotRedrivable": 0,
            "pendingRedrive": 0,
        }
    return answer | {"redriveCount": 0}


def list_all(backend: Backend, request: Request) -> JsonObject:
    """List the map runs of an execution, newest first."""
    execution = backend.execution(request["executionArn"])
    newest_first = list(reversed(execution.map_runs))
    page, token = page_of(newest_first, request, lambda record: record.map_run_arn)
    return {"mapRuns": [record.list_item() for record in page], **token}


def update(backend: Backend, request: Request) -> JsonObject:
    """Change the limits of a map run that still runs."""
    record = record_of(backend, request["mapRunArn"])
    if record.stop_date is not None:
        raise faults.fault(
            "ValidationException",
            "A map run that has completed cannot be updated",
            reason="CANNOT_UPDATE_COMPLETED_MAP_RUN",
        )
    record.update(
        max_concurrency=request.get("maxConcurrency"),
        tolerated_failure_count=request.get("toleratedFailureCount"),
        tolerated_failure_percentage=request.get("toleratedFailurePercentage"),
    )
    return {}


def record_of(backend: Backend, arn: str) -> Any:
    """Return the interpreter's record of a map run.

    Raises: InvalidArn, ResourceNotFound.
    """
    arns.check_map_run_arn(arn)
    for execution in list(backend.executions.values()):
        for record in execution.map_runs:
            if record.map_run_arn == arn:
                return record
    raise faults.no_such_resource(arn)
