"""The parameters of an execution, as they stand on the command line."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from naftiko.cli.workflows import common
from naftiko.errors import DocumentError, StartError
from naftiko.values import JsonObject, JsonValue


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """Declare the parameters."""
    from naftiko.cli.arguments import named_value

    parser.add_argument(
        "-p",
        "--parameter",
        dest="pairs",
        type=named_value,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter, read by its type; repeat it for each item of an array",
    )
    parser.add_argument(
        "--parameters",
        metavar="FILE",
        help="all parameters, as a JSON or YAML object; `-` reads stdin",
    )


def read_parameters(arguments: argparse.Namespace, declared: Sequence[JsonObject]) -> JsonObject:
    """Return the parameters; `declared` are those of the plan.

    Raises: StartError: the file.
    """
    values = _file(arguments.parameters) if arguments.parameters is not None else {}
    return {**values, **read_pairs(arguments.pairs, declared)}


def read_pairs(pairs: Iterable[tuple[str, str]], declared: Sequence[JsonObject]) -> JsonObject:
    """Return `-p` arguments by their types.

    [("days", "7")] -> {"days": 7}; what cannot be read stays text, so that the check of the
    parameters names it.
    """
    known = {str(one["name"]): one for one in declared}
    texts: dict[str, list[str]] = {}
    for name, text in pairs:
        texts.setdefault(name, []).append(text)
    return {name: _value(given, known.get(name, {})) for name, given in texts.items()}


def _value(given: list[str], declared: JsonObject) -> JsonValue:
    kind = str(declared.get("type", "string"))
    if kind == "array":
        if len(given) == 1 and given[0].lstrip().startswith("["):
            return _read(given[0], "object")
        items = declared.get("items")
        inner = items.get("type") if isinstance(items, dict) else items
        return [_read(text, str(inner or "string")) for text in given]
    if len(given) > 1:
        return list(given)
    return _read(given[0], kind)


def _read(text: str, kind: str) -> JsonValue:
    if kind == "string":
        return text
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value


def _file(name: str) -> JsonObject:
    from naftiko.document.reader import parse_document

    data = sys.stdin.buffer.read() if name == "-" else common.read_file(Path(name))
    try:
        found = parse_document(data, name, strict=True).root.plain()
    except DocumentError as error:
        first = error.problems[0]
        raise StartError(f"{first.location}: {first.message}", hint=first.hint) from None
    assert isinstance(found, dict)  # the root is a mapping
    return found
