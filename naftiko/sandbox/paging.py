"""Pages of a list: items and a token -> one page and the next token."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from naftiko.sandbox import faults

Item = TypeVar("Item")

DEFAULT_PAGE = 100
LARGEST_PAGE = 1000


def page_of(
    items: Sequence[Item], request: Mapping[str, Any], key: Callable[[Item], object]
) -> tuple[list[Item], dict[str, str]]:
    """Return one page and `{"nextToken": ...}`, or `{}` at the end.

    A token names the first item of its page by `key`, so that items added or removed between
    two pages neither repeat nor hide others.

    Raises: InvalidToken, ValidationException.
    """
    size = _page_size(request)
    start = _start_of(items, request.get("nextToken"), key)
    page = list(items[start : start + size])
    if start + size >= len(items):
        return page, {}
    return page, {"nextToken": _encode(str(key(items[start + size])))}


def _page_size(request: Mapping[str, Any]) -> int:
    size = request.get("maxResults") or DEFAULT_PAGE
    if not 0 < size <= LARGEST_PAGE:
        raise faults.constraint_errors(
            [
                f"Value '{size}' at 'maxResults' failed to satisfy constraint: "
                f"Member must have value less than or equal to {LARGEST_PAGE}"
            ]
        )
    return int(size)


def _start_of(items: Sequence[Item], token: str | None, key: Callable[[Item], object]) -> int:
    if not token:
        return 0
    wanted = _decode(token)
    for index, item in enumerate(items):
        if str(key(item)) == wanted:
            return index
    raise faults.fault("InvalidToken", "Invalid Token: 'Invalid token'")


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def _decode(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, ValueError) as error:
        raise faults.fault("InvalidToken", "Invalid Token: 'Invalid token'") from error
