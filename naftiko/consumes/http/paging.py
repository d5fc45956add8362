"""An HTTP operation whose pages are followed: collected up to a limit, or given one by one."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from naftiko.consumes.http.paging_link import with_missing_query
from naftiko.consumes.http.paging_rules import Paging, replaced
from naftiko.consumes.http.paging_walk import Walk, total_of
from naftiko.consumes.resilience.operation import AroundOperation
from naftiko.errors import ConsumedError, ShapingError
from naftiko.plan.ports import ClientOperation, Result
from naftiko.plan.steps.weight import weigh
from naftiko.values import MISSING, JsonValue

if TYPE_CHECKING:
    from naftiko.consumes.http.operation import HttpOperation
    from naftiko.consumes.http.request import HttpRequest
    from naftiko.plan.run import Run

logger = logging.getLogger("naftiko.consumes")

Fetch: TypeAlias = Callable[["HttpRequest", "Run"], Awaitable[Result]]

MAX_HELD_BYTES = 64 * 1024 * 1024
"""About what collected pages may take; the answer ends with the page that passes it."""
TRUNCATED_HEADER = ("x-truncated", "true")
"""On an answer that holds fewer items than the API has."""


@dataclass(slots=True, kw_only=True)
class Page:
    """One page. `more` says that the API has items that this one and those before do not hold."""

    result: Result
    document: JsonValue
    items: Sequence[JsonValue]
    more: bool = False
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PagedOperation(AroundOperation):
    """Follows pages and collects their items.

    The result is the list of all items; where `items` names a place in the answer, it is the first
    page with the collected list in that place, and with the cursors of the last page.
    """

    http: HttpOperation
    paging: Paging
    fetch: Fetch = field(repr=False)

    async def call(self, arguments: Mapping[str, JsonValue], run: Run) -> Result:
        """Call, and go on with further pages.

        Raises: InputError, ConsumedError, DeadlineError, ShapingError.
        """
        if not self.paging.parameters.isdisjoint(arguments):
            return await self._single(arguments, run)
        pages: list[Page] = []
        total = held = 0
        async with aclosing(self._pages(arguments, run)) as following:
            async for page in following:
                pages.append(page)
                total += len(page.items)
                if run.progress is not None and not page.result.failed:
                    await run.progress(total, self._total(page), f"page {len(pages)}")
                held += weigh(page.document)
                if held > MAX_HELD_BYTES:
                    break
        return self._joined(pages)

    async def _single(self, arguments: Mapping[str, JsonValue], run: Run) -> Result:
        """Get the one page that the caller asks for."""
        return await self.fetch(self.http.request.render(arguments), run)

    def _joined(self, pages: Sequence[Page]) -> Result:
        first, last = pages[0], pages[-1]
        if len(pages) == 1 and not last.cut:
            if last.more:
                first.result.headers = (*first.result.headers, TRUNCATED_HEADER)
            return first.result
        items = [item for page in pages for item in page.items]
        headers = first.result.headers
        if last.more:
            headers = (*headers, TRUNCATED_HEADER)
        return Result(
            value=self._whole(first.document, last, items),
            status=first.result.status,
            headers=headers,
        )

    def _whole(self, first: JsonValue, last: Page, items: list[JsonValue]) -> JsonValue:
        place = self.paging.items
        if place is None or not place.names:
            return items
        whole = replaced(first, place.names, items)
        for cursor in (self.paging.next_, self.paging.next_url, self.paging.has_more):
            if cursor is not None and cursor.names:
                value = cursor.path.find(last.document)
                if isinstance(value, bool):  # a page that was cut is not the last one
                    value = last.more
                whole = replaced(whole, cursor.names, None if value is MISSING else value)
        return whole

    async def _pages(self, arguments: Mapping[str, JsonValue], run: Run) -> AsyncGenerator[Page]:
        """Yield pages until the last one, the limit, or a first page that failed."""
        paging = self.paging
        plan = self.http.request
        walk = Walk(paging, self.address, plan.render(arguments))
        missing = paging.limit
        while True:
            result = await self.fetch(walk.request, run)
            if result.failed:
                yield self._failed(walk, result)
                return
            document = await result.decoded()
            if document is MISSING:
                if walk.number == 1 and not result.raw:
                    yield Page(result=result, document=None, items=())
                    return
                raise self._no_items(walk.number, "is not what it should hold, or empty")
            items = self.items_of(document)
            has_more = walk.go_on(document, items, result)
            if walk.is_unsure and items:  # a path that is misspelt looks like the last page
                logger.warning("%s", self._unsure())
            cut = len(items) > missing
            kept = items[:missing] if cut else items
            missing -= len(kept)
            ends = not has_more or missing == 0 or walk.number > paging.max_pages
            more = cut or has_more or walk.is_unsure
            yield Page(result=result, document=document, items=kept, more=more, cut=cut)
            if ends:
                return
            if walk.by_url:
                walk.request = self._with_key(walk.request, arguments)

    def _with_key(self, request: HttpRequest, arguments: Mapping[str, JsonValue]) -> HttpRequest:
        """Put the API key back into a URL that the API gave, if it goes into the query."""
        plan = self.http.request
        pairs = plan.authentication.render_query(plan.scope(arguments))
        return replace(request, url=with_missing_query(request.url, iter(pairs)))

    def items_of(self, page: JsonValue) -> Sequence[JsonValue]:
        """Return the items of a page.

        Raises: ShapingError where they are not where the file says.
        """
        place = self.paging.items
        found = page if place is None else place.path.find(page)
        if isinstance(found, list):
            return found
        if found is None and place is not None:
            return ()
        where = "" if place is None else f" at `{place.path.text}`"
        kind = "nothing" if found is MISSING else _KINDS.get(type(found), "a value")
        raise ShapingError(
            message=f"a page of `{self.address}` must hold a list{where}, found {kind}",
            hint="" if place is not None else "say with `items` where the list is",
        )

    def _unsure(self) -> str:
        path = self.paging.has_more
        where = "" if path is None else f" `{path.path.text}`"
        return f"`{self.address}` has nothing at{where}, so its first page counts as the last"

    def _no_items(self, number: int, reason: str) -> ShapingError:
        return ShapingError(message=f"page {number} of `{self.address}` {reason}")

    def _failed(self, walk: Walk, result: Result) -> Page:
        """Return a first page that failed as the answer; a later one fails the whole call."""
        if walk.number == 1:
            return Page(result=result, document=None, items=())
        raise ConsumedError(
            code="page-failed",
            message=f"page {walk.number} of `{self.address}` failed with status {result.status}",
            retryable=result.status in (429, 502, 503, 504),
            details={"operation": self.address, "upstreamStatus": result.status},
        )

    def _total(self, page: Page) -> float | None:
        return total_of(self.paging, page.document)


_KINDS: dict[type, str] = {dict: "an object", str: "a text", int: "a number", float: "a number"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedOperation(PagedOperation):
    """Follows pages, and gives them one by one to who takes them so."""

    async def open(self, arguments: Mapping[str, JsonValue], run: Run) -> Result:
        """Call it and wait for the first page.

        Raises: as `call` does; so does the stream.
        """
        if not self.paging.parameters.isdisjoint(arguments):
            return await self._single(arguments, run)
        pages = self._pages(arguments, run)
        first = await anext(pages)
        if first.result.failed or first.result.value is MISSING:
            return first.result
        return Result(
            status=first.result.status,
            headers=first.result.headers,
            stream=self._given(first, pages),
        )

    async def _given(self, first: Page, pages: AsyncGenerator[Page]) -> AsyncIterator[Result]:
        async with aclosing(pages):
            yield self._given_page(first)
            async for page in pages:
                yield self._given_page(page)

    def _given_page(self, page: Page) -> Result:
        if not page.cut or self.paging.items is None:
            return Result(value=list(page.items) if page.cut else page.document)
        names = self.paging.items.names or ()
        return Result(value=replaced(page.document, names, list(page.items)))


def paged(
    operation: HttpOperation, paging: Paging, fetch: Fetch, lines: tuple[str, ...]
) -> ClientOperation:
    """Return the operation with its pages followed as `paginate` says.

    `fetch` gets one page, through the layers that hold for each request.
    """
    kind = StreamedOperation if paging.stream else PagedOperation
    how = {"page": "page number", "offset": "offset", "cursor": "cursor", "link": "Link header"}
    said = f"pages: by {how[paging.type_]}, up to {paging.limit} items or {paging.max_pages} pages"
    return kind(
        inner=operation,
        lines=(*lines, said + (", one by one" if paging.stream else "")),
        http=operation,
        paging=paging,
        fetch=fetch,
    )
