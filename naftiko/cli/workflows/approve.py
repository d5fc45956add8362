"""`naftiko workflow approve SUBMISSION`: its reviews, counted against what its tier asks for."""

from __future__ import annotations

import argparse

from naftiko.cli.console import Console
from naftiko.cli.workflows import contributing
from naftiko.errors import ExitCode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    contributing.add_submission(parser)
    contributing.add_common(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Count, and record what was counted; 3 where it is not enough."""
    with contributing.open_desk(arguments) as desk:
        home = contributing.home_of(desk, arguments.submission)
        standing = desk.approve(home)
    keys = sorted(one.key.key_id for one in standing.approvals)
    contributing.done(
        {"submission": home.id, "state": "approved", "counted": [*keys]},
        f"{home.id}: approved, counted {', '.join(keys)}",
        arguments,
        console,
        next_=f"naftiko workflow publish {home.id} --key KEY",
    )
    return ExitCode.OK
