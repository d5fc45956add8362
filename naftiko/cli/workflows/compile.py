"""`naftiko workflow compile NAME...`: source -> plan.json, signed if a key is given."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from naftiko.cli.console import Console
from naftiko.cli.problems import summary
from naftiko.cli.workflows import common
from naftiko.cli.workflows.key_folder import add_keys, signing_key
from naftiko.errors import ExitCode
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.plan.refused import IntegrityError

if TYPE_CHECKING:
    from naftiko.workflow.compiler import Compiled
    from naftiko.workflow.plan.signing import SigningKey


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    common.add_name(parser, several=True)
    common.add_all(parser)
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write the plan there (default: beside the source)"
    )
    parser.add_argument(
        "--sign", metavar="KEY", help="sign with this key: the name given to `keys gen`, or a file"
    )
    parser.add_argument(
        "--role",
        choices=("publisher", "auditor"),
        default="publisher",
        help="as whom to sign (default: publisher)",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace a signed plan of the same version by another"
    )
    add_keys(parser)
    common.add_catalog(parser)
    common.add_json(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Compile every workflow, those that others nest first; 3 where a signed plan would go."""
    targets = common.find_targets(arguments, common.open_catalog(arguments))
    if arguments.out is not None and len(targets) > 1:
        arguments.parser.error("--out is for one workflow")
    key = signing_key(arguments.sign, arguments) if arguments.sign is not None else None
    reports: list[JsonValue] = []
    codes: list[int] = [ExitCode.OK]
    for target in targets:
        compiled = common.compile_target(target)
        path = arguments.out or target.plan_path()
        report, code = _one(target, compiled, path, key, arguments, console)
        reports.append(report)
        codes.append(code)
    if arguments.json:
        common.print_json({"workflows": reports}, console)
    return max(codes)


def _one(
    target: common.Target,
    compiled: Compiled,
    path: Path,
    key: SigningKey | None,
    arguments: argparse.Namespace,
    console: Console,
) -> tuple[JsonObject, int]:
    from naftiko.workflow.files import write_atomically
    from naftiko.workflow.plan.canonical import canonical

    report: JsonObject = {
        "workflow": target.ref,
        "ok": compiled.plan is not None,
        "diagnostics": common.diagnostics_json(compiled.problems, target.read(), target.shown),
    }
    if not arguments.json:
        common.print_found(compiled.problems, console, quiet=True)
    if compiled.plan is None:
        console.note(f"{target.shown}: {summary(compiled.problems)}")
        return report, ExitCode.PROBLEMS
    try:
        plan = _signed(compiled.plan, path, key, arguments)
    except _WouldReplace as error:
        console.error(
            str(error), "a signed version stays as it is: raise `version`, or give --force"
        )
        return {**report, "ok": False}, common.GATE_FAILED
    write_atomically(path, canonical(plan) + b"\n")
    signatures = plan["signatures"]
    count = len(signatures) if isinstance(signatures, list) else 0
    report |= {"plan": common.short(path), "checksum": plan["checksum"], "signatures": count}
    if not arguments.json:
        signed = f", signed {count} times" if count > 1 else ", signed" if count else ", not signed"
        console.data(f"{common.short(path)}: {plan['checksum']}{signed}")
    return report, ExitCode.OK


class _WouldReplace(Exception):  # noqa: N818 - what writing would do
    """A signed plan lies where another one is about to be written."""


def _signed(
    plan: JsonObject, path: Path, key: SigningKey | None, arguments: argparse.Namespace
) -> JsonObject:
    """Return the plan with the signatures that it has and gets.

    Raises: _WouldReplace.
    """
    from naftiko.workflow.plan.signing import sign

    old = _present(path)
    if old is not None and old["checksum"] == plan["checksum"]:
        plan = old  # the same content: its signatures still hold
    elif old is not None and old["signatures"] and not arguments.force:
        raise _WouldReplace(f"`{common.short(path)}` holds another plan, which is signed")
    if key is not None:
        metadata = plan["metadata"]
        assert isinstance(metadata, dict)  # the compiler made it
        plan = sign(plan, key, arguments.role, str(metadata["tier"]))
    return plan


def _present(path: Path) -> JsonObject | None:
    """Return the plan that stands there; a broken one stands in nobody's way."""
    from naftiko.workflow.plan.integrity import load_plan

    try:
        return load_plan(path.read_bytes())
    except (OSError, IntegrityError):
        return None
