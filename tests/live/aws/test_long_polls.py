"""A thousand GetActivityTask polls in flight hold no thread, and nobody else waits for them."""

from __future__ import annotations

import asyncio
import threading

from naftiko.plan.run import Run
from tests.live.aws.support import environment, run, service

POLLS = 1000
ANSWER = b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 18\r\n\r\n{"activities": []}'
ARN = "arn:aws:states:us-east-1:123456789012:activity:a"


def test_a_thousand_polls_in_flight() -> None:
    async def work() -> tuple[int, int]:
        waiting = 0
        all_there = asyncio.Event()
        released = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal waiting
            if await asked(reader) == "GetActivityTask":
                waiting += 1
                if waiting == POLLS:
                    all_there.set()
                await released.wait()
            writer.write(ANSWER)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=2048)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        using = service("stepfunctions", environment(url))
        poll, short = using.operation("get-activity-task"), using.operation("list-activities")
        assert poll is not None
        assert short is not None
        before = threading.active_count()
        polls = [
            asyncio.create_task(poll.call({"activityArn": ARN}, Run(inputs={})))
            for _ in range(POLLS)
        ]
        await all_there.wait()
        result = await short.call({}, Run(inputs={}))
        assert result.value == {"activities": []}
        threads = threading.active_count() - before
        released.set()
        results = await asyncio.gather(*polls)
        await using.close()
        server.close()
        return threads, len(results)

    threads, answered = run(work())
    assert threads <= 1  # pyreqwest's own, which serves all
    assert answered == POLLS


async def asked(reader: asyncio.StreamReader) -> str:
    """Read a request; return the operation it asks for."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
    return "GetActivityTask" if "getactivitytask" in head else ""
