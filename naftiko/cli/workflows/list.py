"""`naftiko workflow list`: the workflows of the catalog."""

from __future__ import annotations

import argparse

from naftiko.cli.console import Console
from naftiko.cli.workflows import common
from naftiko.errors import ExitCode
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.catalog import Catalog, Entry
from naftiko.workflow.plan.refused import IntegrityError
from naftiko.workflow.plan.walk import mapping, objects


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    common.add_catalog(parser)
    common.add_json(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print a line for each version of each workflow."""
    catalog = common.open_catalog(arguments)
    rows = [_row(entry, catalog) for entry in catalog.entries]
    if arguments.json:
        listed: list[JsonValue] = list(rows)
        common.print_json({"workflows": listed}, console)
        return ExitCode.OK
    table = [
        [
            f"{row['name']}@{row['version']}",
            str(row["tier"]),
            "-" if row["risk_score"] is None else str(row["risk_score"]),
            str(row["state"]),
            str(row["description"] or ""),
        ]
        for row in rows
    ]
    for line in common.columns([["workflow", "tier", "risk", "state", ""], *table]):
        console.data(line)
    return ExitCode.OK


def _row(entry: Entry, catalog: Catalog) -> JsonObject:
    row: JsonObject = {
        "name": entry.name,
        "version": entry.version,
        "tier": entry.tier,
        "state": entry.state,
        "risk_score": None,
        "read_only": None,
        "services": [],
        "description": _description(entry),
        "checksum": None,
    }
    if entry.plan is None:
        return row
    try:
        plan = catalog.plan(entry)
        trust, checksum = catalog.trust(entry), str(plan["checksum"])
    except IntegrityError as error:
        return {**row, "state": "broken", "reason": str(error)}
    metadata = mapping(plan["metadata"])
    state = "signed" if objects(plan["signatures"]) else "unsigned"
    if trust.deprecation(checksum) is not None:
        state = "deprecated"
    row |= {
        "state": "revoked" if trust.is_revoked(checksum) else state,
        "risk_score": metadata["risk_score"],
        "read_only": metadata["read_only"],
        "services": metadata["services"],
        "checksum": checksum,
    }
    return row


def _description(entry: Entry) -> str | None:
    """Return what a workflow says of itself; a plan has no room for it."""
    from naftiko.errors import Problems
    from naftiko.workflow.source.parser import parse_workflow

    if entry.source is None:
        return None
    workflow = parse_workflow(entry.read_source(), str(entry.source), Problems())
    return workflow.description if workflow is not None else None
