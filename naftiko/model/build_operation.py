"""Nodes -> what routes, tools, resources, prompts and aggregate functions share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from naftiko.document.nodes import Mapping, Scalar
from naftiko.model.build_parameters import (
    build_call,
    build_hints,
    build_input_parameters,
    build_output_parameters,
    build_with,
)
from naftiko.model.build_steps import build_mappings, build_steps
from naftiko.model.exposes import ExposedOperation
from naftiko.model.fields import Fields, Named

if TYPE_CHECKING:
    from naftiko.model.discovery import Discovery


def build_operation(named: Named, name: str) -> ExposedOperation:
    """Build what a route and a tool share."""
    fields = named.fields
    schema = fields.node_of("inputSchema")
    return ExposedOperation(
        name=name or referred_name(fields),
        location=named.location,
        label=fields.text("label", "display"),
        description=fields.text("description"),
        input_parameters=build_input_parameters(fields),
        input_schema=schema if isinstance(schema, Mapping) else None,
        call=build_call(fields),
        with_=build_with(fields.mapping("with")),
        steps=build_steps(fields),
        mappings=build_mappings(fields),
        on_error=fields.scalar("onError"),
        ref=fields.scalar("ref"),
        content=fields.node_of("content"),
        when=fields.scalar("when"),
        is_error=fields.scalar("isError"),
        output_schema=fields.node_of("outputSchema"),
        response=fields.mapping("response"),
        responses=fields.mapping("responses"),
        response_binary=fields.mapping("responseBinary"),
        output_media_type=fields.scalar("outputMediaType"),
        max_binary_size=fields.scalar("maxBinarySize"),
        tags=fields.texts("tags"),
        output_parameters=build_output_parameters(fields),
        hints=build_hints(fields.fields("hints")),
        task_support=fields.scalar("taskSupport") or _execution(fields),
    )


def _execution(fields: Fields) -> Scalar | None:
    """Read `execution: {taskSupport: optional}`, as MCP spells it."""
    execution = fields.mapping("execution")
    found = execution.get("taskSupport") if execution is not None else None
    return found if isinstance(found, Scalar) else None


def build_discover(fields: Fields) -> tuple[Discovery, ...]:
    """Build the `discover` of an adapter."""
    if fields.node_of("discover") is None:
        return ()  # most files have none, and the import costs
    from naftiko.model.build_discovery import build_discoveries

    return build_discoveries(fields)


def referred_name(fields: Fields) -> str:
    """Return the name that an operation without one has from its `ref`: that of the function."""
    return fields.text("ref").rpartition(".")[2].strip()
