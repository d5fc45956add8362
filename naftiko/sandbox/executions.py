"""Executions: start, stop, describe, list, history."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Mapping
from typing import Any

from naftiko.sandbox import arns, faults, map_runs, redrive, versions
from naftiko.sandbox.backend import Backend, Machine
from naftiko.sandbox.paging import page_of
from naftiko.sandbox.run import Execution, Snapshot

JsonObject = dict[str, Any]
Request = Mapping[str, Any]

LARGEST_INPUT_BYTES = 256 * 1024

_DICE = random.SystemRandom()
_DATA_FIELDS = frozenset({"input", "output", "inputDetails", "outputDetails"})


def start(backend: Backend, request: Request) -> JsonObject:
    """Start an execution; the same name and input again return the one that still runs."""
    snapshot = snapshot_of(backend, request["stateMachineArn"])
    input_text = check_input(request.get("input"))
    name = arns.check_name(request["name"]) if request.get("name") else str(uuid.uuid4())
    with backend.lock:
        arn = execution_arn(backend, snapshot, name)
        same = backend.executions.get(arn)
        if same is None:
            execution = Execution(
                arn=arn,
                name=name,
                snapshot=snapshot,
                input_text=input_text,
                trace_header=request.get("traceHeader"),
                board=backend.board,
            )
            backend.executions[arn] = execution
            execution.start()
        elif same.status == "RUNNING" and same.input_text == input_text:
            execution = same
        else:
            raise faults.fault("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
    return {"executionArn": execution.arn, "startDate": execution.start_date}


def snapshot_of(backend: Backend, machine_arn: str) -> Snapshot:
    """Return what an execution of this ARN runs; an alias picks a version by weight.

    Raises: InvalidArn, StateMachineDoesNotExist.
    """
    arn = arns.parse_machine_arn(machine_arn)
    with backend.lock:
        machine = backend.machine(arn.machine)
        if arn.qualifier is None:
            return _snapshot(machine, machine)
        resolved = versions.resolve(backend, arn, _DICE)
        return _snapshot(machine, resolved.version, resolved.version.arn, resolved.alias_arn)


def execution_arn(backend: Backend, snapshot: Snapshot, name: str) -> str:
    """Return the ARN of an execution; those of Express machines are unique by themselves."""
    if snapshot.type == "EXPRESS":
        return backend.arn("express", f"{snapshot.name}:{name}:{uuid.uuid4()}")
    return backend.arn("execution", f"{snapshot.name}:{name}")


def check_input(text: str | None) -> str:
    """Return the input of an execution as its JSON text.

    Raises: InvalidExecutionInput.
    """
    if text is None:
        return "{}"
    if len(text.encode()) > LARGEST_INPUT_BYTES:
        raise faults.fault(
            "InvalidExecutionInput",
            "Invalid State Machine Execution Input: 'the input is larger than 262144 bytes'",
        )
    try:
        json.loads(text)
    except ValueError as error:
        raise faults.fault(
            "InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'"
        ) from error
    return text


def stop(backend: Backend, request: Request) -> JsonObject:
    """Abort an execution."""
    execution = backend.execution(request["executionArn"])
    return {"stopDate": execution.stop(request.get("error"), request.get("cause"))}


def describe(backend: Backend, request: Request) -> JsonObject:
    """Describe an execution."""
    execution = backend.execution(request["executionArn"])
    answer = _summary(execution) | redrive.describe(execution)
    included = request.get("includedData") != "METADATA_ONLY"
    answer["inputDetails"] = {"included": included}
    if included:
        answer["input"] = execution.input_text
    if execution.output is not None:
        answer["outputDetails"] = {"included": included}
        if included:
            answer["output"] = execution.output
    optional = {
        "traceHeader": execution.trace_header,
        "error": execution.error if included else None,
        "cause": execution.cause if included else None,
    }
    return answer | {key: value for key, value in optional.items() if value is not None}


def describe_machine(backend: Backend, request: Request) -> JsonObject:
    """Describe the machine as it was when the execution started."""
    snapshot = backend.execution(request["executionArn"]).snapshot
    answer = {
        "stateMachineArn": snapshot.arn,
        "name": snapshot.name,
        "definition": snapshot.definition,
        "roleArn": snapshot.role_arn,
        "updateDate": snapshot.update_date,
        "loggingConfiguration": snapshot.logging,
        "tracingConfiguration": snapshot.tracing,
        "encryptionConfiguration": snapshot.encryption,
    }
    if request.get("includedData") == "METADATA_ONLY":
        answer["definition"] = ""
    if snapshot.revision_id:
        answer["revisionId"] = snapshot.revision_id
    return answer


def list_all(backend: Backend, request: Request) -> JsonObject:
    """List the executions of a machine, a version or an alias, newest first."""
    machine_arn, map_run_arn = request.get("stateMachineArn"), request.get("mapRunArn")
    if (machine_arn is None) == (map_run_arn is None):
        raise faults.validation_error(
            "Must provide a State Machine ARN or a Map Run ARN, and not both"
        )
    if map_run_arn is not None:
        map_runs.record_of(backend, map_run_arn)
        return {"executions": []}
    found = _executions_of(backend, arns.parse_machine_arn(str(machine_arn)))
    status, redriven = request.get("statusFilter"), request.get("redriveFilter")
    if status:
        found = [each for each in found if each.status == status]
    if redriven:
        found = [each for each in found if (each.redrive_count > 0) == (redriven == "REDRIVEN")]
    page, token = page_of(found, request, lambda each: each.arn)
    return {"executions": [_listed(each) for each in page], **token}


def history(backend: Backend, request: Request) -> JsonObject:
    """Return a page of the events of an execution."""
    execution = backend.execution(request["executionArn"])
    events = execution.history()
    if request.get("reverseOrder"):
        events.reverse()
    page, token = page_of(events, request, lambda event: event["id"])
    if request.get("includeExecutionData") is False:
        page = [_without_data(event) for event in page]
    return {"events": page, **token}


def _executions_of(backend: Backend, arn: arns.MachineArn) -> list[Execution]:
    with backend.lock:
        machine = backend.machine(arn.machine)
        if machine.type == "EXPRESS":
            raise faults.type_not_supported()
        found = list(backend.executions_of(machine.arn))
        if arn.qualifier is None:
            return found
        versions.resolve(backend, arn)
    return [
        each for each in found if arn.text in (each.snapshot.version_arn, each.snapshot.alias_arn)
    ]


def _snapshot(
    machine: Machine,
    source: Any,
    version_arn: str | None = None,
    alias_arn: str | None = None,
) -> Snapshot:
    return Snapshot(
        arn=machine.arn,
        name=machine.name,
        type=machine.type,
        definition=source.definition,
        role_arn=source.roleArn,
        revision_id=source.revision_id,
        update_date=source.update_date,
        version_arn=version_arn,
        alias_arn=alias_arn,
        logging=source.loggingConfiguration,
        tracing=source.tracingConfiguration,
        encryption=source.encryptionConfiguration,
    )


def _summary(execution: Execution) -> JsonObject:
    optional = {
        "stopDate": execution.stop_date,
        "stateMachineVersionArn": execution.snapshot.version_arn,
        "stateMachineAliasArn": execution.snapshot.alias_arn,
    }
    return {
        "executionArn": execution.arn,
        "stateMachineArn": execution.snapshot.arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": execution.start_date,
        **{key: value for key, value in optional.items() if value is not None},
    }


def _listed(execution: Execution) -> JsonObject:
    listed = _summary(execution)
    listed["redriveCount"] = execution.redrive_count
    if execution.redrive_date is not None:
        listed["redriveDate"] = execution.redrive_date
    return listed


def _without_data(event: JsonObject) -> JsonObject:
    return {
        key: {name: part for name, part in value.items() if name not in _DATA_FIELDS}
        if isinstance(value, dict)
        else value
        for key, value in event.items()
    }
