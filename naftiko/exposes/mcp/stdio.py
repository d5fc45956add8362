"""The SDK's server over stdin and stdout: one JSON-RPC message on each line.

The SDK's own stdio transport reads in a thread that cannot be stopped, so Ctrl-C would wait for
the client; and it takes JSON that is none. Here two daemon threads move lines, and a signal ends
the service at once. While it runs, file descriptor 1 leads to stderr and 0 to nowhere, so that
nothing but protocol gets on the wire.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import INVALID_REQUEST
from mcp_types.jsonrpc import jsonrpc_message_adapter
from pydantic import ValidationError

from naftiko.exposes.mcp.jsonrpc import Fault, Message, error_body, read_message

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from mcp.server.lowlevel import Server

MAX_LINE_BYTES = 4 * 1024 * 1024
"""Longest message; a longer one is answered with an error and skipped."""
DRAIN_S = 10.0
"""How long calls may go on after the client has closed stdin."""
CANCELLED = "notifications/cancelled"
_CHUNK = 64 * 1024
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def serve(
    server: Server[Any], ready: Callable[[], Awaitable[object]] | None = None
) -> signal.Signals | None:
    """Serve until stdin ends or a signal comes; returns the signal. `ready` is waited for first."""
    caught: list[signal.Signals] = []
    with _wire() as (source, target), anyio.CancelScope() as scope:

        def stop(number: signal.Signals) -> None:
            caught.append(number)
            scope.cancel()

        with _on_signals(stop):
            if ready is not None:
                await ready()
            await _serve_lines(server, source, target)
    return caught[0] if caught else None


async def _serve_lines(server: Server[Any], source: int, target: int) -> None:
    to_server, from_client = anyio.create_memory_object_stream[SessionMessage | Exception]()
    to_client, from_server = anyio.create_memory_object_stream[SessionMessage]()
    out = _Writer(target)
    unanswered = _Unanswered()
    async with anyio.create_task_group() as writing:
        writing.start_soon(_write, from_server, out, unanswered)
        async with anyio.create_task_group() as reading:
            reading.start_soon(_read, _Reader(source), to_server, out, unanswered)
            await server.run(from_client, to_client, server.create_initialization_options())
            # The reader may still wait for a line nobody will send.
            reading.cancel_scope.cancel()
        # The server is done, so that the writer ends once all it was given is out.
        await to_client.aclose()


async def _read(
    lines: _Reader,
    to_server: MemoryObjectSendStream[SessionMessage | Exception],
    out: _Writer,
    unanswered: _Unanswered,
) -> None:
    async with to_server:
        while (line := await lines.next()) is not None:
            message = _message(line)
            if isinstance(message, SessionMessage):
                unanswered.asked(message)
                await to_server.send(message)
            elif message is not None:
                await out.write(error_body(message.code, message.message, message.id))
        # The end of the input ends every call: `echo ... | naftiko run` still wants its answers.
        with anyio.move_on_after(DRAIN_S):
            await unanswered.none()


class _Unanswered:
    """Counts the requests whose answers are not out yet."""

    def __init__(self) -> None:
        self._ids: set[str | int] = set()
        self._none = anyio.Event()

    def asked(self, item: SessionMessage) -> None:
        request_id = getattr(item.message, "id", None)
        if request_id is not None and hasattr(item.message, "method"):
            self._ids.add(request_id)
        elif getattr(item.message, "method", None) == CANCELLED:
            params = getattr(item.message, "params", None) or {}
            self._settled(params.get("requestId"))  # it may never be answered

    def answered(self, item: SessionMessage) -> None:
        if not hasattr(item.message, "method"):
            self._settled(getattr(item.message, "id", None))

    def _settled(self, request_id: object) -> None:
        if isinstance(request_id, str | int):
            self._ids.discard(request_id)
        if not self._ids:
            self._none.set()

    async def none(self) -> None:
        """Wait until there are none."""
        while self._ids:
            self._none = anyio.Event()
            await self._none.wait()


def _message(line: bytes) -> SessionMessage | Fault | None:
    """Read one line; None for a blank one."""
    if not line.strip():
        return None
    if len(line) > MAX_LINE_BYTES:
        limit = MAX_LINE_BYTES // 2**20
        return Fault(code=INVALID_REQUEST, message=f"the message is larger than {limit} MiB")
    read = read_message(line)
    if not isinstance(read, Message):
        return read
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_python(read.body, by_name=False))
    except ValidationError:
        text = "the message is not a JSON-RPC request, notification or response"
        return Fault(code=INVALID_REQUEST, message=text, id=read.id)


async def _write(
    from_server: MemoryObjectReceiveStream[SessionMessage], out: _Writer, unanswered: _Unanswered
) -> None:
    async with from_server:
        async for item in from_server:
            text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
            await out.write(text.encode())
            unanswered.answered(item)


class _Reader:
    """Lines of a file descriptor, read ahead by one in a daemon thread."""

    def __init__(self, source: int) -> None:
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._wanted = threading.Semaphore(1)
        threading.Thread(target=self._run, name="naftiko stdin", daemon=True).start()

    async def next(self) -> bytes | None:
        """Return the next line, None at the end."""
        line = await self._lines.get()
        self._wanted.release()
        return line

    def _run(self) -> None:
        for line in _lines(self._source):
            self._wanted.acquire()
            if not self._put(line):
                return
        self._put(None)

    def _put(self, line: bytes | None) -> bool:
        try:
            self._loop.call_soon_threadsafe(self._lines.put_nowait, line)
        except RuntimeError:  # the loop is closed: nobody reads any more
            return False
        return True


def _lines(source: int) -> Iterator[bytes]:
    """Yield lines; of one that is too long its start, which is longer than the limit."""
    kept = bytearray()
    while chunk := _read_chunk(source):
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            yield bytes(kept + line)
            kept.clear()
        if len(kept) <= MAX_LINE_BYTES:
            kept += rest
    if kept:
        yield bytes(kept)


def _read_chunk(source: int) -> bytes:
    try:
        return os.read(source, _CHUNK)
    except OSError:
        return b""


class _Writer:
    """Writes lines to a file descriptor in a daemon thread, one after the other."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._loop = asyncio.get_running_loop()
        self._lines: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="naftiko stdout", daemon=True).start()

    async def write(self, line: bytes) -> None:
        """Write one line and wait until it is out."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._lines.put((line + b"\n", done))
        await done

    def _run(self) -> None:
        while True:
            line, done = self._lines.get()
            with contextlib.suppress(OSError):  # the client is gone: the end of stdin says so
                _write_all(self._target, line)
            try:
                self._loop.call_soon_threadsafe(_finish, done)
            except RuntimeError:  # the loop is closed
                return


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def _write_all(target: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(target, rest) :]


@contextlib.contextmanager
def _wire() -> Iterator[tuple[int, int]]:
    """Keep stdin and stdout for the protocol: yields the descriptors that lead to the client.

    They are not closed afterwards: a thread may still wait on one.
    """
    sys.stdout.flush()
    source, target = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    os.dup2(2, 1)
    try:
        yield source, target
    finally:
        sys.stdout.flush()  # while what it holds still goes to stderr
        os.dup2(target, 1)
        os.dup2(source, 0)


@contextlib.contextmanager
def _on_signals(stop: Any) -> Iterator[None]:
    """Call `stop` on SIGINT and SIGTERM, where the loop may take signals."""
    loop = asyncio.get_running_loop()
    taken: list[signal.Signals] = []
    for number in _SIGNALS:
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop, number)
            taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)
