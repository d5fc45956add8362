"""`naftiko workflow submit NAME|FILE`: contribute a workflow to a catalog."""

from __future__ import annotations

import argparse

from naftiko.cli.console import Console
from naftiko.cli.workflows import common, contributing
from naftiko.cli.workflows.key_folder import add_keys, signing_key
from naftiko.errors import ExitCode
from naftiko.values import JsonObject


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    common.add_name(parser)
    parser.add_argument(
        "--sign", metavar="KEY", help="the author's key: nobody reviews what their key has signed"
    )
    add_keys(parser)
    contributing.add_common(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Store the files and run the gates; 3 where one fails, the submission stays."""
    key = signing_key(arguments.sign, arguments) if arguments.sign is not None else None
    with contributing.open_desk(arguments) as desk:
        target = common.find_target(arguments.name, desk.catalog)
        home = desk.submit(contributing.files_of(target), key)
        report = desk.check(home)
    passed = report["passed"] is True
    if arguments.json:
        shown: JsonObject = {
            "ok": passed,
            "submission": home.id,
            "folder": str(home.path),
            "report": report,
        }
        common.print_json(shown, console)
    else:
        contributing.print_gates(report, console)
        console.data(f"{home.id}: {'checked' if passed else 'submitted, gates fail'}")
        console.note(
            f"next: commit {common.short(home.path)}, and ask for reviews"
            if passed
            else f"next: mend {common.short(home.path)}, and submit its source.yaml again"
        )
    return ExitCode.OK if passed else common.GATE_FAILED
