"""The cache by a given time, and what holds for both kinds."""

from __future__ import annotations

import asyncio

import pytest

from naftiko.consumes.resilience.cache import Cache
from naftiko.consumes.resilience.layer import Call, Sent, send
from naftiko.consumes.resilience.settings import CacheSettings
from naftiko.errors import ConsumedError, RunError
from naftiko.plan.ports import Result
from tests.unit.consumes.resilience.layers import (
    UNREACHABLE,
    Api,
    Time,
    answer,
    api,
    outcome_of,
    outcomes,
    run,
    until,
)


def cache(moments: Time, **settings: float) -> Cache:
    whole = {"ttl_s": 60.0, **settings}
    return Cache(CacheSettings(**whole), moments.clock)  # type: ignore[arg-type]  # numbers by name


def http(
    upstream: Api, url: str = "http://a/x", method: str = "GET", *headers: tuple[str, str]
) -> Call:
    request = Sent(method, url, headers, None)
    return Call(operation="api.op", method=method, request=request, send=upstream.send)


def test_an_answer_is_good_for_its_time() -> None:
    moments, upstream = Time(), api()
    kept = cache(moments)

    async def scenario() -> None:
        for _ in range(3):
            await kept.run(http(upstream), run(), send)
        moments.now += 59.9
        await kept.run(http(upstream), run(), send)
        assert upstream.calls == 1
        moments.now += 0.1
        await kept.run(http(upstream), run(), send)
        assert upstream.calls == 2

    asyncio.run(scenario())


def test_everything_that_is_sent_tells_answers_apart() -> None:
    upstream, kept = api(), cache(Time())
    calls = [
        http(upstream),
        http(upstream, "http://a/y"),
        http(upstream, "http://a/x", "HEAD"),
        http(upstream, "http://a/x", "GET", ("Authorization", "one")),
        http(upstream, "http://a/x", "GET", ("Authorization", "two")),
        http(upstream, "http://a/x", "GET", ("X-Key", "two")),
    ]

    async def scenario() -> None:
        for call in calls * 2:
            await kept.run(call, run(), send)

    asyncio.run(scenario())
    assert upstream.calls == len(calls)


def test_a_header_may_be_ignored() -> None:
    upstream = api()
    kept = Cache(CacheSettings(ttl_s=60, ignored_headers=frozenset({"x-request-id"})), Time().clock)

    async def scenario() -> None:
        for number in range(3):
            call = http(upstream, "http://a/x", "GET", ("X-Request-Id", str(number)))
            await kept.run(call, run(), send)

    asyncio.run(scenario())
    assert upstream.calls == 1


def test_nobody_changes_what_others_get() -> None:
    upstream, kept = api(Result(value={"items": [1]}, raw=b'{"items":[1]}')), cache(Time())

    async def scenario() -> list[Result]:
        return [await kept.run(http(upstream), run(), send) for _ in range(3)]

    first, second, third = asyncio.run(scenario())
    assert isinstance(second.value, dict)
    second.value["items"] = None
    assert first.value is not third.value
    assert third.value == {"items": [1]}
    assert third.raw == b'{"items":[1]}'


@pytest.mark.parametrize("outcome", [500, 404, 302, 206, UNREACHABLE])
def test_only_good_answers_are_kept(outcome: int | RunError) -> None:
    upstream, kept = api(outcome), cache(Time())

    async def scenario() -> None:
        await outcomes(kept.run(http(upstream), run(), send) for _ in range(2))

    asyncio.run(scenario())
    assert upstream.calls == 2


def test_those_who_ask_at_once_wait_for_one_call() -> None:
    upstream, kept = api(), cache(Time())

    async def scenario() -> list[int | str]:
        upstream.gate = asyncio.Event()
        asked = [outcome_of(kept.run(http(upstream), run(), send)) for _ in range(20)]
        tasks = [asyncio.ensure_future(work) for work in asked]
        await asyncio.sleep(0)
        upstream.gate.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(scenario()) == [200] * 20
    assert upstream.calls == 1


def test_they_fail_together_but_go_on_where_the_caller_left() -> None:
    upstream, kept = api(UNREACHABLE), cache(Time())

    async def scenario() -> tuple[list[int | str], int]:
        upstream.gate = asyncio.Event()
        work = [kept.run(http(upstream), run(), send) for _ in range(3)]
        first, *others = [asyncio.ensure_future(outcome_of(one)) for one in work]
        await asyncio.sleep(0)
        first.cancel()
        await until(lambda: upstream.calls == 2)
        for _ in range(5):
            await asyncio.sleep(0)
        upstream.gate.set()
        return await asyncio.gather(*others), upstream.calls

    assert asyncio.run(scenario()) == (["unreachable", "unreachable"], 2)


def test_stale_answers_where_the_api_fails() -> None:
    moments, upstream = Time(), api(200, 503, UNREACHABLE, 404, 503)
    kept = cache(moments, stale_if_error_s=100)

    async def scenario() -> list[int | str]:
        found = [await outcome_of(kept.run(http(upstream), run(), send))]
        moments.now += 60
        found += await outcomes(kept.run(http(upstream), run(), send) for _ in range(3))
        moments.now += 101
        return [*found, await outcome_of(kept.run(http(upstream), run(), send))]

    assert asyncio.run(scenario()) == [200, 200, 200, 404, 503]


def test_stale_answers_while_a_new_one_is_fetched() -> None:
    moments, upstream = Time(), api(answer(200), answer(203))
    kept = cache(moments, stale_while_revalidate_s=100)

    async def scenario() -> list[int | str]:
        found = [await outcome_of(kept.run(http(upstream), run(), send))]
        moments.now += 60
        found += await outcomes(kept.run(http(upstream), run(), send) for _ in range(2))
        await until(lambda: not kept._refreshing)
        found.append(await outcome_of(kept.run(http(upstream), run(), send)))
        await kept.close()
        return found

    assert asyncio.run(scenario()) == [200, 200, 200, 203]
    assert upstream.calls == 2


@pytest.mark.parametrize("outcome", [200, ConsumedError(code="connection-broken")])
def test_a_write_ends_what_is_kept_of_its_url(outcome: int | RunError) -> None:
    kept = cache(Time())
    reads, writes = api(), api(outcome)

    async def scenario() -> int:
        for url in ("http://a/x", "http://a/y"):
            await kept.run(http(reads, url), run(), send)
        await outcome_of(kept.run(http(writes, "http://a/x", "PUT"), run(), send))
        for url in ("http://a/x", "http://a/y"):
            await kept.run(http(reads, url), run(), send)
        return reads.calls

    assert asyncio.run(scenario()) == 3


def test_a_write_that_was_refused_ends_nothing() -> None:
    kept = cache(Time())
    reads, writes = api(), api(403)

    async def scenario() -> int:
        await kept.run(http(reads), run(), send)
        await kept.run(http(writes, "http://a/x", "DELETE"), run(), send)
        await kept.run(http(reads), run(), send)
        return reads.calls

    assert asyncio.run(scenario()) == 1


@pytest.mark.parametrize("settings", [{"max_entries": 2}, {"max_bytes": 3 * 1024}])
def test_the_least_used_go_first(settings: dict[str, float]) -> None:
    upstream, kept = api(), cache(Time(), **settings)

    async def scenario() -> int:
        for name in ("x", "y", "x", "z", "x"):
            await kept.run(http(upstream, f"http://a/{name}"), run(), send)
        before = upstream.calls
        await kept.run(http(upstream, "http://a/y"), run(), send)
        assert upstream.calls == before + 1
        assert len(kept._store._urls) == len(kept._store) == 2
        return before

    assert asyncio.run(scenario()) == 3


def test_calls_that_are_no_http_request() -> None:
    upstream, kept = api(), cache(Time())

    def call(method: str, **arguments: int) -> Call:
        return Call(operation="aws.op", method=method, arguments=arguments, send=upstream.send)

    async def scenario() -> list[int]:
        found = []
        for one in (call("GET", a=1, b=2), call("GET", b=2, a=1), call("GET", a=2), call("POST")):
            await kept.run(one, run(), send)
            found.append(upstream.calls)
        await kept.run(call("GET", a=2), run(), send)
        return [*found, upstream.calls]

    assert asyncio.run(scenario()) == [1, 1, 2, 3, 4]
