"""YAML events -> nodes, each with its place, without recursion and within bounds.

PyYAML's own loaders drop the places, expand aliases without a bound and follow YAML 1.1, so only
its parser (libyaml's where it is there) is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NoReturn, TypeAlias

import yaml

from naftiko.document.leaves import STANDARD_TAG, LeafReader
from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.document.scalars import BREAK, shorten
from naftiko.document.syntax import (
    Explanation,
    SyntaxFault,
    explain_syntax,
    missing_space_hint,
    unquoted_template,
)
from naftiko.errors import MAX_PROBLEMS, DocumentError, Problem, did_you_mean
from naftiko.source import Location

MAX_DEPTH = 64
MAX_NODES = 200_000
MAX_NAMES_COMPARED = 500

Event: TypeAlias = Any
"""PyYAML's; its stubs call every mark optional, which none of a parser's is."""

_LEADING_BLANKS = re.compile(r"^[ \t]+", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a document may hold; `max_nodes` counts what aliases expand to.

    `strict`: neither anchors, aliases, tags nor `<<`, and every name is text. A file that is a list
    reads as a mapping with the list under `list_name`, if one is given.
    """

    max_depth: int = MAX_DEPTH
    max_nodes: int = MAX_NODES
    strict: bool = False
    list_name: str = ""


def build_root(text: str, path: str, limits: Limits, *, pure: bool = False) -> Mapping:
    """Return the root mapping of the only document in the text.

    Raises: DocumentError with every problem found up to the first that ends the reading.
    """
    return _Builder(text, path, limits).build(pure=pure)


@dataclass(slots=True)
class _Frame:
    """A collection that is still open. In `entries` a merged mapping stands under the key `<<`."""

    location: Location
    anchor: str | None
    is_mapping: bool
    flow: bool
    size: int = 1
    height: int = 0
    key: Scalar | None = None
    merge: Scalar | None = None
    items: list[Node] = field(default_factory=list)
    entries: list[tuple[Scalar, Node]] = field(default_factory=list)
    names: dict[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Anchored:
    """A node an alias may stand for, how many nodes it expands to, how deep it goes."""

    node: Node
    size: int
    height: int


class _Builder:
    """Builds the nodes of one document."""

    def __init__(self, text: str, path: str, limits: Limits) -> None:
        self._text = text
        self._path = path
        self._limits = limits
        self._problems: list[Problem] = []
        self._open: list[_Frame] = []
        self._anchors: dict[str, _Anchored | None] = {}
        self._nodes = 0
        self._root: Node | None = None
        self._leaves = LeafReader(text, path, self._report, strict=limits.strict)

    def build(self, *, pure: bool) -> Mapping:
        try:
            self._consume(_events(self._text, pure=pure))
        except yaml.MarkedYAMLError as error:
            self._fail(self._syntax_problem(error))
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            # PyYAML's Python parser lets chr() and int() complain about hostile numbers
            message = f"the text cannot be read as YAML: {shorten(str(error), 120).lower()}"
            self._fail(self._problem("yaml-syntax", message, Location(self._path)))
        root = self._checked_root()
        if self._problems:
            raise DocumentError(self._problems)
        return root

    def _consume(self, events: Iterator[Event]) -> None:
        documents = 0
        for event in events:
            match event:
                case yaml.ScalarEvent():
                    self._scalar(event)
                case yaml.CollectionStartEvent():
                    self._start(event)
                case yaml.CollectionEndEvent():
                    self._end()
                case yaml.AliasEvent():
                    self._alias(event)
                case yaml.DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        self._second_document(event)

    def _second_document(self, event: Event) -> NoReturn:
        mark = event.start_mark
        place = Location(self._path, mark.line + 1, mark.column + 1, mark.column + 4)
        message = "the file holds more than one YAML document"
        hint = "put each document into a file of its own"
        self._fail(self._problem("many-documents", message, place, hint))

    def _checked_root(self) -> Mapping:
        root = self._root
        if isinstance(root, Mapping):
            return root
        if isinstance(root, Sequence) and self._limits.list_name:
            name = self._limits.list_name
            return Mapping(((Scalar(name, name, root.location), root),), root.location)
        if root is None or (isinstance(root, Scalar) and root.text == "" and not root.quoted):
            self._fail(self._problem("empty-document", "the file is empty", Location(self._path)))
        return self._refuse_root(root)

    def _refuse_root(self, root: Node) -> NoReturn:
        found = "a list" if isinstance(root, Sequence) else "a single value"
        hint = missing_space_hint(root.text) if isinstance(root, Scalar) else ""
        message = f"the file holds {found} where a mapping (`name: value` lines) is expected"
        self._fail(self._problem("root-not-a-mapping", message, root.location, hint))

    # Problems

    def _problem(self, code: str, message: str, location: Location, hint: str = "") -> Problem:
        return Problem(code=code, message=message, location=location, hint=hint)

    def _report(self, problem: Problem) -> None:
        self._problems.append(problem)
        if len(self._problems) >= MAX_PROBLEMS:
            raise DocumentError(self._problems)

    def _fail(self, problem: Problem) -> NoReturn:
        raise DocumentError([*self._problems, problem])

    def _syntax_problem(self, error: yaml.MarkedYAMLError) -> Problem:
        mark = error.problem_mark or error.context_mark
        context = error.context_mark or mark
        fault = SyntaxFault(
            problem=error.problem or "",
            context=error.context or "",
            line=mark.line if mark else 0,
            column=mark.column if mark else 0,
            context_line=context.line if context else 0,
            context_column=context.column if context else 0,
            quote=self._leaves.quote,
        )
        return self._explained(explain_syntax(fault, BREAK.split(self._text)))

    def _explained(self, found: Explanation) -> Problem:
        end = found.column + 1 + found.length if found.length else 0
        place = Location(self._path, found.line + 1, found.column + 1, end)
        return self._problem("yaml-syntax", found.message, place, found.hint)

    def _too_deep(self, place: Location) -> NoReturn:
        message = f"collections are nested more than {self._limits.max_depth} deep"
        self._fail(self._problem("too-deep", message, place))

    def _count(self, nodes: int, place: Location, *, alias: bool = False) -> None:
        self._nodes += nodes
        if self._nodes <= self._limits.max_nodes:
            return
        limit = f"{self._limits.max_nodes:,}"
        if alias:
            message = f"aliases make the document grow to more than {limit} values"
            self._fail(self._problem("alias-bomb", message, place, "write fewer aliases"))
        message = f"the document holds more than {limit} values"
        self._fail(self._problem("too-many-values", message, place, "split it with `import`"))

    # Collections

    def _start(self, event: Event) -> None:
        mark = event.start_mark
        place = Location(self._path, mark.line + 1, mark.column + 1)
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        flow = bool(event.flow_style)
        self._refuse_as_key(place, is_mapping=is_mapping, flow=flow)
        self._count(1, place)
        own_tags = {"!", STANDARD_TAG + ("map" if is_mapping else "seq")}
        if event.tag is not None and (self._limits.strict or event.tag not in own_tags):
            self._leaves.refuse_tag(event)
        self._refuse_anchor(event)
        if len(self._open) >= self._limits.max_depth:
            self._too_deep(place)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._open.append(_Frame(place, event.anchor, is_mapping, flow))

    def _refuse_anchor(self, event: Event) -> None:
        if not self._limits.strict or event.anchor is None:
            return
        name = f"&{event.anchor}"
        mark = event.start_mark
        start = self._text.find(name, mark.index)
        before = BREAK.split(self._text[mark.index : start])
        column = len(before[-1]) + (mark.column + 1 if len(before) == 1 else 1)
        place = Location(self._path, mark.line + len(before), column, column + len(name))
        message = f"the anchor `{shorten(name)}` is not allowed: every value is written out"
        self._report(self._problem("anchor", message, place, "remove it, and repeat the value"))

    def _refuse_as_key(self, place: Location, *, is_mapping: bool, flow: bool) -> None:
        frame = self._open[-1] if self._open else None
        if frame is None or not frame.is_mapping or frame.key is not None:
            return
        line = BREAK.split(self._text)[place.line - 1]
        found = unquoted_template(line, place.line - 1) if flow and frame.flow else None
        if found is not None:
            self._fail(self._explained(found))
        what = "mapping" if is_mapping else "list"
        message = f"a {what} stands where the name of a field is expected"
        self._fail(self._problem("bad-key", message, place, "names are plain text"))

    def _end(self) -> None:
        frame = self._open.pop()
        node: Node
        if frame.is_mapping:
            entries = frame.entries if frame.merge is None else _merged(frame.entries, frame.merge)
            node = Mapping(tuple(entries), frame.location)
        else:
            node = Sequence(tuple(frame.items), frame.location)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = _Anchored(node, frame.size, frame.height + 1)
        self._add(node, frame.size, frame.height + 1)

    def _add(self, node: Node, size: int, height: int) -> None:
        """Put a finished node into the collection that is open."""
        if not self._open:
            self._root = node
            return
        frame = self._open[-1]
        frame.size += size
        frame.height = max(frame.height, height)
        if not frame.is_mapping:
            frame.items.append(node)
        elif frame.key is None:
            self._add_key(frame, node)
        else:
            key, frame.key = frame.key, None
            if key is frame.merge and not _can_merge(node):
                message = "`<<` takes a mapping, an alias of one, or a list of these"
                self._report(self._problem("bad-merge", message, key.location))
                frame.merge = None
            else:
                frame.entries.append((key, node))

    def _add_key(self, frame: _Frame, node: Node) -> None:
        if not isinstance(node, Scalar):
            message = "an alias of a collection stands where the name of a field is expected"
            self._fail(self._problem("bad-key", message, node.location, "names are plain text"))
        name = node.text
        if name == "" and not node.quoted:
            message = "a value has no name before its `:`"
            self._report(self._problem("bad-key", message, node.location))
        first = frame.names.setdefault(name, node)
        if first is not node:
            self._report(_duplicate(node, first))
        frame.key = node
        if name == "<<" and not node.quoted:
            self._merge(frame, node)

    def _merge(self, frame: _Frame, key: Scalar) -> None:
        if not self._limits.strict:
            frame.merge = key
            return
        message = "`<<` is not allowed: every field is written out"
        hint = "repeat the fields that it would bring"
        self._report(self._problem("merge-key", message, key.location, hint))

    # Aliases and scalars

    def _alias(self, event: Event) -> None:
        mark, name = event.start_mark, event.anchor
        end = mark.column + 2 + len(name)
        place = Location(self._path, mark.line + 1, mark.column + 1, end)
        if self._limits.strict:
            message = f"the alias `*{shorten(name)}` is not allowed: every value is written out"
            hint = f"a text that begins with `*` needs quotes: '*{shorten(name)}'"
            self._report(self._problem("alias", message, place, hint))
            self._add(Scalar(None, "", place), 1, 0)
            return
        if name not in self._anchors:
            message = f"the alias `*{shorten(name)}` names no anchor that stands above it"
            hint = did_you_mean(name, islice(self._anchors, MAX_NAMES_COMPARED))
            self._fail(self._problem("unknown-anchor", message, place, hint))
        target = self._anchors[name]
        if target is None:
            message = f"the alias `*{shorten(name)}` stands inside what it names"
            self._fail(self._problem("recursive-anchor", message, place))
        self._count(target.size, place, alias=True)
        if len(self._open) + target.height > self._limits.max_depth:
            self._too_deep(place)
        self._add(target.node, target.size, target.height)

    def _scalar(self, event: Event) -> None:
        frame = self._open[-1] if self._open else None
        is_key = frame is not None and frame.is_mapping and frame.key is None
        node = self._leaves.key(event) if is_key else self._leaves.value(event)
        self._count(1, node.location)
        self._refuse_anchor(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(node, 1, 0)
        self._add(node, 1, 0)


def _events(text: str, *, pure: bool) -> Iterator[Event]:
    loader = yaml.SafeLoader if pure else getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    if loader is yaml.SafeLoader and text.lstrip()[:1] in {"{", "["}:
        # unlike libyaml it takes no tabs for indentation, which JSON files often have
        text = _LEADING_BLANKS.sub(lambda blanks: " " * len(blanks.group()), text)
    return iter(yaml.parse(text, Loader=loader))


def _can_merge(node: Node) -> bool:
    if isinstance(node, Sequence):
        return all(isinstance(item, Mapping) for item in node)
    return isinstance(node, Mapping)


def _merged(entries: list[tuple[Scalar, Node]], merge: Scalar) -> list[tuple[Scalar, Node]]:
    """Put what `<<` brings in its place; names of the mapping itself win, then earlier ones.

    Source: https://yaml.org/type/merge.html
    """
    taken = {key.text for key, _ in entries if key is not merge}
    out: list[tuple[Scalar, Node]] = []
    for key, node in entries:
        if key is not merge:
            out.append((key, node))
            continue
        sources = node.items if isinstance(node, Sequence) else (node,)
        for source in sources:
            if isinstance(source, Mapping):
                new = [entry for entry in source.entries if entry[0].text not in taken]
                taken.update(name.text for name, _ in new)
                out += new
    return out


def _duplicate(second: Scalar, first: Scalar) -> Problem:
    place = first.location
    return Problem(
        code="duplicate-key",
        message=f"`{shorten(second.text)}` stands twice in one mapping",
        location=second.location,
        hint=f"it stands in line {place.line} already: remove one of them",
        related=((place, "the first one"),),
    )
