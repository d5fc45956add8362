"""Stores on real files and a real server, and AWS through the one function."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from naftiko.sandbox import Sandbox
from naftiko.workflow.ports import AwsAnswer, AwsFailure, AwsRequest
from naftiko.workflow.state.dynamodb import DynamoStore
from naftiko.workflow.state.memory import MemoryStore
from naftiko.workflow.state.sqlite import SqliteStore
from naftiko.workflow.state.store import Claim, Execution, Store

START = 1_800_000_000.0
BLOBS = {"B", "Plaintext", "CiphertextBlob"}


async def turns(check: Callable[[], bool]) -> None:
    """Let the others go on until something is the case."""
    async with asyncio.timeout(30):
        while not check():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)


class Hands:
    """A clock that is moved by hand; who sleeps waits for it."""

    def __init__(self) -> None:
        self.time = START
        self._moved = asyncio.Event()
        self._sleeping = 0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time, UTC)

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        if seconds < 1.0:  # between repeats
            await asyncio.sleep(0)
            return
        end = self.time + seconds
        self._sleeping += 1
        try:
            while self.time < end:
                await self._moved.wait()
        finally:
            self._sleeping -= 1

    async def asleep(self, count: int) -> None:
        """Wait until so many wait for the clock."""
        await turns(lambda: self._sleeping >= count)

    def move(self, seconds: float) -> None:
        self.time += seconds
        self._moved.set()
        self._moved = asyncio.Event()


@dataclass
class Boto:
    """CallAws over boto3: blobs as base64, failures as the port has them."""

    sandbox: Sandbox
    requests: list[AwsRequest] = field(default_factory=list)
    fail: Callable[[AwsRequest], AwsFailure | None] = lambda _: None
    lose_answer: Callable[[AwsRequest], bool] = lambda _: False

    def __post_init__(self) -> None:
        self._clients: dict[str, Any] = {}

    async def __call__(self, request: AwsRequest, /) -> AwsAnswer:
        self.requests.append(request)
        failure = self.fail(request)
        if failure is not None:
            raise failure
        answer = await asyncio.to_thread(self._send, request)
        if self.lose_answer(request):
            raise AwsFailure("timeout")
        return answer

    def _send(self, request: AwsRequest) -> AwsAnswer:
        client = self._client(request.service)
        method = client.meta.method_to_api_mapping
        name = next(name for name, api in method.items() if api == request.operation)
        try:
            output = getattr(client, name)(**_bytes(request.members))
        except ClientError as error:
            said = error.response["Error"]
            raise AwsFailure(
                "fault",
                code=said["Code"],
                status=error.response["ResponseMetadata"]["HTTPStatusCode"],
                message=said["Message"],
            ) from None
        output.pop("ResponseMetadata")
        return AwsAnswer(output=_base64(output))

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            account = self.sandbox.account
            self._clients[service] = boto3.client(
                service,
                endpoint_url=account.endpoint_url,
                region_name=account.region,
                aws_access_key_id=account.access_key_id,
                aws_secret_access_key=account.secret_access_key,
                config=Config(
                    retries={"total_max_attempts": 1}, max_pool_connections=32, proxies={}
                ),
            )
        return self._clients[service]


def _bytes(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _bytes(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_bytes(item) for item in value]
    return base64.b64decode(value) if name in BLOBS and isinstance(value, str) else value


def _base64(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _base64(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_base64(item) for item in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


@dataclass
class Stores:
    """Makes stores of one kind. `second` sees what the first has, as another worker does."""

    kind: str
    folder: Path
    sandbox: Sandbox | None = None
    boto: Boto | None = None
    clock: Hands = field(default_factory=Hands)
    _memory: MemoryStore = field(default_factory=MemoryStore)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Store]:
        store = self._make()
        if isinstance(store, DynamoStore):
            await store.ensure_table()
        await store.open()
        try:
            yield store
        finally:
            await store.close()

    def _make(self) -> Store:
        if self.kind == "memory":
            return self._memory
        if self.kind == "sqlite":
            return SqliteStore(self.folder / "state")
        assert self.sandbox is not None
        if self.boto is None:
            self.boto = Boto(self.sandbox)
        name = f"t-{self.folder.parent.name}-{self.folder.name}"
        return DynamoStore(
            self.boto, self.clock, "".join(c for c in name if c.isalnum() or c == "-")
        )


def row(execution_id: str = "x1", **fields: Any) -> Execution:
    """Return an execution leased to `a`."""
    given: dict[str, Any] = {
        "workflow_id": "w_v1_0",
        "checksum": "sha256:1",
        "status": "running",
        "created": START,
        "lease_owner": "a",
        "lease_until": START + 30,
        "due": START + 30,
        "wrapped_key": b"key",
        "head": b"head",
    }
    return Execution(id=execution_id, **{**given, **fields})


def claims(*names: str) -> tuple[Claim, ...]:
    """Return claims, the digest like the name."""
    return tuple(Claim(name=name, digest=f"d-{name}") for name in names)
