"""Arguments -> a command -> an exit code.

0 fine, 1 problems in the file or a call that failed, 2 wrong usage, 3 cannot start, 70 a bug, 130
interrupted.

`naftiko --help` imports next to nothing: a command's module is loaded when it is named.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn, Protocol, cast

from naftiko.cli.console import Console

OK, PROBLEMS, USAGE, CANNOT_START, BUG, INTERRUPTED = 0, 1, 2, 3, 70, 130
"""`naftiko.errors.ExitCode`, which takes longer to import than all that stands here."""

COLLECT_AFTER = 100_000
"""Objects made before the first collection; saves a tenth of the time that starting takes."""

COMMANDS = {
    "run": "serve capability files: REST, MCP over HTTP, or MCP over stdio",
    "validate": "check capability files and say everything that is wrong with them",
    "inspect": "show what a file serves: routes, tools, calls, inputs",
    "search": "find what capabilities offer, or could call, for a task",
    "explain": "show how operations run: what is called with what, and what is answered",
    "call": "call one operation and print its JSON answer",
    "mcp-config": "print what an MCP client needs to use a file, or write it into its settings",
    "export": "write an agent skill for a file: instructions, and a script that sets it up",
    "workflow": "write, check, test, compile, sign, run and export workflows",
    "sandbox": "start an AWS of your own on this machine, without an account",
}
"""Each is `naftiko/cli/<name>.py`, `_` for `-`, with `add_arguments` and `run`."""

_EPILOG = """\
examples:
  naftiko run stepfunctions --sandbox --examples
  naftiko validate capabilities/*.yaml
  naftiko call stepfunctions list-state-machines -p maxResults=5
"""


class Command(Protocol):
    """What a command's module holds."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""

    def run(self, arguments: argparse.Namespace, console: Console) -> int:
        """Do it and return the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code. Wrong usage exits with 2."""
    if argv is None:
        # A process of its own: what loading makes stays, so collecting on the way finds nothing.
        gc.set_threshold(COLLECT_AFTER)
    given = list(sys.argv[1:] if argv is None else argv)
    console = Console()
    try:
        code = _dispatch(given, console)
        console.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough: `naftiko inspect ... | head`
        _drop_stdout()
        return OK
    except Exception as error:  # noqa: BLE001 - the last place that can tell mistakes from bugs
        return _report(error, console)
    return code


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser; only the arguments of `command` are declared."""
    parser = argparse.ArgumentParser(
        prog="naftiko",
        description="Runs capabilities: one YAML file becomes REST routes and MCP tools.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        sub = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if name == command:
            _load(name).add_arguments(sub)
            sub.set_defaults(parser=sub)
    return parser


def _dispatch(argv: list[str], console: Console) -> int:
    command = argv[0] if argv and argv[0] in COMMANDS else None
    parser = build_parser(command)
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:  # said by the command's parser, which knows the command's usage
        getattr(arguments, "parser", parser).error(f"unrecognized arguments: {' '.join(unknown)}")
    return _load(arguments.command).run(arguments, console)


def _load(name: str) -> Command:
    from importlib import import_module

    return cast("Command", import_module(f"naftiko.cli.{name.replace('-', '_')}"))


def _report(error: Exception, console: Console) -> int:
    from naftiko.cli.problems import show_problems
    from naftiko.errors import SpecError, StartError

    if isinstance(error, SpecError):
        show_problems(error, console)
        return PROBLEMS
    if isinstance(error, StartError):
        console.error(error.message, error.hint)
        return CANNOT_START
    _report_bug(error, console)
    return BUG


def _report_bug(error: Exception, console: Console) -> None:
    import platform
    import traceback

    from naftiko.version import __version__

    console.note("".join(traceback.format_exception(error)).rstrip())
    console.error(
        "this is a bug in naftiko, not in your file",
        f"please report it with the lines above (naftiko {__version__}, "
        f"Python {platform.python_version()}, {platform.system()})",
    )


def _drop_stdout() -> None:
    """Send what is still buffered nowhere, so that the interpreter does not fail at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


class _Version(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from naftiko.version import __version__

        print(f"naftiko {__version__}")
        parser.exit()
