"""`naftiko sandbox`: an AWS of one's own, for any SDK and the AWS CLI."""

from __future__ import annotations

import argparse
import shlex

from naftiko.cli import arguments as common
from naftiko.cli.console import Console
from naftiko.cli.loading import start_sandbox
from naftiko.cli.signals import wait_for_signal
from naftiko.errors import ExitCode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--host", default="127.0.0.1", help="the address (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=common.port, default=4566, help="0 takes any free one (default: 4566)"
    )
    parser.add_argument("--region", default="us-east-1", help="(default: us-east-1)")
    parser.add_argument("--examples", action="store_true", help="load a few example state machines")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Serve until a signal comes; prints the lines that point an SDK here."""
    with start_sandbox(
        host=arguments.host,
        port=arguments.port,
        region=arguments.region,
        examples=arguments.examples,
    ) as sandbox:
        console.note(f"AWS sandbox at {sandbox.account.endpoint_url}; Ctrl-C stops it")
        console.note("in another terminal:")
        for name, value in sandbox.environment().items():
            console.data(f"export {name}={shlex.quote(value)}")
        console.flush()
        stopped_by = wait_for_signal()
    return ExitCode.INTERRUPTED if stopped_by == "SIGINT" else ExitCode.OK
