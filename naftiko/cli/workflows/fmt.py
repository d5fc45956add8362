"""`naftiko workflow fmt NAME...`: one way to write a source."""

from __future__ import annotations

import argparse

from naftiko.cli.console import Console
from naftiko.cli.workflows import common
from naftiko.errors import DocumentError, ExitCode
from naftiko.values import JsonValue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    common.add_name(parser, several=True)
    common.add_all(parser)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if one would change")
    common.add_catalog(parser)
    common.add_json(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Format every source; 1 if one cannot be read, or with --check would change."""
    from naftiko.workflow.files import write_atomically
    from naftiko.workflow.source.formatter import format_source

    changed: list[JsonValue] = []
    is_bad = False
    for target in common.find_targets(arguments, common.open_catalog(arguments)):
        data = target.read()
        try:
            text = format_source(data.decode("utf-8", "replace"), target.shown)
        except DocumentError as error:
            common.print_found(error.problems, console)
            is_bad = True
            continue
        if text.encode() == data:
            continue
        changed.append(target.shown)
        if not arguments.check:
            write_atomically(target.path, text.encode())
    if arguments.json:
        common.print_json({"changed": changed, "written": not arguments.check}, console)
    else:
        for path in changed:
            console.data(str(path))
    return ExitCode.PROBLEMS if is_bad or (arguments.check and changed) else ExitCode.OK
