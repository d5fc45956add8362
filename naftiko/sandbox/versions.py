"""Versions of state machines: publish, list, delete, and what a qualified ARN runs."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from naftiko.sandbox import arns, faults
from naftiko.sandbox.backend import INITIAL_REVISION, Backend, Machine
from naftiko.sandbox.paging import page_of

JsonObject = dict[str, Any]
Request = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Resolved:
    """The version that a qualified ARN means, and the alias it came through."""

    version: Any
    alias_arn: str | None = None


def publish(backend: Backend, request: Request) -> JsonObject:
    """Publish the machine's current revision; once published, the same version is returned."""
    arn = arns.parse_machine_arn(request["stateMachineArn"])
    if arn.qualifier is not None:
        raise faults.invalid_arn(arn.text)
    with backend.lock:
        machine = backend.machine(arn.machine)
        _check_revision(machine, request.get("revisionId"))
        version = publish_revision(machine, request.get("description"))
        return {"stateMachineVersionArn": version.arn, "creationDate": version.creation_date}


def publish_revision(machine: Machine, description: str | None) -> Any:
    """Return the version of the machine's current revision, made if there is none."""
    number = machine.version_of_revision.get(machine.revision_id)
    if number in machine.versions:
        return machine.versions[number]
    machine.publish(description)
    version = machine.latest_version
    version.revision_id = machine.revision_id
    machine.version_of_revision[machine.revision_id] = version.version
    return version


def list_all(backend: Backend, request: Request) -> JsonObject:
    """List a machine's versions, newest first."""
    arn = arns.parse_machine_arn(request["stateMachineArn"])
    with backend.lock:
        machine = backend.machine(arn.machine)
        newest_first = sorted(
            machine.versions.values(), key=lambda version: int(version.version), reverse=True
        )
    page, token = page_of(newest_first, request, lambda version: version.arn)
    return {
        "stateMachineVersions": [
            {"stateMachineVersionArn": version.arn, "creationDate": version.creation_date}
            for version in page
        ],
        **token,
    }


def delete(backend: Backend, request: Request) -> JsonObject:
    """Delete a version that no alias routes to; one that is gone already is no error."""
    arn = arns.parse_machine_arn(request["stateMachineVersionArn"])
    if arn.version is None:
        raise faults.invalid_arn(arn.text)
    with backend.lock:
        users = sorted(str(alias.name) for alias in backend.aliases_of(arn.text))
        if users:
            raise faults.fault(
                "ConflictException",
                "Version to be deleted must not be referenced by an alias. Current list of "
                f"aliases referencing this version: [{', '.join(users)}]",
            )
        machine = next((each for each in backend.state_machines if each.arn == arn.machine), None)
        if machine is not None:
            machine.versions.pop(arn.version, None)
    return {}


def resolve(backend: Backend, arn: arns.MachineArn, roll: random.Random | None = None) -> Resolved:
    """Return the version that a version's or an alias's ARN means.

    An alias picks by weight with `roll`, else the version with the largest weight.

    Raises: StateMachineDoesNotExist.
    """
    if arn.version is not None:
        return Resolved(backend.version(arn))
    alias = backend.machine(arn.machine).aliases.get(arn.qualifier)
    if alias is None:
        raise faults.no_such_machine(arn.text)
    routes = alias.routing_configuration
    weights = [route["weight"] for route in routes]
    if roll is None:
        route = max(routes, key=lambda each: int(each["weight"]))
    else:
        route = roll.choices(routes, weights)[0]
    version = backend.version(arns.parse_machine_arn(route["stateMachineVersionArn"]))
    return Resolved(version, alias.arn)


def _check_revision(machine: Machine, wanted: str | None) -> None:
    current = machine.revision_id
    if wanted is None or wanted == (current or INITIAL_REVISION):
        return
    raise faults.fault(
        "ConflictException",
        f"Failed to publish the State Machine version for revision {wanted}. "
        f"The current State Machine revision is {current or INITIAL_REVISION}.",
    )
