"""YAML text -> entries with their comments and blank lines: what the formatter writes again."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

YamlNode: TypeAlias = Any
"""PyYAML's; its stubs call every mark optional, which none of a parser's is."""

_HEADER_COMMENT = re.compile(r"[|>][-+0-9]*[ \t]+(?P<comment>#.*)")


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment: where it begins, and whether nothing stands before it on its line.

    `is_inside`: it stands behind the indicator of a block scalar, and is written with that.
    """

    index: int
    line: int
    column: int
    text: str
    is_alone: bool
    is_inside: bool = False


@dataclass(slots=True)
class Leaf:
    """A value that is written as it stands: a scalar, or a collection on one line."""

    raw: str
    style: str = ""
    value: str = ""


@dataclass(slots=True, eq=False)
class Block:
    """A collection with a line for each entry; `tail` are the comments after the last one."""

    is_mapping: bool
    is_flow: bool
    column: int
    end: int
    entries: list[Entry] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Entry:
    """A field or an item. In `leading`, "" is a blank line."""

    start: int
    line: int
    end: int
    parent: Block
    key: str = ""
    name: str = ""
    value: Leaf | Block = field(default_factory=lambda: Leaf(""))
    leading: list[str] = field(default_factory=list)
    eol: str = ""


def read_tree(text: str) -> tuple[Block, list[Comment]]:
    r"""Return the root and all comments of a text that is known to be a document with a mapping.

    Its line breaks are "\n".
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    tree = _Tree(text)
    root = tree.root(yaml.compose(text, Loader=loader))
    comments = list(tree.comments())
    tree.attach(comments)
    return root, comments


class _Tree:
    """Builds the entries of one text, in the order in which they stand."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = text.split("\n")
        self._entries: list[Entry] = []
        self._blocks: list[tuple[Block, Entry | None]] = []
        self._scalars: list[tuple[int, int, Entry]] = []
        self._in_texts: set[int] = set()

    def root(self, node: YamlNode) -> Block:
        return self._block(node, None)

    # Structure

    def _block(self, node: YamlNode, owner: Entry | None) -> Block:
        is_mapping = isinstance(node, yaml.MappingNode)
        block = Block(
            is_mapping, bool(node.flow_style), node.start_mark.column, node.end_mark.index
        )
        self._blocks.append((block, owner))
        for item in node.value:
            key, value = item if is_mapping else (None, item)
            block.entries.append(self._entry(block, key, value))
        return block

    def _entry(self, block: Block, key: YamlNode, value: YamlNode) -> Entry:
        mark = (key or value).start_mark
        entry = Entry(mark.index, mark.line, value.end_mark.index, block)
        self._entries.append(entry)
        if key is not None:
            entry.key, entry.name = self._raw(key), key.value
            self._add_scalar(key, entry)
        is_scalar = isinstance(value, yaml.ScalarNode)
        if is_scalar or not value.value or self._fits_line(value):
            entry.value = self._leaf(value, entry)
        else:
            entry.value = self._block(value, entry)
        return entry

    def _fits_line(self, node: YamlNode) -> bool:
        return bool(node.flow_style) and node.start_mark.line == node.end_mark.line

    def _leaf(self, node: YamlNode, entry: Entry) -> Leaf:
        for scalar in _scalars(node):
            self._add_scalar(scalar, entry)
        if not isinstance(node, yaml.ScalarNode):
            return Leaf(self._flow(node))
        return Leaf(self._raw(node), node.style or "", node.value)

    def _flow(self, node: YamlNode) -> str:
        if isinstance(node, yaml.ScalarNode):
            return self._raw(node) or "null"
        if isinstance(node, yaml.SequenceNode):
            return "[" + ", ".join(self._flow(item) for item in node.value) + "]"
        pairs = (f"{self._flow(key)}: {self._flow(value)}" for key, value in node.value)
        return "{" + ", ".join(pairs) + "}"

    def _raw(self, node: YamlNode) -> str:
        return self._text[node.start_mark.index : node.end_mark.index]

    def _add_scalar(self, node: YamlNode, entry: Entry) -> None:
        start, end = node.start_mark, node.end_mark
        self._scalars.append((start.index, end.index, entry))
        if node.style not in {"|", ">"} or "+" in self._text[start.index :].split("\n", 1)[0]:
            self._in_texts.update(range(start.line, end.line))

    # Comments

    def comments(self) -> Iterator[Comment]:
        """Yield the comments: outside of scalars every `#` begins one."""
        done = 0
        self._scalars.sort(key=lambda scalar: scalar[:2])
        for start, end, _ in self._scalars:
            yield from self._between(done, start)
            header = _HEADER_COMMENT.match(self._text, start, end)
            if header is not None:
                yield self._comment(header.start("comment"), is_inside=True)
            done = max(done, end)
        yield from self._between(done, len(self._text))

    def _between(self, start: int, end: int) -> Iterator[Comment]:
        at = self._text.find("#", start, end)
        while at >= 0:
            comment = self._comment(at)
            yield comment
            at = self._text.find("#", at + len(comment.text), end)

    def _comment(self, index: int, *, is_inside: bool = False) -> Comment:
        begin = self._text.rfind("\n", 0, index) + 1
        end = self._text.find("\n", index)
        text = self._text[index : end if end >= 0 else len(self._text)].rstrip()
        line = self._text.count("\n", 0, index)
        is_alone = not self._text[begin:index].strip()
        return Comment(index, line, index - begin, text, is_alone, is_inside)

    # Where they belong

    def attach(self, comments: list[Comment]) -> None:
        """Give each comment and each blank line to an entry, or to the end of a block."""
        starts = [entry.start for entry in self._entries]
        waiting = iter(comment for comment in comments if not comment.is_inside)
        comment = next(waiting, None)
        for number, entry in enumerate(self._entries):
            while comment is not None and comment.index < entry.start:
                self._attach(comment, bisect_right(starts, comment.index) - 1, number)
                comment = next(waiting, None)
            if not self._opens_its_item(number) and self._is_blank(entry.line - 1):
                entry.leading.append("")
        while comment is not None:
            self._attach(comment, len(self._entries) - 1, None)
            comment = next(waiting, None)

    def _opens_its_item(self, number: int) -> bool:
        return number > 0 and self._entries[number - 1].start == self._entries[number].start

    def _is_blank(self, line: int) -> bool:
        return line >= 0 and line not in self._in_texts and not self._lines[line].strip()

    def _attach(self, comment: Comment, before: int, after: int | None) -> None:
        owner = None if comment.is_alone else self._on_the_line(comment)
        if owner is not None:
            if owner.eol:
                owner.leading.append(owner.eol)
            owner.eol = comment.text
            return
        place = self._place(comment, before, after)
        if self._is_blank(comment.line - 1):
            place.append("")
        place.append(comment.text)

    def _on_the_line(self, comment: Comment) -> Entry | None:
        """Return the entry of the last scalar before the comment on its line."""
        at = bisect_right(self._scalars, comment.index, key=lambda scalar: scalar[0]) - 1
        if at < 0:
            return None
        _, end, entry = self._scalars[at]
        begin = comment.index - comment.column
        return entry if end > begin else None

    def _place(self, comment: Comment, before: int, after: int | None) -> list[str]:
        previous = self._entries[before] if before >= 0 else None
        following = self._entries[after] if after is not None else None
        is_leaf = previous is not None and isinstance(previous.value, Leaf)
        if previous is not None and is_leaf and comment.index < previous.end:
            return previous.leading
        column = following.parent.column if following is not None else -1
        for block in self._around(previous):
            if block.is_flow:
                if comment.index < block.end and (following is None or following.start > block.end):
                    return block.tail
                continue
            if column < block.column <= comment.column:
                return block.tail
        if following is not None:
            return following.leading
        return self._blocks[0][0].tail

    def _around(self, entry: Entry | None) -> Iterator[Block]:
        """Yield the blocks that an entry stands in, the innermost first."""
        owners = {id(block): owner for block, owner in self._blocks}
        while entry is not None:
            yield entry.parent
            entry = owners[id(entry.parent)]


def _scalars(node: YamlNode) -> Iterator[YamlNode]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item)
    else:
        for key, value in node.value:
            yield key
            yield from _scalars(value)
