"""Serves capability files on free loopback ports, in a thread, for tests that speak real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from naftiko.capability import Capability
from naftiko.engine import LoadOptions, load_plan
from naftiko.serving import ServeOptions, build_host


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, decoded."""

    status: int
    body: Any
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Served:
    """What is served: base URLs by namespace."""

    urls: dict[str, str]
    capability: Capability = field(repr=False)

    def request(
        self, namespace: str, method: str, path: str, body: object = None, **headers: str
    ) -> Answer:
        """Send a request; `body` goes as JSON."""
        data = None if body is None else json.dumps(body).encode()
        sent = {"content-type": "application/json"} if data else {}
        request = urllib.request.Request(  # noqa: S310  # loopback only
            self.urls[namespace] + path,
            data=data,
            method=method,
            headers=sent | {name.replace("_", "-"): value for name, value in headers.items()},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
                return _answer(response.status, response.read(), response.headers)
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error.read(), error.headers)


def _answer(status: int, raw: bytes, headers: Any) -> Answer:
    kind = headers.get("content-type", "")
    body = json.loads(raw) if raw and "json" in kind else raw
    return Answer(status, body, {name.lower(): value for name, value in headers.items()})


@contextlib.contextmanager
def serving(
    path: Path | str,
    *,
    environment: Mapping[str, str] | None = None,
    sandbox: bool = False,
    read_only: bool = False,
    workspace: Path | None = None,
    host: str | None = None,
) -> Iterator[Served]:
    """Load a file and serve all its HTTP adapters until the block ends.

    `host` overrides the addresses that the file gives.
    """
    options = LoadOptions(
        environment={**os.environ, **(environment or {})},
        sandbox=sandbox,
        read_only=read_only,
        workspace=workspace,
    )
    capability = Capability(load_plan(path, options))
    names = [adapter.namespace for adapter in capability.plan.adapters if adapter.port is not None]
    serve_options = ServeOptions(host=host, ports=dict.fromkeys(names, 0))
    running = build_host([capability], serve_options)
    running.bind()
    failure: list[BaseException] = []

    async def serve() -> None:
        async with capability:
            if capability.discovers:
                await capability.discovered()
            await running.serve()

    def work() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001  # shown by the test's thread
            failure.append(error)

    thread = threading.Thread(target=work, name="served")
    thread.start()
    try:
        yield Served(
            {name: f"http://{_host(address)}" for name, address in running.addresses.items()},
            capability,
        )
    finally:
        running.stop()
        thread.join(30)
    if failure:
        raise failure[0]
    assert not thread.is_alive(), "the server did not stop"


def _host(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
