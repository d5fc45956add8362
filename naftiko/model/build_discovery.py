"""Nodes -> `discover` entries of MCP and REST adapters."""

from __future__ import annotations

from naftiko.document.nodes import Scalar
from naftiko.errors import nearest
from naftiko.model.build_operation import build_operation
from naftiko.model.discovery import DiscoveredEntry, Discovery, Enrichment, Report
from naftiko.model.fields import Fields, Named

ENTRY_MEMBERS = ("tool", "operation")
"""What holds the template of an entry: `tool` in MCP adapters, `operation` in REST adapters."""
CHOICES = ("filter", "select")
MEMBERS = (
    *("name", "as", "from", "when", "call", "with", "steps", "items", "key", "enrich", "refresh"),
    *("wait", "maxItems", "alwaysListed", "report"),
    *CHOICES,
    *ENTRY_MEMBERS,
)


def build_discoveries(fields: Fields) -> tuple[Discovery, ...]:
    """Build the `discover` of an adapter, a list or a map by name."""
    return tuple(_discovery(named) for named in fields.named("discover"))


def _discovery(named: Named) -> Discovery:
    fields = named.fields
    as_ = fields.scalar("as")
    return Discovery(
        name=named.name,
        location=named.location,
        operation=build_operation(named, named.name),
        entry=_entry(fields, named.name),
        as_=fields.text("as") or "item",
        as_at=as_.location if as_ is not None else None,
        from_=fields.scalar("from"),
        items=fields.scalar("items"),
        key=fields.scalar("key"),
        filter_=fields.scalar("filter"),
        select=fields.scalar("select"),
        enrich=_enrichment(fields, named.name),
        refresh=fields.scalar("refresh"),
        wait=fields.scalar("wait"),
        max_items=fields.scalar("maxItems"),
        always_listed=fields.boolean("alwaysListed") or False,
        reports=tuple(_report(item) for item in fields.items("report")),
        misspelt=_misspelt(fields),
    )


def _misspelt(fields: Fields) -> Scalar | None:
    """Return the name of a member that was to choose items: without it all would be let through."""
    for name, _ in fields.node.entries:
        if name.text in MEMBERS or name.text.startswith("x-"):
            continue
        if nearest(name.text, MEMBERS) in CHOICES:
            return name
    return None


def _enrichment(fields: Fields, name: str) -> Enrichment | None:
    inner = fields.fields("enrich")
    if inner is None:
        return None
    return Enrichment(
        operation=build_operation(Named(name, inner, inner.location), name),
        location=inner.location,
        parallel=inner.scalar("parallel"),
        refresh=inner.scalar("refresh"),
    )


def _entry(fields: Fields, name: str) -> DiscoveredEntry | None:
    inner = fields.fields(*ENTRY_MEMBERS)
    if inner is None:
        return None
    return DiscoveredEntry(
        operation=build_operation(Named(name, inner, inner.location), name),
        location=inner.location,
        name=inner.scalar("name"),
        label=inner.scalar("label", "display"),
        description=inner.scalar("description"),
        input_schema=inner.node_of("inputSchema"),
        output_schema=inner.node_of("outputSchema"),
        hints=inner.mapping("hints"),
        method=inner.scalar("method"),
        path=inner.scalar("path"),
    )


def _report(fields: Fields) -> Report:
    return Report(
        message=fields.scalar("message"),
        location=fields.location,
        when=fields.scalar("when"),
        for_each=fields.node_of("forEach"),
        as_=fields.text("as") or "entry",
    )
