"""Nodes -> MCP adapters. Spec: `exposes` of type `mcp`."""

from __future__ import annotations

from naftiko.model.build_consumes import build_authentication
from naftiko.model.build_operation import build_operation
from naftiko.model.exposes import ExposesMcp
from naftiko.model.fields import Fields


def build_mcp(namespace: str, fields: Fields) -> ExposesMcp:
    """Build an MCP adapter."""
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
