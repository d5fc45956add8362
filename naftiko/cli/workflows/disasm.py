"""`naftiko workflow disasm NAME`: a plan for people, every operation with its source line."""

from __future__ import annotations

import argparse

from naftiko.cli.console import Console
from naftiko.cli.workflows import common
from naftiko.errors import ExitCode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    common.add_name(parser)
    common.add_catalog(parser)
    common.add_json(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print it; with --json the plan itself."""
    from naftiko.workflow.disassembler import disassemble

    target = common.find_target(arguments.name, common.open_catalog(arguments))
    shown = common.plan_to_show(target, console)
    if shown is None:
        return ExitCode.PROBLEMS
    if arguments.json:
        common.print_json(shown.plan, console)
    else:
        console.data(disassemble(shown.plan, shown.source).rstrip("\n"))
    return ExitCode.OK
