"""The items of one `discover` block: what the last list had, and what is known of each."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from naftiko.errors import RunError
from naftiko.expressions.text import value_text
from naftiko.plan.discovery.plan import DiscoveryPlan
from naftiko.plan.discovery.texts import Voice, same_json
from naftiko.values import MISSING, JsonObject, JsonValue, Missing

JITTER = 0.1
"""Part of a wait by which it may be shorter, lest many processes ask at once."""
MAX_KEY_SHOWN = 80
MAX_REMARKS = 5
"""Messages about one item."""
AT_A_TIME = 50
"""Items that are looked at before others on the event loop have their turn."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Entry:
    """An item and what its enrichment gave. The same object stands for the same contents."""

    key: str
    item: JsonValue
    outputs: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Pace:
    """How fast a finder tries again, in seconds; each wait is twice the one before, up to a bound.

    What was found meanwhile waits `gap_s` for the rest before it is published all the same. Clock
    and chance are given by tests.
    """

    retry_s: float = 1.0
    max_item_retry_s: float = 300.0
    gap_s: float = 1.0
    max_gap_s: float = 15.0
    clock: Callable[[], float] = time.monotonic
    spread: Callable[[], float] = random.random

    def jittered(self, seconds: float) -> float:
        """Return a wait, a little shorter by chance."""
        return seconds * (1 - JITTER * self.spread())


@dataclass(slots=True, eq=False, repr=False)
class Known:
    """One item that the last list had. `entry` is what is published of it, if anything.

    `remarks` are what `log` steps of the enrichment last warned of.
    """

    item: JsonValue
    due: float
    entry: Entry | None = None
    error: JsonObject | None = None
    failures: int = 0
    busy: bool = False
    remarks: tuple[str, ...] = ()


class Items:
    """Keeps items and asks for them. `open` are those that were not asked for since they came."""

    def __init__(self, plan: DiscoveryPlan, voice: Voice, pace: Pace) -> None:
        """Start without any. `on_due` is called whenever one becomes due."""
        self._plan = plan
        self._voice = voice
        self._pace = pace
        self._known: dict[str, Known] = {}
        self._due: list[tuple[float, int, str]] = []
        self._numbers = itertools.count()
        self.open: set[str] = set()
        self.on_due: Callable[[], None] = _nothing

    def __len__(self) -> int:
        """Count what the last list had."""
        return len(self._known)

    def keys(self) -> list[str]:
        """Return the keys of all of them, in the list's order."""
        return list(self._known)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Those of which something is known well."""
        return tuple(known.entry for known in self._known.values() if known.entry is not None)

    @property
    def failures(self) -> list[JsonObject]:
        """Those that could not be asked for, `{key, code, message}`."""
        return [known.error for known in self._known.values() if known.error is not None]

    @property
    def remarks(self) -> list[str]:
        """What the enrichment said of them."""
        return [text for known in self._known.values() for text in known.remarks]

    # ------------------------------------------------------------------ listing

    async def take(self, items: list[JsonValue]) -> list[str]:
        """Keep what a list has; return what is to be said of it."""
        notes: list[str] = []
        wanted: dict[str, JsonValue] = {}
        unchanged: dict[str, JsonValue] = {}
        for number, item in enumerate(items, 1):
            if number % AT_A_TIME == 0:
                await asyncio.sleep(0)
            key = self._key(item, wanted, notes)
            if key is None:
                continue
            wanted[key] = item
            known = self._known.get(key)
            if known is not None and same_json(known.item, item):
                unchanged[key] = known.item
        most = self._plan.max_items
        if len(wanted) > most:
            notes.append(
                f"{len(wanted):,} items, of which only the first {most:,} are served; raise "
                "`maxItems` or filter them"
            )
            wanted = dict(itertools.islice(wanted.items(), most))
        self._known = {
            key: self._still(key, item, unchanged.get(key, MISSING)) for key, item in wanted.items()
        }
        self.open &= wanted.keys()
        self._thin_out()
        return notes

    def _key(self, item: JsonValue, wanted: dict[str, JsonValue], notes: list[str]) -> str | None:
        """Return the key of an item that counts, None for any other."""
        try:
            if not self._plan.is_wanted(item):
                return None
            key = self._plan.key_of(item)
        except RunError as error:
            notes.append(f"an item is left out: {error.message}")
            return None
        if not key:
            notes.append("an item has no key; it is left out")
        elif key in wanted:
            shown = self._voice.shown(key, MAX_KEY_SHOWN)
            notes.append(f"two items have the key `{shown}`; only the first one counts")
        else:
            return key
        return None

    def _still(self, key: str, item: JsonValue, unchanged: JsonValue | Missing) -> Known:
        """Return what is known of an item, which is asked for anew where it is another.

        `unchanged` is the item that was found to be the same, if one was.
        """
        known = self._known.get(key)
        if known is not None and known.item is unchanged:
            return known
        if known is None:
            known = Known(item, due=0.0)
        if self._plan.enrichment is None:
            known.entry = Entry(key=key, item=item, outputs={})
        else:
            self.open.add(key)
            self._schedule(key, known, 0.0)
        known.item = item
        return known

    def _thin_out(self) -> None:
        """Forget when items were due that have gone: they come and go, and some wait for days."""
        if len(self._due) > 2 * len(self._known) + 100:
            self._due = [entry for entry in self._due if self._is_current(entry)]
            heapq.heapify(self._due)

    # ------------------------------------------------------------------ due

    def restart(self) -> None:
        """Forget that any is being asked for: whoever asked has been stopped."""
        self._due.clear()
        for key, known in self._known.items():
            known.busy = False
            self._schedule(key, known, known.due)

    def all_due(self) -> None:
        """Have all of them asked for anew."""
        for known in self._known.values():
            known.due = 0.0

    def next_due(self) -> tuple[str | None, float | None]:
        """Return the key of one that is due, which is to be asked for now; else how long to wait.

        (None, 2.5) where the next one is due in so many seconds, (None, None) where none will be.
        """
        now = self._pace.clock()
        while self._due and not self._is_current(self._due[0]):
            heapq.heappop(self._due)
        if not self._due:
            return None, None
        due = self._due[0][0]
        if due > now:
            return None, max(0.001, due - now)
        key = heapq.heappop(self._due)[2]
        self._known[key].busy = True
        return key, None

    def _schedule(self, key: str, known: Known, due: float) -> None:
        known.due = due
        heapq.heappush(self._due, (due, next(self._numbers), key))
        self.on_due()

    def _is_current(self, entry: tuple[float, int, str]) -> bool:
        known = self._known.get(entry[2])
        return known is not None and not known.busy and known.due == entry[0]

    # ---------------------------------------------------------------- enriching

    async def ask(self, key: str) -> None:
        """Ask for one item. What it was last known by stays where that fails."""
        known = self._known.get(key)
        if known is None:
            return
        item, pace = known.item, self._pace
        try:
            outputs = await self._outputs(key, known, item)
        except RunError as error:
            self._failed(key, known, error)
            wait_s = min(pace.max_item_retry_s, pace.retry_s * 2**known.failures)
        except Exception:  # noqa: BLE001  # a bug of ours must not end the discovery of the others
            self._failed(key, known, self._voice.bug(self._voice.shown(key)))
            wait_s = pace.max_item_retry_s
        else:
            self._enriched(key, known, item, outputs)
            wait_s = self._plan.enrich_refresh_s or 0.0
        finally:
            known.busy = False
        if self._known.get(key) is not known:
            return  # it has gone meanwhile
        if known.item is not item:
            wait_s = 0.001  # another one by now
        else:
            self.open.discard(key)
        if wait_s:
            self._schedule(key, known, pace.clock() + pace.jittered(wait_s))

    async def _outputs(self, key: str, known: Known, item: JsonValue) -> JsonObject:
        """Run the enrichment. What its `log` steps warn of is logged once, and stays to be seen."""
        remarks: list[str] = []

        async def log(level: str, data: JsonValue, _logger: str) -> None:
            text = self._voice.shown(f"{self._voice.shown(key)}: {value_text(data)}")
            if level in ("debug", "info", "notice"):
                self._voice.say(text, logging.DEBUG)
            elif text not in remarks and len(remarks) < MAX_REMARKS:
                remarks.append(text)

        try:
            return await self._plan.enrich(item, log)
        finally:
            for text in remarks:
                if text not in known.remarks:
                    self._voice.say(text)
            known.remarks = tuple(remarks)

    def _enriched(self, key: str, known: Known, item: JsonValue, outputs: JsonObject) -> None:
        if known.error is not None:
            self._voice.say(f"{self._voice.shown(key)} is known again", logging.INFO)
        known.error, known.failures = None, 0
        before = known.entry
        unchanged = before is not None and same_json(before.item, item)
        if before is None or not unchanged or not same_json(before.outputs, outputs):
            known.entry = Entry(key=key, item=item, outputs=outputs)

    def _failed(self, key: str, known: Known, error: RunError) -> None:
        shown, failure = self._voice.shown(key), self._voice.failure(error)
        known.failures = min(known.failures + 1, 16)
        if known.error is None or known.error["code"] != failure["code"]:
            what = "is not served" if known.entry is None else "could not be asked for again"
            self._voice.say(f"{shown} {what}: {failure['message']}")
        known.error = {"key": shown, **failure}


def _nothing() -> None:
    """Be what is called where nobody waits."""
