"""Pages and their cursors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.exceptions import MCPError

from naftiko.exposes.mcp.paging import page


@given(count=st.integers(0, 60), size=st.integers(1, 20))
def test_pages_put_together_are_the_list(count: int, size: int) -> None:
    items, found, cursor = list(range(count)), [], None
    while True:
        shown, cursor = page(items, cursor, size)
        assert len(shown) <= size
        found += shown
        if cursor is None:
            break
    assert found == items


@given(st.text(max_size=20))
def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    with pytest.raises(MCPError, match="unknown cursor"):
        page([1, 2], cursor, 2)


def test_a_cursor_past_the_end_is_refused() -> None:
    _, cursor = page(list(range(100)), None, 50)
    with pytest.raises(MCPError):
        page([1], cursor, 50)
