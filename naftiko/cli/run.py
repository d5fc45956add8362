"""`naftiko run FILE|NAME...`: serve until a signal comes."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING

from naftiko.cli import arguments as common
from naftiko.cli.console import Console
from naftiko.cli.loading import load_options, maybe_sandbox, open_capability
from naftiko.cli.logs import LEVELS, set_up_logs
from naftiko.errors import ExitCode, StartError, did_you_mean
from naftiko.plan.capability import McpAdapterPlan
from naftiko.serving import ServeOptions, run_async, serve_capabilities

if TYPE_CHECKING:
    from naftiko.capability import Capability


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    common.add_file(parser, several=True)
    _add_listening(parser)
    common.add_sandbox(parser)
    common.add_loading(parser)
    common.add_read_only(parser)
    logs = parser.add_argument_group("logs, on stderr")
    logs.add_argument(
        "--log-format",
        choices=("text", "json"),
        default="text",
        help="lines for people, or one JSON object on each (default: text)",
    )
    logs.add_argument(
        "--log-level", choices=LEVELS, default="info", help="the least to log (default: info)"
    )
    parser.set_defaults(parser=parser)


def _add_listening(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("listening")
    group.add_argument(
        "--host", help="the address of every adapter (default: the file's, else 127.0.0.1)"
    )
    group.add_argument(
        "--port",
        dest="ports",
        type=common.named_port,
        action="append",
        default=[],
        metavar="NAMESPACE=PORT",
        help="another port for an adapter; 0 takes any free one",
    )
    group.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAMESPACE",
        help="serve this adapter only; may be repeated",
    )
    group.add_argument(
        "--stdio", metavar="NAMESPACE", help="serve this MCP adapter on stdin and stdout, no other"
    )
    group.add_argument(
        "--insecure",
        action="store_true",
        help="let adapters without authentication listen beyond this machine",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Load, listen, say where, serve. SIGTERM ends with 0, Ctrl-C with 130."""
    common.check_sandbox(arguments.parser, arguments)
    set_up_logs(console, style=arguments.log_format, level=arguments.log_level)
    with maybe_sandbox(arguments) as sandbox:
        options = load_options(arguments, sandbox)
        capabilities = [
            open_capability(name, options, console, verbose=arguments.verbose)
            for name in arguments.files
        ]
        if arguments.stdio:
            stopped_by = _serve_stdio(capabilities, arguments.stdio)
        else:
            from naftiko.cli.announce import Announcement

            announcement = Announcement(
                capabilities, console, sandbox=sandbox, examples=arguments.examples
            )
            serving = serve_capabilities(
                capabilities, _serve_options(arguments), announcement.started
            )
            stopped_by = run_async(serving)
    return ExitCode.INTERRUPTED if stopped_by is signal.SIGINT else ExitCode.OK


def _serve_options(arguments: argparse.Namespace) -> ServeOptions:
    return ServeOptions(
        host=arguments.host,
        ports=dict(arguments.ports),
        only=arguments.only,
        insecure=arguments.insecure,
    )


def _serve_stdio(capabilities: Sequence[Capability], namespace: str) -> signal.Signals | None:
    capability, adapter = _find_mcp(capabilities, namespace)
    return run_async(_run_stdio(capability, adapter))


async def _run_stdio(capability: Capability, adapter: McpAdapterPlan) -> signal.Signals | None:
    from naftiko.exposes.mcp import serve_stdio

    plan = capability.plan
    async with capability:
        ready = capability.discovered if capability.discovers else None
        return await serve_stdio(adapter, info=plan.info, masker=plan.masker, ready=ready)


def _find_mcp(
    capabilities: Sequence[Capability], namespace: str
) -> tuple[Capability, McpAdapterPlan]:
    known = []
    for capability in capabilities:
        for adapter in capability.plan.adapters:
            if not isinstance(adapter, McpAdapterPlan):
                continue
            if adapter.namespace == namespace:
                return capability, adapter
            known.append(adapter.namespace)
    raise StartError(
        f"no MCP adapter has the namespace `{namespace}`", hint=did_you_mean(namespace, known)
    )
