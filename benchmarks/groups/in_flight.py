"""Calls that wait: a thousand long polls beside short calls, and executions in parallel."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import uvloop

from benchmarks import load
from benchmarks.groups.rest import LIST
from benchmarks.measure import Row, Settings, bound_row, interleave, ratio_row
from benchmarks.processes import Server, start_naftiko, start_upstream
from benchmarks.samples import POLL_REQUEST, SYNC_REQUEST

POLLS = 1000
SHORT_CALLS = 300
SHORT_CALL_EVERY_S = 0.01
"""Short calls come one by one with pauses, so that they show delay, not throughput."""
PARALLEL = 16
CONNECTING = 100

POLL = load.request("POST", "/v1/activities/tasks", POLL_REQUEST)
SYNC = load.request("POST", "/v1/sync-executions", SYNC_REQUEST)
WAITING = load.request("GET", "/waiting")


@dataclass(frozen=True, slots=True)
class _Sample:
    """A server's short calls without and with polls in flight, and what a poll took of memory."""

    alone_ms: float
    beside_ms: float
    poll_kib: float


def rows(settings: Settings) -> Iterator[Row]:
    """Measure both."""
    with start_upstream() as upstream:
        yield from _polls(upstream, settings)
        yield _parallel(upstream, settings)


def _polls(upstream: Server, settings: Settings) -> Iterator[Row]:
    polls = POLLS // 10 if settings.quick else POLLS
    # A server of its own for each round: memory peaks once.
    samples = [_sample(upstream, polls) for _ in range(settings.rounds)]
    yield ratio_row(
        f"short call beside {polls} polls of 5 s, p50",
        "the same without them",
        "ms",
        ours=[sample.beside_ms for sample in samples],
        baseline=[sample.alone_ms for sample in samples],
        target=2,
    )
    yield bound_row(
        f"peak memory of {polls} polls",
        "KiB a poll",
        ours=[sample.poll_kib for sample in samples],
        target=60,
    )


def _sample(upstream: Server, polls: int) -> _Sample:
    with start_naftiko(upstream) as ours:
        port = ours.ports["rest"]
        ours.settle()
        load.load(port, LIST, calls=500, connections=16)
        return uvloop.run(_poll_and_call(ours, upstream.ports["upstream"], polls))


async def _poll_and_call(ours: Server, upstream_port: int, polls: int) -> _Sample:
    port = ours.ports["rest"]
    short = await load.connect(port)
    await _short_calls(short)
    alone_ms = await _short_calls(short)
    memory_kib = ours.memory_kib
    opened: list[load.Connection] = []
    while len(opened) < polls:
        some = min(CONNECTING, polls - len(opened))
        opened += await asyncio.gather(*(load.connect(port) for _ in range(some)))
    waiting = [asyncio.ensure_future(connection.send(POLL)) for connection in opened]
    control = await load.connect(upstream_port)
    while int((await control.send(WAITING)).rsplit(b"\r\n", 1)[1]) < polls:  # noqa: ASYNC110 - asks another process
        await asyncio.sleep(0.05)
    beside_ms = await _short_calls(short)
    if any(poll.done() for poll in waiting):
        raise RuntimeError("the polls ended before the short calls did")
    await asyncio.gather(*waiting)
    for connection in (short, control, *opened):
        connection.close()
    return _Sample(alone_ms, beside_ms, (ours.peak_memory_kib - memory_kib) / polls)


async def _short_calls(connection: load.Connection) -> float:
    """Return the median of some short calls, in milliseconds."""
    times: list[float] = []
    for _ in range(SHORT_CALLS):
        start = time.perf_counter()
        await connection.send(LIST)
        times.append((time.perf_counter() - start) * 1000)
        await asyncio.sleep(SHORT_CALL_EVERY_S)
    return median(times)


def _parallel(upstream: Server, settings: Settings) -> Row:
    with start_naftiko(upstream) as ours:
        port = ours.ports["rest"]

        def together(number: int) -> float:
            return load.load(port, SYNC, calls=number, connections=number) * 1000

        together(PARALLEL)
        samples = interleave(
            {"many": lambda: together(PARALLEL), "one": lambda: together(1)}, settings
        )
    return ratio_row(
        f"{PARALLEL} sync executions of 100 ms at once, wall",
        "one",
        "ms",
        ours=samples["many"],
        baseline=samples["one"],
        target=1.3,
    )
