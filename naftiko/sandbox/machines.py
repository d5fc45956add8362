"""State machines: create, describe, list, update, delete."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from naftiko.sandbox import arns, faults, tags, validation, versions
from naftiko.sandbox.backend import Backend, Machine
from naftiko.sandbox.paging import page_of
from naftiko.sandbox.run import now

JsonObject = dict[str, Any]
Request = Mapping[str, Any]

TYPES = ("STANDARD", "EXPRESS")

_SETTINGS = {
    "definition": "definition",
    "roleArn": "roleArn",
    "loggingConfiguration": "loggingConfiguration",
    "tracingConfiguration": "tracingConfiguration",
    "encryptionConfiguration": "encryptionConfiguration",
}


def create(backend: Backend, request: Request) -> JsonObject:
    """Create a machine; the same one twice is one machine."""
    arns.check_name(request["name"])
    arns.check_role_arn(request["roleArn"])
    machine_type = _check_type(request.get("type"))
    _check_version_description(request)
    validation.check_definition(request["definition"], machine_type)
    return create_unchecked(backend, request)


def create_unchecked(backend: Backend, request: Request) -> JsonObject:
    """Create a machine of a request that is known to be good, without the interpreter."""
    name = request["name"]
    machine_type = request.get("type") or "STANDARD"
    arn = backend.arn("stateMachine", name)
    with backend.lock:
        machine = next((each for each in backend.state_machines if each.arn == arn), None)
        if machine is None:
            machine = Machine(
                arn=arn,
                name=name,
                backend=backend,
                sm_type=machine_type,
                **{field: request.get(key) for key, field in _SETTINGS.items()},
            )
            tags.apply(backend, arn, request.get("tags") or ())
            backend.state_machines.append(machine)
        elif not _is_same(machine, request, machine_type):
            raise faults.fault(
                "StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'"
            )
        answer = {"stateMachineArn": arn, "creationDate": machine.creation_date}
        if request.get("publish"):
            version = versions.publish_revision(machine, request.get("versionDescription"))
            answer["stateMachineVersionArn"] = version.arn
        return answer


def describe(backend: Backend, request: Request) -> JsonObject:
    """Describe a machine, or a version; an alias shows the version that most runs go to."""
    arn = arns.parse_machine_arn(request["stateMachineArn"])
    with backend.lock:
        machine = backend.machine(arn.machine)
        if arn.qualifier is None:
            return describe_settings(machine, request) | {
                "stateMachineArn": machine.arn,
                "status": "ACTIVE",
                "creationDate": machine.creation_date,
                **({"revisionId": machine.revision_id} if machine.revision_id else {}),
            }
        version = versions.resolve(backend, arn).version
        revision = {"revisionId": version.revision_id} if version.revision_id else {}
        note = {"description": version.description} if version.description else {}
        return describe_settings(version, request) | {
            "stateMachineArn": version.arn,
            "status": "ACTIVE",
            "creationDate": version.creation_date,
            **revision,
            **note,
        }


def describe_settings(machine: Any, request: Request) -> JsonObject:
    """Return what a machine and a version have in common."""
    settings: JsonObject = {
        "name": machine.name,
        "type": machine.type,
        "roleArn": machine.roleArn,
        "definition": machine.definition,
        "loggingConfiguration": machine.loggingConfiguration,
        "tracingConfiguration": machine.tracingConfiguration,
        "encryptionConfiguration": machine.encryptionConfiguration,
    }
    if request.get("includedData") == "METADATA_ONLY":
        settings["definition"] = ""
    return settings


def list_all(backend: Backend, request: Request) -> JsonObject:
    """List the machines by name."""
    with backend.lock:
        machines = sorted(backend.state_machines, key=lambda machine: str(machine.name))
    page, token = page_of(machines, request, lambda machine: machine.arn)
    return {
        "stateMachines": [
            {
                "stateMachineArn": machine.arn,
                "name": machine.name,
                "type": machine.type,
                "creationDate": machine.creation_date,
            }
            for machine in page
        ],
        **token,
    }


def update(backend: Backend, request: Request) -> JsonObject:
    """Change a machine; executions that run go on as they started."""
    arn = arns.parse_machine_arn(request["stateMachineArn"])
    if arn.qualifier is not None:
        raise faults.invalid_arn(arn.text)
    changes = {field: request[key] for key, field in _SETTINGS.items() if request.get(key)}
    _check_version_description(request)
    if not changes:
        raise faults.fault(
            "MissingRequiredParameter",
            "Either the definition, the role ARN, the LoggingConfiguration, or the "
            "TracingConfiguration must be specified",
        )
    if "roleArn" in changes:
        arns.check_role_arn(changes["roleArn"])
    with backend.lock:
        machine = backend.machine(arn.machine)
        if "definition" in changes:
            validation.check_definition(changes["definition"], machine.type)
        if any(getattr(machine, field) != value for field, value in changes.items()):
            for field, value in changes.items():
                setattr(machine, field, value)
            machine.revision_id = str(uuid.uuid4())
        machine.update_date = now()
        answer: JsonObject = {"updateDate": machine.update_date}
        if machine.revision_id:
            answer["revisionId"] = machine.revision_id
        if request.get("publish"):
            version = versions.publish_revision(machine, request.get("versionDescription"))
            answer["stateMachineVersionArn"] = version.arn
        return answer


def delete(backend: Backend, request: Request) -> JsonObject:
    """Delete a machine with its versions and aliases, and abort what it runs."""
    arn = arns.parse_machine_arn(request["stateMachineArn"])
    if arn.qualifier is not None:
        raise faults.invalid_arn(arn.text)
    with backend.lock:
        backend.state_machines[:] = [
            machine for machine in backend.state_machines if machine.arn != arn.machine
        ]
        backend.tagger.delete_all_tags_for_resource(arn.machine)
        running = list(backend.executions_of(arn.machine))
    for execution in running:
        execution.stop(None, None)
    return {}


def _check_type(given: str | None) -> str:
    if given is None:
        return "STANDARD"
    if given not in TYPES:
        raise faults.constraint_errors(
            [
                f"Value '{given}' at 'type' failed to satisfy constraint: Member must satisfy "
                "enum value set: [STANDARD, EXPRESS]"
            ]
        )
    return given


def _check_version_description(request: Request) -> None:
    if request.get("versionDescription") and not request.get("publish"):
        raise faults.validation_error("Version description can only be set when publish is true")


def _is_same(machine: Machine, request: Request, machine_type: str) -> bool:
    # As AWS: role and tags do not count.
    asked = {
        "definition": json.loads(request["definition"]),
        "type": machine_type,
        "loggingConfiguration": request.get("loggingConfiguration") or {"level": "OFF"},
        "tracingConfiguration": request.get("tracingConfiguration") or {"enabled": False},
    }
    has = {key: getattr(machine, key) for key in asked}
    has["definition"] = json.loads(machine.definition)
    return asked == has
