"""Work that outlives its request: kept, bounded, waited for."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import TYPE_CHECKING

from naftiko.plan.aftermath import Aftermath

if TYPE_CHECKING:
    import pytest

HUE: contextvars.ContextVar[str] = contextvars.ContextVar("hue", default="none")


async def forever() -> None:
    await asyncio.Event().wait()


def test_what_was_begun_is_waited_for() -> None:
    done: list[str] = []

    async def story() -> None:
        aftermath = Aftermath()
        go = asyncio.Event()

        async def work() -> None:
            await go.wait()
            done.append("work")
            # What is begun meanwhile counts as well.
            aftermath.start(more, "more")

        async def more() -> None:
            done.append("more")

        assert aftermath.start(work, "work")
        finishing = asyncio.create_task(aftermath.finish())
        await asyncio.sleep(0)
        assert (aftermath.running, finishing.done()) == (1, False)
        go.set()
        await finishing
        assert aftermath.running == 0
        await aftermath.finish()

    asyncio.run(story())
    assert done == ["work", "more"]


def test_too_many_are_not_begun(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        aftermath = Aftermath(max_tasks=2)
        begun = [aftermath.start(forever, f"work {number}") for number in range(3)]
        assert begun == [True, True, False]
        await aftermath.finish(0)
        assert aftermath.running == 0
        assert aftermath.start(forever, "again")
        await aftermath.finish(0)

    with caplog.at_level(logging.WARNING):
        asyncio.run(story())
    assert caplog.messages == [
        "work 2 is not run: 2 others run already",
        "2 tasks of cancelled requests are given up",
        "1 tasks of cancelled requests are given up",
    ]


def test_what_takes_too_long_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        aftermath = Aftermath(max_seconds=0)
        aftermath.start(forever, "the work")
        await aftermath.finish()

    with caplog.at_level(logging.WARNING):
        asyncio.run(story())
    assert caplog.messages == ["the work took more than 0 s and was given up"]


def test_what_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise LookupError

    async def story() -> None:
        aftermath = Aftermath()
        aftermath.start(broken, "the work")
        await aftermath.finish()

    asyncio.run(story())
    assert caplog.messages == ["the work ended with LookupError"]


def test_context_variables_of_the_request_are_not_seen() -> None:
    seen: list[str] = []

    async def work() -> None:
        seen.append(HUE.get())

    async def story() -> None:
        HUE.set("red")
        aftermath = Aftermath()
        aftermath.start(work, "work")
        await aftermath.finish()

    asyncio.run(story())
    assert seen == ["none"]


def test_tasks_of_another_loop_are_not_waited_for() -> None:
    aftermath = Aftermath()
    other = asyncio.new_event_loop()

    async def begin() -> None:
        aftermath.start(forever, "elsewhere")

    try:
        other.run_until_complete(begin())
        asyncio.run(aftermath.finish())
        assert aftermath.running == 1
    finally:
        other.run_until_complete(aftermath.finish(0))
        other.close()
    assert aftermath.running == 0
