"""`naftiko workflow revoke NAME@VERSION|--key-id ID --reason TEXT --key KEY`."""

from __future__ import annotations

import argparse

from naftiko.cli.console import Console
from naftiko.cli.workflows import contributing
from naftiko.cli.workflows.deprecate import add_root_key, version_of, withdrawal
from naftiko.errors import ExitCode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", nargs="?", metavar="NAME@VERSION", help="a published version")
    parser.add_argument("--key-id", metavar="ID", help="a key instead: nothing it signed counts")
    contributing.add_reason(parser)
    add_root_key(parser)
    contributing.add_common(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Sign new trust data; what runs anywhere stops before its next operation once it sees them."""
    from naftiko.workflow.contribution.withdrawing import checksum_of

    if (arguments.name is None) is (arguments.key_id is None):
        arguments.parser.error("name a version, or a key with --key-id")
    with contributing.open_desk(arguments) as desk:
        if arguments.key_id is not None:
            what = str(arguments.key_id)
            store = withdrawal(arguments, desk).revoke_key(what)
        else:
            entry = version_of(arguments.name, desk)
            what, checksum = entry.ref, checksum_of(entry, desk.catalog.plan(entry))
            store = withdrawal(arguments, desk).revoke_plan(checksum)
    contributing.done(
        {"revoked": what, "serial": store.serial},
        f"{what}: revoked, trust data {store.serial}",
        arguments,
        console,
        next_="bring the trust data to every machine that runs workflows of this catalog",
    )
    return ExitCode.OK
