"""`naftiko workflow new NAME`: source, tests and README to start from."""

from __future__ import annotations

import argparse
from pathlib import Path

from naftiko.cli.console import Console
from naftiko.cli.workflows import common
from naftiko.errors import ExitCode, StartError
from naftiko.values import JsonValue
from naftiko.workflow.source.scaffold import KINDS, SERVICES, new_workflow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", metavar="NAME", help="the name of the workflow, such as my_flow")
    parser.add_argument(
        "--service",
        choices=SERVICES,
        help="the AWS service of the example (default: s3, or sqs for one that changes something)",
    )
    parser.add_argument(
        "--kind", choices=KINDS, default="read", help="what the example does (default: read)"
    )
    parser.add_argument(
        "--catalog",
        type=Path,
        default=common.DEFAULT_CATALOG,
        metavar="DIR",
        help="the folder of workflows, made if need be (default: ./workflow-catalog)",
    )
    common.add_json(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write the files; none that is there is touched."""
    from naftiko.workflow.files import create_only

    folder: Path = arguments.catalog
    files = new_workflow(arguments.name, service=arguments.service, kind=arguments.kind)
    _check_free(folder, arguments.name)
    for name, text in files.items():
        try:
            create_only(folder / name, text.encode(), mode=0o644)
        except FileExistsError:
            raise StartError(f"`{folder / name}` is there already") from None
        except OSError as error:
            message = f"`{folder / name}` cannot be written: {error.strerror}"
            raise StartError(message) from None
    paths = [common.short(folder / name) for name in files]
    if arguments.json:
        listed: list[JsonValue] = list(paths)
        common.print_json({"name": arguments.name, "files": listed}, console)
        return ExitCode.OK
    console.data("\n".join(paths))
    console.note(f"next: naftiko workflow check {arguments.name}")
    return ExitCode.OK


def _check_free(folder: Path, name: str) -> None:
    from naftiko.workflow.catalog import Catalog

    if folder.is_dir() and name in Catalog.open([folder]).names:
        raise StartError(
            f"`{folder}` has a workflow `{name}` already",
            hint="take another name, or write a new version beside it",
        )
