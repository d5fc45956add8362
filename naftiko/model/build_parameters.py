"""Nodes -> parameters, outputs, calls. Spec: `inputParameters`, `outputParameters`, `with`."""

from __future__ import annotations

from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.model.fields import Fields, Named
from naftiko.model.parameters import Call, Hints, InputParameter, OutputParameter, WithEntry
from naftiko.values import JsonValue

SCHEMA_KEYWORDS = (
    "enum",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "items",
    "properties",
    "additionalProperties",
    "examples",
)
"""JSON Schema keywords a declared parameter may carry beside `type`."""


def build_input_parameters(fields: Fields) -> tuple[InputParameter, ...] | None:
    """Build `inputParameters`; None where the member is absent."""
    if fields.node_of("inputParameters") is None:
        return None
    return tuple(_input(named) for named in fields.named("inputParameters") if named.name)


def _input(named: Named) -> InputParameter:
    fields = named.fields
    schema: list[tuple[str, JsonValue]] = [
        (keyword, fields.plain(keyword)) for keyword in SCHEMA_KEYWORDS if keyword in fields.node
    ]
    return InputParameter(
        name=named.name,
        location=named.location,
        in_=fields.text("in") or None,
        type_=fields.text("type") or None,
        description=fields.text("description"),
        required=fields.boolean("required"),
        value=fields.node_of("value", "const"),
        default=fields.plain("default"),
        has_default="default" in fields.node,
        schema=tuple(schema),
    )


def build_output_parameters(fields: Fields) -> tuple[OutputParameter, ...]:
    """Build `outputParameters`, a list or a map by name."""
    return tuple(
        build_output(named.fields, named.name or None) for named in fields.named("outputParameters")
    )


def build_output(fields: Fields, name: str | None = None) -> OutputParameter:
    """Build one output shape, with what is nested in it."""
    value = fields.node_of("value", "const")
    mapping = fields.scalar("mapping")
    return OutputParameter(
        location=fields.location,
        name=name,
        type_=fields.text("type") or None,
        mapping=mapping,
        value=value,
        description=fields.text("description"),
        max_length=fields.integer("maxLength"),
        coerce=fields.boolean("coerce"),
        properties=tuple(
            (named.name, build_output(named.fields, named.name))
            for named in fields.named("properties")
            if named.name
        ),
        items=_items(fields.node_of("items")),
        values=_items(fields.node_of("values")),
    )


def _items(node: Node | None) -> OutputParameter | None:
    """`items` is one shape; in 0.5 it was a list of one."""
    if isinstance(node, Sequence) and len(node) > 0:
        node = node.items[0]
    return build_output(Fields(node)) if isinstance(node, Mapping) else None


def build_call(fields: Fields) -> Call | None:
    """Build `call` and `with`; None where nothing is called. 0.3 wrote `call: {operation: x}`."""
    target = fields.scalar("call")
    if target is None:
        inner = fields.fields("call")
        target = inner.scalar("operation") if inner else None
    if target is None:
        return None
    return Call(target=target, with_=build_with(fields.mapping("with")))


def build_with(node: Mapping | None) -> tuple[WithEntry, ...]:
    """Build the entries of `with`."""
    if node is None:
        return ()
    return tuple(
        WithEntry(name=key.text, value=value, location=key.location)
        for key, value in node.entries
        if not (isinstance(value, Scalar) and value.value is None)
    )


def build_hints(fields: Fields | None) -> Hints | None:
    """Build `hints`."""
    if fields is None:
        return None
    return Hints(
        read_only=fields.boolean("readOnly"),
        destructive=fields.boolean("destructive"),
        idempotent=fields.boolean("idempotent"),
        open_world=fields.boolean("openWorld"),
    )
