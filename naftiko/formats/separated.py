"""Rows of separated values -> a list of objects. Behaviour reference 4.4.

"id,name" over "1,Ann" -> [{"id": "1", "name": "Ann"}]
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from naftiko.formats.charset import decode_text
from naftiko.formats.limits import Budget, UnreadableError
from naftiko.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from naftiko.formats.reader import Convert


def compile_converter(separator: str, _file: Path | None) -> Convert:
    """Return what reads rows whose values have that separator between them.

    The first row names the columns; its names are trimmed, cells are not. Every value is text. A
    short row leaves out the last names, an empty line is one empty cell.
    """

    def convert(body: bytes, media_type: str, budget: Budget) -> JsonValue:
        text = decode_text(body, media_type)
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        try:
            header = [name.strip() for name in next(rows, ())]
            if not header:
                raise UnreadableError("its first line names no columns")
            return [_row(header, row, rows.line_num, budget) for row in rows]
        except csv.Error as error:
            raise UnreadableError(f"line {rows.line_num}: {error}") from None

    return convert


def _row(header: list[str], row: list[str], line: int, budget: Budget) -> JsonObject:
    budget.take(1 + len(row))
    if len(row) > len(header):
        raise UnreadableError(f"line {line} has {len(row)} values, the header {len(header)}")
    return dict(zip(header, row or ("",), strict=False))
