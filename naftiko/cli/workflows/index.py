"""`naftiko workflow index`: write what workflows are found by, so that servers start at once."""

from __future__ import annotations

import argparse

from naftiko.cli.console import Console
from naftiko.cli.workflows import common
from naftiko.cli.workflows.suggest import add_embedder, open_plans
from naftiko.errors import ExitCode, StartError
from naftiko.values import JsonObject


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    common.add_catalog(parser)
    add_embedder(parser)
    parser.add_argument(
        "--check", action="store_true", help="write nothing: 1 if the index is not a current one"
    )
    common.add_json(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write the index, or with `--check` tell whether it is current."""
    from naftiko.search.embedders import find_embedder
    from naftiko.workflow.discovery.stored import FOLDER, build, load, save
    from naftiko.workflow.runtime.policy import Policy

    if not arguments.check:
        common.need_own_catalog(arguments)
    plans = open_plans(arguments, Policy())
    if len(plans.catalog.folders) != 1:
        arguments.parser.error("an index is of one catalog")
    folder = plans.catalog.folders[0]
    embedder = find_embedder(arguments.embedder)
    current = load(plans, embedder)
    is_current = current is not None
    found = current or build(plans, embedder)
    if not is_current and not arguments.check:
        try:
            save(found, folder)
        except OSError as error:
            raise StartError(f"`{folder / FOLDER}` cannot be written: {error.strerror}") from None
    told: JsonObject = {
        "index": str(folder / FOLDER),
        "workflows": len(found.shelf.said),
        "texts": sum(len(one.fields) for one in found.shelf.documents),
        "embedder": embedder.id if embedder is not None else None,
        "weights_digest": embedder.digest if embedder is not None else None,
        "plans_digest": found.shelf.digest,
        "index_digest": found.digest,
        "state": "current" if is_current else "stale" if arguments.check else "written",
    }
    if arguments.json:
        common.print_json(told, console)
    else:
        _print(told, console)
    return ExitCode.PROBLEMS if told["state"] == "stale" else ExitCode.OK


def _print(told: JsonObject, console: Console) -> None:
    console.data(
        f"{common.short(str(told['index']))}: {told['state']}, {told['workflows']} workflows, "
        f"{told['texts']} texts"
    )
    console.data(f"embedder  {told['embedder'] or 'none'}")
    if told["weights_digest"] is not None:
        console.data(f"weights   {told['weights_digest']}")
    console.data(f"plans     {told['plans_digest']}")
    console.data(f"index     {told['index_digest']}")
    if told["state"] == "stale":
        console.note("write it with `naftiko workflow index`")
