"""Nodes -> what is exposed. Spec: `exposes`."""

from __future__ import annotations

import re

from naftiko.document.nodes import Mapping, Scalar
from naftiko.errors import Problems
from naftiko.model.build_consumes import build_authentication
from naftiko.model.build_parameters import (
    build_call,
    build_hints,
    build_input_parameters,
    build_output_parameters,
)
from naftiko.model.exposes import (
    ExposedOperation,
    Exposes,
    ExposesMcp,
    ExposesRest,
    RestOperation,
    RestResource,
    UnknownExposes,
)
from naftiko.model.fields import Fields, Named
from naftiko.model.unserved import warn_mcp, warn_rest
from naftiko.source import Location

REST_TYPES = {"rest": "rest", "api": "rest", "http": "rest"}
"""`api` is 0.4's word; `http` is what 0.5 documents in the wild write."""
LATER_MEMBERS = ("steps", "ref", "mappings", "forward")
"""Members of an operation that this engine does not serve."""
LATER_SECTIONS = ("resources", "prompts")
"""Sections of an MCP adapter that this engine does not serve."""

IMPORTED = "import"
"""The type of an entry that stands in another file; it is reported where it is built."""

_NOT_KEBAB = re.compile(r"[^a-z0-9]+")


def build_exposes(fields: Fields, problems: Problems) -> tuple[Exposes, ...]:
    """Build the entries of `exposes`, a list (or a map by namespace)."""
    return tuple(_entry(named, problems) for named in fields.named("exposes", key="namespace"))


def _entry(named: Named, problems: Problems) -> Exposes:
    fields = named.fields
    type_ = fields.text("type")
    kind = REST_TYPES.get(type_, type_)
    if "from" in fields.node or "import" in fields.node:
        problems.warn(
            "unsupported-expose-import",
            "`exposes` entries are not imported by this version, so this one is left out",
            fields.location,
            "copy the entry into this file",
        )
        return UnknownExposes(namespace=named.name, type_=IMPORTED, location=fields.location)
    if kind not in ("rest", "mcp"):
        place = fields.scalar("type") or fields
        return UnknownExposes(namespace=named.name, type_=type_, location=place.location)
    if not named.name:
        problems.warn(
            "missing-namespace",
            f"this `{kind}` adapter has no `namespace`; it is called `{kind}`",
            fields.location,
            f"add `namespace: my-{kind}`",
        )
    namespace = named.name or kind
    if kind == "rest":
        warn_rest(fields, namespace, problems)
        return _rest(namespace, fields)
    warn_mcp(fields, namespace, problems)
    _warn_unserved(namespace, fields, problems)
    return _mcp(namespace, fields)


def _warn_unserved(namespace: str, fields: Fields, problems: Problems) -> None:
    """Say what is left out of an MCP adapter, rather than drop it."""
    for name in LATER_SECTIONS:
        key = fields.node.key(name)
        if key is not None:
            problems.warn(
                f"unsupported-{name}",
                f"`{name}` of `{namespace}` are not served by this version; its tools are",
                key.location,
            )


def _rest(namespace: str, fields: Fields) -> ExposesRest:
    return ExposesRest(
        namespace=namespace,
        port=fields.scalar("port"),
        location=fields.location,
        address=fields.scalar("address"),
        description=fields.text("description"),
        authentication=build_authentication(fields),
        input_parameters=build_input_parameters(fields) or (),
        resources=tuple(_resource(item) for item in fields.named("resources")),
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
    )


def _rest_operations(named: Named) -> list[RestOperation]:
    fields = named.fields
    operations = [
        _rest_operation(item, item.name or _operation_name(named, item))
        for item in fields.named("operations")
    ]
    if not operations and fields.scalar("method") is not None:
        operations.append(_rest_operation(named, _flat_name(named)))
    if not operations and "forward" in fields.node:
        operations.append(_forward(named))
    return operations


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


def _forward(named: Named) -> RestOperation:
    return RestOperation(method="GET", operation=build_operation(named, named.name or "forward"))


def _mcp(namespace: str, fields: Fields) -> ExposesMcp:
    return ExposesMcp(
        namespace=namespace,
        location=fields.location,
        port=fields.scalar("port"),
        address=fields.scalar("address"),
        transport=fields.text("transport") or "http",
        description=fields.text("description"),
        authentication=build_authentication(fields),
        tools=tuple(build_operation(item, item.name) for item in fields.named("tools")),
    )


def build_operation(named: Named, name: str) -> ExposedOperation:
    """Build what a route and a tool share."""
    fields = named.fields
    schema = fields.node_of("inputSchema")
    return ExposedOperation(
        name=name,
        location=named.location,
        label=fields.text("label", "display"),
        description=fields.text("description"),
        input_parameters=build_input_parameters(fields),
        input_schema=schema if isinstance(schema, Mapping) else None,
        call=build_call(fields),
        output_parameters=build_output_parameters(fields),
        hints=build_hints(fields.fields("hints")),
        unsupported=_unsupported(fields),
    )


def _unsupported(fields: Fields) -> tuple[tuple[str, Location], ...]:
    found: list[tuple[str, Location]] = []
    for name in LATER_MEMBERS:
        key = fields.node.key(name)
        if key is not None:
            found.append((name, key.location))
    return tuple(found)
