"""`naftiko workflow test NAME...`: tests.yaml on an AWS on this machine, the clock simulated."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from naftiko.cli.console import Console
from naftiko.cli.workflows import common
from naftiko.errors import ExitCode
from naftiko.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from naftiko.cli.workflows.trying import Tried
    from naftiko.workflow.testing.report import Coverage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    common.add_name(parser, several=True, files=False)
    common.add_all(parser)
    parser.add_argument(
        "-k", dest="only", default="", metavar="TEXT", help="only tests with this in their name"
    )
    parser.add_argument(
        "--coverage",
        action="store_true",
        help="fail as well where tests miss a step, a rollback handler, a success or a failure",
    )
    common.add_catalog(parser)
    common.add_json(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the tests; 1 if one fails."""
    from naftiko.cli.workflows.trying import Trial

    catalog = common.open_catalog(arguments)
    if arguments.all and not arguments.names:
        entries = [entry for entry in catalog.entries if entry.tests is not None]
    else:
        arguments.all = False
        if not arguments.names:
            arguments.parser.error("name a workflow, or give --all")
        entries = [common.find_entry(name, catalog) for name in arguments.names]
    reports: list[JsonValue] = []
    is_bad = False
    with Trial.open() as trial:
        for entry in entries:
            tried = trial.run(catalog, entry, only=arguments.only)
            is_missed = arguments.coverage and not _is_covered(tried)
            is_bad = is_bad or not tried.passed or is_missed
            if arguments.json:
                reports.append({"workflow": entry.ref, **_report(tried)})
            else:
                _print(entry.ref, tried, console)
    if arguments.json:
        common.print_json({"workflows": reports}, console)
    return ExitCode.PROBLEMS if is_bad else ExitCode.OK


def _is_covered(tried: Tried) -> bool:
    return tried.report is not None and tried.report.coverage.is_complete


def _report(tried: Tried) -> JsonObject:
    if tried.report is None:
        return {"passed": False, "tests": [], "problems": list(tried.failures)}
    return tried.report.to_json()


def _print(ref: str, tried: Tried, console: Console) -> None:
    if tried.report is None:
        common.print_found(tried.problems, console, to_stdout=True, quiet=True)
        console.note(f"{ref}: nothing was run")
        return
    for outcome in tried.report.outcomes:
        console.data(f"{'passed' if outcome.passed else 'FAILED'}  {ref}: {outcome.case.name}")
        for one in outcome.mismatches:
            console.data(f"  {common.short(one.location.path)}:{one.location.line}: {one.message}")
        if outcome.mismatches and outcome.calls:
            console.data(f"  called: {', '.join(outcome.calls)}")
    passed = sum(outcome.passed for outcome in tried.report.outcomes)
    console.note(f"{ref}: {passed} of {len(tried.report.outcomes)} tests passed")
    for line in _missed(tried.report.coverage):
        console.note(f"  {line}")


def _missed(coverage: Coverage) -> list[str]:
    found = []
    if coverage.missed_steps:
        found.append(f"no test reaches: {', '.join(coverage.missed_steps)}")
    if coverage.missed_handlers:
        found.append(f"no test rolls back with: {', '.join(coverage.missed_handlers)}")
    if not coverage.has_success:
        found.append("no test expects a success")
    if not coverage.has_failure:
        found.append("no test expects a failure")
    return found
