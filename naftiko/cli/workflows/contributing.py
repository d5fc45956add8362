"""What the commands of the contribution pipeline share: the catalog, an AWS for tests, findings."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from naftiko.cli.console import Console
from naftiko.cli.workflows import common
from naftiko.values import JsonObject
from naftiko.workflow.plan.walk import objects

if TYPE_CHECKING:
    from naftiko.cli.workflows.trying import Trial
    from naftiko.workflow.contribution.desk import Desk
    from naftiko.workflow.contribution.layout import Home
    from naftiko.workflow.contribution.material import Files
    from naftiko.workflow.contribution.refused import Refused
    from naftiko.workflow.testing import Case, Report


def add_submission(parser: argparse.ArgumentParser) -> None:
    """Declare the submission that is meant."""
    parser.add_argument(
        "submission",
        metavar="SUBMISSION",
        help="the id of a submission, or the path of its folder; `submissions` lists them",
    )


def add_reason(parser: argparse.ArgumentParser) -> None:
    """Declare why."""
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why, for those it touches")


def add_common(parser: argparse.ArgumentParser) -> None:
    """Declare catalog, trust root and output."""
    common.add_trust_root(parser)
    common.add_catalog(parser)
    common.add_json(parser)


class _Tests:
    """Runs tests; the AWS for them is started with the first."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._trial: Trial | None = None

    def __call__(self, plan: JsonObject, cases: Sequence[Case], /) -> Report:
        from naftiko.cli.workflows.trying import Trial

        if self._trial is None:
            self._trial = self._stack.enter_context(Trial.open())
        return self._trial.run_plan(plan, cases)


@contextlib.contextmanager
def open_desk(arguments: argparse.Namespace, *, changes: bool = True) -> Iterator[Desk]:
    """Open the catalog that is contributed to: the first that is meant.

    Raises: StartError: it is that of the engine, and something would be changed.
    """
    from naftiko.workflow.catalog import Catalog
    from naftiko.workflow.contribution.desk import Desk

    if changes:
        common.need_own_catalog(arguments)
    folders = common.catalog_folders(arguments)
    with contextlib.ExitStack() as stack:
        catalog = Catalog.open(folders)
        yield Desk(
            catalog=catalog,
            folder=catalog.folders[0],
            run_tests=_Tests(stack),
            monotonic=time.monotonic,
            now=_now,
            root=getattr(arguments, "trust_root", None),
        )


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def home_of(desk: Desk, text: str) -> Home:
    """Return the submission that an id or a path means.

    Raises: Refused.
    """
    from naftiko.workflow.contribution.refused import Refused

    path = Path(text)
    if len(path.parts) > 1:
        folder = path.parent if path.is_file() else path
        whole = folder.resolve()
        if whole.parent != (desk.folder / "submissions").resolve():
            raise Refused(
                "WF965",
                f"`{text}` is no folder of `{common.short(desk.folder / 'submissions')}`",
                hint="`naftiko workflow submissions` lists them",
            )
        return desk.home(folder.name)
    return desk.home(text)


def is_submission(text: str) -> bool:
    """Tell whether a text may mean a submission: ids have hyphens, names of workflows none."""
    return "-" in Path(text).name.partition("@")[0] or "submissions" in Path(text).parts


def files_of(target: common.Target) -> Files:
    """Return the files of a contribution: tests and README lie beside the source.

    Raises: Refused.
    """
    from naftiko.workflow.catalog import MAX_SOURCE_BYTES, README, TESTS
    from naftiko.workflow.contribution.layout import LIMITS, read_plainly
    from naftiko.workflow.contribution.material import Files

    folder = target.path.parent
    source = read_plainly(target.path, MAX_SOURCE_BYTES, target.shown)
    found = {
        name: read_plainly(folder / name, LIMITS[name], common.short(folder / name)) or b""
        for name in (TESTS, README)
    }
    return Files(source=source or b"", tests=found[TESTS], readme=found[README])


# Printing


def print_gates(report: JsonObject, console: Console) -> None:
    """Print each gate, and what it found."""
    for gate in objects(report["gates"]):
        console.data(f"{str(gate['status']).replace('_', ' '):<8} {gate['gate']}")
        for one in objects(gate["findings"]):
            place = f"{one['path']}:{one['line']}:{one['column']}" if one["line"] else one["path"]
            mark = "" if one["severity"] == "error" else f"{one['severity']} "
            console.data(f"  {place}: {mark}{one['code']}: {one['message']}")
            if one["hint"]:
                console.data(f"    hint: {one['hint']}")


def refused(error: Refused, arguments: argparse.Namespace, console: Console) -> int:
    """Print why a step does not happen; returns the exit code of a gate."""
    if arguments.json:
        common.print_json({"ok": False, "error": error.to_json()}, console)
        return common.GATE_FAILED
    console.error(f"{error.code}: {error.reason}", error.hint)
    for one in error.findings:
        console.note(f"  {one.place}: {one.code}: {one.message}")
    return common.GATE_FAILED


def done(
    found: JsonObject,
    text: str,
    arguments: argparse.Namespace,
    console: Console,
    *,
    next_: str = "",
) -> None:
    """Print what was done."""
    if arguments.json:
        common.print_json({"ok": True, **found}, console)
        return
    console.data(text)
    if next_:
        console.note(f"next: {next_}")
