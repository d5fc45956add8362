"""Pages that go to the caller one by one, each shaped as the whole answer would be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from naftiko.plan.ports import ClientOperation, Result, StreamsPages
from naftiko.plan.shaping import ArrayShape, Shaper
from naftiko.values import MISSING, JsonValue

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


def pages_of(operation: ClientOperation, shaper: Shaper) -> StreamsPages | None:
    """Return the operation where its pages can go out one by one.

    They can where the answer is its items: nothing is shaped, or a list, element by element.
    """
    if not isinstance(operation, StreamsPages):
        return None
    is_list = len(shaper.shapes) == 1 and isinstance(shaper.shapes[0], ArrayShape)
    return operation if shaper.identity or is_list else None


def in_pages(
    result: Result, pages: StreamsPages, shaper: Shaper, inputs: Mapping[str, JsonValue]
) -> Result:
    """Return the result with its pages shaped: each has a list of items as its value."""
    if result.stream is None:
        return result
    return replace(result, stream=_shaped(result.stream, pages, shaper, inputs))


async def _shaped(
    stream: AsyncIterator[Result],
    pages: StreamsPages,
    shaper: Shaper,
    inputs: Mapping[str, JsonValue],
) -> AsyncIterator[Result]:
    async with aclosing(cast("AsyncGenerator[Result]", stream)):
        async for page in stream:
            if page.value is MISSING:
                continue
            items = pages.items_of(page.value)
            if not shaper.identity:
                shaped = shaper.shape(page.value, inputs)
                items = shaped if isinstance(shaped, list) else ()
            yield Result(value=list(items))
