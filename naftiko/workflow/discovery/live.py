"""The index that a server searches: made in a thread, and made anew when its catalog changes.

While a new one is made the old one answers; they are swapped at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from naftiko.search.embedders import MissingEmbedderError, find_embedder
from naftiko.search.ports import Embedder
from naftiko.workflow.discovery.shelf import Shelf, read_shelf
from naftiko.workflow.discovery.stored import Loaded, build, load
from naftiko.workflow.ports import Clock
from naftiko.workflow.runtime.plans import Plans
from naftiko.workflow.runtime.waiting import ended, look_at

logger = logging.getLogger("naftiko")

START_AFTER_S = 0.5
"""When the first one is made if nobody asks: after the first callers have been answered."""
LOOK_S = 1.0
IDLE_S = 10.0
PATIENCE_S = 0.5
"""How long a question waits for the first look at the files after nobody has asked for IDLE_S."""


class LiveIndex:
    """The newest index of a catalog. Nothing is read before `start`, or before somebody asks."""

    def __init__(
        self,
        plans: Plans,
        clock: Clock,
        *,
        embedder: str = "auto",
        find: Callable[[str], Embedder | None] = find_embedder,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Take the parts."""
        self._patience_s = patience_s
        self._plans = plans
        self._clock = clock
        self._name = embedder
        self._find = find
        self._loaded: Loaded | None = None
        self._stamps: tuple[str, str] | None = None
        self._making: asyncio.Task[Loaded] | None = None
        self._starting: asyncio.Task[None] | None = None
        self._looked: float | None = None
        self._early: tuple[str, Shelf] | None = None

    def start(self) -> None:
        """Make the first index in a moment."""
        self._starting = asyncio.create_task(self._start())

    async def _start(self) -> None:
        await self._clock.sleep(START_AFTER_S)
        await self.current()

    async def close(self) -> None:
        """Stop what is under way."""
        tasks = [task for task in (self._starting, self._making) if task is not None]
        await ended(tasks)

    async def current(self) -> Loaded:
        """Return the index; the first time, once it has been made.

        Later it is the one there is, while what has changed is looked for. Where nobody has asked
        for a while, much may have: then that is waited for, if it does not take long.
        """
        if self._loaded is None:
            self._looked = self._clock.monotonic()
            return await asyncio.shield(self._make())
        now = self._clock.monotonic()
        since = LOOK_S if self._looked is None else now - self._looked
        if since >= LOOK_S:
            self._looked = now
            making = self._make()
            if since >= IDLE_S:
                await asyncio.wait({making}, timeout=self._patience_s)
        return self._loaded

    def shelf(self) -> Shelf:
        """Return what the workflows say of themselves, without an index. It is for a thread."""
        loaded, stamp = self._loaded, self._plans.catalog.stamp
        if loaded is not None and self._stamps is not None and self._stamps[0] == stamp:
            return loaded.shelf
        early = self._early
        if early is None or early[0] != stamp:
            known = early[1] if early is not None else None
            early = self._early = (stamp, read_shelf(self._plans, known=known))
        return early[1]

    async def settled(self) -> Loaded:
        """Return the index once all that has changed until now is in it."""
        self._looked = self._clock.monotonic()
        if self._making is not None:
            await asyncio.shield(self._making)
        return await asyncio.shield(self._make())

    def _make(self) -> asyncio.Task[Loaded]:
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(self._made())
            self._making.add_done_callback(look_at)
        return self._making

    async def _made(self) -> Loaded:
        try:
            self._loaded = await asyncio.to_thread(self._look)
        except Exception:
            if self._loaded is None:
                raise
            logger.exception("the index of workflows was not made anew")
        return self._loaded

    def _look(self) -> Loaded:
        """Return the index of the catalog as it lies: that which there is, or a new one."""
        plans, previous = self._plans, self._loaded
        plans.refresh()
        stamps = (plans.catalog.stamp, plans.catalog.trust_stamp())
        if previous is not None and stamps == self._stamps:
            return previous
        embedder = self._embedder()
        made = load(plans, embedder) or build(plans, embedder, previous=previous)
        if previous is None or made.digest != previous.digest:
            logger.info("%d workflows can be found", len(made.shelf.said))
        self._stamps = stamps
        return made

    def _embedder(self) -> Embedder | None:
        try:
            return self._find(self._name)
        except MissingEmbedderError as error:
            logger.warning("workflows are found by their words only: %s", error)
            return None
