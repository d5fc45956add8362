"""Paths into answers, checked against botocore's output shapes: `DBSnapshots[0].Status`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from naftiko.errors import Problems, did_you_mean
from naftiko.source import Location
from naftiko.workflow.types import Type, of_shape

if TYPE_CHECKING:
    from botocore.model import Shape

Part = str | int

MAX_PARTS = 20
_PART = re.compile(r"(?:\A|\.)(?P<name>[A-Za-z_][A-Za-z0-9_-]*)|\[(?P<index>0|[1-9][0-9]{0,3})\]")


def parse_path(text: str) -> tuple[Part, ...] | None:
    """Return the parts of a path, None where it is none: "A.B[0].C" -> ("A", "B", 0, "C")."""
    parts: list[Part] = []
    at = 0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None or (not parts and match["name"] is None) or len(parts) >= MAX_PARTS:
            return None
        parts.append(match["name"] if match["name"] is not None else int(match["index"]))
        at = match.end()
    return tuple(parts) or None


def path_text(parts: Sequence[Part]) -> str:
    """Return the text of a path: ("A", 0, "B") -> "A[0].B"."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def path_type(
    shape: Shape | None, path: str | Sequence[Part], at: Location, problems: Problems
) -> Type | None:
    """Return the type of what a path leads to in an answer; None, with a WF321, where nothing is.

    `shape` None is an answer without members.
    """
    found = path_shape(shape, path, at, problems)
    return of_shape(found) if found is not None else None


def path_shape(
    shape: Shape | None, path: str | Sequence[Part], at: Location, problems: Problems
) -> Shape | None:
    """Return the shape that a path leads to; None, with a WF321, where nothing is."""
    parts = parse_path(path) if isinstance(path, str) else tuple(path)
    if parts is None:
        message = f"`{path}` is no path: expected names and indexes such as `Items[0].Name`"
        problems.error("WF321", message, at)
        return None
    if shape is None:
        problems.error("WF321", f"the answer has no members, found `{path_text(parts)}`", at)
        return None
    here = shape
    for index, part in enumerate(parts):
        below = _step(here, part)
        if below is None:
            _report(here, parts, index, at, problems)
            return None
        here = below
    return here


def find_shape(shape: Shape | None, path: str) -> Shape | None:
    """Return the shape that a path leads to, None where there is none; reports nothing."""
    here = shape
    for part in parse_path(path) or ("",):
        here = _step(here, part) if here is not None else None
    return here


def _step(shape: Shape, part: Part) -> Shape | None:
    found: Shape | None = None
    if shape.metadata.get("document"):
        return None
    if isinstance(part, int):
        found = shape.member if shape.type_name == "list" else None
    elif shape.type_name == "structure":
        found = shape.members.get(part)
    elif shape.type_name == "map":
        found = shape.value
    return found


def _report(
    shape: Shape, parts: Sequence[Part], index: int, at: Location, problems: Problems
) -> None:
    part, before = parts[index], path_text(parts[:index])
    where = f"`{before}`" if before else "the answer"
    if isinstance(part, int):
        problems.error("WF321", f"{where} is a {_kind(shape)}, so `[{part}]` finds nothing", at)
    elif shape.type_name == "structure" and not shape.metadata.get("document"):
        hint = did_you_mean(part, sorted(shape.members))
        problems.error("WF321", f"{where} has no member `{part}`", at, hint)
    elif shape.type_name == "list":
        message = f"{where} is a list, so `.{part}` finds nothing"
        problems.error("WF321", message, at, f"pick an element: `{before}[0].{part}`")
    else:
        problems.error("WF321", f"{where} is a {_kind(shape)}, so `.{part}` finds nothing", at)


def _kind(shape: Shape) -> str:
    if shape.metadata.get("document"):
        return "document without known members"
    return "structure" if shape.type_name == "structure" else str(shape.type_name)
