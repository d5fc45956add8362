"""What a file says of all its scripts. Spec: `management.scripting` of a control adapter.

Files without a control adapter say the same under `capability.scripting`, this engine's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from naftiko.document.nodes import Document, Scalar
from naftiko.model.fields import Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptSettings:
    """Defaults and limits of script steps; None where the file does not say."""

    enabled: bool | None = None
    default_location: Scalar | None = None
    default_language: Scalar | None = None
    timeout: Scalar | None = None
    statement_limit: Scalar | None = None
    memory: Scalar | None = None
    allowed_languages: tuple[str, ...] | None = None


def build_script_settings(document: Document) -> ScriptSettings:
    """Read the settings: the first place that gives one wins, `capability.scripting` before all."""
    blocks = list(_blocks(Fields(document.root)))

    def scalar(name: str) -> Scalar | None:
        return next((found for block in blocks if (found := block.scalar(name))), None)

    enabled = scalar("enabled")
    allowed = [block for block in blocks if "allowedLanguages" in block.node]
    return ScriptSettings(
        enabled=enabled.value if enabled and isinstance(enabled.value, bool) else None,
        default_location=scalar("defaultLocation"),
        default_language=scalar("defaultLanguage"),
        timeout=scalar("timeout"),
        statement_limit=scalar("statementLimit"),
        memory=scalar("memoryLimit"),
        allowed_languages=allowed[0].texts("allowedLanguages") if allowed else None,
    )


def _blocks(root: Fields) -> Iterator[Fields]:
    inner = root.fields("capability")
    own = inner.fields("scripting") if inner else None
    if own is not None:
        yield own
    for section in [root] if inner is None else [inner, root]:
        for named in section.named("exposes", key="namespace"):
            management = named.fields.fields("management")
            block = management.fields("scripting") if management else None
            if block is not None and named.fields.text("type") == "control":
                yield block
