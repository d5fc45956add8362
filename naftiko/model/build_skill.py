"""Nodes -> skill adapters. Spec: `exposes` of type `skill`."""

from __future__ import annotations

from naftiko.document.nodes import Mapping, Scalar
from naftiko.model.build_consumes import build_authentication
from naftiko.model.fields import Fields, Named
from naftiko.model.skills import ExposesSkill, Skill, SkillTool


def build_skill(namespace: str, fields: Fields) -> ExposesSkill:
    """Build a skill adapter."""
    return ExposesSkill(
        namespace=namespace,
        port=fields.scalar("port"),
        location=fields.location,
        address=fields.scalar("address"),
        description=fields.text("description"),
        authentication=build_authentication(fields),
        cors=fields.mapping("cors"),
        skills=tuple(_skill(item) for item in fields.named("skills")),
    )


def _skill(named: Named) -> Skill:
    fields = named.fields
    metadata = fields.node_of("metadata")
    entries = metadata.entries if isinstance(metadata, Mapping) else ()
    return Skill(
        name=named.name,
        location=named.location,
        description=fields.text("description"),
        license=fields.text("license"),
        compatibility=fields.text("compatibility"),
        argument_hint=fields.text("argument-hint"),
        allowed_tools=fields.text("allowed-tools"),
        user_invocable=fields.boolean("user-invocable"),
        disable_model_invocation=fields.boolean("disable-model-invocation"),
        metadata=tuple(
            (key.text, value.text) for key, value in entries if isinstance(value, Scalar)
        ),
        folder=fields.scalar("location"),
        tools=tuple(_tool(item) for item in fields.named("tools")),
    )


def _tool(named: Named) -> SkillTool:
    fields = named.fields
    source = fields.fields("from")
    return SkillTool(
        name=named.name,
        location=named.location,
        description=fields.text("description"),
        has_from="from" in fields.node,
        source=source.scalar("sourceNamespace") if source else None,
        action=source.scalar("action") if source else None,
        instruction=fields.scalar("instruction"),
    )
