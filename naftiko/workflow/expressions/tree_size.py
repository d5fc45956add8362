"""How large the trees of a plan may be."""

from __future__ import annotations

from typing import cast

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.expressions.syntax import (
    MAX_DEPTH,
    MAX_NODES,
)

MAX_STRUCTURE = 10_000
"""A value may be lists and maps of so many parts."""


def exceeds(tree: JsonObject) -> bool:
    """Tell whether a tree is larger or deeper than a plan may hold.

    Lists and maps around expressions count for their size alone, with a larger limit: a document
    of constants is no computation.
    """
    level: list[JsonObject] = [tree]
    count = 0
    while level:
        count += len(level)
        if count > MAX_STRUCTURE:
            return True
        below: list[JsonObject] = []
        for node in level:
            if "list" in node or "obj" in node:
                below.extend(children(node))
            elif _is_complex(node):
                return True
        level = below
    return False


def _is_complex(tree: JsonObject) -> bool:
    level = [tree]
    nodes = depth = 0
    while level:
        nodes += len(level)
        depth += 1
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            return True
        level = [child for node in level for child in children(node)]
    return False


def children(tree: JsonObject) -> list[JsonObject]:
    """Return the trees that a tree is made of."""
    found: list[JsonValue] = [tree[name] for name in ("a", "b") if name in tree]
    for name in ("args", "cat", "list"):
        found.extend(cast("list[JsonValue]", tree.get(name, [])))
    found.extend(cast("JsonObject", tree.get("obj", {})).values())
    return cast("list[JsonObject]", found)
