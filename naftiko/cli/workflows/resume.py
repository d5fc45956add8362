"""`naftiko workflow resume [ID]`: go on with what was interrupted or waits for a confirmation."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from naftiko.cli.console import Console
from naftiko.cli.workflows import common
from naftiko.cli.workflows.serving import Served, add_aws, add_policy, add_state, serve
from naftiko.errors import ExitCode
from naftiko.values import JsonObject

if TYPE_CHECKING:
    from naftiko.workflow.ports import StepEvent

UNFINISHED = ("running", "awaiting_confirmation", "pending")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "execution",
        nargs="?",
        metavar="ID",
        help="the execution (default: every one that was interrupted)",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--confirm", metavar="TOKEN", help="confirm what it waits for")
    how.add_argument(
        "--ask", action="store_true", help="ask on stdin before each change, as at a terminal"
    )
    how.add_argument("--yes", action="store_true", help="confirm this and each further change")
    how.add_argument("--cancel", action="store_true", help="cancel it, and take back what it did")
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress")
    common.add_json(parser)
    common.add_catalog(parser)
    add_aws(parser)
    add_state(parser)
    add_policy(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Go on; 1 if it fails."""
    from naftiko.serving import run_async

    if arguments.sandbox:
        arguments.parser.error(
            "a sandbox ends with its command, and what ran on it: start `naftiko sandbox`, and "
            "give its --endpoint-url"
        )
    if arguments.execution is None and (arguments.confirm or arguments.cancel):
        arguments.parser.error("name the execution")
    try:
        return run_async(_run(arguments, console))
    except asyncio.CancelledError:
        return ExitCode.INTERRUPTED


async def _run(arguments: argparse.Namespace, console: Console) -> int:
    async with serve(arguments, console, None, needs_state=True) as served:
        if arguments.execution is not None:
            return await _one(arguments.execution, served, arguments, console)
        found: list[str] = []
        for status in ("running",):
            page = await served.service.executions(status, 1_000)
            found += [row.id for row in reversed(page.rows)]
        if not found:
            console.note("nothing was interrupted")
        codes = [await _one(one, served, arguments, console) for one in found]
        return max(codes, default=ExitCode.OK)


async def _one(
    execution_id: str, served: Served, arguments: argparse.Namespace, console: Console
) -> int:
    import sys

    from naftiko.cli.workflows.driving import LOOK_S, LOOKS, Driver, refused, report
    from naftiko.workflow.runtime.policy import Refused
    from naftiko.workflow.state.sealing import StateUnreadable

    asks = arguments.ask or (sys.stdin.isatty() and not arguments.confirm)
    driver = Driver(
        served=served,
        console=console,
        confirm="all" if arguments.yes else "ask" if asks else "leave",
        quiet=arguments.quiet,
        execution_id=execution_id,
    )

    async def first(tell: Callable[[StepEvent], None]) -> JsonObject:
        is_told = False
        for _ in range(LOOKS):
            result = await served.service.go_on(
                execution_id,
                confirm_token=arguments.confirm,
                cancel=arguments.cancel,
                on_event=tell,
            )
            if result["status"] != "running":
                break
            if not is_told:
                console.note("another worker has it: waiting for its end, or that of its lease")
                is_told = True
            await asyncio.sleep(LOOK_S)
        return result

    try:
        result = await driver.drive(first)
    except Refused as error:
        return refused(error, console, as_json=arguments.json)
    except StateUnreadable as error:  # that of others can be read all the same
        console.note(f"execution {execution_id}:")
        return common.trouble(error, console) or ExitCode.PROBLEMS
    return report(result, driver, as_json=arguments.json, view=arguments.view)
