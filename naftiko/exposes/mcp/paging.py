"""Pages of a list: an opaque cursor names the first entry that is still to come."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

Item = TypeVar("Item")
_PREFIX = "from:"


def page(items: Sequence[Item], cursor: str | None, size: int) -> tuple[list[Item], str | None]:
    """Return one page and the cursor of the next, None after the last.

    Raises: MCPError (-32602) for a cursor that is none of ours.
    """
    start = 0 if cursor is None else _start(cursor, len(items))
    end = start + max(1, size)
    return list(items[start:end]), _cursor(end) if end < len(items) else None


def _cursor(start: int) -> str:
    return base64.urlsafe_b64encode(f"{_PREFIX}{start}".encode()).decode().rstrip("=")


def _start(cursor: str, count: int) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        text = ""
    number = text.removeprefix(_PREFIX)
    known = text.startswith(_PREFIX) and number.isascii() and number.isdigit() and len(number) < 10
    start = int(number) if known else 0
    if not 0 < start <= count or _cursor(start) != cursor:
        message = "unknown cursor; ask without one for the first page"
        raise MCPError(code=INVALID_PARAMS, message=message)
    return start
