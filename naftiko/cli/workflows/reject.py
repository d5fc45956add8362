"""`naftiko workflow reject SUBMISSION --reason TEXT`."""

from __future__ import annotations

import argparse

from naftiko.cli.console import Console
from naftiko.cli.workflows import contributing
from naftiko.errors import ExitCode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    contributing.add_submission(parser)
    contributing.add_reason(parser)
    contributing.add_common(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Record it; the author may submit something else."""
    with contributing.open_desk(arguments) as desk:
        home = contributing.home_of(desk, arguments.submission)
        desk.reject(home, arguments.reason)
    contributing.done(
        {"submission": home.id, "state": "rejected"}, f"{home.id}: rejected", arguments, console
    )
    return ExitCode.OK
