"""Lists and enriches the items of one `discover` block, for as long as the capability serves.

    lister      every `refresh`: the list, filtered; on failure sooner, and the last list stays
    dispatcher  items that are new, have changed or grown old, `parallel` of them at a time
    publisher   hands the items that are known well to whoever subscribed

Nothing here waits for a caller, and no caller waits for it. What an item was last known by stays
when asking again fails. Rates are bounded by the `rateLimit` of what is called.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from naftiko.errors import RunError
from naftiko.plan.discovery.items import Entry, Items, Pace
from naftiko.plan.discovery.plan import DiscoveryPlan
from naftiko.plan.discovery.texts import Voice
from naftiko.plan.masking import Masker
from naftiko.values import JsonObject, JsonValue

MAX_SHOWN_FAILURES = 20
MAX_NOTES = 50
"""Messages about one list: whoever makes thousands of bad items must not fill the log."""

Subscriber = Callable[["tuple[Entry, ...]"], Awaitable[None]]


@dataclass(slots=True, eq=False, repr=False)
class _Loop:
    """What belongs to one event loop while the finder runs on it."""

    task: asyncio.Task[None]
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    dirty: asyncio.Event = field(default_factory=asyncio.Event)
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    published: asyncio.Event = field(default_factory=asyncio.Event)
    publishing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def lives_on(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Tell whether the work goes on, on this loop or another one that runs."""
        own = self.task.get_loop()
        return not self.task.done() and (own is loop or own.is_running())

    async def has_published(self) -> None:
        """Wait for the first complete set, on whatever loop."""
        own = self.task.get_loop()
        if own is asyncio.get_running_loop():
            await self.published.wait()
            return
        waiting = asyncio.run_coroutine_threadsafe(self.published.wait(), own)
        await asyncio.wrap_future(waiting)


class Finder:
    """The items of one `discover` block. It makes no task and sends nothing before `start`."""

    def __init__(
        self, plan: DiscoveryPlan, masker: Masker, *, adapter: str = "", pace: Pace | None = None
    ) -> None:
        """Keep the plan."""
        self.plan = plan
        self.adapter = adapter
        self.entries: tuple[Entry, ...] = ()
        self.voice = Voice(plan.name, masker)
        self._pace = pace or Pace()
        self._items = Items(plan, self.voice, self._pace)
        self._subscribers: list[Subscriber] = []
        self._loop: _Loop | None = None
        self._error: JsonObject | None = None
        self._listing_failures = 0
        self._listed_once = False
        self._was_settled = False
        self._told_all = True
        self._found = 0
        self._notes: tuple[str, ...] = ()
        self._since = _now()

    @property
    def name(self) -> str:
        """The name of the `discover` entry."""
        return self.plan.name

    def subscribe(self, subscriber: Subscriber) -> None:
        """Have this called with all entries whenever they are others than before."""
        self._subscribers.append(subscriber)

    # ------------------------------------------------------------------ running

    def start(self) -> None:
        """Start looking, on the running loop. It is no error to start twice."""
        loop = asyncio.get_running_loop()
        if self._loop is not None and self._loop.lives_on(loop):
            return
        # A context of its own: it outlives the request that may have started it.
        task = loop.create_task(
            self._work(), name=f"naftiko discovers {self.name}", context=contextvars.Context()
        )
        self._loop = _Loop(task)
        self._items.on_due = self._loop.wake.set

    async def stop(self) -> None:
        """Stop looking. What was found stays."""
        running, self._loop = self._loop, None
        if running is None or running.task.done():
            return
        loop = running.task.get_loop()
        if loop is asyncio.get_running_loop():
            running.task.cancel()
            await asyncio.gather(running.task, return_exceptions=True)
        elif loop.is_running():
            loop.call_soon_threadsafe(running.task.cancel)

    async def first(self, seconds: float | None = None) -> bool:
        """Wait for the first complete set, at most so long (`wait`); tell whether it is there.

        What is known by then is published in any case.
        """
        running = self._running()
        most_s = self.plan.wait_s if seconds is None else seconds
        try:
            async with asyncio.timeout(most_s):
                await running.has_published()
        except TimeoutError:
            if running.task.get_loop() is asyncio.get_running_loop():
                await self._publish(running)
            self._was_settled = True
            self.voice.say(
                f"not complete after {most_s:g} s; {len(self.entries)} items are known, the rest "
                "follows"
            )
            return False
        return self._error is None

    async def refresh(self) -> None:
        """List and enrich everything once, now.

        Raises: RunError where the list cannot be had.
        """
        error = await self._list()
        if error is not None:
            raise error
        self._items.all_due()
        limit = asyncio.Semaphore(self.plan.parallel)

        async def one(key: str) -> None:
            async with limit:
                await self._ask(key)

        try:
            await asyncio.gather(*map(one, self._items.keys()))
        except asyncio.CancelledError:
            self._items.restart()  # those that were not asked for are due still
            raise
        await self._publish(self._loop)
        self._was_settled = True

    def _running(self) -> _Loop:
        self.start()
        assert self._loop is not None
        return self._loop

    async def _work(self) -> None:
        await asyncio.sleep(0)  # until `start` has kept this task
        running = self._loop
        if running is None:
            return
        works = [self._lister, self._publisher]
        works += [self._dispatcher] if self.plan.enrichment is not None else []
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(self._guarded(work, running))

    async def _guarded(
        self, work: Callable[[_Loop], Coroutine[Any, Any, None]], running: _Loop
    ) -> None:
        """Run one of the endless works; a bug in it ends neither the others nor the server."""
        while True:
            try:
                await work(running)
            except Exception:  # noqa: BLE001  # it is logged, masked, and the work goes on
                self.voice.bug("it")
                await asyncio.sleep(self._pace.retry_s)

    # ------------------------------------------------------------------ listing

    async def _lister(self, _running: _Loop) -> None:
        while True:
            error = await self._list()
            refresh_s = self.plan.refresh_s
            if error is not None:
                waited = self._pace.retry_s * 2 ** min(self._listing_failures, 16)
                refresh_s = min(refresh_s, waited)
            await asyncio.sleep(self._pace.jittered(refresh_s))

    async def _list(self) -> RunError | None:
        try:
            items = await self.plan.fetch()
            notes = await self._items.take(items)
            notes += self._reported(items)
        except RunError as error:
            self._listing_failed(error)
            return error
        except Exception:  # noqa: BLE001  # a bug of ours: tried again like any other failure
            failure = self.voice.bug("the list")
            self._listing_failed(failure)
            return failure
        self._listing_failures = 0
        if self._error is not None:
            self.voice.say("the list can be had again", logging.INFO)
        self._error = None
        self._listed_once = True
        self._found = len(items)
        self._note(notes)
        self._touched()
        return None

    def _listing_failed(self, error: RunError) -> None:
        self._listing_failures += 1
        shown = self.voice.failure(error)
        if self._error is None or self._error["code"] != shown["code"]:
            kept = f"the last {len(self.entries)} stay" if self._listed_once else "there are none"
            self.voice.say(f"the list cannot be had, {kept}: {shown['message']}")
        if self._error is None:
            self._since = _now()
        self._error = shown
        self._touched()

    def _reported(self, items: list[JsonValue]) -> list[str]:
        try:
            return self.plan.messages(items)
        except RunError as error:
            return [f"a report failed: {error.message}"]

    def _note(self, notes: list[str]) -> None:
        shown = tuple(dict.fromkeys(map(self.voice.shown, notes[: MAX_NOTES * 4])))
        if len(shown) > MAX_NOTES or len(notes) > MAX_NOTES * 4:
            shown = (*shown[:MAX_NOTES], f"{len(notes):,} such messages in all")
        for text in shown:
            if text not in self._notes:
                self.voice.say(text)
        self._notes = shown

    # ---------------------------------------------------------------- enriching

    async def _dispatcher(self, running: _Loop) -> None:
        self._items.restart()  # those that were asked for when it was stopped too
        limit = asyncio.Semaphore(self.plan.parallel)
        async with asyncio.TaskGroup() as group:
            while True:
                await limit.acquire()
                key = await self._next(running)
                task = group.create_task(self._ask(key))
                task.add_done_callback(lambda _task: limit.release())

    async def _next(self, running: _Loop) -> str:
        """Return the key of the next item that is due, once one is."""
        while True:
            running.wake.clear()
            key, wait_s = self._items.next_due()
            if key is not None:
                return key
            try:
                async with asyncio.timeout(wait_s):
                    await running.wake.wait()
            except TimeoutError:
                continue

    async def _ask(self, key: str) -> None:
        await self._items.ask(key)
        self._touched()

    # --------------------------------------------------------------- publishing

    def _touched(self) -> None:
        """Note that something may have changed."""
        if self._loop is None:
            return
        is_settled = not self._items.open and (self._listed_once or self._error is not None)
        (self._loop.settled.set if is_settled else self._loop.settled.clear)()
        self._loop.dirty.set()

    async def _publisher(self, running: _Loop) -> None:
        gap_s = self._pace.gap_s
        while True:
            await running.dirty.wait()
            try:
                async with asyncio.timeout(gap_s):
                    await running.settled.wait()
            except TimeoutError:
                gap_s = min(gap_s * 2, self._pace.max_gap_s)
            else:
                gap_s = self._pace.gap_s
            is_settled = running.settled.is_set()
            running.dirty.clear()
            await self._publish(running)
            if is_settled:
                self._was_settled = True
                running.published.set()

    async def _publish(self, running: _Loop | None) -> None:
        if running is None:
            await self._publish_now()
            return
        async with running.publishing:
            await self._publish_now()

    async def _publish_now(self) -> None:
        entries = self._items.entries
        if self._told_all and set(map(id, entries)) == set(map(id, self.entries)):
            return  # in another order maybe, which would be no news to anybody
        self.entries = entries
        self._told_all = True
        for subscriber in self._subscribers:
            try:
                await subscriber(entries)
            except Exception:  # noqa: BLE001  # a bug of ours: it is told again next time
                self._told_all = False
                self.voice.bug("what was found")

    # ------------------------------------------------------------------- status

    @property
    def error(self) -> JsonObject | None:
        """Why the list cannot be had now, `{code, message}`; nothing secret."""
        return self._error

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the last list, and of its items; nothing secret."""
        return (*self._notes, *itertools.islice(self._items.remarks, MAX_NOTES))

    @property
    def failures(self) -> list[JsonObject]:
        """The items that could not be asked for, `{key, code, message}`; nothing secret."""
        return self._items.failures

    def status(self) -> JsonObject:
        """Return what readiness and `inspect` show; nothing secret."""
        failed = self.failures
        state = "ready" if self._was_settled else "starting"
        shown: JsonObject = {
            "name": self.name,
            "adapter": self.adapter,
            "state": "failing" if self._error is not None and self._was_settled else state,
            "found": self._found,
            "known": len(self.entries),
            "pending": len(self._items.open),
            "failed": len(failed),
            "error": self._error,
            "problems": list[JsonValue](self.notes),
            "failures": list[JsonValue](failed[:MAX_SHOWN_FAILURES]),
        }
        if self._error is not None:
            shown["since"] = self._since
        return shown


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
