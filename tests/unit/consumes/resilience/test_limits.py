"""Rate limit, circuit breaker and bulkhead."""

from __future__ import annotations

import asyncio
import time

import pytest

from naftiko.consumes.resilience.bulkhead import Bulkhead
from naftiko.consumes.resilience.circuit_breaker import CircuitBreaker
from naftiko.consumes.resilience.layer import send
from naftiko.consumes.resilience.rate_limit import RateLimit
from naftiko.consumes.resilience.settings import (
    BreakerSettings,
    BulkheadSettings,
    RateLimitSettings,
)
from naftiko.errors import ConsumedError, InputError
from tests.unit.consumes.resilience.layers import (
    TIMEOUT,
    UNREACHABLE,
    Time,
    api,
    outcome_of,
    outcomes,
    run,
    until,
)


def limit(moments: Time, **settings: float) -> RateLimit:
    whole = {"requests": 10, "burst": 2, "per_s": 1.0, **settings}
    return RateLimit(RateLimitSettings(**whole), moments.clock)  # type: ignore[arg-type]  # numbers by name


def test_a_burst_then_one_for_each_interval() -> None:
    moments, upstream = Time(), api()
    limiter = limit(moments)

    async def scenario() -> list[int | str]:
        found = await outcomes(limiter.run(upstream.call(), run(), send) for _ in range(3))
        moments.now += 0.1
        return found + await outcomes(limiter.run(upstream.call(), run(), send) for _ in range(2))

    assert asyncio.run(scenario()) == [200, 200, "rate-limited", 200, "rate-limited"]
    assert upstream.calls == 3


def test_no_more_goes_out_than_is_allowed() -> None:
    moments, upstream = Time(), api()
    limiter = limit(moments, wait_s=60)
    start = moments.now

    async def scenario() -> None:
        for _ in range(32):
            await limiter.run(upstream.call(), run(), send)

    asyncio.run(scenario())
    assert moments.now - start == pytest.approx(3.0)


def test_the_refusal_says_when_to_come_back() -> None:
    moments = Time()
    limiter = limit(moments, burst=1, requests=1, per_s=60, wait_s=10)

    async def scenario() -> ConsumedError:
        await limiter.run(api().call(), run(), send)
        with pytest.raises(ConsumedError) as caught:
            await limiter.run(api().call(), run(), send)
        return caught.value

    error = asyncio.run(scenario())
    assert (error.code, error.status, error.retryable) == ("rate-limited", 429, True)
    assert error.retry_after_s == pytest.approx(60)
    assert moments.slept == []


def test_a_run_without_time_does_not_wait() -> None:
    limiter = limit(Time(), burst=1, requests=1, per_s=60, wait_s=100)

    async def scenario() -> list[int | str]:
        late = run(time.monotonic() + 30)
        return await outcomes(limiter.run(api().call(), late, send) for _ in range(2))

    assert asyncio.run(scenario()) == [200, "rate-limited"]


def test_who_is_cancelled_gives_the_permit_back() -> None:
    moments = Time()
    limiter = limit(moments, burst=1, wait_s=60)
    stuck = asyncio.Event

    async def never(seconds: float) -> None:
        await stuck().wait()

    async def scenario() -> None:
        await limiter.run(api().call(), run(), send)
        due = limiter._due
        waiting = RateLimit(
            limiter.settings, type(moments.clock)(now=moments.clock.now, sleep=never)
        )
        waiting._due = due
        task = asyncio.ensure_future(waiting.run(api().call(), run(), send))
        await asyncio.sleep(0)
        assert waiting._due > due
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert waiting._due == pytest.approx(due)

    asyncio.run(scenario())


def test_the_circuit_opens_and_one_call_finds_that_the_api_is_back() -> None:
    moments, upstream = Time(), api(503, UNREACHABLE, TIMEOUT, 200)
    breaker = CircuitBreaker(BreakerSettings(failures=3, reset_s=30), moments.clock)

    async def scenario() -> list[int | str]:
        found = await outcomes(breaker.run(upstream.call(), run(), send) for _ in range(4))
        moments.now += 29
        found.append(await outcome_of(breaker.run(upstream.call(), run(), send)))
        moments.now += 1
        upstream.gate = asyncio.Event()
        probe = asyncio.ensure_future(outcome_of(breaker.run(upstream.call(), run(), send)))
        await asyncio.sleep(0)
        found.append(await outcome_of(breaker.run(upstream.call(), run(), send)))
        upstream.gate.set()
        found.append(await probe)
        found.append(await outcome_of(breaker.run(upstream.call(), run(), send)))
        return found

    opened = [503, "unreachable", "timeout", "circuit-open", "circuit-open"]
    assert asyncio.run(scenario()) == [*opened, "circuit-open", 200, 200]
    assert upstream.calls == 5


def test_a_probe_that_fails_opens_it_again_and_one_that_is_cancelled_does_not_block() -> None:
    moments, upstream = Time(), api(503)
    breaker = CircuitBreaker(BreakerSettings(failures=1, reset_s=30), moments.clock)

    async def scenario() -> list[int | str]:
        found = [await outcome_of(breaker.run(upstream.call(), run(), send))]
        moments.now += 30
        found += await outcomes(breaker.run(upstream.call(), run(), send) for _ in range(2))
        moments.now += 30
        upstream.gate = asyncio.Event()
        probe = asyncio.ensure_future(breaker.run(upstream.call(), run(), send))
        await asyncio.sleep(0)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        upstream.gate, upstream.outcomes = None, [200]
        found.append(await outcome_of(breaker.run(upstream.call(), run(), send)))
        return found

    assert asyncio.run(scenario()) == [503, 503, "circuit-open", 200]


def test_only_failures_in_a_row_and_of_the_api_count() -> None:
    local = ConsumedError(code="rate-limited", message="", status=429)
    upstream = api(503, 404, 503, InputError(), local, 200, 503, 503)
    breaker = CircuitBreaker(BreakerSettings(failures=2), Time().clock)

    async def scenario() -> list[int | str]:
        return await outcomes(breaker.run(upstream.call(), run(), send) for _ in range(9))

    found = asyncio.run(scenario())
    assert found == [503, 404, 503, "invalid-input", "rate-limited", 200, 503, 503, "circuit-open"]


def test_the_bulkhead_lets_so_many_in_and_so_many_wait() -> None:
    upstream = api(200)
    bulkhead = Bulkhead(BulkheadSettings(max_concurrent=2, max_queued=1, wait_s=60))

    async def scenario() -> tuple[list[int | str], int]:
        upstream.gate = asyncio.Event()
        tasks = [
            asyncio.ensure_future(outcome_of(bulkhead.run(upstream.call(), run(), send)))
            for _ in range(4)
        ]
        await until(lambda: tasks[3].done())
        entered = upstream.calls
        upstream.gate.set()
        return await asyncio.gather(*tasks), entered

    assert asyncio.run(scenario()) == ([200, 200, 200, "too-busy"], 2)


def test_who_waits_too_long_is_refused_and_who_leaves_makes_room() -> None:
    upstream = api(200)
    bulkhead = Bulkhead(BulkheadSettings(max_concurrent=1, max_queued=1, wait_s=0.001))

    async def scenario() -> list[int | str]:
        upstream.gate = asyncio.Event()
        first = asyncio.ensure_future(bulkhead.run(upstream.call(), run(), send))
        await asyncio.sleep(0)
        found = [await outcome_of(bulkhead.run(upstream.call(), run(), send))]
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        upstream.gate.set()
        return [*found, await outcome_of(bulkhead.run(upstream.call(), run(), send))]

    assert asyncio.run(scenario()) == ["too-busy", 200]
