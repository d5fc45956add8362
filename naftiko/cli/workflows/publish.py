"""`naftiko workflow publish SUBMISSION --key KEY`: an approved submission becomes a version."""

from __future__ import annotations

import argparse

from naftiko.cli.console import Console
from naftiko.cli.workflows import common, contributing
from naftiko.cli.workflows.key_folder import add_keys, signing_key
from naftiko.errors import ExitCode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    contributing.add_submission(parser)
    parser.add_argument(
        "--key", required=True, metavar="KEY", help="a publisher's key that is trusted for the tier"
    )
    add_keys(parser)
    contributing.add_common(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Check, count and compile again, sign, move; repeating finishes what was broken off."""
    key = signing_key(arguments.key, arguments)
    with contributing.open_desk(arguments) as desk:
        home = contributing.home_of(desk, arguments.submission)
        found, folder = desk.publish(home, key), desk.folder
    contributing.done(
        {
            "workflow": f"{found.name}@{found.version}",
            "tier": found.tier,
            "checksum": found.checksum,
            "folder": str(found.folder),
        },
        f"{found.name}@{found.version}: published as {found.tier}, {found.checksum}",
        arguments,
        console,
        next_=f"commit {common.short(folder / found.folder)} and the removal of the submission",
    )
    return ExitCode.OK
