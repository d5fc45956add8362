"""Markdown -> front matter, tables and sections. Behaviour reference 4.4.

"# Use" over "Run it." -> {"frontMatter": {}, "tables": [], "sections":
[{"heading": "Use", "level": 1, "content": "Run it."}]}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from mdit_py_plugins.front_matter import front_matter_plugin

from naftiko.formats.charset import decode_text
from naftiko.formats.limits import Budget, UnreadableError
from naftiko.formats.yaml_values import read_yaml
from naftiko.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from markdown_it.token import Token

    from naftiko.formats.reader import Convert

_CODE = frozenset(("fence", "code_block", "html_block"))
_FRONT = ("---\n", "---\r\n")


def compile_converter(prefix: str, _file: Path | None) -> Convert:
    """Return what reads Markdown; only sections whose heading begins with the prefix, if given.

    "Install" -> those called so; "## " -> those of level 2; "## Install" -> both.
    """
    marks = prefix.strip()
    level = len(marks) - len(marks.lstrip("#"))
    start = marks.lstrip("#").lstrip()
    parser = MarkdownIt("commonmark").enable("table").use(front_matter_plugin)

    def is_wanted(section: JsonObject) -> bool:
        return str(section["heading"]).startswith(start) and level in (0, section["level"])

    def convert(body: bytes, media_type: str, budget: Budget) -> JsonValue:
        text = decode_text(body, media_type)
        try:
            tokens = parser.parse(text)
        except RecursionError:
            raise UnreadableError("it nests too deep") from None
        front: JsonValue = {}
        tables: list[JsonValue] = []
        sections: list[JsonObject] = []
        contents: list[list[str]] = []
        for block in _blocks(tokens):
            budget.take(len(block))
            first = block[0]
            if first.type == "front_matter":
                front = _front_matter(text, first, budget)
            elif first.type == "table_open":
                tables.append(_table(block))
            elif first.type == "heading_open":
                sections.append({"heading": _text(block), "level": int(first.tag[1:])})
                contents.append([])
            elif first.type not in _CODE and contents:
                contents[-1].append(_text(block))
        for section, pieces in zip(sections, contents, strict=True):
            section["content"] = "\n".join(piece for piece in pieces if piece)
        wanted: list[JsonValue] = [section for section in sections if is_wanted(section)]
        return {"frontMatter": front, "tables": tables, "sections": wanted}

    return convert


def _blocks(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Yield the tokens of each top-level block."""
    start = 0
    for index, token in enumerate(tokens):
        if token.level == 0 and token.nesting <= 0:
            yield tokens[start : index + 1]
            start = index + 1


def _front_matter(text: str, token: Token, budget: Budget) -> JsonValue:
    """Return the front matter, {} where it is no mapping or does not open the text."""
    found = read_yaml(token.content, budget) if text.startswith(_FRONT) else None
    return found if isinstance(found, dict) else {}


def _table(block: Sequence[Token]) -> list[JsonValue]:
    rows: list[list[str]] = []
    for token in block:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(_inline_text(token))
    header, *others = rows
    return [dict(zip(header, row, strict=False)) for row in others]


def _text(block: Sequence[Token]) -> str:
    """Return the text of a block; tables and code in it are left out."""
    out: list[str] = []
    in_table = 0
    for token in block:
        if token.type in ("table_open", "table_close"):
            in_table += token.nesting
        elif token.type == "inline" and not in_table:
            out.append(_inline_text(token))
    return "".join(out)


def _inline_text(token: Token) -> str:
    """Return what a reader sees of a line: text and code, an image's description."""
    out: list[str] = []
    for child in token.children or ():
        if child.type in ("text", "text_special", "code_inline", "image"):
            out.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            out.append("\n")
    return "".join(out)
