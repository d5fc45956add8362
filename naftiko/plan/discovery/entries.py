"""Discovered: the operations of one adapter that items became, each under a name of its own."""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from naftiko.errors import RunError
from naftiko.plan.discovery.names import assign_names
from naftiko.plan.discovery.template import DiscoveredOperation, EntryTemplate
from naftiko.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from naftiko.plan.discovery.finder import Finder
    from naftiko.plan.discovery.items import Entry
    from naftiko.plan.discovery.routes import OwnRoutes

MAX_PROBLEMS = 50
"""Items whose problems are said one by one."""
AT_A_TIME = 20
"""Items that are made operations of before others on the event loop have their turn."""
TURN_S = 0.02
"""How long they may take before that: compiling a schema with patterns takes up to 0.4 s."""

Owner = TypeVar("Owner")

logger = logging.getLogger("naftiko.discovery")


@dataclass(slots=True, eq=False, repr=False)
class _Place:
    """One template of an adapter, and the entries that its finder last had."""

    template: EntryTemplate
    entries: tuple[Entry, ...] = ()
    built: tuple[DiscoveredOperation, ...] = ()
    listed: list[JsonValue] = field(default_factory=list)
    problems: tuple[str, ...] = ()


class Discovered:
    """All discovered operations of one adapter, kept up to date.

    `operations` is swapped as a whole. Who listens is called on the event loop afterwards.
    """

    def __init__(self, taken: Collection[str] = (), own: OwnRoutes | None = None) -> None:
        """Start empty; `taken` are the names of the operations that the file itself holds.

        `own` are its routes, where the adapter has any.
        """
        self.operations: tuple[DiscoveredOperation, ...] = ()
        self._taken = tuple(taken)
        self._own = own
        self._places: list[_Place] = []
        self._listeners: list[Callable[[], None]] = []
        self._cache: dict[tuple[int, str, str], tuple[Entry, DiscoveredOperation]] = {}
        self._rebuilds = 0

    def add(self, template: EntryTemplate) -> None:
        """Make operations of what a finder finds, from now on."""
        place = _Place(template)
        self._places.append(place)

        async def update(entries: tuple[Entry, ...]) -> None:
            place.entries = entries
            await self._rebuild()

        template.finder.subscribe(update)

    def start(self) -> None:
        """Start looking, on the running loop, where the capability has not done so itself."""
        for place in self._places:
            place.template.finder.start()

    @property
    def templates(self) -> tuple[EntryTemplate, ...]:
        """The templates, in the file's order."""
        return tuple(place.template for place in self._places)

    def operations_of(self, template: EntryTemplate) -> tuple[DiscoveredOperation, ...]:
        """Return what one template has given that is served."""
        found = (place.built for place in self._places if place.template is template)
        return next(found, ()) if template.served else ()

    def follow(self, owner: Owner, changed: Callable[[Owner], None]) -> None:
        """Have this called, on the event loop, whenever `operations` is another one.

        That goes on for as long as the owner lives, which is not held: a program may build an app
        or a server for each of its own requests.
        """
        living = weakref.ref(owner)

        def listener() -> None:
            alive = living()
            if alive is not None:
                changed(alive)

        def forget() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        self._listeners.append(listener)
        weakref.finalize(owner, forget).atexit = False

    def listed(self, name: str) -> list[JsonValue]:
        """Return `[{name, key, item}]` of one `discover` entry. It is shared: not to be changed.

        Routes have their `method` and `path` as well.
        """
        for place in self._places:
            if place.template.discovery == name:
                return place.listed
        return []

    def problems(self, name: str) -> tuple[str, ...]:
        """Return why items of one `discover` entry became no operations."""
        for place in self._places:
            if place.template.discovery == name:
                return place.problems
        return ()

    async def _rebuild(self) -> None:
        self._rebuilds += 1
        current = self._rebuilds
        taken = set(self._taken)
        cache: dict[tuple[int, str, str], tuple[Entry, DiscoveredOperation]] = {}
        claimed: dict[tuple[str, str], str] = {}
        count, since = 0, time.perf_counter()
        for number, place in enumerate(self._places):
            problems: list[str] = []
            wanted = await self._wanted(place, problems)
            if current != self._rebuilds:
                return  # another finder has found something: that turn sees this as well
            names = assign_names(
                {entry.key: raw for entry, raw in wanted},
                taken,
                fallback=place.template.discovery,
            )
            taken.update(names.values())
            built: list[DiscoveredOperation] = []
            for entry, _ in wanted:
                name = names[entry.key]
                count += 1
                if count % AT_A_TIME == 0 or time.perf_counter() - since > TURN_S:
                    await asyncio.sleep(0)
                    since = time.perf_counter()
                    if current != self._rebuilds:
                        return
                made = self._made(number, place.template, entry, name, problems)
                if made is not None:
                    cache[number, entry.key, name] = (entry, made)
                    if self._is_free(place, made, claimed, problems):
                        built.append(made)
            place.built = tuple(built)
            place.listed = [_shown(item) for item in built]
            self._say(place, problems)
        self._cache = cache
        operations = tuple(
            item for place in self._places if place.template.served for item in place.built
        )
        if len(operations) == len(self.operations) and all(
            left is right for left, right in zip(operations, self.operations, strict=True)
        ):
            return
        self.operations = operations
        for listener in list(self._listeners):
            listener()

    async def _wanted(self, place: _Place, problems: list[str]) -> list[tuple[Entry, str]]:
        found: list[tuple[Entry, str]] = []
        template = place.template
        for number, entry in enumerate(place.entries, 1):
            if number % AT_A_TIME == 0:
                await asyncio.sleep(0)
            try:
                if template.wanted(entry):
                    found.append((entry, template.named(entry)))
            except RunError as error:
                problems.append(_problem(template.finder, entry, error))
            except Exception:  # noqa: BLE001  # a bug of ours, or what only this item can do to us
                problems.append(_bug(template.finder, entry))
        return found

    def _made(
        self,
        number: int,
        template: EntryTemplate,
        entry: Entry,
        name: str,
        problems: list[str],
    ) -> DiscoveredOperation | None:
        kept = self._cache.get((number, entry.key, name))
        if kept is not None and kept[0] is entry:
            return kept[1]
        try:
            return template.build(entry, name)
        except RunError as error:
            problems.append(_problem(template.finder, entry, error))
        except Exception:  # noqa: BLE001  # as above: the other items are served all the same
            problems.append(_bug(template.finder, entry))
        return None

    def _is_free(
        self,
        place: _Place,
        made: DiscoveredOperation,
        claimed: dict[tuple[str, str], str],
        problems: list[str],
    ) -> bool:
        """Tell whether nobody else answers the route of an item."""
        if self._own is None or made.path is None:
            return True
        key = place.template.finder.voice.shown(made.key)
        objection = self._own.objection(made.method, made.path, claimed, key)
        if objection is not None:
            problems.append(f"{key} is not served: {place.template.finder.voice.shown(objection)}")
        return objection is None

    def _say(self, place: _Place, problems: list[str]) -> None:
        found = tuple(problems[:MAX_PROBLEMS])
        if len(problems) > MAX_PROBLEMS:
            found = (*found, f"{len(problems):,} items are not served in all")
        for text in found:
            if text not in place.problems:
                logger.warning("discovery %s: %s", place.template.discovery, text)
        place.problems = found


def _problem(finder: Finder, entry: Entry, error: RunError) -> str:
    return f"{finder.voice.shown(entry.key)} is not served: {finder.voice.shown(error.message)}"


def _bug(finder: Finder, entry: Entry) -> str:
    return _problem(finder, entry, finder.voice.bug(finder.voice.shown(entry.key)))


def _shown(item: DiscoveredOperation) -> JsonObject:
    shown: JsonObject = {"name": item.operation.name, "key": item.key, "item": item.item}
    if item.path is not None:
        shown |= {"method": item.method, "path": item.path}
    return shown
