"""Finders: lists that fail and come back, items that do, what is published and when."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from naftiko.expressions.conditions import compile_condition
from naftiko.plan.discovery.finder import MAX_NOTES
from naftiko.plan.discovery.items import Entry, Pace
from naftiko.plan.discovery.texts import same_json
from naftiko.values import JsonValue
from tests.unit.plan.discovery.found import HERE, QUICK, SECRET, Api, Watched, down, things

SLOW_GAP = Pace(retry_s=0.001, max_item_retry_s=0.002, gap_s=3600.0, max_gap_s=3600.0)


def play(story: Callable[[Api], Coroutine[Any, Any, None]]) -> None:
    """Run a story on a loop of its own."""

    async def run() -> None:
        await story(Api())

    asyncio.run(run())


# ------------------------------------------------------------------------- lists


def test_a_list_that_cannot_be_had_at_first_is_had_later() -> None:
    async def story(api: Api) -> None:
        api.items = down()
        watched = Watched(api)
        assert watched.status["state"] == "starting"
        assert not await watched.finder.first()
        assert watched.status["state"] == "failing"
        assert watched.status["error"] == {"code": "unreachable", "message": "no answer"}
        assert watched.status["since"]
        api.items = things("a")
        await watched.until(lambda: watched.last)
        assert watched.status["state"] == "ready"
        assert watched.status["error"] is None
        await watched.finder.stop()

    play(story)


def test_the_last_good_set_stays_while_the_list_fails(caplog: pytest.LogCaptureFixture) -> None:
    async def story(api: Api) -> None:
        api.items = things("a", "b")
        watched = Watched(api)
        assert await watched.finder.first()
        api.items = down(f"401 for token {SECRET}")
        await watched.listed(20)
        assert list(watched.last) == ["a", "b"]
        assert watched.status["state"] == "failing"
        assert watched.status["known"] == 2
        assert len(watched.published) == 1
        assert SECRET not in repr(watched.status)
        await watched.finder.stop()

    play(story)
    said = [record.getMessage() for record in caplog.records]
    assert said == ["discovery things: the list cannot be had, the last 2 stay: 401 for token ***"]


def test_a_bug_in_the_list_is_logged_and_does_not_end_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(api: Api) -> None:
        api.items = ZeroDivisionError(SECRET)
        watched = Watched(api)
        assert not await watched.finder.first()
        assert watched.status["error"]["code"] == "internal-error"
        api.items = things("a")
        await watched.until(lambda: watched.last)
        await watched.finder.stop()

    play(story)
    assert "ZeroDivisionError: ***" in caplog.text
    assert SECRET not in caplog.text


def test_an_item_that_vanishes_is_published_no_more() -> None:
    async def story(api: Api) -> None:
        api.items = things("a", "b")
        watched = Watched(api)
        await watched.finder.first()
        api.items = things("b")
        await watched.until(lambda: list(watched.last) == ["b"])
        api.items = []
        await watched.until(lambda: watched.published[-1] == {})
        await watched.finder.stop()

    play(story)


def test_nothing_is_told_while_nothing_changes() -> None:
    async def story(api: Api) -> None:
        api.items = things("a", "b", "c")
        watched = Watched(api)
        await watched.finder.first()
        await watched.listed(5)
        api.items = things("c", "a", "b")  # another order is no news
        await watched.listed(5)
        assert len(watched.published) == 1
        assert api.asked == ["a", "b", "c"]
        await watched.finder.stop()

    play(story)


def test_no_task_and_no_call_before_start() -> None:
    async def story(api: Api) -> None:
        watched = Watched(api)
        await asyncio.sleep(0)
        assert api.listings == 0
        assert len(asyncio.all_tasks()) == 1
        await watched.finder.stop()

    play(story)


def test_what_is_not_an_item_is_left_out_and_said() -> None:
    async def story(api: Api) -> None:
        api.items = [
            *things("a", "a", ""),
            {"id": "long", "x": "y"},
            {"id": None},
            7,
            "text",
            None,
            [],
            {"id": {"deep": [1]}},
        ]
        watched = Watched(api, enrich=False)
        await watched.finder.first()
        assert list(watched.last) == ["a", "long", '{"deep":[1]}']
        assert watched.finder.notes[:2] == (
            "two items have the key `a`; only the first one counts",
            "an item has no key; it is left out",
        )
        assert watched.status["found"] == 10
        await watched.finder.stop()

    play(story)


def test_no_more_than_max_items_are_kept() -> None:
    async def story(api: Api) -> None:
        api.items = things(*map(str, range(12)))
        watched = Watched(api, max_items=5)
        await watched.finder.first()
        assert list(watched.last) == ["0", "1", "2", "3", "4"]
        assert watched.finder.notes == (
            "12 items, of which only the first 5 are served; raise `maxItems` or filter them",
        )
        assert len(api.asked) == 5
        await watched.finder.stop()

    play(story)


def test_bad_items_by_the_thousand_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def story(api: Api) -> None:
        api.items = [thing for name in map(str, range(3_000)) for thing in things(name, name)]
        watched = Watched(api, enrich=False)
        await watched.finder.first()
        assert len(watched.last) == 3_000
        assert len(watched.finder.notes) == MAX_NOTES + 1
        assert watched.finder.notes[-1] == "3,000 such messages in all"
        await watched.finder.stop()

    play(story)
    assert len(caplog.records) == MAX_NOTES + 1


def test_a_condition_that_fails_on_one_item_leaves_out_that_item() -> None:
    async def story(api: Api) -> None:
        api.items = [{"id": "a", "size": 3}, {"id": "b"}, {"id": "c", "size": "x"}]
        filter_ = compile_condition(
            "{{ item.size > 1 }}", lambda _offset, _length=0: HERE, lambda _name: None
        )
        watched = Watched(api, enrich=False, filter_=filter_)
        await watched.finder.first()
        assert list(watched.last) == ["a"]
        assert len(watched.finder.notes) == 2
        assert all(note.startswith("an item is left out: ") for note in watched.finder.notes)
        await watched.finder.stop()

    play(story)


def test_keys_are_whole_items_where_the_file_gives_none() -> None:
    async def story(api: Api) -> None:
        long = "x" * 5_000
        api.items = [f"{long}1", f"{long}2", 1, True, {"a": [1]}]
        watched = Watched(api, enrich=False, key=None)
        await watched.finder.first()
        assert [entry.item for entry in watched.finder.entries] == api.items
        await watched.finder.stop()

    play(story)


# ------------------------------------------------------------------------- items


def test_a_changed_item_is_asked_for_again_and_no_other() -> None:
    async def story(api: Api) -> None:
        api.items = things("a", "b", flag=1)
        watched = Watched(api)
        await watched.finder.first()
        before = watched.last
        api.items = [*things("a", flag=True), *things("b", flag=1)]  # 1 is not true
        await watched.until(lambda: len(watched.published) == 2)
        assert api.asked == ["a", "b", "a"]
        assert watched.last["a"].item == {"id": "a", "flag": True}
        assert watched.last["b"] is before["b"]
        await watched.finder.stop()

    play(story)


def test_an_item_that_cannot_be_asked_for_keeps_what_was_known(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(api: Api) -> None:
        api.items = things("a", "b", version=1)
        watched = Watched(api)
        await watched.finder.first()
        before = watched.last["a"]
        api.details["a"] = down()
        api.items = things("a", "b", version=2)
        await watched.until(lambda: watched.status["failed"])
        assert watched.last["a"] is before
        await watched.until(lambda: watched.last["b"].item == {"id": "b", "version": 2})
        assert watched.status["state"] == "ready"
        assert watched.status["failures"] == [
            {"key": "a", "code": "unreachable", "message": "no answer"}
        ]
        del api.details["a"]
        watched.clock += 1.0
        api.items = things("a", "b", "c", version=2)  # whatever comes wakes it up
        await watched.until(lambda: watched.last["a"].item == {"id": "a", "version": 2})
        assert not watched.finder.failures
        await watched.finder.stop()

    play(story)
    assert "discovery things: a could not be asked for again: no answer" in caplog.text


def test_a_new_item_that_cannot_be_asked_for_is_left_out_and_tried_again() -> None:
    async def story(api: Api) -> None:
        api.items = things("a", "b\nforged\x1b[2J")
        api.details["b\nforged\x1b[2J"] = down(f"bad\n{SECRET}")
        watched = Watched(api)
        assert await watched.finder.first()
        assert list(watched.last) == ["a"]
        assert watched.status["failures"] == [
            {
                "key": "b forged\N{REPLACEMENT CHARACTER}[2J",
                "code": "unreachable",
                "message": "bad ***",
            }
        ]
        api.details.clear()
        watched.clock += 1.0
        api.items = [*api.items, *things("c")]
        await watched.until(lambda: len(watched.last) == 3)
        await watched.finder.stop()

    play(story)


@pytest.mark.parametrize("bug", [ZeroDivisionError, RecursionError, asyncio.InvalidStateError])
def test_a_bug_with_one_item_concerns_no_other(
    bug: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    async def story(api: Api) -> None:
        api.items = things("a", "b", "c")
        api.details["b"] = bug(SECRET)
        watched = Watched(api)
        assert await watched.finder.first()
        assert list(watched.last) == ["a", "c"]
        assert watched.status["failures"][0]["code"] == "internal-error"
        await watched.finder.stop()

    play(story)
    assert "Traceback" in caplog.text
    assert SECRET not in caplog.text


def test_items_are_asked_for_again_once_they_are_old() -> None:
    async def story(api: Api) -> None:
        api.items = things("a", "b")
        watched = Watched(api, enrich_refresh_s=10.0)
        await watched.finder.first()
        assert api.asked == ["a", "b"]
        api.details["b"] = {"of": "b", "new": True}
        watched.clock += 11.0
        api.items = things("a", "b", "c")  # whatever comes wakes it up
        await watched.until(lambda: len(watched.last) == 3)
        await watched.until(
            lambda: watched.last["b"].outputs["details"] == {"of": "b", "new": True}
        )
        assert sorted(api.asked) == ["a", "a", "b", "b", "c"]
        await watched.finder.stop()

    play(story)


@pytest.mark.parametrize("parallel", [1, 3])
def test_so_many_are_asked_for_at_a_time_and_no_more(parallel: int) -> None:
    async def story(api: Api) -> None:
        api.items = things(*map(str, range(40)))
        watched = Watched(api, parallel=parallel)
        await watched.finder.first()
        assert api.most_busy == parallel
        assert len(api.asked) == 40
        await watched.finder.stop()
        api.most_busy = 0
        await watched.finder.refresh()
        assert api.most_busy == parallel

    play(story)


def test_an_item_that_changes_while_it_is_asked_for_is_asked_for_again() -> None:
    async def story(api: Api) -> None:
        api.hold.clear()
        api.items = things("a", version=1)
        watched = Watched(api)
        watched.finder.start()
        await watched.until(lambda: api.busy)
        api.items = things("a", version=2)
        await watched.listed()
        api.hold.set()
        watched.clock += 1.0
        await watched.until(lambda: watched.last)
        watched.clock += 1.0
        api.items = [*api.items, *things("b")]
        await watched.until(lambda: watched.last["a"].item == {"id": "a", "version": 2})
        await watched.finder.stop()

    play(story)


def test_an_item_that_goes_while_it_is_asked_for_is_not_published() -> None:
    async def story(api: Api) -> None:
        api.hold.clear()
        api.items = things("a", "b")
        watched = Watched(api, parallel=1)
        watched.finder.start()
        await watched.until(lambda: api.busy)
        api.items = things("b")
        await watched.listed()
        api.hold.set()
        await watched.finder.first()
        assert list(watched.last) == ["b"]
        await watched.finder.stop()

    play(story)


# -------------------------------------------------------------------- publishing


def test_what_is_known_after_the_wait_is_published_and_the_rest_follows() -> None:
    async def story(api: Api) -> None:
        late = api.details["c"] = asyncio.Event()
        api.items = things("a", "b", "c")
        watched = Watched(api, pace=SLOW_GAP)
        watched.finder.start()
        await watched.until(lambda: watched.status["pending"] == 1)
        assert not watched.published
        assert not await watched.finder.first(0)
        assert list(watched.last) == ["a", "b"]
        assert watched.status["state"] == "ready"
        late.set()
        await watched.until(lambda: list(watched.last) == ["a", "b", "c"])
        await watched.finder.stop()

    play(story)


def test_the_wait_is_bounded_whatever_the_list_does(caplog: pytest.LogCaptureFixture) -> None:
    async def story(api: Api) -> None:
        api.hold.clear()
        api.items = things("a")
        watched = Watched(api, wait_s=0.0, pace=SLOW_GAP)
        assert not await watched.finder.first()
        assert watched.status["state"] == "ready"
        assert watched.status["known"] == 0
        await watched.until(lambda: watched.status["pending"] == 1)
        await watched.finder.stop()

    play(story)
    assert "not complete after 0 s; 0 items are known, the rest follows" in caplog.text


def test_what_was_found_meanwhile_does_not_wait_for_the_slowest() -> None:
    async def story(api: Api) -> None:
        api.items = things("a")
        watched = Watched(api)
        await watched.finder.first()
        api.hold.clear()
        api.items = things("b")
        await watched.until(lambda: watched.published[-1] == {})  # `a` has gone, `b` is not known
        api.hold.set()
        await watched.until(lambda: list(watched.last) == ["b"])
        await watched.finder.stop()

    play(story)


def test_a_subscriber_that_fails_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    async def story(api: Api) -> None:
        api.items = things("a")
        watched = Watched(api)
        told: list[int] = []

        async def subscriber(entries: tuple[Entry, ...]) -> None:
            told.append(len(entries))
            if len(told) == 1:
                raise ZeroDivisionError

        watched.finder.subscribe(subscriber)
        assert await watched.finder.first()
        await watched.until(lambda: len(told) == 2)
        await watched.listed(3)
        assert told == [1, 1]
        await watched.finder.stop()

    play(story)
    assert "ZeroDivisionError" in caplog.text


# ------------------------------------------------------------- starting, stopping


def test_it_starts_on_one_loop_and_goes_on_with_the_next() -> None:
    api = Api(items=things("a", "b"))
    watched = Watched(api)

    async def first() -> None:
        watched.finder.start()
        watched.finder.start()
        assert await watched.finder.first()
        await watched.finder.stop()
        await watched.finder.stop()
        assert len(asyncio.all_tasks()) == 1

    async def second() -> None:
        assert await watched.finder.first()
        assert list(watched.last) == ["a", "b"]
        api.items = things("c")
        await watched.until(lambda: list(watched.last) == ["c"])
        # Ends with the loop, unasked.

    asyncio.run(first())
    asyncio.run(second())
    api.items = things("d")
    asyncio.run(first())
    assert list(watched.last) == ["d"]


def test_stopped_while_it_asks_it_asks_again_after_the_next_start() -> None:
    api = Api(items=things("a", "b", "c"))
    watched = Watched(api, parallel=2)

    async def first() -> None:
        api.hold = asyncio.Event()
        watched.finder.start()
        await watched.until(lambda: api.busy == 2)
        await watched.finder.stop()
        assert api.busy == 0

    async def second() -> None:
        api.hold.set()
        assert await watched.finder.first()
        assert sorted(watched.last) == ["a", "b", "c"]
        assert watched.status["pending"] == 0
        await watched.finder.stop()

    asyncio.run(first())
    asyncio.run(second())


def test_a_loop_that_only_stopped_does_not_hold_it() -> None:
    api = Api(items=things("a"))
    watched = Watched(api)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(watched.finder.first())
    api.items = things("b")

    async def elsewhere() -> None:
        watched.finder.start()
        await watched.until(lambda: list(watched.last) == ["b"])
        await watched.finder.stop()

    asyncio.run(elsewhere())
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_once_and_now() -> None:
    async def story(api: Api) -> None:
        api.items = things("a", "b")
        api.details["b"] = down()
        watched = Watched(api)
        await watched.finder.refresh()
        assert list(watched.last) == ["a"]
        assert watched.status["state"] == "ready"
        assert watched.status["failed"] == 1
        assert len(asyncio.all_tasks()) == 1
        api.items = down()
        with pytest.raises(type(down()), match="no answer"):
            await watched.finder.refresh()
        assert list(watched.last) == ["a"]

    play(story)


def test_a_look_that_is_given_up_leaves_nothing_unasked() -> None:
    async def story(api: Api) -> None:
        api.items = things("a", "b", "c")
        watched = Watched(api, parallel=1)
        assert await watched.finder.first()
        api.hold.clear()
        looking = asyncio.create_task(watched.finder.refresh())
        await watched.until(lambda: api.busy == 1)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        api.details = {name: {"now": name} for name in "abc"}
        api.hold.set()
        await watched.until(
            lambda: (
                [entry.outputs["details"] for entry in watched.last.values()]
                == [{"now": "a"}, {"now": "b"}, {"now": "c"}]
            )
        )
        await watched.finder.stop()

    play(story)


def test_thousands_of_items_leave_others_their_turns() -> None:
    async def story(api: Api) -> None:
        api.items = things(*map(str, range(5_000)))
        watched = Watched(api, enrich=False, refresh_s=3600.0)
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        task = asyncio.create_task(other())
        await watched.finder.first()
        task.cancel()
        assert turns >= 5_000 // 50
        assert len(watched.last) == 5_000
        await watched.finder.stop()

    play(story)


def test_when_items_were_due_that_have_gone_is_forgotten() -> None:
    async def story(api: Api) -> None:
        watched = Watched(api)
        for number in range(20):
            api.items = things(*(f"{number}-{thing}" for thing in range(50)))
            await watched.finder.refresh()
        assert len(watched.last) == 50
        assert len(watched.finder._items._due) <= 250

    play(story)


def test_the_log_is_quiet_about_a_failure_that_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def story(api: Api) -> None:
        api.items = down()
        watched = Watched(api, pace=QUICK)
        await watched.finder.first()
        await watched.listed(10)
        await watched.finder.stop()

    with caplog.at_level(logging.INFO):
        play(story)
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1, True, False),
        (0, False, False),
        (1, 1.0, False),
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([1], [1, 2], False),
        ([], {}, False),
        ("", None, False),
    ],
)
def test_the_same_json(left: JsonValue, right: JsonValue, same: bool) -> None:
    assert same_json(left, right) is same


def test_values_of_any_depth_are_compared() -> None:
    left: JsonValue = []
    right: JsonValue = []
    for _ in range(50_000):
        left, right = [left], [right]
    assert same_json(left, right)
