"""Binding, starting, stopping."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from naftiko.errors import StartError
from naftiko.exposes.binding import bind_all
from naftiko.exposes.host import Host, Listener
from tests.live.rest.servers import client_of, listener, read_reply, serving

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

ROOT = Path(__file__).parents[3]


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer "hello" to everything."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    headers = [(b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def start_error(*listeners: Listener, **options: Any) -> StartError:
    with pytest.raises(StartError) as caught:
        Host(listeners, **options).bind()
    return caught.value


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_any_free_port_is_taken_and_told() -> None:
    host = Host([listener(hello, "a"), listener(hello, "b")])
    host.bind()
    try:
        assert {name: address[0] for name, address in host.addresses.items()} == {
            "a": "127.0.0.1",
            "b": "127.0.0.1",
        }
        ports = {address[1] for address in host.addresses.values()}
        assert len(ports) == 2
        assert 0 not in ports
    finally:
        host.close()


def test_all_conflicts_are_reported_together_and_nothing_stays_bound() -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(taken_port()) for _ in range(2))
        with socket.create_server(("127.0.0.1", 0)) as probe:
            free = probe.getsockname()[1]
        error = start_error(
            listener(hello, "free", port=free),
            listener(hello, "one", port=first),
            listener(hello, "two", port=second, kind="mcp"),
        )
        assert error.message == (
            f"port {first} of rest `one` is in use by another process; "
            f"port {second} of mcp `two` is in use by another process"
        )
        assert "--port NAMESPACE=PORT" in error.hint
        socket.create_server(("127.0.0.1", free)).close()


def test_two_listeners_on_one_port_are_both_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]
    error = start_error(
        listener(hello, "a", port=free), listener(hello, "b", port=free, kind="mcp")
    )
    assert error.message == f"port {free} of mcp `b` is taken by rest `a`"


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])  # noqa: S104  (it is what the test is about)
def test_other_machines_are_served_only_with_authentication(address: str) -> None:
    if address == "::" and not has_ipv6():
        pytest.skip("the machine has no IPv6")
    error = start_error(listener(hello, address=address))
    assert "without authentication" in error.message
    assert "--insecure" in error.hint
    for options, settings in (({"insecure": True}, {}), ({}, {"authenticated": True})):
        host = Host([listener(hello, address=address, **settings)], **options)
        host.bind()
        host.close()


def test_an_address_that_is_none_is_reported() -> None:
    assert "does not resolve" in start_error(listener(hello, address="no.such.invalid")).message
    error = start_error(listener(hello, address="192.0.2.1", authenticated=True))
    assert "is none of this machine" in error.message


def test_localhost_means_both_families() -> None:
    with serving(listener(hello, address="localhost")) as running:
        port = running.host.addresses["demo"][1]
        families = ["127.0.0.1", "::1"] if has_ipv6() else ["127.0.0.1"]
        for address in families:
            with socket.create_connection((address, port), timeout=5) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert read_reply(connection).body == b"hello"


def test_several_adapters_share_a_process() -> None:
    with serving(listener(hello, "a"), listener(hello, "b")) as running:
        assert running.client("a").get("/").body == b"hello"
        assert running.client("b").get("/").body == b"hello"


def test_an_app_that_fails_to_start_stops_the_host() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no luck"})

    with pytest.raises(StartError), serving(listener(hello, "a"), listener(failing, "b")):
        pass


def test_a_host_can_be_stopped_before_it_serves() -> None:
    host = Host([listener(hello)])
    host.stop()
    asyncio.run(host.serve())


def test_the_collector_is_tuned_while_serving_only() -> None:
    before = gc.get_threshold()
    with client_of(hello) as client:
        client.get("/")
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] > before[0]
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


class Slow:
    """Answers when it is let; keeps what happened to it."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.cancelled = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await hello(scope, receive, send)
            return
        self.loop, self.released = asyncio.get_running_loop(), asyncio.Event()
        self.entered.set()
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        await hello(scope, receive, send)

    def release(self) -> None:
        self.loop.call_soon_threadsafe(self.released.set)


def test_a_request_in_flight_is_finished() -> None:
    slow = Slow()
    with serving(listener(slow), drain_s=20) as running, running.client().connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert slow.entered.wait(10)
        running.host.stop()
        slow.release()
        reply = read_reply(connection)
    assert reply.body == b"hello"
    assert reply.headers["connection"] == "close"


def test_a_request_that_outlives_the_drain_is_cancelled_and_answered() -> None:
    slow = Slow()
    with serving(listener(slow), drain_s=0.2) as running, running.client().connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert slow.entered.wait(10)
        running.host.stop()
        reply = read_reply(connection)
    assert slow.cancelled.is_set()
    assert reply.status == 503
    assert reply.json["code"] == "stopping"
    assert reply.json["retryable"]


class TimedLoop(asyncio.SelectorEventLoop):
    """Notes for how long it is asked to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def call_at(self, when: float, *arguments: Any, **more: Any) -> asyncio.TimerHandle:
        self.waits.append(when - self.time())
        return super().call_at(when, *arguments, **more)


def test_a_server_with_nothing_in_flight_stops_without_waiting() -> None:
    loop = TimedLoop()
    host = Host([listener(hello)])
    host.bind()

    async def story() -> None:
        serving_ = asyncio.ensure_future(host.serve())
        reader, writer = await asyncio.open_connection("127.0.0.1", host.addresses["demo"][1])
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        await reader.readuntil(b"hello")
        loop.waits.clear()
        host.stop()
        await serving_
        writer.close()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(story())

    # What is waited for may take as long as that, but nothing passes the time.
    assert [wait for wait in loop.waits if wait < 0.9] == []


def test_listeners_are_told_of_the_stop_once() -> None:
    told: list[str] = []
    with serving(listener(hello, on_stop=lambda: told.append("stop"))) as running:
        running.host.stop()
    assert told == ["stop"]


class Built:
    """An app with a lifespan, and a factory that counts."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def make(self) -> Any:
        self.events.append(f"built in {threading.current_thread() is threading.main_thread()}")
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            assert scope["state"]["pool"] == "open"
            await hello(scope, receive, send)
            return
        await receive()
        self.events.append("startup")
        scope["state"]["pool"] = "open"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.events.append("shutdown")
        await send({"type": "lifespan.shutdown.complete"})


def lazy(made: Built, **options: Any) -> Listener:
    return listener(hello, app_factory=made.make, lazy=True, **options)


def test_a_lazy_app_is_built_by_the_first_request_and_once() -> None:
    made = Built()
    with serving(lazy(made), warm_after_s=None) as running:
        assert made.events == []
        client = running.client()
        replies: list[bytes] = []
        threads = [
            threading.Thread(target=lambda: replies.append(client.get("/").body)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert replies == [b"hello"] * 8
        assert made.events == ["built in False", "startup"]
    assert made.events == ["built in False", "startup", "shutdown"]


def test_a_lazy_app_is_never_built_if_no_one_asks() -> None:
    made = Built()
    with serving(lazy(made), warm_after_s=None):
        pass
    assert made.events == []


def test_lazy_apps_are_warmed_after_the_start() -> None:
    made = Built()
    ready = threading.Event()
    made_events = made.make

    def make() -> Any:
        ready.set()
        return made_events()

    with serving(listener(hello, app_factory=make, lazy=True), warm_after_s=0):
        assert ready.wait(10)


def test_a_lazy_app_that_fails_leaves_the_others_alone() -> None:
    def broken() -> Any:
        raise RuntimeError

    lazy_one = listener(hello, "broken", app_factory=broken, lazy=True)
    with serving(lazy_one, listener(hello, "fine"), warm_after_s=None) as running:
        for _ in range(2):
            reply = running.client("broken").get("/")
            assert reply.status == 503
            assert reply.json["code"] == "unavailable"
        assert running.client("fine").get("/").body == b"hello"


def test_a_lazy_app_without_a_lifespan_is_served() -> None:
    async def bare(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await hello(scope, receive, send)

    lazy_one = listener(hello, app_factory=lambda: bare, lazy=True)
    with serving(lazy_one, warm_after_s=None) as running:
        assert running.client().get("/").body == b"hello"


SERVER = textwrap.dedent(
    """
    import asyncio, signal, sys, uvloop
    from naftiko.exposes.host import Host
    from tests.unit.exposes.test_host import Slow, hello
    from tests.live.rest.servers import listener

    mode, drain_s = sys.argv[1], float(sys.argv[2])
    slow = Slow()

    async def app(scope, receive, send):
        if scope["type"] == "http" and mode == "slow":
            print("entered", flush=True)
        await (slow if mode == "slow" else hello)(scope, receive, send)

    marker = lambda *_: None
    signal.signal(signal.SIGTERM, marker)
    started = lambda: print(host.addresses["demo"][1], flush=True)
    stopping = (lambda: print("stopping", flush=True)) if mode == "slow" else None
    host = Host([listener(app, on_stop=stopping)], drain_s=drain_s, on_started=started)
    (uvloop.run if sys.argv[3] == "uvloop" else asyncio.run)(host.serve())
    restored = signal.getsignal(signal.SIGTERM) is marker
    restored &= signal.getsignal(signal.SIGINT) is signal.default_int_handler
    print(host.stopped_by.name, restored, flush=True)
    """
)


@contextmanager
def server(
    mode: str, drain_s: float, loop: str = "uvloop"
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SERVER, mode, str(drain_s), loop],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def ask(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return connection


def wait_for(line: str, process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == f"{line}\n"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_quietly_and_handlers_come_back(
    number: signal.Signals, loop: str
) -> None:
    with server("hello", 10, loop) as (process, port):
        with ask(port) as connection:
            assert read_reply(connection).body == b"hello"
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert out == f"{number.name} True\n"


def test_ctrl_c_does_not_wait_for_the_whole_drain() -> None:
    with server("slow", 600) as (process, port), ask(port):
        wait_for("entered", process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "stopping\nSIGINT True\n", "")


def test_ctrl_c_while_it_stops_ends_everything() -> None:
    with server("slow", 600) as (process, port), ask(port):
        wait_for("entered", process)
        process.send_signal(signal.SIGTERM)
        wait_for("stopping", process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "SIGTERM True\n", "")


def test_answers_are_not_held_back_by_nagles_delay() -> None:
    """Asyncio turns the delay off only for sockets that say they are TCP; it costs 40 ms each."""
    (bound,) = bind_all((listener(hello, "a"),), insecure=False)
    try:
        assert [item.proto for item in bound.sockets] == [socket.IPPROTO_TCP]
    finally:
        for item in bound.sockets:
            item.close()
