"""Reads the sources of variables with `refresh` again while a capability serves.

One task for the capability. A source that cannot be read leaves the last good values in place and
is tried again at its next turn. New values are told to the masker before anything can use them.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence

from naftiko.resolve.binds import RefreshedSource, is_public
from naftiko.resolve.providers import SourceUnavailableError

JITTER = 0.1
"""Part of an interval by which a turn may come sooner, lest many processes ask at once."""

logger = logging.getLogger("naftiko")


class Refresher:
    """Keeps the cells of one capability up to date. It makes no task before `start`."""

    def __init__(
        self,
        sources: Sequence[RefreshedSource],
        add_secret: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        spread: Callable[[], float] = random.random,
    ) -> None:
        """Keep the sources."""
        self._sources = tuple(sources)
        self._add_secret = add_secret
        self._clock = clock
        self._sleep = sleep
        self._spread = spread
        self._task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the task runs."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Start the task on the running loop; nothing where there is nothing to refresh."""
        if self._sources and not self.is_running:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._work(), name="naftiko refreshes secrets")

    async def stop(self) -> None:
        """Stop the task, if it runs on this loop."""
        task, self._task = self._task, None
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def refresh(self) -> int:
        """Read every source now; returns how many variables have another value."""
        counts = await asyncio.gather(*map(self._refresh, self._sources))
        return sum(counts)

    async def _work(self) -> None:
        due = [self._clock() + self._wait_s(source) for source in self._sources]
        while True:
            number = due.index(min(due))
            await self._sleep(max(0.0, due[number] - self._clock()))
            await self._refresh(self._sources[number])
            due[number] = self._clock() + self._wait_s(self._sources[number])

    def _wait_s(self, source: RefreshedSource) -> float:
        return source.interval_s * (1 - JITTER * self._spread())

    async def _refresh(self, source: RefreshedSource) -> int:
        try:
            values = await asyncio.to_thread(source.read)
        except SourceUnavailableError as error:
            logger.warning(
                "the bind %s could not be read again (%s); the last values stay",
                source.uri,
                error.reason,
            )
            return 0
        changed = 0
        for key, cell in source.cells:
            value = values.get(key)
            if not value:
                if cell.is_optional and cell.value == cell.default:
                    continue  # it has never had another
                logger.warning(
                    "`%s` is no longer in the bind %s; the last value stays", key, source.uri
                )
            elif value != cell.value:
                if cell.is_secret and not is_public(value) and value != cell.default:
                    self._add_secret(value)
                cell.set(value)
                changed += 1
        return changed
