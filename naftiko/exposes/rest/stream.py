"""A result whose pages go out one by one: a JSON array, or a line for each item.

A page is asked for when the caller has taken the one before it. What fails after the first page
cannot change the status any more. The caller sees it nevertheless: a JSON array is never closed and
the connection ends, lines end with a problem document.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from naftiko.errors import RunError
from naftiko.exposes.problem import SAFETY_HEADERS, problem_document
from naftiko.exposes.rest.responses import dump, passed_headers
from naftiko.values import MISSING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import Send

    from naftiko.plan.masking import Masker
    from naftiko.plan.ports import Result

logger = logging.getLogger("naftiko.rest")

LINES = b"application/x-ndjson"
_QUALITY = re.compile(rb";\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*(?:;|$)")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class StreamAnswer:
    """An answer that begins before it is whole. `as_lines` is newline-delimited JSON."""

    status: int
    headers: list[tuple[bytes, bytes]]
    pages: AsyncIterator[Result]
    as_lines: bool
    request_id: str


def prefers_lines(accept: bytes) -> bool:
    """Tell whether `Accept` prefers newline-delimited JSON to a JSON array.

    b"application/x-ndjson", b"application/json;q=0.5, application/x-ndjson" do.
    """
    accept = accept.lower()
    if b"ndjson" not in accept:
        return False
    qualities = {b"": 0.0}
    for part in accept.split(b","):
        match = _QUALITY.search(part)
        kind = part.partition(b";")[0].strip()
        qualities[kind] = float(match.group(1)) if match else 1.0
    return qualities.get(LINES, 0.0) >= max(qualities.get(b"application/json", 0.0), 0.001)


def stream_answer(result: Result, request_id: str, accept: bytes) -> StreamAnswer:
    """Return the answer for a result that has a stream."""
    assert result.stream is not None
    as_lines = prefers_lines(accept)
    headers = [
        (b"content-type", LINES if as_lines else b"application/json"),
        *SAFETY_HEADERS,
        (b"x-request-id", request_id.encode("ascii")),
        (b"vary", b"accept"),
        *passed_headers(result),
    ]
    return StreamAnswer(
        status=result.status,
        headers=headers,
        pages=result.stream,
        as_lines=as_lines,
        request_id=request_id,
    )


async def send_stream(send: Send, answer: StreamAnswer, masker: Masker) -> None:
    """Send the pages as they come.

    Where one fails, the answer is left incomplete, which ends the connection.
    """
    start = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
    await send(start)
    write = _Writer(send, as_lines=answer.as_lines)
    pages = cast("AsyncGenerator[Result]", answer.pages)
    try:
        async with aclosing(pages):
            async for page in pages:
                await write.page(page)
    except RunError as error:
        logger.warning(
            "request %s failed after its answer began: %s", answer.request_id, masker(error.message)
        )
        if not answer.as_lines:
            return
        document = problem_document(error, request_id=answer.request_id, masker=masker)
        await write.chunk(dump(document) + b"\n")
    await write.end()


class _Writer:
    """Writes pages as one array or as lines."""

    def __init__(self, send: Send, *, as_lines: bool) -> None:
        self._send: Callable[[dict[str, object]], Awaitable[None]] = send
        self._as_lines = as_lines
        self._before = b"["

    async def page(self, page: Result) -> None:
        items = page.value if isinstance(page.value, list) else []
        if page.value is MISSING or not items:
            return
        if self._as_lines:
            await self.chunk(b"".join(dump(item) + b"\n" for item in items))
            return
        before, self._before = self._before, b","
        await self.chunk(before + b",".join(map(dump, items)))

    async def chunk(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self) -> None:
        closing = b"" if self._as_lines else b"[]" if self._before == b"[" else b"]"
        await self._send({"type": "http.response.body", "body": closing, "more_body": False})
