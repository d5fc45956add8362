"""`rateLimit` under callers that come, wait and leave in any order: never more than the bucket."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from naftiko.consumes.resilience.clock import Clock
from naftiko.consumes.resilience.rate_limit import RateLimit
from naftiko.consumes.resilience.settings import RateLimitSettings
from naftiko.errors import ConsumedError
from naftiko.plan.run import Run


@dataclass
class Wakes:
    """A clock that stands still until it is told to move, and wakes sleepers in their order."""

    now: float = 0.0
    sleepers: list[tuple[float, int, asyncio.Future[None]]] = field(default_factory=list)
    slept: int = 0

    async def sleep(self, seconds: float) -> None:
        self.slept += 1
        future = asyncio.get_running_loop().create_future()
        self.sleepers.append((self.now + seconds, self.slept, future))
        await future

    async def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := sorted(item for item in self.sleepers if item[0] <= end):
            self.now, _, future = due[0]
            self.sleepers.remove(due[0])
            if not future.done():
                future.set_result(None)
            await settle()
        self.now = end


async def settle() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


ARRIVES = st.tuples(st.just("call"), st.integers(1, 6))
LEAVES = st.tuples(st.just("leave"), st.integers(0, 30))
PASSES = st.tuples(st.just("pass"), st.sampled_from([0.25, 0.5, 1.0, 2.5, 7.0]))


@settings(max_examples=150, deadline=None)
@given(
    burst=st.integers(1, 5),
    rate=st.sampled_from([0.5, 1.0, 3.0, 10.0]),
    acts=st.lists(st.one_of(ARRIVES, LEAVES, PASSES), max_size=40),
)
def test_no_window_holds_more_than_the_bucket(
    burst: int, rate: float, acts: list[tuple[str, float]]
) -> None:
    wakes = Wakes()
    clock = Clock(now=lambda: wakes.now, wall=lambda: wakes.now, sleep=wakes.sleep)
    per_s = max(1.0, 1 / rate)
    bucket = RateLimitSettings(requests=round(rate * per_s), per_s=per_s, burst=burst, wait_s=20.0)
    limit = RateLimit(bucket, clock)
    sent: list[float] = []
    refused: list[float | None] = []
    waits: list[float] = []

    async def caller() -> None:
        came = wakes.now
        try:
            await limit.permit("api.op", Run(inputs={}))
        except ConsumedError as error:
            refused.append(error.retry_after_s)
            return
        waits.append(wakes.now - came)
        sent.append(wakes.now)

    async def scenario() -> None:
        callers: list[asyncio.Task[None]] = []
        for act, amount in acts:
            if act == "call":
                callers += [asyncio.ensure_future(caller()) for _ in range(int(amount))]
            elif act == "leave":
                waiting = [task for task in callers if not task.done()]
                if waiting:
                    waiting[int(amount) % len(waiting)].cancel()
            else:
                await wakes.advance(amount)
            await settle()
        await wakes.advance(100.0)
        await asyncio.gather(*callers, return_exceptions=True)

    asyncio.run(scenario())
    for first, start in enumerate(sent):
        for last in range(first, len(sent)):
            assert last - first + 1 <= burst + rate * (sent[last] - start) + 1e-6
    assert all(wait <= 20.0 + 1e-6 for wait in waits)
    assert all(after is not None and after > 20.0 for after in refused)


def test_what_is_given_back_goes_to_who_asks_next() -> None:
    wakes = Wakes()
    clock = Clock(now=lambda: wakes.now, wall=lambda: wakes.now, sleep=wakes.sleep)
    limit = RateLimit(RateLimitSettings(requests=1, per_s=1.0, burst=1, wait_s=60.0), clock)
    sent: list[tuple[str, float]] = []

    async def caller(name: str) -> None:
        await limit.permit("api.op", Run(inputs={}))
        sent.append((name, wakes.now))

    async def scenario() -> None:
        tasks = {name: asyncio.ensure_future(caller(name)) for name in "abcd"}
        await settle()
        tasks["b"].cancel()
        tasks["d"].cancel()
        await settle()
        others = [asyncio.ensure_future(caller(name)) for name in "ef"]
        await settle()
        await wakes.advance(10)
        await asyncio.gather(*others)

    asyncio.run(scenario())
    assert sent == [("a", 0.0), ("e", 1.0), ("c", 2.0), ("f", 3.0)]
