"""`naftiko workflow check --gates`: what a contribution has to pass, before and after `submit`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from naftiko.cli.console import Console
from naftiko.cli.workflows import common, contributing
from naftiko.errors import ExitCode
from naftiko.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from naftiko.workflow.contribution.desk import Desk


def run_gates(arguments: argparse.Namespace, console: Console) -> int:
    """Run the gates on workflows and submissions; 3 where one fails. Nothing is written."""
    from naftiko.workflow.contribution.refused import Refused

    if bool(arguments.names) is arguments.all:
        arguments.parser.error("name workflows or submissions, or give --all")
    found: list[JsonObject] = []
    with contributing.open_desk(arguments, changes=False) as desk:
        for name in arguments.names or _every(desk):
            try:
                one = _one(name, desk)
            except Refused as error:
                one = {"passed": False, "gates": [], "error": error.to_json()}
            found.append({"workflow": name, **one})
            if not arguments.json:
                _print(found[-1], console)
    if arguments.json:
        listed: list[JsonValue] = list(found)
        common.print_json({"reports": listed}, console)
    return ExitCode.OK if all(one["passed"] for one in found) else common.GATE_FAILED


def _every(desk: Desk) -> list[str]:
    return [entry.ref for entry in desk.catalog.entries if entry.source is not None]


def _one(name: str, desk: Desk) -> JsonObject:
    """Return the report of a workflow; of a submission, compared with the one that it carries.

    Raises: Refused, StartError.
    """
    from naftiko.workflow.contribution.refused import Refused

    if not contributing.is_submission(name):
        return desk.gates(contributing.files_of(common.find_target(name, desk.catalog)))
    submission = desk.read(contributing.home_of(desk, name))
    report = desk.recomputed(submission)
    if not report["passed"]:
        return report
    try:
        desk.compare_report(submission, report)
    except Refused as error:
        return {**report, "passed": False, "error": error.to_json()}
    return report


def _print(report: JsonObject, console: Console) -> None:
    console.data(f"{report['workflow']}")
    contributing.print_gates(report, console)
    error = report.get("error")
    if isinstance(error, dict):
        console.error(f"{error['code']}: {error['message']}", str(error["hint"]))
    console.note(f"{report['workflow']}: {'all gates passed' if report['passed'] else 'refused'}")
