"""`naftiko workflow submissions`: what was contributed, and what each still lacks."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from naftiko.cli.console import Console
from naftiko.cli.workflows import common, contributing
from naftiko.errors import ExitCode
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.plan.walk import objects

if TYPE_CHECKING:
    from naftiko.workflow.contribution.refused import Refused
    from naftiko.workflow.contribution.submissions import Submission


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    contributing.add_common(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print a line for each; 3 where one is not what the pipeline writes."""
    from naftiko.workflow.contribution.refused import Refused, one_line

    rows: list[JsonObject] = []
    is_broken = False
    with contributing.open_desk(arguments, changes=False) as desk:
        for home, found in desk.every():
            is_broken = is_broken or isinstance(found, Refused)
            rows.append({"submission": one_line(home.id), **_row(found)})
    if arguments.json:
        listed: list[JsonValue] = list(rows)
        common.print_json({"submissions": listed}, console)
    else:
        _print(rows, console)
    return common.GATE_FAILED if is_broken else ExitCode.OK


def _row(found: Submission | Refused) -> JsonObject:
    from naftiko.workflow.contribution.refused import Refused

    if isinstance(found, Refused):
        return {"state": "broken", "missing": [found.reason], "error": found.to_json()}
    findings = [*found.stale, *(found.standing.findings if found.standing is not None else ())]
    return {
        "state": found.state,
        "name": found.workflow.name,
        "version": found.workflow.version,
        "tier": found.tier,
        "author": found.workflow.metadata.author,
        "missing": list(found.missing),
        "findings": [one.to_json() for one in findings],
    }


def _print(rows: list[JsonObject], console: Console) -> None:
    table = [
        [
            str(row["submission"]),
            str(row.get("tier") or "-"),
            str(row["state"]),
            "; ".join(map(str, row["missing"])) if isinstance(row["missing"], list) else "",
        ]
        for row in rows
    ]
    for line in common.columns([["submission", "tier", "state", "missing"], *table]):
        console.data(line)
    for row in rows:
        for one in objects(row.get("findings")):
            console.note(f"{row['submission']}: {one['path']}: {one['code']}: {one['message']}")
