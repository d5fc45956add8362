"""Real servers on free loopback ports, and clients that send exactly the bytes they are given."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import TYPE_CHECKING, Any

import uvloop

from naftiko.exposes.host import Host, Listener

if TYPE_CHECKING:
    from starlette.types import ASGIApp

TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer. `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Client:
    """Sends single requests to a port."""

    port: int

    def send(
        self,
        method: str,
        target: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            connection.request(method, target, body=body, headers=dict(headers or {}))
            return _reply(connection.getresponse())
        finally:
            connection.close()

    def get(self, target: str, **headers: str) -> Reply:
        return self.send("GET", target, headers=headers)

    def post(self, target: str, value: object) -> Reply:
        headers = {"Content-Type": "application/json"}
        return self.send("POST", target, json.dumps(value), headers)

    def raw(self, request: bytes) -> Reply:
        """Send these bytes and read one answer."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_reply(connection)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S)


def read_reply(connection: socket.socket, method: str = "GET") -> Reply:
    """Read one answer from a connection."""
    response = HTTPResponse(connection, method=method)
    try:
        response.begin()
        return _reply(response)
    finally:
        response.close()


def _reply(response: HTTPResponse) -> Reply:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, headers, response.read())


@dataclass(slots=True)
class Running:
    """A host that serves in a thread of its own."""

    host: Host
    thread: threading.Thread
    failure: BaseException | None = None

    def client(self, name: str = "demo") -> Client:
        return Client(self.host.addresses[name][1])


@contextmanager
def serving(*listeners: Listener, **options: Any) -> Iterator[Running]:
    """Serve listeners on uvloop until the block ends; a failure of the host is raised then."""
    started = threading.Event()
    options.setdefault("on_started", None)
    told: Callable[[], None] | None = options["on_started"]

    def on_started() -> None:
        if told is not None:
            told()
        started.set()

    host = Host(listeners, **{**options, "on_started": on_started})
    host.bind()

    def run() -> None:
        try:
            uvloop.run(host.serve())
        except BaseException as error:  # noqa: BLE001  (raised again by the test's thread)
            running.failure = error
        finally:
            started.set()

    running = Running(host, threading.Thread(target=run))
    running.thread.start()
    try:
        assert started.wait(TIMEOUT_S)
        yield running
    finally:
        host.stop()
        running.thread.join(TIMEOUT_S)
    if running.failure is not None:
        raise running.failure


def listener(app: ASGIApp | Callable[[], ASGIApp], name: str = "demo", **options: Any) -> Listener:
    """Return a listener on a free port for an app."""
    settings: dict[str, Any] = {
        "address": "127.0.0.1",
        "port": 0,
        "authenticated": False,
        "app_factory": lambda: app,
    }
    return Listener(name=name, **{**settings, **options})


@contextmanager
def client_of(app: ASGIApp, **options: Any) -> Iterator[Client]:
    """Serve one app; yield a client of it."""
    with serving(listener(app), **options) as running:
        yield running.client()
