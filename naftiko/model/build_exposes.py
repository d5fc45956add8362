"""Nodes -> what is exposed. Spec: `exposes`."""

from __future__ import annotations

from naftiko.errors import Problems
from naftiko.model.build_mcp import build_mcp
from naftiko.model.build_rest import build_rest
from naftiko.model.exposes import Exposes, UnknownExposes
from naftiko.model.fields import Fields, Named
from naftiko.model.unserved import warn_mcp, warn_rest

REST_TYPES = {"rest": "rest", "api": "rest", "http": "rest"}
"""`api` is 0.4's word; `http` is what 0.5 documents in the wild write."""
LATER_SECTIONS = ("resources", "prompts")
"""Sections of an MCP adapter that this engine does not serve."""

IMPORTED = "import"
"""The type of an entry that stands in another file; it is reported where it is built."""


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
        return build_rest(namespace, fields)
    warn_mcp(fields, namespace, problems)
    _warn_unserved(namespace, fields, problems)
    return build_mcp(namespace, fields)


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
