"""Looks at the text of a contribution: credentials, orders to a reader, hidden characters.

The compiler looks at what a plan sends; this looks at what people and models read, comments too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.document.reader import parse_document
from naftiko.errors import DocumentError, Problems
from naftiko.source import Location
from naftiko.workflow.catalog import README, SOURCE, TESTS
from naftiko.workflow.contribution.findings import Finding, at
from naftiko.workflow.contribution.prose import lines_of
from naftiko.workflow.security.literals import credential_in
from naftiko.workflow.source.parser import read_source
from naftiko.workflow.view import command_like, visible

_READ_FIELDS = frozenset(
    {"description", "intent", "message", "primary_text", "use_cases", "author", "license"}
)
"""Members of a source that leave for readers."""

_COMMENT = re.compile(r"(?:^|\s)#+[ \t]?(.*)$")
_HTML = re.compile(r"<!--(.*?)(?:-->|\Z)", re.DOTALL)
_PLACEHOLDER = re.compile(r"(?<!\S)\S*EXAMPLE\S*")
_ASSIGNED = "an assigned secret"
_SHOWN_IN_CODE = frozenset({"aws-cli", "inline-shell", "chained"})
"""Patterns of commands that a README may show as code."""

_INLINE = re.compile(r"`([^`]{1,300})`")
_TABLE = re.compile(r"(?m:^\|)|\|(?=[ \n])")
"""Borders of cells, which patterns would read as a shell's."""

_WINDOW, _OVERLAP = 4_096, 512

_ORDER_HINT = "describe what the workflow does, and leave out what a reader should do"


def scan_source(data: bytes) -> Iterator[Finding]:
    """Report what the text of a source has that no source may have."""
    yield from _characters(data, SOURCE)
    for block, line in _comments(data.decode("utf-8", "replace")):
        yield from _orders(block, Location(SOURCE, line, 1), "a comment", is_code=True)
    document = read_source(data, SOURCE, Problems())
    if document is not None:
        for name, scalar in _texts(document.root, ""):
            yield from _orders(scalar.text, scalar.location, f"`{name}`")


def scan_tests(data: bytes) -> Iterator[Finding]:
    """Report the same of tests. What they answer with may be anything: it reaches no reader."""
    yield from _characters(data, TESTS)
    text = data.decode("utf-8", "replace")
    for block, line in _comments(text):
        yield from _orders(block, Location(TESTS, line, 1), "a comment", is_code=True)
    try:
        document = parse_document(data, TESTS, list_name="tests")
    except DocumentError:
        return
    cases = document.root.get("tests")
    for case in cases if isinstance(cases, Sequence) else ():
        name = case.get("name") if isinstance(case, Mapping) else None
        if isinstance(name, Scalar):
            yield from _orders(name.text, name.location, "the name of a test")


def scan_readme(data: bytes) -> Iterator[Finding]:
    """Report the same of a README; commands may stand in blocks of code."""
    yield from _characters(data, README)
    text = data.decode("utf-8", "replace")
    for found in _HTML.finditer(text):
        place = Location(README, text.count("\n", 0, found.start()) + 1, 1)
        yield from _orders(found[1], place, "a comment that is not rendered")
    for block, line, is_code in _blocks(text):
        place = Location(README, line, 1)
        if not is_code:
            inline = "\n".join(_INLINE.findall(block))
            yield from _orders(inline, place, "the text", is_code=True)
            block = _TABLE.sub(" ", _INLINE.sub(" ", block))
        yield from _orders(block, place, "the text", is_code=is_code)


def _orders(text: str, place: Location, what: str, *, is_code: bool = False) -> Iterator[Finding]:
    found = (command_like(part) for part in _windows(text))
    patterns = (one for one in found if one and not (is_code and one in _SHOWN_IN_CODE))
    pattern = next(patterns, None)
    if pattern is None:
        return
    message = f"{what} reads like an instruction to its reader ({pattern})"
    yield at("WF921", message, place, _ORDER_HINT)


def _windows(text: str) -> Iterator[str]:
    """Yield a text in parts that overlap: what a pattern costs grows faster than the text."""
    for begin in range(0, max(1, len(text) - _OVERLAP), _WINDOW - _OVERLAP):
        yield text[begin : begin + _WINDOW]


def _characters(data: bytes, path: str) -> Iterator[Finding]:
    """Report hidden characters and credentials, line by line; neither is repeated."""
    for number, whole in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        line = whole.removesuffix("\r")
        if visible(line) != line:
            column = next(index for index, char in enumerate(line, 1) if visible(char) != char)
            yield at(
                "WF922",
                "the line has a character that a reader does not see",
                Location(path, number, column),
                "take it out: what nobody sees, nobody has reviewed",
            )
        shown = line if path == SOURCE else _PLACEHOLDER.sub("", line)
        kind = next(filter(None, map(credential_in, _windows(shown))), None)
        if kind is not None and (path == SOURCE or kind != _ASSIGNED):
            yield at(
                "WF407",
                f"the line holds {kind}",
                Location(path, number, 1),
                "take it out, and revoke it: whoever could read the file has it",
            )


def _comments(text: str) -> Iterator[tuple[str, int]]:
    """Yield (text, line) of comments, those on lines below each other as one."""
    block: list[str] = []
    begun = 0
    for number, line in enumerate([*text.split("\n"), ""], 1):
        found = _COMMENT.search(line)
        if found is not None:
            begun = begun if block else number
            block.append(found[1])
        elif block:
            yield " ".join(block), begun
            block = []


def _texts(node: Node, name: str) -> Iterator[tuple[str, Scalar]]:
    """Yield the texts that leave for readers, each with the name of its member."""
    if isinstance(node, Scalar):
        if name in _READ_FIELDS:
            yield name, node
    elif isinstance(node, Mapping):
        for key, value in node.entries:
            yield from _texts(value, key.text)
    else:
        for item in node:
            yield from _texts(item, name)


def _blocks(text: str) -> Iterator[tuple[str, int, bool]]:
    """Yield (text, line, is code) of the prose and of each block of code."""
    lines = [*lines_of(text), ("", None)]
    begun, kind, block = 1, lines[0][1], list[str]()
    for number, (line, is_code) in enumerate(lines, 1):
        if is_code is not kind:
            yield "\n".join(block), begun, bool(kind)
            begun, kind, block = number, is_code, []
        block.append(line)
