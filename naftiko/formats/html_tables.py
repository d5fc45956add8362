"""The tables of an HTML page -> JSON. Behaviour reference 4.4.

`<table><tr><th>Id<th>Name<tr><td>1<td>Ann</table>` -> {"tables": [[{"Id": "1", "Name": "Ann"}]]}
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from naftiko.formats.charset import codec_of, decode_text
from naftiko.formats.limits import Budget, FormatError, UnreadableError, check_depth
from naftiko.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from naftiko.formats.reader import Convert

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_SNIFFED_BYTES = 1024
_INLINE = frozenset(
    (
        *("a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "data", "dfn", "em", "font", "i"),
        *("kbd", "label", "mark", "nobr", "q", "s", "samp", "small", "span", "strike", "strong"),
        *("sub", "sup", "time", "tt", "u", "var", "wbr"),
    )
)
"""Elements that leave the text around them together: `a<b>b</b>` is "ab"."""
_UNSEEN = frozenset(("script", "style", "template", "table"))


def compile_converter(selector: str, _file: Path | None) -> Convert:
    """Return what reads the tables that a CSS selector finds, or that stand in what it finds.

    Raises: FormatError for text that is no selector.
    """
    wanted = selector.strip()
    if wanted:
        try:
            LexborHTMLParser("<table></table>").css(wanted)
        except (SelectolaxError, ValueError):
            raise FormatError(
                "invalid-selector",
                f"`{wanted}` is no CSS selector",
                "`outputSchema` of html names tables, or what they stand in: `table.prices`",
            ) from None

    def convert(body: bytes, media_type: str, budget: Budget) -> JsonValue:
        page = LexborHTMLParser(_text(body, media_type))
        _check(page, budget)
        tables = _tables(page, wanted)
        found = (_rows(table, budget) for table in tables)
        return {"tables": [rows for rows in found if rows is not None]}

    return convert


def _text(body: bytes, media_type: str) -> str:
    """Return the page's text as browsers read it: bytes that are no text are replaced."""
    try:
        if codec_of(media_type) is None:
            named = _META_CHARSET.search(body[:_SNIFFED_BYTES])
            if named:
                media_type = f"text/html; charset={named.group(1).decode('ascii')}"
        return decode_text(body, media_type)
    except UnreadableError:
        return body.decode("utf-8", "replace")


def _check(page: LexborHTMLParser, budget: Budget) -> None:
    """Refuse a page that is too deep before selectors walk up and down in it."""
    depths: dict[int, int] = {}
    for node in page.root.traverse(include_text=True) if page.root is not None else ():
        budget.take()
        parent = node.parent
        depth = depths.get(parent.mem_id, 0) + 1 if parent is not None else 0
        check_depth(depth)
        depths[node.mem_id] = depth


def _tables(page: LexborHTMLParser, selector: str) -> list[LexborNode]:
    if not selector:
        return page.css("table")
    tables: dict[int, LexborNode] = {}
    for node in page.css(selector):
        for table in (node, *(() if node.tag == "table" else node.css("table"))):
            if table.tag == "table":
                tables.setdefault(table.mem_id, table)
    return list(tables.values())


def _rows(table: LexborNode, budget: Budget) -> list[JsonValue] | None:
    """Return the rows as objects; None where no row holds the names of the columns."""
    in_head: list[LexborNode] = []
    others: list[LexborNode] = []
    for child in table.iter():
        if child.tag == "tr":
            others.append(child)
        elif child.tag in ("thead", "tbody", "tfoot"):
            rows = [row for row in child.iter() if row.tag == "tr"]
            (in_head if child.tag == "thead" else others).extend(rows)
    rows = [*in_head, *others]
    header = [_cell_text(cell) for cell in _cells(rows[0], "th")] if rows else []
    if not header:
        return None
    found: list[JsonValue] = []
    for row in rows:
        if any(_cells(row, "th")):
            continue
        budget.take(1 + len(header))
        found.append(_row(header, [_cell_text(cell) for cell in _cells(row, "td")]))
    return found


def _row(header: list[str], cells: list[str]) -> JsonObject:
    cells += [""] * (len(header) - len(cells))
    return dict(zip(header, cells, strict=False))


def _cells(row: LexborNode, tag: str) -> Iterator[LexborNode]:
    return (cell for cell in row.iter() if cell.tag == tag)


def _cell_text(cell: LexborNode) -> str:
    """Return the text as a reader sees it: blanks run together, blocks stand apart."""
    return " ".join("".join(_texts(cell)).split())


def _texts(node: LexborNode) -> Iterator[str]:
    for child in node.iter(include_text=True):
        if child.tag == "-text":
            yield child.text_content or ""
        elif child.tag not in _UNSEEN:
            apart = child.tag not in _INLINE
            yield " " if apart else ""
            yield from _texts(child)
            yield " " if apart else ""
