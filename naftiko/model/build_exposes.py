"""Nodes -> what is exposed. Spec: `exposes`."""

from __future__ import annotations

from naftiko.errors import Problems
from naftiko.model.build_imports import build_import, is_import
from naftiko.model.build_mcp import build_mcp
from naftiko.model.build_rest import build_rest
from naftiko.model.build_skill import build_skill
from naftiko.model.consumes import Import
from naftiko.model.exposes import Exposes, UnknownExposes
from naftiko.model.fields import Fields, Named

REST_TYPES = {"rest": "rest", "api": "rest", "http": "rest"}
"""`api` is 0.4's word; `http` is what 0.5 documents in the wild write."""


def build_exposes(fields: Fields, problems: Problems) -> tuple[Exposes | Import, ...]:
    """Build the entries of `exposes`, a list (or a map by namespace)."""
    found: list[Exposes | Import] = []
    for named in fields.named("exposes", key="namespace"):
        if not is_import(named.fields):
            found.append(_entry(named, problems))
            continue
        import_ = build_import(named.fields, problems)
        found += [import_] if import_ is not None else []
    return tuple(found)


def _entry(named: Named, problems: Problems) -> Exposes:
    fields = named.fields
    type_ = fields.text("type")
    kind = REST_TYPES.get(type_, type_)
    if kind == "control":
        from naftiko.model.build_control import build_control

        return build_control(named.name, fields, problems)
    if kind not in ("rest", "mcp", "skill"):
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
        return build_rest(namespace, fields)
    if kind == "skill":
        return build_skill(namespace, fields)
    return build_mcp(namespace, fields)
