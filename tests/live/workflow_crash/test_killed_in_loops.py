"""A loop that works at three items at a time, its worker killed at a record; AWS counts."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.aws.support import environment
from tests.live.workflow_crash.conftest import Json, Workers
from tests.live.workflow_hostile.peer import Asked, Peer, Raw, http, listening
from tests.unit.workflow.runtime.catalogs import catalog, dedent

ITEMS = [f"i-{number:08}" for number in range(5)]
LOOP = dedent("""
    name: volumes
    version: "1.0"
    description: "Makes a volume for each of some names, and tags it, three at a time"
    metadata: {tier: verified}
    parameters:
      - {name: names, type: array, items: string, required: true}
    steps:
      - id: each
        type: primitive
        action: for_each
        over: "${params.names}"
        max_items: 10
        max_concurrency: 3
        do:
          - id: make
            type: command
            context: {service: ec2, action: CreateVolume}
            input: {AvailabilityZone: us-east-1a, Size: 1}
            outputs: {volume: {path: VolumeId}}
          - id: tag
            type: command
            context: {service: ec2, action: CreateTags}
            input: {Resources: ["${item}"], Tags: [{Key: of, Value: "${steps.make.volume}"}]}
""")
ORDER: Json = {"workflow": "volumes", "parameters": {"names": ITEMS}, "mode": "full"}
RECORDS = 1 + 4 * len(ITEMS) + 2
"""The start, an intent and an outcome of each call, the loop's outcome, the end."""

AT = range(2, RECORDS + 1) if os.environ.get("NAFTIKO_CRASH_ALL") else (3, 6, 13, 22)


class Ec2:
    """Makes a volume for each token once."""

    def __init__(self) -> None:
        self.peer = Peer(answer=self.answer)
        self.volumes: dict[str, str] = {}

    def answer(self, asked: Asked) -> Raw:
        if asked.operation == "CreateTags":
            return http(b"<CreateTagsResponse><return>true</return></CreateTagsResponse>")
        volume = self.volumes.setdefault(
            asked.members["ClientToken"], f"vol-{len(self.volumes):08}"
        )
        found = f"<CreateVolumeResponse><volumeId>{volume}</volumeId></CreateVolumeResponse>"
        return http(found.encode())

    def environment(self) -> dict[str, str]:
        return environment(self.peer.url)

    def tagged(self) -> Counter[str]:
        asked = [one for one in self.peer.asked if one.operation == "CreateTags"]
        return Counter(one.members["ResourceId.1"] for one in asked)


@contextlib.contextmanager
def running(peer: Peer) -> Iterator[None]:
    """Serve the peer in a thread."""
    ready, over = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        async with listening(peer):
            ready.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="ec2")
    thread.start()
    assert ready.wait(20)
    try:
        yield
    finally:
        loops[0].call_soon_threadsafe(over.set)
        thread.join(20)


@pytest.fixture(scope="module")
def loop_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return catalog(tmp_path_factory.mktemp("loops"), LOOP)


@pytest.fixture
def ec2() -> Iterator[Ec2]:
    made = Ec2()
    with running(made.peer):
        yield made


@pytest.fixture
def loopers(
    workers_process: subprocess.Popen[str], ec2: Ec2, loop_catalog: Path, tmp_path: Path
) -> Workers:
    sandbox: Any = ec2
    return Workers(process=workers_process, sandbox=sandbox, folder=tmp_path, catalog=loop_catalog)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("at", AT)
def test_killed_inside_the_loop(loopers: Workers, ec2: Ec2, at: int, *, kept: bool) -> None:
    assert loopers.do(ORDER, at=at, kept=kept) == {"killed": True}
    before = len(ec2.peer.asked)
    found = loopers.resume()
    tagged = ec2.tagged()
    assert max(tagged.values(), default=0) <= 1, "what must not be repeated is not"
    assert len(ec2.volumes) <= len(ITEMS), "a repeated creation has its first token"
    if found["status"] == "succeeded":
        assert tagged == Counter(ITEMS)
        assert len(ec2.volumes) == len(ITEMS)
        results = found["steps"][0]["outputs"]["results"]
        assert [one["index"] for one in results] == [*range(len(ITEMS))], "in their order"
    else:
        assert found["status"] == "failed"
        assert found["error"]["type"] == "AmbiguousOutcome"
        assert before, "something had been sent"
    assert loopers.resume() == found


def test_nobody_is_killed(loopers: Workers, ec2: Ec2) -> None:
    assert loopers.do(ORDER, at=RECORDS + 1)["status"] == "succeeded"
    assert ec2.tagged() == Counter(ITEMS)
