"""The refresher, on a clock that only sleeping moves, and what it keeps when a source fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace

import pytest

from naftiko.resolve.binds import Cell, RefreshedSource
from naftiko.resolve.providers import SourceUnavailableError
from naftiko.resolve.refresh import JITTER, Refresher


class Store:
    """A source whose values change when a test says so."""

    def __init__(self, **values: str) -> None:
        self.values = values
        self.reads = 0
        self.fails = False

    def read(self) -> Mapping[str, str]:
        self.reads += 1
        if self.fails:
            raise SourceUnavailableError("it is asleep")
        return dict(self.values)

    def source(self, interval_s: float = 60.0) -> RefreshedSource:
        self.cell = Cell(self.values.get("key"))
        return RefreshedSource(
            uri="vault://kv/app", interval_s=interval_s, read=self.read, cells=(("key", self.cell),)
        )


class Time:
    """A clock that only sleeping moves."""

    def __init__(self, turns: int) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._turns = turns
        self.done = asyncio.Event()

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if len(self.slept) == self._turns:
            self.done.set()
            await asyncio.Event().wait()
        self.slept.append(seconds)
        self.now += seconds


def test_values_take_effect_and_are_masked_first() -> None:
    store = Store(key="old value")
    seen: list[tuple[str, str | None]] = []
    source = store.source()
    refresher = Refresher([source], lambda secret: seen.append((secret, store.cell.value)))
    store.values["key"] = "new value"

    assert asyncio.run(refresher.refresh()) == 1
    assert (store.cell.value, store.cell.version) == ("new value", 1)
    assert seen == [("new value", "old value")], "it is masked before it can be used"
    assert asyncio.run(refresher.refresh()) == 0
    assert store.cell.version == 1


def test_the_last_good_value_stays(caplog: pytest.LogCaptureFixture) -> None:
    store = Store(key="canary-good")
    refresher = Refresher([store.source()], lambda _: None)
    store.fails = True
    assert asyncio.run(refresher.refresh()) == 0
    store.fails, store.values = False, {}
    assert asyncio.run(refresher.refresh()) == 0
    assert (store.cell.value, store.cell.version) == ("canary-good", 0)
    assert "it is asleep" in caplog.text
    assert "`key` is no longer in the bind vault://kv/app" in caplog.text
    assert "canary" not in caplog.text
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_each_source_has_its_turns(spread: float) -> None:
    often, seldom = Store(key="a"), Store(key="b")

    async def story() -> Time:
        time = Time(turns=7)
        refresher = Refresher(
            [often.source(20.0), seldom.source(70.0)],
            lambda _: None,
            clock=time.clock,
            sleep=time.sleep,
            spread=lambda: spread,
        )
        refresher.start()
        refresher.start()
        await time.done.wait()
        assert refresher.is_running
        await refresher.stop()
        assert not refresher.is_running
        return time

    time = asyncio.run(story())
    assert (often.reads, seldom.reads) == (6, 1)
    assert sum(time.slept) == pytest.approx(120.0 * (1 - JITTER * spread))


def test_nothing_to_refresh_starts_no_task() -> None:
    async def story() -> None:
        refresher = Refresher([], lambda _: None)
        refresher.start()
        assert not refresher.is_running
        await refresher.stop()

    asyncio.run(story())


def test_an_optional_variable_may_go_without_a_value(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    source = store.source()
    cell = Cell("native", is_optional=True, default="native")
    plain = Cell("", is_optional=True, default="", is_secret=False)
    cells = (("key", cell), ("plain", plain))
    secrets: list[str] = []
    refresher = Refresher([replace(source, cells=cells)], secrets.append)

    assert asyncio.run(refresher.refresh()) == 0
    assert caplog.messages == [], "it has never had another one"
    store.values = {"key": "other", "plain": "orders-"}
    assert asyncio.run(refresher.refresh()) == 2
    assert (cell.value, plain.value, secrets) == ("other", "orders-", ["other"])
    store.values = {"key": "native"}
    assert asyncio.run(refresher.refresh()) == 1
    assert secrets == ["other"], "what the file says is no secret"
    assert caplog.messages == [
        "`plain` is no longer in the bind vault://kv/app; the last value stays"
    ]
