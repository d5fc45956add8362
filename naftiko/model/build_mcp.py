"""Nodes -> MCP adapters. Spec: `exposes` of type `mcp`."""

from __future__ import annotations

from naftiko.document.nodes import Node, Scalar
from naftiko.model.build_consumes import build_authentication
from naftiko.model.build_operation import build_discover, build_operation
from naftiko.model.exposes import ExposesMcp
from naftiko.model.fields import Fields, Named
from naftiko.model.mcp import (
    Completion,
    McpOptions,
    McpPrompt,
    McpPromptArgument,
    McpResource,
    ResourceList,
)


def build_mcp(namespace: str, fields: Fields) -> ExposesMcp:
    """Build an MCP adapter."""
    return ExposesMcp(
        namespace=namespace,
        location=fields.location,
        cors=fields.mapping("cors"),
        port=fields.scalar("port"),
        address=fields.scalar("address"),
        transport=fields.text("transport") or "http",
        description=fields.text("description"),
        authentication=build_authentication(fields),
        tools=tuple(build_operation(item, item.name) for item in fields.named("tools")),
        resources=tuple(_resource(item) for item in fields.named("resources")),
        prompts=tuple(_prompt(item) for item in fields.named("prompts")),
        discover=build_discover(fields),
        options=McpOptions(
            max_binary_size=fields.scalar("maxBinarySize"),
            page_size=fields.scalar("pageSize"),
            ttl_ms=fields.scalar("ttlMs"),
            cache_scope=fields.scalar("cacheScope"),
            resumable=fields.node_of("resumable"),
            tasks=fields.mapping("tasks"),
            tool_search=fields.node_of("toolSearch"),
        ),
    )


def _resource(named: Named) -> McpResource:
    fields = named.fields
    return McpResource(
        operation=build_operation(named, named.name),
        uri=fields.scalar("uri"),
        location=named.location,
        mime_type=fields.scalar("mimeType"),
        binary=fields.boolean("binary") or False,
        file=fields.scalar("location"),
        text=fields.node_of("text", "value"),
        blob=fields.scalar("blob"),
        annotations=fields.mapping("annotations"),
        size=fields.integer("size"),
        refresh=fields.scalar("refresh"),
        watch=fields.boolean("watch") or False,
        completions=_completions(fields),
        list_=_list(fields, named.name),
    )


def _list(fields: Fields, owner: str) -> ResourceList | None:
    inner = fields.fields("list")
    if inner is None:
        return None
    variables = inner.mapping("variables")
    given = variables.entries if variables is not None else ()
    name = f"{owner}.list"
    return ResourceList(
        operation=build_operation(Named(name, inner, inner.location), name),
        location=inner.location,
        as_=inner.text("as") or "item",
        items=inner.scalar("items"),
        next_=inner.scalar("next"),
        filter_=inner.scalar("filter"),
        variables=tuple((key, value) for key, value in given if isinstance(value, Scalar)),
        name=inner.scalar("name"),
        label=inner.scalar("label", "display"),
        description=inner.scalar("description"),
        mime_type=inner.scalar("mimeType"),
        max_items=inner.scalar("maxItems"),
        refresh=inner.scalar("refresh"),
    )


def _completions(fields: Fields) -> tuple[Completion, ...]:
    """Read `complete: {id: [a, b]}`, and `complete` or `enum` of a declared input."""
    found: dict[str, Node] = {}
    for item in fields.named("inputParameters"):
        node = item.fields.node_of("complete", "enum")
        if item.name and node is not None:
            found[item.name] = node
    table = fields.mapping("complete")
    if table is not None:
        found.update((key.text, node) for key, node in table.entries)
    return tuple(Completion(name=name, node=node) for name, node in found.items())


def _prompt(named: Named) -> McpPrompt:
    fields = named.fields
    return McpPrompt(
        operation=build_operation(named, named.name),
        location=named.location,
        arguments=tuple(_argument(item) for item in fields.named("arguments")),
        template=fields.node_of("template", "messages"),
        file=fields.scalar("location"),
    )


def _argument(named: Named) -> McpPromptArgument:
    fields = named.fields
    node = fields.node_of("complete", "enum")
    required = fields.boolean("required")
    return McpPromptArgument(
        name=named.name,
        location=named.location,
        label=fields.text("label", "display"),
        description=fields.text("description"),
        required=True if required is None else required,
        enum=fields.texts("enum"),
        completion=None if node is None else Completion(name=named.name, node=node),
    )
