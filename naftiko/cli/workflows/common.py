"""What the subcommands share: catalogs, the workflow that is meant, problems, plans."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from naftiko.cli.console import Console
from naftiko.errors import ExitCode, Problem, Severity, StartError
from naftiko.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from naftiko.workflow.catalog import Catalog, Entry
    from naftiko.workflow.compiler import Compiled

DEFAULT_CATALOG = Path("workflow-catalog")
SHIPPED = Path("shipped")
"""What names the catalog that comes with naftiko."""
GATE_FAILED = 3


# Arguments


def add_catalog(parser: argparse.ArgumentParser) -> None:
    """Declare where workflows lie."""
    parser.add_argument(
        "--catalog",
        dest="catalogs",
        type=Path,
        action="append",
        metavar="DIR",
        help="a folder of workflows, or `shipped`; may be repeated (default: ./workflow-catalog, "
        "else the catalog that comes with naftiko)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Declare the output for programs."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def add_name(parser: argparse.ArgumentParser, *, several: bool = False, files: bool = True) -> None:
    """Declare the workflow, or workflows."""
    shown = "NAME|FILE" if files else "NAME"
    parser.add_argument(
        "names" if several else "name",
        nargs="*" if several else None,
        metavar=shown,
        help="a workflow of the catalog, `name` or `name@version`"
        + ("; or the path of a source" if files else ""),
    )


def add_all(parser: argparse.ArgumentParser) -> None:
    """Declare the switch for the whole catalog."""
    parser.add_argument("--all", action="store_true", help="every workflow of the catalog")


def add_trust_root(parser: argparse.ArgumentParser) -> None:
    """Declare the key that pins the trust data."""
    parser.add_argument(
        "--trust-root",
        metavar="KEY",
        help="the public key (`ed25519:...`) that the catalog's trust data must be signed with",
    )


# Catalogs and workflows


class UnknownName(StartError):  # noqa: N818 - what the caller asked for
    """There is no such workflow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The workflow that is meant: an entry of the catalog, or a file. `path` is of its source."""

    ref: str
    path: Path
    catalog: Catalog
    entry: Entry | None = None

    def read(self) -> bytes:
        """Return the source.

        Raises: StartError.
        """
        if self.entry is not None:
            return self.entry.read_source()
        return read_file(self.path)

    @property
    def shown(self) -> str:
        """The path of the source, as short as it can be."""
        return short(self.path)

    def plan_path(self) -> Path:
        """Return where its plan stands."""
        if self.entry is not None and self.entry.plan is not None:
            return self.entry.plan
        return self.path.with_name("plan.json")


def catalog_folders(arguments: argparse.Namespace) -> list[Path]:
    """Return the folders of workflows that are meant.

    Raises: StartError where there is none.
    """
    from naftiko.workflow.catalog import shipped

    found = shipped()
    if arguments.catalogs:
        return [found if found and path == SHIPPED else path for path in arguments.catalogs]
    if DEFAULT_CATALOG.is_dir():
        return [DEFAULT_CATALOG]
    if found is None:
        raise StartError(
            "there is no catalog of workflows", hint="`naftiko workflow new NAME` begins one"
        )
    return [found]


def need_own_catalog(arguments: argparse.Namespace) -> None:
    """Refuse to change the catalog of the engine, unless it is asked for.

    Raises: StartError.
    """
    if not arguments.catalogs and catalog_folders(arguments)[0] != DEFAULT_CATALOG:
        raise StartError(
            "there is no catalog of your own here, and that of naftiko is not yours to change",
            hint="name a folder with --catalog, or begin with `naftiko workflow new NAME`",
        )


def open_catalog(arguments: argparse.Namespace) -> Catalog:
    """Open the catalog.

    Raises: StartError.
    """
    from naftiko.workflow.catalog import Catalog

    return Catalog.open(catalog_folders(arguments))


def find_target(name: str, catalog: Catalog) -> Target:
    """Return what a name or path means.

    Raises: UnknownName, StartError.
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        return _target_of_file(path, catalog)
    entry = find_entry(name, catalog)
    return _target_of_entry(entry, catalog)


def _target_of_entry(entry: Entry, catalog: Catalog) -> Target:
    source = entry.source or entry.home / "source.yaml"
    return Target(ref=entry.ref, path=source, catalog=catalog, entry=entry)


def _target_of_file(path: Path, catalog: Catalog) -> Target:
    path = path / "source.yaml" if path.is_dir() else path
    if not path.is_file():
        raise UnknownName(f"there is no file `{path}`")
    whole = path.resolve()
    for entry in catalog.entries:
        if entry.source is not None and entry.source.resolve() == whole:
            return _target_of_entry(entry, catalog)
    return Target(ref=str(path), path=path, catalog=catalog)


def find_entry(name: str, catalog: Catalog) -> Entry:
    """Return the entry of a name.

    Raises: UnknownName.
    """
    from naftiko.workflow.catalog import UnknownWorkflow

    try:
        return catalog.find(name)
    except UnknownWorkflow as error:
        hint = error.hint or f"`naftiko workflow list` shows those in {_folders(catalog)}"
        if _comes_with_naftiko(name, catalog):
            hint = f"one of that name comes with naftiko: `{name} --catalog shipped`"
        raise UnknownName(error.message, hint=hint) from None


def _comes_with_naftiko(name: str, catalog: Catalog) -> bool:
    """Tell whether the catalog that comes with naftiko, if it is not the one, has a workflow."""
    from naftiko.workflow.catalog import Catalog, UnknownWorkflow, shipped

    folder = shipped()
    if folder is None or folder.resolve() in {one.resolve() for one in catalog.folders}:
        return False
    try:
        Catalog.open([folder]).find(name)
    except (UnknownWorkflow, StartError):
        return False
    return True


def _folders(catalog: Catalog) -> str:
    return ", ".join(f"`{short(folder)}`" for folder in catalog.folders)


def find_targets(arguments: argparse.Namespace, catalog: Catalog) -> list[Target]:
    """Return the workflows that are meant, or all with `--all`.

    Raises: UnknownName, StartError.
    """
    if arguments.all and arguments.names:
        arguments.parser.error("name workflows, or give --all")
    if arguments.all:
        entries = (entry for entry in catalog.entries if entry.source is not None)
        return [_target_of_entry(entry, catalog) for entry in entries]
    if not arguments.names:
        arguments.parser.error("name a workflow, or give --all")
    return [find_target(name, catalog) for name in arguments.names]


def read_file(path: Path) -> bytes:
    """Return a file's bytes.

    Raises: StartError.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"`{path}` cannot be read: {error.strerror}") from None


def short(path: Path | str) -> str:
    """Return a path relative to the process's folder, if it is under it."""
    path, here = Path(path), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


# Compiling


def compile_target(target: Target) -> Compiled:
    """Compile a workflow; paths in problems are as short as they can be."""
    from naftiko.workflow.compiler import compile_source, load_data
    from naftiko.workflow.library import CatalogLibrary

    data = load_data(target.catalog.folders, CatalogLibrary(target.catalog))
    return compile_source(target.read(), target.shown, data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A plan to look at, and the text that it was compiled from, if that is here."""

    plan: JsonObject
    source: str | None


def plan_to_show(target: Target, console: Console) -> Shown | None:
    """Return the plan of a workflow: the stored one, or where the source is newer, a new one.

    None where the source has errors, which are printed. Raises: StartError, IntegrityError.
    """
    entry = target.entry
    stored = target.catalog.plan(entry) if entry is not None and entry.plan is not None else None
    if entry is not None and entry.source is None and stored is not None:
        return Shown(plan=stored, source=None)
    data = target.read()
    if stored is not None and is_of(stored, data):
        return Shown(plan=stored, source=data.decode("utf-8", "replace"))
    compiled = compile_target(target)
    if compiled.plan is None:
        print_found(compiled.problems, console)
        return None
    if stored is not None:
        console.note(f"{target.ref}: the source has changed since it was compiled")
    return Shown(plan=compiled.plan, source=data.decode("utf-8", "replace"))


def is_of(plan: JsonObject, data: bytes) -> bool:
    """Tell whether a plan was compiled from this source."""
    from naftiko.workflow.source.parser import source_digest

    source = plan["source"]
    return isinstance(source, dict) and source["sha256"] in {
        source_digest(data),
        f"sha256:{source_digest(data)}",
    }


# Printing


def print_found(
    problems: Sequence[Problem], console: Console, *, to_stdout: bool = False, quiet: bool = False
) -> None:
    """Print problems with the lines that they are about; `quiet` leaves out notes."""
    from naftiko.cli.problems import print_problems
    from naftiko.source import Source

    shown = [one for one in problems if not quiet or one.severity is not Severity.INFO]
    sources: dict[str, Source] = {}
    for path in dict.fromkeys(problem.location.path for problem in shown):
        with suppress(OSError, ValueError):
            sources[path] = Source(path, Path(path).read_text(encoding="utf-8"))
    print_problems(shown, sources, console, to_stdout=to_stdout)


def has_errors(problems: Iterable[Problem], *, strict: bool = False) -> bool:
    """Tell whether problems keep a workflow from being used; `strict`, warnings too."""
    limit = Severity.WARNING if strict else Severity.ERROR
    return any(problem.severity <= limit for problem in problems)


def diagnostics_json(problems: Iterable[Problem], data: bytes, path: str) -> list[JsonValue]:
    """Return problems as the specification's diagnostics."""
    from naftiko.errors import Problems
    from naftiko.workflow.diagnostics import diagnostics
    from naftiko.workflow.source.parser import read_source

    document = read_source(data, path, Problems())
    return [one.to_json() for one in diagnostics(problems, document)]


def print_json(value: JsonValue, console: Console) -> None:
    """Print a JSON value."""
    console.data(json.dumps(value, indent=2, ensure_ascii=False))


def columns(rows: Sequence[Sequence[str]], *, gap: str = "  ") -> list[str]:
    """Return rows with their cells below each other."""
    if not rows:
        return []
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return [
        gap.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def trouble(error: Exception, console: Console) -> int | None:
    """Print why stored state, or AWS, does not give what is needed; None where it is a bug."""
    from naftiko.consumes.workflows.answers import TROUBLES, error_of
    from naftiko.workflow.state.sealing import StateUnreadable

    if not isinstance(error, TROUBLES):
        return None
    told = error_of(error)
    console.error(told.message, told.hint)
    return GATE_FAILED if isinstance(error, StateUnreadable) else ExitCode.PROBLEMS


def refusal(error: Exception, console: Console) -> int:
    """Print why a plan may not run; returns the exit code of a gate."""
    console.error(str(error), str(getattr(error, "hint", "")))
    return GATE_FAILED
