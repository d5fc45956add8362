"""How long a pattern can take: what makes a matcher try again and again is refused."""

from __future__ import annotations

from typing import TypeAlias

from naftiko.workflow.expressions.pattern_syntax import (
    CharSet,
    Edge,
    Group,
    Part,
    PatternFault,
    Repeat,
)

MAX_INPUT = 1_024
"""`matches` looks at so many characters of a text."""
MAX_PATHS = 64
_Path: TypeAlias = tuple[tuple[int, int, int], ...]
"""One way through a pattern: (characters, least, most) of each part."""


def check_repeats(group: Group) -> None:
    """Refuse repeated groups that can match the same text in several ways.

    Raises: PatternFault.
    """
    for node in (node for sequence in group.alternatives for node in sequence):
        if isinstance(node, Group):
            check_repeats(node)
        elif isinstance(node, Repeat) and isinstance(node.node, Group):
            if node.high is None or node.high > 1:
                _check_repeated(node.node, node)
            check_repeats(node.node)


def _check_repeated(group: Group, by: Repeat) -> None:
    """Refuse in a repeated group what gives more than one way of matching the same text."""
    taken = 0
    for sequence in group.alternatives:
        if not sequence:
            raise PatternFault("a repeated group can be empty", by.offset, len(by.text))
        first = _first(sequence[0], by)
        if first & taken:
            raise PatternFault(
                "alternatives of a repeated group begin alike",
                by.offset,
                len(by.text),
                "write them so that their first characters differ, such as `(ab|c)*`",
            )
        taken |= first
        for node in sequence:
            if isinstance(node, Group):
                _check_repeated(node, by)


def _first(node: Part, by: Repeat) -> int:
    """Return the characters that a part of a repeated group can begin with."""
    if isinstance(node, CharSet):
        return node.chars
    if isinstance(node, Edge):
        raise PatternFault("`^` or `$` stands in a repeated group", by.offset, len(by.text))
    if isinstance(node, Repeat):
        raise _nested(node)
    chars = 0
    for sequence in node.alternatives:
        if not sequence:
            raise PatternFault("a repeated group can be empty", by.offset, len(by.text))
        chars |= _first(sequence[0], by)
    return chars


def _nested(node: Repeat) -> PatternFault:
    return PatternFault(
        "a quantifier stands in a repeated group",
        node.offset,
        len(node.text),
        "repeat a class of characters instead, such as `[a-z0-9-]+`",
    )


def paths_of(group: Group) -> list[_Path]:
    """Return the ways through a group, with repeated groups as one part each.

    Raises: PatternFault, where they are more than 64: alternatives one after another multiply.
    """
    found: list[_Path] = []
    for sequence in group.alternatives:
        paths: list[_Path] = [()]
        for node in sequence:
            paths = [path + more for path in paths for more in _node_paths(node)]
            _check_count(paths)
        found += paths
        _check_count(found)
    return found


def _check_count(paths: list[_Path]) -> None:
    if len(paths) > MAX_PATHS:
        raise PatternFault(
            f"the alternatives of this pattern make more than {MAX_PATHS} combinations",
            hint="compare with a list: `name in ['a', 'b']`",
        )


def _node_paths(node: Part) -> list[_Path]:
    if isinstance(node, CharSet):
        return [((node.chars, 1, 1),)]
    if isinstance(node, Edge):
        return [()]
    if isinstance(node, Group):
        return paths_of(node)
    high = MAX_INPUT if node.high is None else node.high
    if isinstance(node.node, CharSet):
        return [((node.node.chars, node.low, high),)]
    if high > 1:
        return [((_union(node.node), node.low, high),)]
    skipped: list[_Path] = [()] if node.low == 0 else []
    return skipped + (paths_of(node.node) if high else [])


def _union(node: Part) -> int:
    if isinstance(node, CharSet):
        return node.chars
    if isinstance(node, Edge):
        raise PatternFault("`^` or `$` stands in a repeated group")
    if isinstance(node, Repeat):
        raise _nested(node)
    chars = 0
    for sequence in node.alternatives:
        for inner in sequence:
            chars |= _union(inner)
    return chars


def ways_of(path: _Path) -> int:
    """Return an upper bound on the ways of sharing a text out among the parts of a path.

    Two repeats compete if they can take the same character, unless something between them has to
    match one that either cannot. Those that compete, also through others, multiply.
    """
    repeats = [index for index, (_, low, high) in enumerate(path) if high > low]
    heads = {index: index for index in repeats}
    for position, left in enumerate(repeats):
        for right in repeats[position + 1 :]:
            if _compete(path, left, right):
                old, new = heads[right], heads[left]
                heads = {index: new if head == old else head for index, head in heads.items()}
    ways = 1
    sizes = list(heads.values())
    for index, head in heads.items():
        if sizes.count(head) > 1:
            _, low, high = path[index]
            ways *= high - low + 1
    return ways


def _compete(path: _Path, left: int, right: int) -> bool:
    mine, other = path[left][0], path[right][0]
    if not mine & other:
        return False
    return all(
        low == 0 or (chars & mine and chars & other) for chars, low, _ in path[left + 1 : right]
    )
