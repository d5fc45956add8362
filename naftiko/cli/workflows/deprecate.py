"""`naftiko workflow deprecate NAME@VERSION --reason TEXT`: it still runs, others are preferred."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from naftiko.cli.console import Console
from naftiko.cli.workflows import common, contributing
from naftiko.cli.workflows.key_folder import add_keys, signing_key
from naftiko.errors import ExitCode, StartError

if TYPE_CHECKING:
    from naftiko.workflow.catalog import Entry
    from naftiko.workflow.contribution.desk import Desk
    from naftiko.workflow.contribution.withdrawing import Withdrawal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", metavar="NAME@VERSION", help="a published version")
    contributing.add_reason(parser)
    add_root_key(parser)
    contributing.add_common(parser)


def add_root_key(parser: argparse.ArgumentParser) -> None:
    """Declare the key that signs trust data."""
    parser.add_argument(
        "--key", metavar="KEY", help="the owner's root key, which signs the trust data"
    )
    add_keys(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write it into the trust data."""
    from naftiko.workflow.contribution.withdrawing import checksum_of

    with contributing.open_desk(arguments) as desk:
        entry = version_of(arguments.name, desk)
        checksum = checksum_of(entry, desk.catalog.plan(entry))
        store = withdrawal(arguments, desk).deprecate(checksum)
    contributing.done(
        {"workflow": entry.ref, "state": "deprecated", "serial": store.serial},
        f"{entry.ref}: deprecated, trust data {store.serial}",
        arguments,
        console,
    )
    return ExitCode.OK


def withdrawal(arguments: argparse.Namespace, desk: Desk) -> Withdrawal:
    """Return who withdraws something from a catalog, and why.

    Raises: StartError: the key cannot be read.
    """
    from naftiko.workflow.contribution.withdrawing import Withdrawal

    return Withdrawal(
        folder=desk.folder / "trust",
        reason=arguments.reason,
        now=desk.now(),
        key=signing_key(arguments.key, arguments) if arguments.key is not None else None,
        root=desk.root,
    )


def version_of(text: str, desk: Desk) -> Entry:
    """Return the version that is named: exactly one, of the catalog that is changed.

    Raises: StartError.
    """
    if "@" not in text:
        raise StartError(f"`{text}` names no version", hint="write NAME@VERSION")
    entry = common.find_entry(text, desk.catalog)
    if entry.catalog != desk.folder:
        raise StartError(f"`{text}` lies in another catalog, `{common.short(entry.catalog)}`")
    return entry
