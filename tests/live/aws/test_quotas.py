"""`rateLimit` of AWS entries holds for each request: pages, repetitions, all that share a limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest
from starlette.responses import Response

from naftiko.consumes.resilience.compiler import Layers
from naftiko.document.nodes import Mapping
from naftiko.document.reader import parse_document
from naftiko.errors import ConsumedError
from naftiko.plan.ports import ClientOperation
from naftiko.plan.run import Run
from tests.live.aws.support import (
    Answer,
    Seen,
    Upstream,
    adapter,
    call,
    context,
    environment,
    fails,
    run,
    says,
    service,
)
from tests.unit.consumes.resilience.layers import Time, until

BUCKET = "rateLimit: {requests: 1, per: 1s, burst: 3, wait: 10m}"


def block(text: str) -> Mapping:
    root = parse_document(f"{text}\n", "e.yaml").root
    assert isinstance(root, Mapping)
    return root


def limited(
    aws: Upstream, moments: Time, *names: str, text: str = BUCKET
) -> tuple[Sequence[ClientOperation], Any]:
    """Return operations below one limit, by a clock that moves when somebody sleeps."""
    variables = environment(aws.url)
    found = service("stepfunctions", variables)
    layers = Layers(context(variables), moments.clock)
    level = block(text)
    operations = []
    for name in names:
        operation = found.operation(name)
        assert operation is not None
        operations.append(layers.around(operation, (level,)))
    return operations, found


def timed(moments: Time, times: list[float], *answers: Answer) -> list[Answer]:
    """Note when each request arrived."""

    def noting(answer: Answer) -> Answer:
        def note(seen: Seen) -> Response | Coroutine[Any, Any, Response]:
            times.append(moments.now)
            return answer(seen)

        return note

    return [noting(answer) for answer in answers]


def assert_within(times: Sequence[float], *, rate: float, burst: int) -> None:
    """Hold every window to the bucket: what it held, and what ran in since."""
    for first, start in enumerate(times):
        for last in range(first, len(times)):
            count = last - first + 1
            assert count <= burst + rate * (times[last] - start) + 1e-6


def page(number: int, last: int) -> Answer:
    machine = {"stateMachineArn": f"arn:{number}", "name": f"m{number}", "type": "STANDARD"}
    more = {"nextToken": f"t{number}"} if number < last else {}
    return says({"stateMachines": [{**machine, "creationDate": 1}], **more})


def test_every_page_takes_a_permit(aws: Upstream) -> None:
    moments, times = Time(), list[float]()
    aws.program(*timed(moments, times, *(page(number, 8) for number in range(1, 9))))
    (listing,), upstream = limited(aws, moments, "list-state-machines")

    async def work() -> object:
        result = await listing.call({}, Run(inputs={}))
        await upstream.close()
        return result.value

    value = run(work())
    assert isinstance(value, dict)
    assert len(value["stateMachines"]) == 8
    assert [moment - times[0] for moment in times] == pytest.approx([0, 0, 0, 1, 2, 3, 4, 5])
    assert_within(times, rate=1, burst=3)


def test_every_repetition_takes_a_permit_of_the_limit_that_operations_share(aws: Upstream) -> None:
    moments, times = Time(), list[float]()
    down, empty = fails("Internal", 500), says({"activities": [], "stateMachines": []})
    aws.program(*timed(moments, times, down, down, empty, down, empty, empty))
    (machines, activities), upstream = limited(
        aws, moments, "list-state-machines", "list-activities"
    )

    async def work() -> None:
        for operation in (machines, activities, machines):
            await operation.call({}, Run(inputs={}))
        await upstream.close()

    run(work())
    assert len(aws.seen) == 6
    assert [moment - times[0] for moment in times] == pytest.approx([0, 0, 0, 1, 2, 3])


def test_calls_at_once_share_the_bucket(aws: Upstream) -> None:
    """Real time: what arrives is held to the bucket, whatever the machine does in between."""
    times = list[float]()

    def note(_: Seen) -> Response:
        times.append(time.monotonic())
        return Response(b'{"activities": []}', 200, {}, "application/x-amz-json-1.0")

    aws.program(note)
    text = "rateLimit: {requests: 200, per: 1s, burst: 5, wait: 1m}"
    variables = environment(aws.url)
    found = service("stepfunctions", variables)
    inner = found.operation("list-activities")
    assert inner is not None
    listing = Layers(context(variables)).around(inner, (block(text),))

    async def work() -> float:
        start = time.monotonic()
        await asyncio.gather(*(listing.call({}, Run(inputs={})) for _ in range(40)))
        await found.close()
        return start

    start = run(work())
    assert len(times) == 40
    # A request may arrive late and another one in time, so that only the start is a fixed point.
    for number, moment in enumerate(sorted(times), 1):
        assert number <= 5 + 200 * (moment - start) + 1


def test_a_wait_beyond_the_deadline_is_refused_at_once(aws: Upstream) -> None:
    moments = Time()
    aws.program(*(page(number, 8) for number in range(1, 9)))
    text = "rateLimit: {requests: 1, per: 1m, burst: 2, wait: 10m}"
    (listing,), upstream = limited(aws, moments, "list-state-machines", text=text)

    async def work() -> ConsumedError:
        with pytest.raises(ConsumedError) as caught:
            await listing.call({}, Run(inputs={}, deadline=time.monotonic() + 30))
        await upstream.close()
        return caught.value

    error = run(work())
    assert (error.code, error.status, error.retryable) == ("rate-limited", 429, True)
    assert error.retry_after_s == pytest.approx(60)
    assert len(aws.seen) == 2
    assert moments.slept == []


def test_who_goes_away_while_waiting_sends_nothing(aws: Upstream) -> None:
    aws.program(says({"activities": []}))
    text = "rateLimit: {requests: 1, per: 1h, burst: 1, wait: 1h}"
    variables = environment(aws.url)
    found = service("stepfunctions", variables)
    inner = found.operation("list-activities")
    assert inner is not None
    layers = Layers(context(variables))
    listing = layers.around(inner, (block(text),))
    limit: Any = listing

    async def work() -> None:
        await listing.call({}, Run(inputs={}))
        before = limit.limit._due
        waiting = asyncio.ensure_future(listing.call({}, Run(inputs={})))
        await until(lambda: limit.limit._due > before)
        waiting.cancel()
        (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
        assert isinstance(outcome, asyncio.CancelledError)
        assert limit.limit._due == before
        await found.close()

    run(work())
    assert len(aws.seen) == 1


def test_a_file_says_it_for_an_entry_or_an_operation(aws: Upstream) -> None:
    aws.program(fails("ThrottlingException"))
    text = """
type: aws
namespace: sfn
service: stepfunctions
resilience: {rateLimit: {requests: 1, per: 1h, burst: 2}}
operations:
  - {name: list-activities}
  - {name: list-state-machines, resilience: {rateLimit: false}}
"""
    variables = environment(aws.url)
    with pytest.raises(ConsumedError) as caught:
        call(adapter(text, context(variables)), "list-activities")
    assert caught.value.code == "rate-limited"
    assert len(aws.seen) == 2
    aws.program(fails("ThrottlingException"))
    with pytest.raises(ConsumedError) as caught:
        call(adapter(text, context(variables)), "list-state-machines")
    assert caught.value.code == "throttled"
    assert len(aws.seen) == 3


def test_explain_shows_it(aws: Upstream) -> None:
    (listing,), _ = limited(aws, Time(), "list-activities")
    assert (
        "  rate limit: 1 in 1 s, 3 at once, waits up to 600 s, for each page and each repetition"
        in listing.explain()
    )
