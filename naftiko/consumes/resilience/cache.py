"""`cache`: answers that are good again, by HTTP's own rules or for a given time.

The key is everything that is sent: operation, method, URL, headers, body. So no caller is answered
with what another one's credentials got, unless both send the very same request.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from naftiko.consumes.resilience.clock import Clock
from naftiko.consumes.resilience.flights import AGAIN, Flights
from naftiko.consumes.resilience.layer import LOCAL_CODES, Call, Next, is_unhealthy
from naftiko.consumes.resilience.settings import CacheSettings
from naftiko.consumes.resilience.store import Store, Stored, store_of
from naftiko.errors import InputError, RunError
from naftiko.plan.ports import Result
from naftiko.plan.run import Run

if TYPE_CHECKING:
    from naftiko.consumes.resilience.http_rules import Judged

READING = frozenset({"GET", "HEAD"})
SAFE = READING | {"OPTIONS", "TRACE"}
REFRESH_S = 60.0
"""How long a refresh may take that nobody waits for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A kept answer and what may be done with it."""

    stored: Stored
    fresh: bool
    stale_s: float
    usable: bool
    judged: Judged | None = None


@dataclass(slots=True)
class Cache:
    """Shared by all operations of the level where the block stands."""

    settings: CacheSettings
    clock: Clock = field(default_factory=Clock)
    _store: Store = field(init=False)
    _flights: Flights = field(init=False, default_factory=Flights)
    _refreshing: dict[Hashable, asyncio.Task[None]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Start empty."""
        settings = self.settings
        self._store = Store(max_entries=settings.max_entries, max_bytes=settings.max_bytes)

    async def run(self, call: Call, run: Run, then: Next) -> Result:
        """Answer from what is kept, or call and keep the answer."""
        if call.method not in READING:
            return await self._changing(call, run, then)
        if self.settings.http and call.request is not None:
            from naftiko.consumes.resilience.http_rules import has_conditions

            if has_conditions(call.request):
                return await then(call, run)
        key = self._key(call)
        while True:
            found = self._find(call, key)
            if found is not None and found.fresh:
                return found.stored.result()
            if found is not None and self._serves_while_refreshing(found):
                self._refresh(call, key, then)
                return found.stored.result()
            work = partial(self._fetch, call, key, found, run, then)
            outcome = await self._flights.join(key, run, work)
            if outcome is AGAIN:
                continue
            return outcome if isinstance(outcome, Result) else await then(call, run)

    async def close(self) -> None:
        """End what is refreshing."""
        for task in list(self._refreshing.values()):
            if task.get_loop() is asyncio.get_running_loop():
                task.cancel()

    def _serves_while_refreshing(self, found: _Found) -> bool:
        most_s = self.settings.stale_while_revalidate_s
        return found.usable and most_s > 0 and found.stale_s <= most_s

    def _find(self, call: Call, key: Hashable) -> _Found | None:
        stored = self._store.get(key)
        if stored is None:
            return None
        if stored.entry is None or call.request is None:
            age_s = self.clock.now() - stored.since
            left_s = (self.settings.ttl_s or 0.0) - age_s
            return _Found(stored=stored, fresh=left_s > 0, stale_s=max(0.0, -left_s), usable=True)
        from naftiko.consumes.resilience.http_rules import judge

        judged = judge(call.request, stored.entry)
        if judged is None:
            return None
        return _Found(
            stored=stored,
            fresh=judged.fresh,
            stale_s=judged.stale_s,
            usable=judged.usable,
            judged=judged,
        )

    async def _fetch(
        self, call: Call, key: Hashable, found: _Found | None, run: Run, then: Next
    ) -> tuple[Result, Stored | None]:
        """Call, and return the answer with what was kept of it."""
        judged = found.judged if found is not None else None
        asked = call
        if judged is not None and judged.conditional is not None:
            asked = replace(call, request=judged.conditional)
        try:
            result = await then(asked, run)
        except RunError as error:
            if found is not None and self._serves_on_error(found, error):
                return found.stored.result(), found.stored
            raise
        if found is not None and result.status >= 500 and self._serves_on_error(found, None):
            return found.stored.result(), found.stored
        if result.status == 304 and judged is not None and found is not None:
            renewed = self._renew(key, found.stored, judged, result)
            if renewed is not None:
                return renewed.result(), renewed
            self._store.drop(key)
            result = await then(call, run)
        return result, self._keep(call, key, result)

    def _serves_on_error(self, found: _Found, error: RunError | None) -> bool:
        most_s = self.settings.stale_if_error_s
        if not found.usable or most_s <= 0 or found.stale_s > most_s:
            return False
        return error is None or is_unhealthy(error) or error.code in LOCAL_CODES

    def _renew(
        self, key: Hashable, stored: Stored, judged: Judged, result: Result
    ) -> Stored | None:
        from naftiko.consumes.resilience.http_rules import renewed

        entry = renewed(judged, result, wall=self.clock.wall())
        if entry is None:
            return None
        fresh = replace(stored, entry=entry, since=self.clock.now())
        self._store.put(key, fresh)
        return fresh

    def _keep(self, call: Call, key: Hashable, result: Result) -> Stored | None:
        """Keep a good answer where its headers, or `ttl`, allow it."""
        if result.failed or not 200 <= result.status < 300 or result.stream is not None:
            return None
        request = call.request
        entry = None
        if self.settings.http and request is not None:
            from naftiko.consumes.resilience.http_rules import entry_of

            entry = entry_of(request, result, wall=self.clock.wall(), ttl_s=self.settings.ttl_s)
            if entry is None:
                self._store.drop(key)
                return None
        elif self.settings.ttl_s is None or result.status == 206:
            return None
        url = request.url if request is not None else ""
        stored = store_of(result, since=self.clock.now(), url=url, entry=entry)
        if stored is not None:
            self._store.put(key, stored)
        return stored

    def _key(self, call: Call) -> Hashable:
        request = call.request
        if request is None:
            import json

            sent = json.dumps(call.arguments, sort_keys=True, separators=(",", ":"))
            return call.operation, sent
        ignored = self.settings.ignored_headers
        headers = sorted(
            (name.lower(), text) for name, text in request.headers if name.lower() not in ignored
        )
        return call.operation, request.method, request.url, request.body, tuple(headers)

    def _refresh(self, call: Call, key: Hashable, then: Next) -> None:
        """Ask again in the background, unless somebody does already."""
        loop = asyncio.get_running_loop()
        earlier = self._refreshing.get(key)
        if earlier is not None and earlier.get_loop() is loop:
            return
        if self._flights.is_under_way(key):
            return
        task = loop.create_task(self._refresh_now(call, key, then))
        self._refreshing[key] = task
        task.add_done_callback(lambda _: self._refreshing.pop(key, None))

    async def _refresh_now(self, call: Call, key: Hashable, then: Next) -> None:
        run = Run(inputs={}, deadline=time.monotonic() + REFRESH_S)
        found = self._find(call, key)
        try:
            await self._flights.join(key, run, partial(self._fetch, call, key, found, run, then))
        except RunError:
            return  # the next caller meets it, when the answer is too stale to be served

    async def _changing(self, call: Call, run: Run, then: Next) -> Result:
        """Call what may change things, then forget what it may have changed (RFC 9111, 4.4)."""
        try:
            result = await then(call, run)
        except InputError:
            raise
        except RunError:
            self._forget(call, None)  # it may have been done nevertheless
            raise
        if result.status < 400 and call.method not in SAFE:
            self._forget(call, result)
        return result

    def _forget(self, call: Call, result: Result | None) -> None:
        request = call.request
        if request is None:
            self._store.clear()  # nothing says what it changes
            return
        self._store.drop_url(request.url)
        received = result.received if result is not None else None
        for name in ("location", "content-location"):
            target = received.get(name) if received else None
            if target:
                self._store.drop_url(urljoin(request.url, target))

    def explain(self) -> str:
        """Say by what rules."""
        settings = self.settings
        how = "as HTTP allows" if settings.http else f"for {settings.ttl_s or 0:g} s"
        if settings.http and settings.ttl_s is not None:
            how += f", for {settings.ttl_s:g} s where the answer does not say"
        return f"cache: {how}, up to {settings.max_entries} answers"
