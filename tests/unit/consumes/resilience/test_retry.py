from __future__ import annotations

import asyncio
import time
from email.utils import formatdate

import pytest

from naftiko.consumes.resilience.layer import asked_s, send
from naftiko.consumes.resilience.retry import Retry
from naftiko.consumes.resilience.settings import RetrySettings
from naftiko.errors import ConsumedError, InputError, RunError
from naftiko.plan.ports import Result
from tests.unit.consumes.resilience.layers import (
    BROKEN,
    TIMEOUT,
    UNREACHABLE,
    Time,
    answer,
    api,
    outcome_of,
    run,
)

STEADY = RetrySettings(jitter=False, attempts=4)


@pytest.mark.parametrize(
    ("outcomes", "method", "calls", "expected"),
    [
        ([200], "GET", 1, 200),
        ([503, 200], "GET", 2, 200),
        ([503, TIMEOUT, BROKEN, 200], "GET", 4, 200),
        ([503], "GET", 4, 503),
        ([UNREACHABLE], "GET", 4, "unreachable"),
        ([500], "GET", 1, 500),
        ([404], "GET", 1, 404),
        ([503, 200], "POST", 1, 503),
        ([TIMEOUT, 200], "POST", 1, "timeout"),
        ([BROKEN, 200], "POST", 1, "connection-broken"),
        # Nothing was sent, so that nothing is done twice.
        ([UNREACHABLE, 200], "POST", 2, 200),
        ([503, 200], "DELETE", 2, 200),
        (
            [ConsumedError(code="rate-limited", message="", status=429), 200],
            "GET",
            1,
            "rate-limited",
        ),
        ([InputError(), 200], "GET", 1, "invalid-input"),
    ],
)
def test_what_is_repeated(
    outcomes: list[Result | RunError | int], method: str, calls: int, expected: int | str
) -> None:
    upstream = api(*outcomes)
    retry = Retry(STEADY, Time().clock)
    found = asyncio.run(outcome_of(retry.run(upstream.call(method), run(), send)))
    assert (found, upstream.calls) == (expected, calls)


def test_waits_grow_up_to_the_longest() -> None:
    moments = Time()
    settings = RetrySettings(jitter=False, attempts=6, initial_s=1, max_s=5, multiplier=2)
    asyncio.run(Retry(settings, moments.clock).run(api(503).call(), run(), send))
    assert moments.slept == [1, 2, 4, 5, 5]


def test_jitter_draws_from_nothing_to_the_wait() -> None:
    moments = Time()
    settings = RetrySettings(attempts=20, initial_s=1, max_s=4)
    asyncio.run(Retry(settings, moments.clock).run(api(503).call(), run(), send))
    assert len(set(moments.slept)) > 10
    assert all(0 <= seconds <= 4 for seconds in moments.slept)


def test_all_methods_where_the_file_says_so() -> None:
    upstream = api(503, 200)
    retry = Retry(RetrySettings(methods=None), Time().clock)
    assert asyncio.run(outcome_of(retry.run(upstream.call("POST"), run(), send))) == 200


@pytest.mark.parametrize(
    ("asked", "respects", "slept", "status"),
    [
        ("7", True, [7], 200),
        ("0", True, [0.1], 200),
        ("31", True, [], 429),
        ("7", False, [0.1], 200),
        ("soon", True, [0.1], 200),
    ],
)
def test_an_answer_that_asks_to_wait(
    asked: str, respects: bool, slept: list[float], status: int
) -> None:
    moments = Time()
    settings = RetrySettings(jitter=False, respect_retry_after=respects)
    upstream = api(answer(429, retry_after=asked), 200)
    retry = Retry(settings, moments.clock)
    assert asyncio.run(outcome_of(retry.run(upstream.call(), run(), send))) == status
    assert moments.slept == slept


def test_a_date_that_asks_to_wait() -> None:
    asked = answer(503, retry_after=formatdate(1060, usegmt=True))
    assert asked_s(asked, 1000) == 60
    assert asked_s(asked, 2000) == 0


def test_no_try_begins_that_would_outlast_the_run() -> None:
    upstream, moments = api(503), Time()
    settings = RetrySettings(jitter=False, initial_s=60, max_s=60)
    retry = Retry(settings, moments.clock)
    work = retry.run(upstream.call(), run(time.monotonic() + 30), send)
    assert asyncio.run(outcome_of(work)) == 503
    assert (upstream.calls, moments.slept) == (1, [])


def test_an_error_says_how_often_it_was_tried() -> None:
    with pytest.raises(RunError) as caught:
        asyncio.run(Retry(STEADY, Time().clock).run(api(BROKEN).call(), run(), send))
    assert caught.value.details["tries"] == 4
