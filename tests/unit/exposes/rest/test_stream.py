"""Pages that go out one by one: what is sent, and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from naftiko.errors import ConsumedError
from naftiko.exposes.rest.body import DisconnectedError
from naftiko.exposes.rest.stream import prefers_lines, send_stream, stream_answer
from naftiko.exposes.rest.sweep import Sweeper
from naftiko.plan.masking import Masker
from naftiko.plan.ports import Result


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (b"", False),
        (b"*/*", False),
        (b"application/json", False),
        (b"application/x-ndjson", True),
        (b"Application/X-NDJSON; charset=utf-8", True),
        (b"application/json;q=0.5, application/x-ndjson", True),
        (b"application/json, application/x-ndjson;q=0.9", False),
        (b"application/x-ndjson;q=0", False),
        (b"application/x-ndjson;q=0.1, */*", True),
    ],
)
def test_who_prefers_lines(accept: bytes, expected: bool) -> None:
    assert prefers_lines(accept) is expected


async def pages(*items: Any) -> AsyncIterator[Result]:
    for item in items:
        if isinstance(item, Exception):
            raise item
        yield Result(value=item)


def sent(stream: AsyncIterator[Result], accept: bytes = b"") -> tuple[bytes, bool]:
    """Return what is sent, and whether the answer was ended."""
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    answer = stream_answer(Result(stream=stream, headers=(("x-a", "b"),)), "id-1", accept)
    assert (b"x-a", b"b") in answer.headers
    asyncio.run(send_stream(send, answer, Masker()))
    body = b"".join(message["body"] for message in messages[1:])
    return body, messages[-1].get("more_body") is False


def test_an_array_and_lines() -> None:
    assert sent(pages([1, {"a": 2}], [], [3])) == (b'[1,{"a":2},3]', True)
    assert sent(pages([], [])) == (b"[]", True)
    assert sent(pages([1, 2], [3]), b"application/x-ndjson") == (b"1\n2\n3\n", True)


def test_a_failure_on_the_way() -> None:
    error = ConsumedError(code="page-failed", message="page 2 failed")
    assert sent(pages([1], error)) == (b"[1", False)
    body, ended = sent(pages([1], error), b"application/x-ndjson")
    assert ended
    first, last = body.splitlines()
    assert first == b"1"
    assert b'"code":"page-failed"' in last
    assert b'"requestId":"id-1"' in last


def test_a_caller_who_goes_away_ends_it() -> None:
    closed: list[bool] = []

    async def endless() -> AsyncIterator[Result]:
        try:
            yield Result(value=[1])
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        return

    async def scenario() -> None:
        answer = stream_answer(Result(stream=endless()), "id-1", b"")
        with pytest.raises(DisconnectedError):
            await Sweeper().while_connected(send_stream(send, answer, Masker()), receive)

    asyncio.run(scenario())
    assert closed == [True]
