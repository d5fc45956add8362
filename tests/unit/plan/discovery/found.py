"""A listing and an enrichment in memory, and a finder over them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from naftiko.errors import ConsumedError
from naftiko.expressions.template import compile_template
from naftiko.plan.discovery.finder import Finder
from naftiko.plan.discovery.items import Entry, Pace
from naftiko.plan.discovery.plan import DiscoveryPlan
from naftiko.plan.masking import Masker
from naftiko.plan.ports import Result
from naftiko.plan.run import Run
from naftiko.source import Location
from naftiko.values import JsonValue

HERE = Location("c.yaml", 1, 1, 1)
SECRET = "s3cret-token"
QUICK = Pace(retry_s=0.001, max_item_retry_s=0.002, gap_s=0.001, max_gap_s=0.001)


def down(message: str = "no answer") -> ConsumedError:
    """Return the error of an API that cannot be reached."""
    return ConsumedError(code="unreachable", message=message)


@dataclass(eq=False)
class Api:
    """What is listed, and what is known of each item: an exception is raised, an event waited for.

    `hold` keeps every enrichment waiting, from when it is cleared until it is set.
    """

    items: Any = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    listings: int = 0
    asked: list[str] = field(default_factory=list)
    busy: int = 0
    most_busy: int = 0
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.hold.set()


@dataclass(frozen=True)
class Listing:
    api: Api
    calls: Sequence[str] = ("api.list",)

    async def run(self, run: Run) -> Result:
        await asyncio.sleep(0)
        self.api.listings += 1
        if isinstance(self.api.items, Exception):
            raise self.api.items
        return Result(value=self.api.items)

    def explain(self) -> Sequence[str]:
        return ["list"]


@dataclass(frozen=True)
class Details:
    api: Api
    calls: Sequence[str] = ("api.get",)

    async def run(self, run: Run) -> Result:
        item: Any = run.inputs["item"]
        self.api.asked.append(item["id"])
        self.api.busy += 1
        self.api.most_busy = max(self.api.busy, self.api.most_busy)
        try:
            await asyncio.sleep(0)
            await self.api.hold.wait()
            found = self.api.details.get(item["id"], {"of": item["id"]})
            if isinstance(found, asyncio.Event):
                await found.wait()
            if isinstance(found, Exception):
                raise found
            run.outputs["details"] = found if isinstance(found, dict) else {}
            return Result(value=run.outputs["details"])
        finally:
            self.api.busy -= 1

    def explain(self) -> Sequence[str]:
        return ["get"]


def plan_of(api: Api, *, enrich: bool = True, **changes: Any) -> DiscoveryPlan:
    """Return a plan that asks the API."""
    settings: dict[str, Any] = {
        "name": "things",
        "as_": "item",
        "location": HERE,
        "listing": Listing(api),
        "by_steps": False,
        "items": None,
        "key": compile_template("{{item.id}}", lambda _offset, _length=0: HERE, lambda _name: None),
        "filter_": None,
        "enrichment": Details(api) if enrich else None,
        "outputs": ("details",) if enrich else (),
        "parallel": 4,
        "refresh_s": 0.001,
        "enrich_refresh_s": 3600.0 if enrich else None,
        "wait_s": 20.0,
        "max_items": 10_000,
    }
    return DiscoveryPlan(**(settings | changes))


def masker() -> Masker:
    """Return what masks the secret."""
    found = Masker()
    found.add(SECRET)
    return found


class Watched:
    """A finder, and every set that it has published."""

    def __init__(self, api: Api, **changes: Any) -> None:
        self.api = api
        self.clock = 0.0
        pace = changes.pop("pace", QUICK)
        self.finder = Finder(
            plan_of(api, **changes),
            masker(),
            adapter="mcp",
            pace=replace(pace, clock=lambda: self.clock, spread=lambda: 0.0),
        )
        self.published: list[dict[str, Entry]] = []
        self.finder.subscribe(self._publish)

    async def _publish(self, entries: tuple[Entry, ...]) -> None:
        self.published.append({entry.key: entry for entry in entries})

    @property
    def last(self) -> dict[str, Entry]:
        """The set that was published last."""
        return self.published[-1] if self.published else {}

    @property
    def status(self) -> dict[str, Any]:
        """What readiness shows."""
        return dict(self.finder.status())

    async def until(self, holds: Callable[[], object]) -> None:
        """Let the finder work until something holds."""
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110  # no event stands for all that is looked at
                await asyncio.sleep(0)

    async def listed(self, times: int = 1) -> None:
        """Wait until the list was had so many times more, and the last one was taken in."""
        wanted = self.api.listings + times + 1
        await self.until(lambda: self.api.listings >= wanted)


def things(*ids: str, **more: JsonValue) -> list[JsonValue]:
    """Return items."""
    return [{"id": name, **more} for name in ids]
