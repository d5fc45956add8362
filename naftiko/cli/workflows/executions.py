"""`naftiko workflow executions [ID]`: what was executed, and what still is."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from naftiko.cli.console import Console
from naftiko.cli.workflows import common
from naftiko.cli.workflows.serving import add_aws, add_policy, add_state, serve
from naftiko.errors import ExitCode
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.times import time_text
from naftiko.workflow.vm.environment import STATUSES

if TYPE_CHECKING:
    from naftiko.workflow.runtime.service import WorkflowService
    from naftiko.workflow.state.store import Execution


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("execution", nargs="?", metavar="ID", help="show this one (default: list)")
    parser.add_argument("--status", choices=STATUSES, help="only these")
    parser.add_argument(
        "--limit", type=int, default=100, metavar="N", help="at most so many (default: 100)"
    )
    common.add_json(parser)
    common.add_catalog(parser)
    add_state(parser)
    add_aws(parser)
    add_policy(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """List or show; nothing is resumed."""
    from naftiko.serving import run_async

    return run_async(_run(arguments, console))


async def _run(arguments: argparse.Namespace, console: Console) -> int:
    from naftiko.cli.workflows.driving import refused
    from naftiko.workflow.runtime.policy import Refused

    async with serve(arguments, console, None, needs_state=True) as served:
        if arguments.execution is None:
            return await _list(served.service, arguments, console)
        try:
            await _show(served.service, arguments, console)
        except Refused as error:
            return refused(error, console, as_json=arguments.json)
    return ExitCode.OK


async def _show(service: WorkflowService, arguments: argparse.Namespace, console: Console) -> None:
    from naftiko.workflow.view import redacted

    result = await service.get(arguments.execution)
    common.print_json(redacted(result, arguments.view), console)


async def _list(service: WorkflowService, arguments: argparse.Namespace, console: Console) -> int:
    page = await service.executions(arguments.status, max(1, min(arguments.limit, 1_000)))
    rows = [_row(one) for one in page.rows]
    if arguments.json:
        listed: list[JsonValue] = list(rows)
        common.print_json({"executions": listed}, console)
        return ExitCode.OK
    table = [[str(value) for value in row.values()] for row in rows]
    for line in common.columns(table):
        console.data(line)
    if not rows:
        console.note("no executions")
    return ExitCode.OK


def _row(one: Execution) -> JsonObject:
    return {
        "execution_id": one.id,
        "workflow_id": one.workflow_id,
        "status": one.status,
        "started_at": _time(one.created),
        "finished_at": _time(one.finished) if one.finished is not None else "",
    }


def _time(seconds: float) -> str:
    return time_text(datetime.fromtimestamp(seconds, UTC))
