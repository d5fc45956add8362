"""`naftiko workflow graph NAME`: the plan as a drawing."""

from __future__ import annotations

import argparse
from pathlib import Path

from naftiko.cli.console import Console
from naftiko.cli.workflows import common
from naftiko.errors import ExitCode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    common.add_name(parser)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--mermaid", action="store_true", help="text that many viewers draw (the default)"
    )
    kind.add_argument("--svg", action="store_true", help="a picture")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write it there instead of to stdout"
    )
    common.add_catalog(parser)
    common.add_json(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Draw it; 1 if the source has errors."""
    from naftiko.workflow.files import write_atomically
    from naftiko.workflow.graph import mermaid
    from naftiko.workflow.svg import svg

    target = common.find_target(arguments.name, common.open_catalog(arguments))
    shown = common.plan_to_show(target, console)
    if shown is None:
        return ExitCode.PROBLEMS
    is_svg = arguments.svg or (arguments.out is not None and arguments.out.suffix == ".svg")
    text = svg(shown.plan) if is_svg else mermaid(shown.plan)
    if arguments.out is not None:
        write_atomically(arguments.out, text.rstrip("\n").encode() + b"\n")
    if arguments.json:
        common.print_json(
            {
                "workflow": target.ref,
                "format": "svg" if is_svg else "mermaid",
                "text": text,
                "written": str(arguments.out) if arguments.out is not None else None,
            },
            console,
        )
    elif arguments.out is None:
        console.data(text.rstrip("\n"))
    return ExitCode.OK
