"""Aliases: names that route executions to one or two versions of a state machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moto.stepfunctions.models import StateMachineAlias

from naftiko.sandbox import arns, faults
from naftiko.sandbox.backend import Backend, Machine
from naftiko.sandbox.paging import page_of
from naftiko.sandbox.run import now

JsonObject = dict[str, Any]
Request = Mapping[str, Any]
Routes = Sequence[Mapping[str, Any]]


def create(backend: Backend, request: Request) -> JsonObject:
    """Create an alias; the same one twice is one alias."""
    name = arns.check_alias_name(request["name"])
    routes = request["routingConfiguration"]
    with backend.lock:
        machine = _routed_machine(backend, routes)
        alias = machine.aliases.get(name)
        if alias is None:
            alias = StateMachineAlias(
                name=name,
                statemachine_arn=machine.arn,
                routing_configuration=[dict(route) for route in routes],
                description=request.get("description"),
            )
            machine.aliases[name] = alias
        elif (alias.routing_configuration, alias.description) != (
            [dict(route) for route in routes],
            request.get("description"),
        ):
            raise faults.fault(
                "ConflictException",
                "Failed to create alias because an alias with the same name and a different "
                "routing configuration already exists.",
            )
        return {"stateMachineAliasArn": alias.arn, "creationDate": alias.creation_date}


def describe(backend: Backend, request: Request) -> JsonObject:
    """Describe an alias."""
    with backend.lock:
        alias = _alias(backend, request["stateMachineAliasArn"])
        answer = {
            "stateMachineAliasArn": alias.arn,
            "name": alias.name,
            "routingConfiguration": alias.routing_configuration,
            "creationDate": alias.creation_date,
            "updateDate": alias.update_date,
        }
        if alias.description:
            answer["description"] = alias.description
        return answer


def list_all(backend: Backend, request: Request) -> JsonObject:
    """List the aliases of a machine, or those that route to a version of it."""
    arn = arns.parse_machine_arn(request["stateMachineArn"])
    with backend.lock:
        aliases = list(backend.machine(arn.machine).aliases.values())
        if arn.version is not None:
            version_arn = backend.version(arn).arn
            aliases = [alias for alias in aliases if alias in backend.aliases_of(version_arn)]
    aliases.sort(key=lambda alias: str(alias.name))
    page, token = page_of(aliases, request, lambda alias: alias.arn)
    return {
        "stateMachineAliases": [
            {"stateMachineAliasArn": alias.arn, "creationDate": alias.creation_date}
            for alias in page
        ],
        **token,
    }


def update(backend: Backend, request: Request) -> JsonObject:
    """Change what an alias routes to, or its description."""
    routes = request.get("routingConfiguration")
    description = request.get("description")
    if routes is None and description is None:
        raise faults.validation_error(
            "You must provide at least one of routingConfiguration or description"
        )
    with backend.lock:
        alias = _alias(backend, request["stateMachineAliasArn"])
        if routes is not None:
            machine = _routed_machine(backend, routes)
            if machine.arn != alias.statemachine_arn:
                raise _bad_routes("The versions must belong to the state machine of the alias.")
            alias.routing_configuration = [dict(route) for route in routes]
        if description is not None:
            alias.description = description
        alias.update_date = now()
        return {"updateDate": alias.update_date}


def delete(backend: Backend, request: Request) -> JsonObject:
    """Delete an alias; its versions stay."""
    with backend.lock:
        alias = _alias(backend, request["stateMachineAliasArn"])
        del backend.machine(alias.statemachine_arn).aliases[alias.name]
    return {}


def _alias(backend: Backend, text: str) -> Any:
    arn = arns.parse_machine_arn(text)
    if arn.qualifier is None:
        raise faults.invalid_arn(text)
    machines = (each for each in backend.state_machines if each.arn == arn.machine)
    alias = next((machine.aliases.get(arn.qualifier) for machine in machines), None)
    if alias is None:
        raise faults.no_such_resource(text)
    return alias


def _routed_machine(backend: Backend, routes: Routes) -> Machine:
    if not 1 <= len(routes) <= 2:
        raise _bad_routes("Routing configuration must contain 1 or 2 state machine versions.")
    if sum(route["weight"] for route in routes) != 100:
        raise _bad_routes(
            "The sum of the weights in the routing configuration must be equal to 100."
        )
    versions = [arns.parse_machine_arn(route["stateMachineVersionArn"]) for route in routes]
    if any(version.version is None for version in versions):
        raise _bad_routes("Every stateMachineVersionArn must be the ARN of a version.")
    if len({version.machine for version in versions}) > 1:
        raise _bad_routes(
            "Both stateMachineVersionArn values must belong to the same state machine."
        )
    if len({version.text for version in versions}) < len(versions):
        raise _bad_routes("The stateMachineVersionArn values must differ.")
    for version in versions:
        machines = (each for each in backend.state_machines if each.arn == version.machine)
        machine = next(machines, None)
        if machine is None or version.version not in machine.versions:
            raise faults.no_such_resource(version.text)
    return backend.machine(versions[0].machine)


def _bad_routes(message: str) -> Exception:
    return faults.fault("ValidationException", message, reason="INVALID_ROUTING_CONFIGURATION")
