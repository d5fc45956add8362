"""Exposed paths -> a tree that finds the operation for the raw path of a request.

Matching works on the percent-encoded path, so that `%2F` is never taken for a separator, and
values are decoded once, after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

from naftiko.exposes.problem import RequestError

MAX_PATH_BYTES = 8192
MAX_ARN_SEGMENTS = 16
"""An ARN with raw slashes spans at most this many segments; it bounds the search."""
MAX_MIXED_SEGMENT = 1024
"""A longer segment is not tried against `{a}-{b}`; it bounds the backtracking."""

T = TypeVar("T")

_VARIABLE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}|\{([^{}]+)\}")
_ARN = re.compile(r"arn(?::|%3a)", re.IGNORECASE)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def variables(path: str) -> tuple[str, ...]:
    """Return the names of a path's variables, in order: "/a/{x}/{{y}}" -> ("x", "y")."""
    return tuple(match[1] or match[2] for match in _VARIABLE.finditer(path))


def plain_path(path: str) -> str:
    """Write every variable with single braces: "/a/{{x}}" -> "/a/{x}"."""
    return _VARIABLE.sub(lambda match: "{" + (match[1] or match[2]) + "}", path)


def decode(raw: str) -> str:
    """Decode percent-encoding once; strict about its form and about UTF-8.

    Raises: RequestError[invalid-encoding].
    """
    if "%" not in raw:
        return raw
    if _BAD_ESCAPE.search(raw):
        message = "the path holds a `%` that is not followed by two hexadecimal digits"
        raise RequestError(code="invalid-encoding", message=message, hint="write it as `%25`")
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        message = "the percent-encoded bytes of the path are not UTF-8"
        raise RequestError(code="invalid-encoding", message=message) from None


@dataclass(slots=True)
class _Node(Generic[T]):
    """A place in the tree. `leaf` is what a path that ends here leads to."""

    static: dict[str, _Node[T]] = field(default_factory=dict)
    mixed: list[tuple[str, re.Pattern[str], _Node[T]]] = field(default_factory=list)
    variable: _Node[T] | None = None
    tail: T | None = None
    leaf: T | None = None


class Router(Generic[T]):
    """Finds what was added for a path.

    A fixed segment wins over a variable, a variable over a last `{path}`, which takes all that is
    left. A variable takes one segment; a value that begins with `arn:` may hold raw slashes where
    no other reading of the path leads anywhere.
    """

    def __init__(self) -> None:
        """Start without routes."""
        self._constant: dict[str, T] = {}
        self._root: _Node[T] = _Node()

    def add(self, path: str, make: T, *, encoded: bool = False) -> T:
        """Add a path, or return what stands for one of the same shape already.

        With `encoded` the text of its segments is percent-encoded: "/reports/a%2Fb/{run}".
        """
        names = variables(path)
        if not names:
            return self._constant.setdefault(path, self._add_to_tree(path, make, encoded=encoded))
        return self._add_to_tree(path, make, encoded=encoded)

    def match(self, raw_path: str) -> tuple[T, list[str]] | None:
        """Return what was added for the path and its variables' raw values, or None."""
        found = self._constant.get(raw_path)
        if found is not None:
            return found, []
        segments = raw_path.split("/")[1:]
        values: list[str] = []
        leaf = self._walk(self._root, segments, 0, values, spans=False)
        if leaf is None and _ARN.search(raw_path):
            leaf = self._walk(self._root, segments, 0, values, spans=True)
        return None if leaf is None else (leaf, values)

    def _add_to_tree(self, path: str, make: T, *, encoded: bool) -> T:
        node = self._root
        segments = plain_path(path).split("/")[1:]
        for index, segment in enumerate(segments):
            if segment == "{path}" and index == len(segments) - 1:
                node.tail = make if node.tail is None else node.tail
                return node.tail
            node = _child(node, segment, encoded=encoded)
        node.leaf = make if node.leaf is None else node.leaf
        return node.leaf

    def _walk(
        self, node: _Node[T], segments: Sequence[str], at: int, values: list[str], *, spans: bool
    ) -> T | None:
        if at == len(segments):
            return node.leaf
        child = node.static.get(_unescaped(segments[at]))
        if child is not None:
            found = self._walk(child, segments, at + 1, values, spans=spans)
            if found is not None:
                return found
        mark = len(values)
        for child, end, taken in _readings(node, segments, at, spans=spans):
            values.extend(taken)
            found = self._walk(child, segments, end, values, spans=spans)
            if found is not None:
                return found
            del values[mark:]
        if node.tail is not None:
            values.append("/".join(segments[at:]))
        return node.tail


def _readings(
    node: _Node[T], segments: Sequence[str], at: int, *, spans: bool
) -> Iterator[tuple[_Node[T], int, Sequence[str]]]:
    """Yield the ways to read a variable here: the next node, where it goes on, the raw values."""
    segment = segments[at]
    if not segment:
        return
    if len(segment) <= MAX_MIXED_SEGMENT:
        for _, pattern, child in node.mixed:
            match = pattern.fullmatch(segment)
            if match:
                yield child, at + 1, match.groups()
    if node.variable is None:
        return
    yield node.variable, at + 1, (segment,)
    if spans and _ARN.match(segment):
        # The shortest first: what follows it may be the fixed text of a longer template.
        for end in range(at + 2, min(len(segments), at + MAX_ARN_SEGMENTS) + 1):
            yield node.variable, end, ("/".join(segments[at:end]),)


def _child(node: _Node[T], segment: str, *, encoded: bool) -> _Node[T]:
    """Return the node behind a segment of a template, made if need be."""
    names = variables(segment)
    if not names:
        text = _unescaped(segment) if encoded else segment
        return node.static.setdefault(text, _Node())
    if _VARIABLE.fullmatch(segment):
        if node.variable is None:
            node.variable = _Node()
        return node.variable
    pattern = _mixed_pattern(segment)
    for known, _, child in node.mixed:
        if known == pattern:
            return child
    child = _Node[T]()
    node.mixed.append((pattern, re.compile(pattern), child))
    return child


def _mixed_pattern(segment: str) -> str:
    r"""Return the pattern of a segment that is part text: "{id}.json" -> r"(.+)\.json"."""
    parts: list[str] = []
    end = 0
    for match in _VARIABLE.finditer(segment):
        parts += [re.escape(segment[end : match.start()]), "(.+)"]
        end = match.end()
    return "".join([*parts, re.escape(segment[end:])])


def _unescaped(segment: str) -> str:
    """Return a segment as a template writes it; one that cannot be decoded equals none."""
    if "%" not in segment:
        return segment
    try:
        return decode(segment)
    except RequestError:
        return segment
