"""What `log` steps of an enrichment say is logged once, and stays to be seen while it holds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from naftiko.plan.ports import Result
from naftiko.plan.run import Run
from naftiko.values import JsonValue
from tests.unit.plan.discovery.found import SECRET, Api, Details, Watched

if TYPE_CHECKING:
    import pytest


@dataclass(frozen=True)
class Talking(Details):
    """Says what the item has to say, as `log` steps do."""

    async def run(self, run: Run) -> Result:
        item = run.inputs["item"]
        assert run.log is not None
        assert isinstance(item, dict)
        said = item.get("says", [])
        assert isinstance(said, list)
        for pair in said:
            assert isinstance(pair, list)
            await run.log(str(pair[0]), pair[1], "")
        return await super().run(run)


def talks(*said: tuple[str, str | list[JsonValue]]) -> list[JsonValue]:
    return [{"id": "a", "says": [list(pair) for pair in said]}, {"id": "b"}]


def test_warnings_are_said_once_and_stay_while_they_hold(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        api = Api(items=talks(("warning", f"no schema\nat {SECRET}"), ("info", "asked")))
        watched = Watched(api, enrichment=Talking(api), enrich_refresh_s=0.001)
        await watched.finder.first()
        assert watched.finder.notes == ("a: no schema at ***",)
        assert watched.status["problems"] == ["a: no schema at ***"]
        assert watched.status["failed"] == 0
        assert set(watched.last) == {"a", "b"}
        watched.clock += 1.0
        await watched.finder.refresh()
        assert watched.finder.notes == ("a: no schema at ***",)
        api.items = talks()
        await watched.until(lambda: not watched.finder.notes)
        await watched.finder.stop()

    asyncio.run(story())
    assert caplog.text.count("discovery things: a: no schema at ***") == 1
    assert "asked" not in caplog.text


def test_no_item_fills_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        api = Api(items=talks(*(("error", f"no {number}") for number in range(100))))
        watched = Watched(api, enrichment=Talking(api))
        await watched.finder.refresh()
        assert watched.finder.notes[0] == "a: no 0"
        assert len(watched.finder.notes) == 5

    asyncio.run(story())
    assert len(caplog.records) == 5
