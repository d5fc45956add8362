"""Members of the language that this engine does not serve yet: each is named, none is dropped."""

from __future__ import annotations

from collections.abc import Iterable

from naftiko.errors import Problems
from naftiko.model.fields import Fields

CONSUMED_MEMBERS = ("outputMediaType", "maxBinarySize")
REST_MEMBERS = ("maxBinarySize",)
REST_OPERATION_MEMBERS = ("responses", "responseBinary")
MCP_MEMBERS = ("maxBinarySize", "ttlMs", "cacheScope")


def warn_sections(section: Fields, problems: Problems) -> None:
    """Name what a file's root or its `capability` holds beside binds, consumes and exposes."""
    key = section.node.key("aggregates")
    if key is not None:
        problems.warn(
            "unsupported-aggregates",
            "`aggregates` are not served by this version, nor what refers to them by `ref`",
            key.location,
        )
    for bind in section.named("binds", key="namespace"):
        if "from" in bind.fields.node:
            problems.warn(
                "unsupported-bind-import",
                "binds are not imported by this version",
                bind.location,
                "copy the bind into this file",
            )


def warn_consumes(api: Fields, problems: Problems) -> None:
    """Name what is not served of a consumed HTTP API."""
    _refuse_tunnel(api, problems)
    for resource in api.named("resources"):
        for operation in resource.fields.named("operations"):
            _warn(operation.fields, CONSUMED_MEMBERS, operation.name, problems)


def _refuse_tunnel(api: Fields, problems: Problems) -> None:
    """A call that is meant for a tunnel must not go out over the open network."""
    tunnel = api.fields("tunnel")
    if tunnel is None:
        return
    if tunnel.text("fallback") == "direct":
        problems.warn(
            "unsupported-tunnel",
            "tunnels are not served by this version; calls go out directly, as `fallback` allows",
            tunnel.location,
        )
        return
    problems.error(
        "unsupported-tunnel",
        "tunnels are not served by this version, and without one no call may go out",
        tunnel.location,
        "remove `tunnel`, or write `fallback: direct`",
    )


def warn_rest(adapter: Fields, name: str, problems: Problems) -> None:
    """Name what is not served of a REST adapter."""
    _warn(adapter, REST_MEMBERS, name, problems)
    for resource in adapter.named("resources"):
        operations = list(resource.fields.named("operations"))
        key = resource.fields.node.key("forward")
        if operations and key is not None:
            problems.warn(
                "unsupported-forward",
                f"`forward` is not served by this version; the operations of "
                f"`{resource.fields.text('path')}` are",
                key.location,
            )
        for operation in operations:
            _warn(operation.fields, REST_OPERATION_MEMBERS, operation.name, problems)


def warn_mcp(adapter: Fields, name: str, problems: Problems) -> None:
    """Name what is not served of an MCP adapter, beside its resources and prompts."""
    _warn(adapter, MCP_MEMBERS, name, problems)


def _warn(fields: Fields, members: Iterable[str], owner: str, problems: Problems) -> None:
    of = f" of `{owner}`" if owner else ""
    for member in members:
        key = fields.node.key(member)
        if key is not None:
            problems.warn(
                "unsupported-field",
                f"`{member}`{of} is not served by this version, so it has no effect",
                key.location,
            )
