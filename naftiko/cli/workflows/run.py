"""`naftiko workflow run NAME`: execute a workflow."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

from naftiko.cli.console import Console
from naftiko.cli.loading import start_sandbox
from naftiko.cli.workflows import common
from naftiko.cli.workflows.given import add_parameters, read_parameters
from naftiko.cli.workflows.serving import STATE_KEY, add_aws, add_policy, add_state, serve
from naftiko.errors import ExitCode, StartError
from naftiko.values import JsonObject
from naftiko.workflow.plan.walk import mapping, objects
from naftiko.workflow.vm.environment import MODES

if TYPE_CHECKING:
    from naftiko.cli.workflows.serving import Served
    from naftiko.sandbox import Sandbox
    from naftiko.workflow.runtime.plans import Plans


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    common.add_name(parser, files=False)
    add_parameters(parser)
    parser.add_argument(
        "--mode",
        choices=MODES,
        default="step_by_step",
        help="step_by_step asks before each change, full does not; plan calls nothing, dry_run "
        "changes nothing (default: step_by_step)",
    )
    parser.add_argument(
        "--idempotency-key", metavar="KEY", help="a repetition with this key is answered, not run"
    )
    asks = parser.add_mutually_exclusive_group()
    asks.add_argument(
        "--confirm",
        action="store_true",
        help="ask on stdin before each change (the default at a terminal)",
    )
    asks.add_argument("--yes", action="store_true", help="confirm each change")
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress")
    common.add_json(parser)
    common.add_catalog(parser)
    add_aws(parser)
    add_state(parser)
    add_policy(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run it. 1 if it failed, 2 for wrong parameters, 3 if it may not run, 130 after Ctrl-C."""
    if not arguments.sandbox:
        return _finish(arguments, console, None)
    with start_sandbox(region=arguments.region or "us-east-1") as sandbox:
        return _finish(arguments, console, sandbox)


def _finish(arguments: argparse.Namespace, console: Console, sandbox: Sandbox | None) -> int:
    from naftiko.serving import run_async

    try:
        return run_async(_run(arguments, console, sandbox))
    except asyncio.CancelledError:
        return ExitCode.INTERRUPTED


async def _run(arguments: argparse.Namespace, console: Console, sandbox: Sandbox | None) -> int:
    from naftiko.cli.workflows.driving import Driver, refused, report
    from naftiko.workflow.runtime.orders import Order
    from naftiko.workflow.runtime.policy import Refused

    async with serve(arguments, console, sandbox, scans=True) as served:
        driver = Driver(
            served=served,
            console=console,
            confirm=confirm_of(arguments),
            quiet=arguments.quiet,
        )
        service = served.service
        try:
            order = Order(
                workflow=arguments.name,
                parameters=read_parameters(arguments, _declared(arguments, service.plans, console)),
                mode=arguments.mode,
                idempotency_key=arguments.idempotency_key,
            )
            if arguments.mode == "step_by_step" and driver.confirm == "leave":
                _check_somebody_confirms(served, arguments.name)
            result = await driver.drive(lambda tell: service.execute(order, on_event=tell))
        except Refused as error:
            return refused(error, console, as_json=arguments.json)
        return report(result, driver, as_json=arguments.json, view=arguments.view)


def _declared(arguments: argparse.Namespace, plans: Plans, console: Console) -> list[JsonObject]:
    """Return the parameters of the workflow, with a note where its plan is older than its source.

    Raises: Refused.
    """
    entry = plans.find(arguments.name)
    plan = plans.catalog.plan(entry)
    if entry.source is not None and not common.is_of(plan, entry.read_source()):
        console.note(
            f"{entry.ref}: the source has changed since it was compiled; the compiled plan runs"
        )
    return objects(plan["parameters"])


def _check_somebody_confirms(served: Served, name: str) -> None:
    plans = served.service.plans
    metadata = mapping(plans.catalog.plan(plans.find(name))["metadata"])
    if not served.is_durable and metadata["read_only"] is not True:
        raise StartError(
            "nobody can be asked before changes, and the execution could not wait for it",
            hint=f"give --confirm, --yes or --mode full, or set `{STATE_KEY}` to resume it later",
        )


def confirm_of(arguments: argparse.Namespace) -> str:
    """Return who confirms: `all`, `ask`, or `leave` where nobody can be asked."""
    if arguments.yes:
        return "all"
    return "ask" if arguments.confirm or sys.stdin.isatty() else "leave"
