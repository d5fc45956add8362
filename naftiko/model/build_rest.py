"""Nodes -> REST adapters. Spec: `exposes` of type `rest`."""

from __future__ import annotations

import re

from naftiko.document.nodes import Scalar, Sequence
from naftiko.model.build_consumes import build_authentication
from naftiko.model.build_operation import build_discover, build_operation, referred_name
from naftiko.model.build_parameters import build_input_parameters
from naftiko.model.exposes import ExposesRest, ForwardConfig, RestOperation, RestResource
from naftiko.model.fields import Fields, Named

_NOT_KEBAB = re.compile(r"[^a-z0-9]+")


def build_rest(namespace: str, fields: Fields) -> ExposesRest:
    """Build a REST adapter."""
    return ExposesRest(
        namespace=namespace,
        port=fields.scalar("port"),
        location=fields.location,
        address=fields.scalar("address"),
        description=fields.text("description"),
        authentication=build_authentication(fields),
        input_parameters=build_input_parameters(fields) or (),
        resources=tuple(_resource(item) for item in fields.named("resources")),
        max_binary_size=fields.scalar("maxBinarySize"),
        cors=fields.mapping("cors"),
        discover=build_discover(fields),
    )


def _resource(named: Named) -> RestResource:
    fields = named.fields
    path = fields.scalar("path") or Scalar("/", "/", fields.location)
    return RestResource(
        path=path,
        operations=tuple(_rest_operations(named)),
        location=named.location,
        name=named.name,
        description=fields.text("description"),
        input_parameters=build_input_parameters(fields) or (),
        forward=_forward(fields),
    )


def _rest_operations(named: Named) -> list[RestOperation]:
    fields = named.fields
    operations = [_rest_operation(item, _name(named, item)) for item in fields.named("operations")]
    if not operations and fields.scalar("method") is not None:
        operations.append(_rest_operation(named, _flat_name(named)))
    return operations


def _name(resource: Named, operation: Named) -> str:
    return operation.name or referred_name(operation.fields) or _operation_name(resource, operation)


def _operation_name(resource: Named, operation: Named) -> str:
    """An operation without a name is called after its method and resource."""
    method = (operation.fields.text("method") or "get").lower()
    return kebab(f"{method} {resource.name or resource.fields.text('path')}")


def _flat_name(named: Named) -> str:
    """A resource that is an operation itself is called by `operationId` or label."""
    fields = named.fields
    name = fields.text("operationId") or named.name or fields.text("label", "display")
    return kebab(name or f"{fields.text('method')} {fields.text('path')}")


def kebab(text: str) -> str:
    """Return a kebab-case name: "List State Machines" -> "list-state-machines"."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text)
    return _NOT_KEBAB.sub("-", spaced.lower()).strip("-")


def _rest_operation(named: Named, name: str) -> RestOperation:
    method = (named.fields.text("method") or "GET").upper()
    return RestOperation(method=method, operation=build_operation(named, name))


def _forward(fields: Fields) -> ForwardConfig | None:
    inner = fields.fields("forward")
    if inner is None:
        return None
    trusted = inner.node_of("trustedHeaders")
    items = trusted.items if isinstance(trusted, Sequence) else ()
    return ForwardConfig(
        target=inner.scalar("targetNamespace"),
        trusted_headers=tuple(item for item in items if isinstance(item, Scalar)),
        location=fields.node.key("forward").location,  # type: ignore[union-attr]  # it is there
    )
