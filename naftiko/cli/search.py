"""`naftiko search "QUERY" [CAPABILITY...]`: what a capability offers, or could call, for a task."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from naftiko.cli import arguments as common
from naftiko.cli.console import Console
from naftiko.cli.loading import check, load_options, refuse, show_warnings
from naftiko.errors import ExitCode
from naftiko.plan.findable import Findable, callable_of, exposed_of
from naftiko.plan.finding import first_sentence
from naftiko.plan.ports import Effect, Parameter
from naftiko.search.gate import LENIENT

if TYPE_CHECKING:
    from naftiko.search.index import Index
    from naftiko.search.ports import Hit
    from naftiko.values import JsonObject, JsonValue

DEFAULT_LIMIT = 10
MAX_LIMIT = 200
MAX_QUERY = 500
MAX_INPUTS_SHOWN = 12

EFFECTS = {
    Effect.READ: "reads",
    Effect.WRITE: "changes",
    Effect.DESTRUCTIVE: "destroys",
    Effect.UNKNOWN: "unknown",
}
_EPILOG = """\
examples:
  naftiko search "start a workflow"
  naftiko search "resize images" orders.yaml pictures.yaml
  naftiko search "delete a bucket" aws.yaml --callable --json
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found, and the capabilities that have it."""

    item: Findable
    files: tuple[str, ...]
    hit: Hit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("query", metavar="QUERY", help="what you want to do, in a few words")
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE|NAME",
        help="capability files, or names of those in ./capabilities or that come with naftiko "
        "(default: all that come with naftiko)",
    )
    parser.add_argument(
        "--limit",
        type=_limit,
        default=DEFAULT_LIMIT,
        metavar="N",
        help=f"how many to show at most (default: {DEFAULT_LIMIT})",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--exposed",
        action="store_true",
        help="only what is exposed: tools, routes, resources, prompts",
    )
    which.add_argument(
        "--callable",
        action="store_true",
        help="only what can be called: every operation of the consumed namespaces",
    )
    parser.add_argument("--json", action="store_true", help="print the hits as JSON")
    common.add_loading(parser)
    common.add_read_only(parser)
    parser.set_defaults(parser=parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print what answers the query. Nothing found is no failure."""
    # Bytes of the command line that are no text come as halves of surrogate pairs.
    query: str = arguments.query.strip().encode("utf-8", "replace").decode()
    if not 0 < len(query) <= MAX_QUERY:
        arguments.parser.error(f"argument QUERY: must have 1 to {MAX_QUERY} characters")
    items = _items(arguments, console)
    index = _index(items)
    hits = index.search(query, gate=LENIENT)
    found = [
        Found(item=items[hit.id][0], files=items[hit.id][1], hit=hit)
        for hit in hits[: arguments.limit]
    ]
    if arguments.json:
        report = to_json(query, found, searched=len(items), total=len(hits), digest=index.digest)
        console.data(json.dumps(report, indent=2, ensure_ascii=False))
    elif not found:
        console.data(f"nothing among {len(items):,} operations answers `{query}`")
    else:
        several = len({name for item in found for name in item.files}) > 1
        console.data("\n\n".join("\n".join(to_lines(item, several=several)) for item in found))
        if len(hits) > len(found):
            console.note(f"{len(hits) - len(found):,} more answer it less well; see --limit")
    return ExitCode.OK


def _items(
    arguments: argparse.Namespace, console: Console
) -> Mapping[str, tuple[Findable, tuple[str, ...]]]:
    """Return all that can be found, by an id; what several files can call counts once.

    Raises: RefusedError; StartError where there is no such file.
    """
    from naftiko.resources import shipped_names

    options = load_options(arguments)
    items: dict[str, tuple[Findable, tuple[str, ...]]] = {}
    for name in dict.fromkeys(arguments.files or shipped_names()):
        checked = check(name, options, console, every_operation=not arguments.exposed)
        refuse(checked, strict=options.strict)
        if arguments.files:
            show_warnings(checked, console, verbose=arguments.verbose)
        assert checked.plan is not None
        if not arguments.callable:
            for item in exposed_of(checked.plan):
                items[f"{name}:{item.kind}:{item.address}:{item.place}"] = (item, (name,))
        if not arguments.exposed:
            for item in callable_of(checked.plan):
                key = item.spelled[0] if item.spelled else f"{name}:{item.address}"
                known = items.get(f"call:{key}")
                files = (*known[1], name) if known is not None else (name,)
                kept = known[0] if known is not None else item
                items[f"call:{key}"] = (kept, tuple(dict.fromkeys(files)))
    return items


def _index(items: Mapping[str, tuple[Findable, tuple[str, ...]]]) -> Index:
    from naftiko.search.embedders import find_embedder
    from naftiko.search.index import Index

    documents = [item.to_document(key) for key, (item, _) in items.items()]
    return Index.build(documents, find_embedder("auto"))


def to_lines(found: Found, *, several: bool) -> list[str]:
    """Return a hit as people read it: what it is, what it does, how it is called."""
    item, hit = found.item, found.hit
    place = f" {item.place}" if item.place else ""
    head = f"{_word(item)} {item.address}{place} ({EFFECTS[item.effect]}, {hit.confidence})"
    lines = [head]
    if item.description:
        lines.append(f"  {first_sentence(item.description)}")
    if item.inputs:
        lines.append(f"  inputs: {_inputs(item.inputs)}")
    lines += [f"  {line}" for line in snippet(item)]
    if item.spelled:
        lines.append(f"  as a command: {command(item)}")
    if several:
        lines.append(f"  in: {', '.join(found.files)}")
    lines += [f"  why: {reason}" for reason in hit.reasons[:2]]
    # Names come from files of strangers, and may have line breaks.
    return [" ".join(line.splitlines()) for line in lines]


def _word(item: Findable) -> str:
    return "call:" if item.kind == "operation" else item.kind


def _inputs(inputs: Sequence[Parameter]) -> str:
    """Return "name*, schedule": those with * are required."""
    names = [f"{item.name}*" if item.required else item.name for item in inputs]
    more = len(names) - MAX_INPUTS_SHOWN
    return ", ".join(names[:MAX_INPUTS_SHOWN]) + (f", and {more} more" if more > 0 else "")


def snippet(item: Findable) -> list[str]:
    """Return what a file writes to call a consumed operation; nothing for what is exposed."""
    if item.exposed:
        return []
    needed = [one for one in item.inputs if one.required]
    lines = [f"call: {item.address}"]
    if needed:
        values = ", ".join(f'{one.name}: "{{{{{one.name}}}}}"' for one in needed)
        lines.append(f"with: {{{values}}}")
    return lines


def command(item: Findable) -> str:
    """Return how the AWS command line writes it, with what it needs."""
    from naftiko.awsapi.catalog import kebab_case

    needed = [one.name for one in item.inputs if one.required]
    words = [f"--{kebab_case(name)} {name.upper()}" for name in needed]
    return " ".join([item.spelled[0], *words])


def to_json(
    query: str, found: Sequence[Found], *, searched: int, total: int, digest: str
) -> JsonObject:
    """Return the answer as data."""
    hits: list[JsonValue] = [_hit_json(item) for item in found]
    return {
        "query": query,
        "hits": hits,
        "total": total,
        "searched": searched,
        "index_digest": digest,
    }


def _hit_json(found: Found) -> JsonObject:
    item, hit = found.item, found.hit
    out: JsonObject = {
        "kind": item.kind,
        "address": item.address,
        "capabilities": list(found.files),
        "title": item.title,
        "description": item.description,
        "effect": EFFECTS[item.effect],
        "inputs": [
            {"name": one.name, "type": one.schema.get("type"), "required": one.required}
            for one in item.inputs
        ],
        "confidence": hit.confidence,
        "score": round(hit.score, 4),
        "reasons": list(hit.reasons),
    }
    if item.place:
        out["place"] = item.place
    if not item.exposed:
        out["call"] = "\n".join(snippet(item))
    if item.spelled:
        out["command"] = command(item)
    return out


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_LIMIT:
        raise argparse.ArgumentTypeError(f"`{text}` is not a number from 1 to {MAX_LIMIT}")
    return int(text)
