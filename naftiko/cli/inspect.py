"""`naftiko inspect FILE`: routes, tools, calls and inputs, as a table or as JSON."""

from __future__ import annotations

import argparse
import json

from naftiko.capability import Capability
from naftiko.cli import arguments as common
from naftiko.cli.console import Console
from naftiko.cli.loading import (
    check,
    load_options,
    maybe_sandbox,
    open_capability,
    refuse,
    show_warnings,
)
from naftiko.cli.plan_json import to_json
from naftiko.cli.plan_tables import to_lines
from naftiko.errors import ExitCode, RunError
from naftiko.plan.capability import CapabilityPlan, discovered_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    common.add_file(parser)
    common.add_loading(parser)
    common.add_read_only(parser)
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="a table or JSON (default: text)"
    )
    parser.add_argument(
        "--discover",
        action="store_true",
        help="look for what adapters `discover` (this calls APIs), and show what each item became",
    )
    common.add_sandbox(parser)
    parser.set_defaults(parser=parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print what the file serves. Variables without a value hinder nothing but `--discover`."""
    common.check_sandbox(arguments.parser, arguments)
    if arguments.discover:
        return _discover(arguments, console)
    options = load_options(arguments)
    checked = check(arguments.file, options, console)
    refuse(checked, strict=options.strict)
    show_warnings(checked, console, verbose=arguments.verbose)
    assert checked.plan is not None
    _print(checked.plan, arguments, console)
    return ExitCode.OK


def _print(plan: CapabilityPlan, arguments: argparse.Namespace, console: Console) -> None:
    if arguments.format == "json":
        console.data(json.dumps(to_json(plan), indent=2, ensure_ascii=False))
    else:
        console.data("\n".join(to_lines(plan, console.width())))


def _discover(arguments: argparse.Namespace, console: Console) -> int:
    """Print what the file serves now. 1 if something could not be found out."""
    from naftiko.serving import run_async

    with maybe_sandbox(arguments) as sandbox:
        options = load_options(arguments, sandbox)
        capability = open_capability(arguments.file, options, console, verbose=arguments.verbose)
        failed = False
        try:
            run_async(_found(capability))
        except RunError as error:
            failed = True
            console.error(f"not all was discovered: {error.message} [{error.code}]", error.hint)
    _print(capability.plan, arguments, console)
    failed = failed or any(finder.failures for finder in capability.plan.discoveries)
    left_out = (
        discovered.problems(template.discovery)
        for adapter in capability.plan.adapters
        if (discovered := discovered_of(adapter)) is not None
        for template in discovered.templates
    )
    return ExitCode.PROBLEMS if failed or any(left_out) else ExitCode.OK


async def _found(capability: Capability) -> None:
    try:
        await capability.discover()
    finally:
        await capability.close()
