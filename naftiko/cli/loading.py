"""Files and options from the command line -> loaded capabilities, their warnings shown."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from naftiko.cli.console import Console
from naftiko.cli.problems import RefusedError, print_problems, summary
from naftiko.engine import Checked, LoadOptions, check_capability, is_refused, refuse_missing
from naftiko.errors import Severity, StartError
from naftiko.plan.masking import Masker
from naftiko.resources import find_capability

if TYPE_CHECKING:
    from naftiko.capability import Capability
    from naftiko.sandbox import Sandbox

MAX_BRIEF = 5
"""Warnings shown by commands that have something else to say."""


def load_options(arguments: argparse.Namespace, sandbox: Sandbox | None = None) -> LoadOptions:
    """Return the options that `arguments.add_loading` and its kin declare."""
    return LoadOptions(
        environment=sandbox_environment(os.environ, sandbox) if sandbox else None,
        env_file=getattr(arguments, "env_file", None),
        workspace=getattr(arguments, "workspace", None),
        strict=getattr(arguments, "strict", False),
        read_only=getattr(arguments, "read_only", False),
        sandbox=sandbox is not None,
    )


def check(
    name: str | Path,
    options: LoadOptions,
    console: Console,
    *,
    to_run: bool = False,
    every_operation: bool = False,
) -> Checked:
    """Take a file through every stage; its secrets are masked from now on.

    Secret stores are asked only where it is about to run. `every_operation` checks consumed
    operations that nothing calls as well.

    Raises: StartError where there is no such file, or the env file cannot be read.
    """
    masker = Masker()
    # Before the file is read: a bug met on the way must not show its secrets either.
    console.add_masker(masker)
    path = find_capability(str(name))
    return check_capability(
        path, options, masker, reads_stores=to_run, every_operation=every_operation
    )


def open_capability(
    name: str, options: LoadOptions, console: Console, *, verbose: bool = False
) -> Capability:
    """Load a file that is about to be served or called; its warnings go to stderr, in brief.

    Raises: RefusedError; StartError where a file or the value of a variable is missing.
    """
    from naftiko.capability import Capability

    checked = check(name, options, console, to_run=True)
    refuse(checked, strict=options.strict, to_run=True)
    show_warnings(checked, console, verbose=verbose)
    refuse_missing(checked)
    return Capability(checked)


def refuse(checked: Checked, *, strict: bool, to_run: bool = False) -> None:
    """Raise what keeps a file from being served; `to_run`, also that nothing of it would be.

    Raises: RefusedError.
    """
    if is_refused(checked, strict=strict, to_run=to_run):
        raise RefusedError(checked)


def show_warnings(checked: Checked, console: Console, *, verbose: bool = False) -> None:
    """Print the first warnings to stderr and say where all of them can be read."""
    if verbose:
        print_problems(checked.problems, checked.sources, console)
        return
    warnings = [item for item in checked.problems if item.severity is Severity.WARNING]
    print_problems(warnings[:MAX_BRIEF], checked.sources, console)
    if len(warnings) > MAX_BRIEF:
        console.note(
            f"{checked.path}: {summary(warnings)} in all; see `naftiko validate {checked.path}`"
        )


@contextlib.contextmanager
def maybe_sandbox(arguments: argparse.Namespace) -> Iterator[Sandbox | None]:
    """Run the sandbox while the command works, if it was asked for.

    Raises: StartError where its extra is not installed.
    """
    if not arguments.sandbox:
        yield None
        return
    with start_sandbox(examples=arguments.examples) as sandbox:
        yield sandbox


def start_sandbox(
    *, host: str = "127.0.0.1", port: int = 0, region: str = "us-east-1", examples: bool = False
) -> Sandbox:
    """Start the embedded AWS.

    Raises: StartError where its extra is not installed, or the port is taken.
    """
    from naftiko.sandbox import Sandbox, SandboxUnavailable

    try:
        return Sandbox.start(host=host, port=port, region=region, examples=examples)
    except SandboxUnavailable as error:
        raise StartError(str(error)) from error
    except OSError as error:
        raise StartError(
            f"the sandbox cannot listen on {host}:{port}: {error.strerror or error}",
            hint="choose another port; 0 takes any free one",
        ) from error


def sandbox_environment(outer: Mapping[str, str], sandbox: Sandbox) -> dict[str, str]:
    """Return the environment with every AWS setting replaced by the sandbox's.

    Whatever AWS_* says about profiles, tokens, roles, endpoints and files belongs to an account,
    and the sandbox must never reach one.
    """
    kept = {name: value for name, value in outer.items() if not name.startswith("AWS_")}
    return kept | sandbox.environment()
