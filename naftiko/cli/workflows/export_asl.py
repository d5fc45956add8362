"""`naftiko workflow export-asl NAME`: the plan as a state machine."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from naftiko.cli.console import Console
from naftiko.cli.workflows import common
from naftiko.errors import ExitCode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    common.add_name(parser)
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write the definition there, not to stdout"
    )
    parser.add_argument(
        "--policy", action="store_true", help="print the policies of the role it runs as instead"
    )
    parser.add_argument(
        "--partition", default="aws", help="the AWS partition of its resources (default: aws)"
    )
    common.add_catalog(parser)
    common.add_json(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Export it; 1 if no state machine can do what it does."""
    from naftiko.workflow.asl.export import export
    from naftiko.workflow.files import write_atomically

    target = common.find_target(arguments.name, common.open_catalog(arguments))
    shown = common.plan_to_show(target, console)
    if shown is None:
        return ExitCode.PROBLEMS
    made = export(shown.plan, partition=arguments.partition)
    if not arguments.json:
        common.print_found(made.problems, console)
    if arguments.json:
        common.print_json(
            {
                "workflow": target.ref,
                "ok": made.is_usable,
                "definition": made.definition if made.is_usable else None,
                "role_policy": made.role_policy,
                "diagnostics": [
                    {"code": one.code, "severity": one.severity.label, "message": one.message}
                    for one in made.problems
                ],
            },
            console,
        )
    if not made.is_usable:
        return ExitCode.PROBLEMS
    text = json.dumps(
        made.role_policy if arguments.policy else made.definition, indent=2, ensure_ascii=False
    )
    if arguments.out is not None:
        write_atomically(arguments.out, text.encode() + b"\n")
    elif not arguments.json:
        console.data(text)
    return ExitCode.OK
