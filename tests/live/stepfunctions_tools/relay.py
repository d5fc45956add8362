"""A relay before the sandbox: it counts requests, holds them back, and changes answers."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

Json = dict[str, Any]
Change = Callable[[Json, Json], Json]
"""(request, answer) -> the answer that the caller gets instead."""

SENT_ON = ("content-type", "x-amz-target", "x-amz-date", "authorization", "user-agent")
HELD_S = 60
JSON_1_0, JSON_1_1 = "application/x-amz-json-1.0", "application/json"


@dataclass(frozen=True)
class Request:
    """What arrived, and when, on the monotonic clock."""

    operation: str
    body: Json
    at: float


@dataclass
class Gate:
    """Requests of one operation beyond the first `passing` wait until it opens."""

    passing: int
    opened: threading.Event = field(default_factory=threading.Event)
    waiting: int = 0
    """How many have come that must wait."""


class Relay:
    """What is between a server and the sandbox at `upstream`.

    `schemas` are the contents of a schema registry, by "registry/name": what DescribeSchema
    answers, which the sandbox has not. `largest_page` is how many items a page has at most.
    """

    def __init__(self, upstream: str, url: str) -> None:
        self.url = url
        self.schemas: dict[str, Json] = {}
        self.changes: dict[str, Change] = {}
        self.gates: dict[str, Gate] = {}
        self.faults: dict[str, list[str]] = {}
        self.largest_page: int | None = None
        self.requests: list[Request] = []
        self._upstream = urlsplit(upstream).netloc
        self._lock = threading.Lock()
        self._local = threading.local()

    def environment(self, sandbox: Mapping[str, str], region: str) -> dict[str, str]:
        """Return the variables of the sandbox, with the relay before it."""
        regions = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
        return {**sandbox, **regions, "AWS_ENDPOINT_URL": self.url}

    def count(self) -> Counter[str]:
        """Return how many requests came, by operation."""
        with self._lock:
            return Counter(request.operation for request in self.requests)

    def times(self, operation: str) -> list[float]:
        """Return when the requests of an operation came, in order."""
        with self._lock:
            return [request.at for request in self.requests if request.operation == operation]

    def bodies(self, operation: str) -> list[Json]:
        """Return what the requests of an operation asked."""
        with self._lock:
            return [request.body for request in self.requests if request.operation == operation]

    def forget(self) -> None:
        """Forget what came, and all that was set up."""
        with self._lock:
            self.requests.clear()
        self.largest_page = None
        for settings in (self.schemas, self.changes, self.gates, self.faults):
            settings.clear()

    def hold(self, operation: str, *, passing: int = 0) -> Gate:
        """Let so many requests of an operation pass, and no more until the gate opens."""
        gate = self.gates[operation] = Gate(passing)
        return gate

    def fail(self, operation: str, *codes: str) -> None:
        """Answer the next requests of an operation with these errors."""
        self.faults[operation] = list(codes)

    def answer(self, target: str, path: str, headers: Mapping[str, str], raw: bytes) -> Answer:
        """Answer one request."""
        at = time.monotonic()
        if not target:
            return self._registry(path, at)
        operation = target.rpartition(".")[2]
        body = json.loads(raw)
        with self._lock:
            self.requests.append(Request(operation, body, at))
            faults = self.faults.get(operation)
            fault = faults.pop(0) if faults else None
        self._wait_at_gate(operation)
        if fault is not None:
            error = json.dumps({"__type": fault, "message": "as the test wants it"})
            return Answer(400, JSON_1_0, error.encode())
        if self.largest_page is not None and body.get("maxResults", 0) > self.largest_page:
            raw = json.dumps({**body, "maxResults": self.largest_page}).encode()
        answer = self._forward(path, headers, raw)
        change = self.changes.get(operation)
        if change is None or answer.status != http.HTTPStatus.OK:
            return answer
        changed = json.dumps(change(body, json.loads(answer.body)))
        return Answer(answer.status, answer.kind, changed.encode())

    def _wait_at_gate(self, operation: str) -> None:
        gate = self.gates.get(operation)
        if gate is None:
            return
        with self._lock:
            gate.passing -= 1
            held = gate.passing < 0 and not gate.opened.is_set()
            gate.waiting += held
        if held:
            gate.opened.wait(HELD_S)

    def _registry(self, path: str, at: float) -> Answer:
        # /v1/registries/name/{registry}/schemas/name/{schema}
        registry, _, _, name = map(unquote, urlsplit(path).path.split("/")[-4:])
        body = {"RegistryName": registry, "SchemaName": name}
        with self._lock:
            self.requests.append(Request("DescribeSchema", body, at))
        schema = self.schemas.get(f"{registry}/{name}")
        if schema is None:
            error = {"Code": "NotFoundException", "Message": f"Schema {name} does not exist."}
            return Answer(404, JSON_1_1, json.dumps(error).encode())
        found = {"SchemaName": name, "SchemaVersion": "1", **schema}
        return Answer(200, JSON_1_1, json.dumps(found).encode())

    def _forward(self, path: str, headers: Mapping[str, str], raw: bytes) -> Answer:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(self._upstream, timeout=HELD_S)
            self._local.connection = connection
        sent = {name: headers[name] for name in SENT_ON if name in headers}
        connection.request("POST", path, raw, sent)
        response = connection.getresponse()
        kind = response.headers.get("content-type", JSON_1_0)
        return Answer(response.status, kind, response.read())

    def hang_up(self) -> None:
        """Close the connection of this thread."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()


@dataclass(frozen=True)
class Answer:
    """What goes back."""

    status: int
    kind: str
    body: bytes


class _Handler(BaseHTTPRequestHandler):
    relay: Relay
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        given = {name.lower(): value for name, value in self.headers.items()}
        answer = self.relay.answer(given.get("x-amz-target", ""), self.path, given, raw)
        with contextlib.suppress(ConnectionError):  # who asked may have gone
            self.send_response(answer.status)
            self.send_header("content-type", answer.kind)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

    do_POST = do_GET = _serve  # noqa: N815  # the base class looks these up

    def finish(self) -> None:
        self.relay.hang_up()
        super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as in the base class
        """Keep quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextlib.contextmanager
def relaying(upstream: str) -> Iterator[Relay]:
    """Relay until the block ends."""
    handler: Any = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    relay = Relay(upstream, f"http://127.0.0.1:{server.server_address[1]}")
    handler.relay = relay
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="relay")
    thread.start()
    try:
        yield relay
    finally:
        for gate in relay.gates.values():
            gate.opened.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
