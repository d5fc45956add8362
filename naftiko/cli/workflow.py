"""`naftiko workflow ...`: write, check, test, compile, sign, run and export workflows."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from naftiko.cli.console import Console
    from naftiko.cli.main import Command

COMMANDS = {
    "new": "write a small working workflow to start from",
    "fmt": "bring sources into their canonical form",
    "check": "say what is wrong with a workflow, what it may do, and how risky it is",
    "test": "run the tests of workflows on an AWS on this machine, with a simulated clock",
    "graph": "draw a workflow, as Mermaid or SVG",
    "compile": "compile workflows to plans, and sign them",
    "verify": "check plans, their signatures, and that this machine can run them",
    "disasm": "print a plan, every operation with its source line",
    "run": "execute a workflow",
    "resume": "go on with executions that were interrupted, or wait for a confirmation",
    "executions": "list executions, or show one",
    "list": "list the workflows of the catalog",
    "suggest": "find workflows for what is to be done, in any words",
    "index": "write the index that workflows are found with, for servers to start with",
    "show": "show what a workflow takes, does and gives",
    "export-asl": "print a workflow as a state machine of AWS Step Functions",
    "deploy": "register a workflow as a state machine of AWS Step Functions",
    "submit": "contribute a workflow to a catalog: store it, and run the gates",
    "submissions": "list what was contributed, its state, and what is missing",
    "review": "say of a submission, signed, what you think of it",
    "approve": "count the reviews of a submission against the thresholds of its tier",
    "reject": "reject a submission, and say why",
    "publish": "sign an approved submission, and put it into the catalog",
    "deprecate": "say of a published version that another is better",
    "revoke": "revoke a published version or a key: what runs stops before its next operation",
    "keys": "make keys, and say whose signatures are trusted",
}
"""Each is `naftiko/cli/workflows/<name>.py`, `_` for `-`, with `add_arguments` and `run`."""

_EPILOG = """\
examples:
  naftiko workflow new my_flow
  naftiko workflow check my_flow
  naftiko workflow test my_flow
  naftiko workflow compile my_flow
  naftiko workflow run my_flow --mode full --sandbox --dev

exit codes: 0 fine, 1 problems in a file or an execution that failed, 2 wrong usage,
3 a gate refused: integrity, tier, permissions
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands."""
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(
        dest="workflow_command", metavar="COMMAND", required=True, parser_class=LaterParser
    )
    for name, text in COMMANDS.items():
        sub = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        sub.module = name


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the subcommand. 2 where it names what is not there, 3 for a plan that may not run."""
    from naftiko.errors import ExitCode, NaftikoError, StartError

    try:
        return load(arguments.workflow_command).run(arguments, console)
    except StartError as error:
        console.error(error.message, error.hint)
        return ExitCode.USAGE
    except NaftikoError as error:
        return _refused(error, arguments, console)
    except Exception as error:  # noqa: BLE001 - told apart there; bugs go on
        return _troubled(error, console)


def _refused(error: Exception, arguments: argparse.Namespace, console: Console) -> int:
    from naftiko.cli.workflows import contributing
    from naftiko.cli.workflows.common import refusal
    from naftiko.workflow.contribution.refused import Refused
    from naftiko.workflow.plan.refused import IntegrityError

    if isinstance(error, Refused):
        return contributing.refused(error, arguments, console)
    if isinstance(error, IntegrityError):
        return refusal(error, console)
    raise error


def _troubled(error: Exception, console: Console) -> int:
    from naftiko.cli.workflows.common import trouble

    code = trouble(error, console)
    if code is None:
        raise error
    return code


def load(name: str) -> Command:
    """Return the module of a subcommand."""
    from importlib import import_module

    return cast("Command", import_module(f"naftiko.cli.workflows.{name.replace('-', '_')}"))


class LaterParser(argparse.ArgumentParser):
    """A parser whose arguments are declared when they are needed: no other module is loaded."""

    module = ""
    _is_declared = False

    def declare(self) -> argparse.ArgumentParser:
        """Return it with its arguments."""
        if self.module and not self._is_declared:
            self._is_declared = True
            load(self.module).add_arguments(self)
            self.set_defaults(parser=self)
        return self

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, with the arguments declared first."""
        self.declare()
        return super().parse_known_args(args, namespace)
