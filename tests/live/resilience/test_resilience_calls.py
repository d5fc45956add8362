"""Time, queues and AWS, over real connections."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse

from naftiko import load
from naftiko.errors import DeadlineError, RunError
from naftiko.sandbox import Sandbox
from tests.live.http.upstream import running_upstream
from tests.live.resilience.upstream import Upstream

DOCUMENT = """
naftiko: "1.0.0-alpha3"
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: BASE
      resources:
        - name: r
          path: PATH
          resilience: {BLOCK}
          operations: [{name: read, method: GET}, {name: write, method: POST}]
  exposes:
    - type: mcp
      namespace: tools
      port: 9
      tools:
        - {name: read, description: r, call: api.read}
        - {name: write, description: w, call: api.write}
"""


def file(folder: Path, base: str, block: str, path: str = "/x") -> Path:
    found = folder / "api.yaml"
    text = DOCUMENT.replace("BASE", base).replace("BLOCK", block).replace("PATH", path)
    found.write_text(text, encoding="utf-8")
    return found


async def called(path: Path, *names: str) -> list[Any]:
    """Call operations at once; return values, and errors by their codes."""

    async def one(capability: Any, name: str) -> Any:
        try:
            return await capability.call(f"api.{name}")
        except RunError as error:
            return error.code

    async with load(path) as capability:
        return list(await asyncio.gather(*(one(capability, name) for name in names)))


def test_a_try_that_takes_too_long_is_repeated_within_the_deadline(tmp_path: Path) -> None:
    with running_upstream() as upstream:
        path = file(
            tmp_path,
            upstream.url,
            "timeout: 50ms, deadline: 10s, retry: {attempts: 3, backoff: {initial: 1ms}}",
            "/stuck",
        )
        assert asyncio.run(called(path, "read", "write")) == ["timeout", "timeout"]
        assert sorted(seen["method"] for seen in upstream.requests) == ["GET"] * 3 + ["POST"]
        upstream.released.set()


def test_the_deadline_ends_it_all(tmp_path: Path) -> None:
    with running_upstream() as upstream:
        path = file(tmp_path, upstream.url, "deadline: 100ms, retry: {attempts: 20}", "/stuck")

        async def scenario() -> None:
            async with load(path) as capability:
                await capability.call("api.read")

        with pytest.raises(DeadlineError, match=r"deadline of 0\.1 s"):
            asyncio.run(scenario())
        upstream.released.set()


def test_a_bulkhead_refuses_what_it_has_no_room_for(upstream: Upstream, tmp_path: Path) -> None:
    both_seen = threading.Event()

    def handler(request: Any) -> JSONResponse:
        if len(upstream.seen) >= 2:
            both_seen.set()
        return JSONResponse({})

    upstream.handler = handler
    path = file(tmp_path, upstream.url, "bulkhead: {maxConcurrent: 2}")
    found = asyncio.run(called(path, *["read"] * 5))
    assert found.count({}) == 2
    assert found.count("too-busy") == 3


def test_a_rate_limit_counts_every_try(upstream: Upstream, tmp_path: Path) -> None:
    upstream.answers(503, 503, 503)
    block = "rateLimit: {requests: 2, per: 1h}, retry: {attempts: 3, backoff: {initial: 1ms}}"
    assert asyncio.run(called(file(tmp_path, upstream.url, block), "read")) == ["rate-limited"]
    assert len(upstream.seen) == 2


AWS = """
naftiko: "1.0.0-alpha3"
capability:
  consumes:
    - {type: aws, namespace: plain, service: stepfunctions}
    - type: aws
      namespace: kept
      service: stepfunctions
      resilience: {timeout: 20s, cache: {ttl: 1h}, bulkhead: {maxConcurrent: 5}}
  exposes:
    - type: mcp
      namespace: tools
      port: 9
      tools:
        - {name: list, description: l, call: kept.list-state-machines}
        - {name: make, description: m, call: kept.create-state-machine}
        - {name: make-plain, description: m, call: plain.create-state-machine}
"""
MACHINE = {
    "definition": '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}',
    "roleArn": "arn:aws:iam::123456789012:role/r",
}


def test_aws_answers_are_kept_until_something_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "aws.yaml"
    path.write_text(AWS, encoding="utf-8")

    async def scenario(environment: dict[str, str]) -> list[int]:
        counts = []

        async with load(path, environment=environment) as capability:

            async def count() -> None:
                answer = await capability.call("kept.list-state-machines")
                counts.append(len(answer["stateMachines"]))

            await count()
            await capability.call("plain.create-state-machine", {"name": "one", **MACHINE})
            await count()
            await capability.call("kept.create-state-machine", {"name": "two", **MACHINE})
            await count()
        return counts

    with Sandbox.start() as sandbox:
        assert asyncio.run(scenario(dict(sandbox.environment()))) == [0, 0, 2]
