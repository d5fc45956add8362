"""Rewrites a workflow source in its canonical form: order of fields, indentation, blank lines.

Comments are kept, values too, each in the spelling of its author. A text for which that could not
be kept is given back as it is: both are compared before anything is returned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from naftiko.document.nodes import Document, Mapping, Node, Scalar
from naftiko.errors import DocumentError, Problems
from naftiko.workflow.source.formatter_tree import Block, Entry, Leaf, read_tree
from naftiko.workflow.source.parser import WORKFLOW_FIELDS, read_source
from naftiko.workflow.source.schema_parts import (
    EMBEDDING_FIELDS,
    HANDLER_FIELDS,
    METADATA_FIELDS,
    PARAMETER_FIELDS,
)
from naftiko.workflow.source.schema_steps import OUTPUT_FIELDS, PAGING_FIELDS, RETRY_FIELDS

STEP_ORDER = (
    "id",
    "type",
    "action",
    "intent",
    "workflow",
    "parameters",
    "context",
    "input",
    "paginate",
    "select",
    "duration",
    "from",
    "over",
    "where",
    "values",
    "condition",
    "message",
    "fail_when",
    "max_attempts",
    "interval",
    "max_items",
    "max_concurrency",
    "on_item_error",
    "depends_on",
    "timeout",
    "retry",
    "on_error",
    "outputs",
    "do",
)
_ORDERS: dict[str, tuple[str, ...]] = {
    "root": WORKFLOW_FIELDS,
    "metadata": METADATA_FIELDS,
    "parameter": PARAMETER_FIELDS,
    "step": STEP_ORDER,
    "context": ("service", "action", "region"),
    "paginate": PAGING_FIELDS,
    "retry": RETRY_FIELDS,
    "output": OUTPUT_FIELDS,
    "handler": HANDLER_FIELDS,
    "embedding_metadata": EMBEDDING_FIELDS,
}
_INSIDE: dict[tuple[str, str], str] = {
    ("root", "metadata"): "metadata",
    ("root", "parameters"): "parameter",
    ("root", "steps"): "step",
    ("root", "rollback"): "handler",
    ("root", "embedding_metadata"): "embedding_metadata",
    ("step", "context"): "context",
    ("step", "paginate"): "paginate",
    ("step", "retry"): "retry",
    ("step", "outputs"): "outputs",
    ("step", "do"): "step",
    ("handler", "context"): "context",
}
"""What a field holds, or the items of its list."""

_INDENT = 2
_BLOCK_HEADER = re.compile(r"(?P<style>[|>])(?P<marks>[-+0-9]*)[ \t]*(?P<comment>#.*)?")


def format_source(text: str, path: str = "source.yaml") -> str:
    """Return a source in its canonical form; formatting that again changes nothing.

    Raises: DocumentError with WF101-WF105 where it is no document.
    """
    document = _read(text, path)
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    written = _write(lines)
    if not _is_kept(document, lines, written, path) or _write(written) != written:
        return text
    return written


def _read(text: str, path: str) -> Document:
    problems = Problems()
    document = read_source(text, path, problems)
    if document is None:
        raise DocumentError(problems)
    return document


def _is_kept(document: Document, text: str, written: str, path: str) -> bool:
    try:
        again = _read(written, path)
    except DocumentError:
        return False
    if not _same(document.root, again.root):
        return False
    return _comments(text) == _comments(written)


def _comments(text: str) -> list[str]:
    return sorted(comment.text for comment in read_tree(text)[1])


def _same(one: Node, other: Node) -> bool:
    """Tell whether two nodes mean the same, whatever the order of their fields."""
    match one, other:
        case Mapping(), Mapping():
            if set(one) != set(other):
                return False
            return all(_same(node, other.get(key.text) or node) for key, node in one.entries)
        case Scalar(), Scalar():
            is_null = one.value is None and other.value is None
            return is_null or (one.text == other.text and type(one.value) is type(other.value))
        case Mapping() | Scalar(), _:
            return False
        case _:
            if isinstance(other, Mapping | Scalar) or len(one) != len(other):
                return False
            return all(_same(left, right) for left, right in zip(one, other, strict=True))


def _write(text: str) -> str:
    root, _ = read_tree(text)
    lines: list[str] = []
    header = _take_header(root)
    _write_block(root, 0, "root", lines)
    body = _squeezed(lines)
    top = _squeezed(header)
    joined = [*top, "", *body] if top and body else [*top, *body]
    return "\n".join(joined) + "\n"


def _take_header(root: Block) -> list[str]:
    """Take the comments at the top that a blank line sets apart: they stay there."""
    if not root.entries:
        return []
    leading = root.entries[0].leading
    last_blank = max((at for at, line in enumerate(leading) if not line), default=-1)
    header = leading[: last_blank + 1]
    root.entries[0].leading = leading[last_blank + 1 :]
    return header


def _squeezed(lines: Sequence[str]) -> list[str]:
    """Return the lines without blank ones at the ends; those in texts are no lines of their own."""
    start, end = 0, len(lines)
    while start < end and not lines[start]:
        start += 1
    while end > start and not lines[end - 1]:
        end -= 1
    return list(lines[start:end])


# Blocks


def _write_block(block: Block, indent: int, what: str, lines: list[str]) -> None:
    pad = " " * indent
    for number, entry in enumerate(_ordered(block, what)):
        leading = _leading(entry, is_first=number == 0, is_section=what == "root")
        lines += [pad + line if line else "" for line in leading]
        if block.is_mapping:
            _write_field(entry, indent, _inside(what, entry.name), lines)
        else:
            _write_item(entry, indent, what, lines)
    lines += [pad + line if line else "" for line in _single_blanks(block.tail)]


def _ordered(block: Block, what: str) -> list[Entry]:
    order = {name: at for at, name in enumerate(_ORDERS.get(what, ()))}
    if not block.is_mapping:
        return block.entries
    return sorted(block.entries, key=lambda entry: order.get(entry.name, len(order)))


def _inside(what: str, name: str) -> str:
    if what == "outputs":
        return "output"
    found = _INSIDE.get((what, name))
    # the one-key form of a step: `- backup: {workflow: ..., parameters: ...}`
    return found or ("step" if what == "step" and name not in STEP_ORDER else "")


def _leading(entry: Entry, *, is_first: bool, is_section: bool) -> list[str]:
    lines = _single_blanks(entry.leading)
    if is_first:
        return lines[1:] if lines[:1] == [""] else lines
    if is_section and isinstance(entry.value, Block) and lines[:1] != [""]:
        return ["", *lines]
    return lines


def _single_blanks(lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    return [lines[0], *(line for before, line in pairwise(lines) if line or before)]


def _write_field(entry: Entry, indent: int, what: str, lines: list[str]) -> None:
    head = " " * indent + entry.key + ":"
    eol = f"  {entry.eol}" if entry.eol else ""
    if isinstance(entry.value, Block):
        lines.append(head + eol)
        _write_block(entry.value, indent + _INDENT, what, lines)
        return
    _write_leaf(entry.value, head, indent, eol, lines)


def _write_item(entry: Entry, indent: int, what: str, lines: list[str]) -> None:
    head = " " * indent + "-"
    eol = f"  {entry.eol}" if entry.eol else ""
    if isinstance(entry.value, Leaf):
        _write_leaf(entry.value, head, indent, eol, lines)
        return
    inner: list[str] = []
    _write_block(entry.value, indent + _INDENT, what, inner)
    # comments above the first line of an item stand above its dash
    first = next(at for at, line in enumerate(inner) if line and not line.lstrip().startswith("#"))
    lines += [" " * indent + line.lstrip() if line else "" for line in inner[:first]]
    if eol:
        lines.append(" " * indent + eol.strip())
    lines.append(head + " " * (_INDENT - 1) + inner[first][indent + _INDENT :])
    lines += inner[first + 1 :]


# Values


def _write_leaf(leaf: Leaf, head: str, indent: int, eol: str, lines: list[str]) -> None:
    if leaf.style in {"|", ">"}:
        lines += _block_scalar(leaf, head, indent + _INDENT)
        return
    first, *rest = leaf.raw.split("\n")
    pad = " " * (indent + _INDENT)
    written = [f"{head} {first.rstrip()}" if first else head]
    written += [pad + line.strip(" \t") if line.strip(" \t") else "" for line in rest]
    written[-1] += eol
    lines += written


def _block_scalar(leaf: Leaf, head: str, indent: int) -> Iterator[str]:
    opening, *content = leaf.raw.split("\n")
    match = _BLOCK_HEADER.match(opening)
    assert match is not None, opening
    chomping = re.sub(r"[0-9]", "", match["marks"])
    first_raw = next((line for line in content if line.strip(" ")), "")
    first_value = next((line for line in leaf.value.split("\n") if line.strip(" ")), "")
    own = _blanks(first_value)
    old = _blanks(first_raw) - own
    digit = str(_INDENT) if own else ""
    comment = f"  {match['comment'].rstrip()}" if match["comment"] else ""
    yield f"{head} {match['style']}{digit}{chomping}{comment}"
    body = [line[old:] if len(line) > old else "" for line in content]
    if content and not content[-1]:
        body.pop()  # what follows the last line break
    if chomping != "+":
        while body and not body[-1]:
            body.pop()
    for line in body:
        yield " " * indent + line if line else ""


def _blanks(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
