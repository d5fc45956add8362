"""StartSyncExecution: an Express machine run while the caller waits."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from typing import Any

from naftiko.sandbox import arns, executions, faults
from naftiko.sandbox.backend import Backend
from naftiko.sandbox.run import Execution, now

JsonObject = dict[str, Any]
Request = Mapping[str, Any]

BILLED_MEMORY_MB = 64
BILLED_STEP_MS = 100
LONGEST_S = 300


def start(backend: Backend, request: Request) -> JsonObject:
    """Run an Express machine to its end, for five minutes at the most."""
    snapshot = executions.snapshot_of(backend, request["stateMachineArn"])
    if snapshot.type != "EXPRESS":
        raise faults.type_not_supported()
    name = arns.check_name(request["name"]) if request.get("name") else str(uuid.uuid4())
    execution = Execution(
        arn=executions.execution_arn(backend, snapshot, name),
        name=name,
        snapshot=snapshot,
        input_text=executions.check_input(request.get("input")),
        trace_header=request.get("traceHeader"),
        board=backend.board,
    )
    backend.synchronous.add(execution)
    try:
        execution.run_for(LONGEST_S)
    finally:
        backend.synchronous.discard(execution)
    return _described(execution, request.get("includedData") != "METADATA_ONLY")


def _described(execution: Execution, included: bool) -> JsonObject:
    stop_date = execution.stop_date or now()
    took_ms = (stop_date - execution.start_date).total_seconds() * 1000
    status = "FAILED" if execution.status == "ABORTED" else execution.status
    answer: JsonObject = {
        "executionArn": execution.arn,
        "stateMachineArn": execution.snapshot.arn,
        "name": execution.name,
        "startDate": execution.start_date,
        "stopDate": stop_date,
        "status": status,
        "inputDetails": {"included": included},
        "billingDetails": {
            "billedMemoryUsedInMB": BILLED_MEMORY_MB,
            "billedDurationInMilliseconds": max(1, math.ceil(took_ms / BILLED_STEP_MS))
            * BILLED_STEP_MS,
        },
    }
    optional = {
        "input": execution.input_text if included else None,
        "output": execution.output if included else None,
        "error": execution.error,
        "cause": execution.cause,
        "traceHeader": execution.trace_header,
    }
    if execution.output is not None:
        answer["outputDetails"] = {"included": included}
    return answer | {key: value for key, value in optional.items() if value is not None}
