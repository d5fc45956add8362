"""Idle connections, a pool for each event loop that uses them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from naftiko.consumes.exchange.connection import Connection
from naftiko.consumes.exchange.request import Origin

KEPT_PER_ORIGIN = 100
SWEEP_EVERY_S = 5.0


class Pool:
    """The idle connections of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, idle_s: float) -> None:
        """Start empty."""
        self.loop = loop
        self.end: AsyncGenerator[None] | None = None
        self._idle_s = idle_s
        self._idle: dict[Origin, list[Connection]] = {}
        self._sweeping = False

    def take(self, origin: Origin) -> Connection | None:
        """Return a connection that can carry another exchange, the last that was given first."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if self.loop.time() - connection.idle_since < self._idle_s and connection.is_usable():
                return connection
            connection.abort()
        return None

    def give(self, connection: Connection) -> None:
        """Keep a connection whose exchange has ended, close it where it cannot carry another."""
        if not connection.is_reusable():
            connection.abort()
            return
        idle = self._idle.setdefault(connection.origin, [])
        if len(idle) >= KEPT_PER_ORIGIN:
            connection.abort()
            return
        connection.idle_since = self.loop.time()
        idle.append(connection)
        if not self._sweeping:
            self._sweeping = True
            self.loop.call_later(SWEEP_EVERY_S, self._sweep)

    def close(self) -> None:
        """Close what is idle."""
        idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.abort()

    def _sweep(self) -> None:
        since = self.loop.time() - self._idle_s
        for origin, idle in list(self._idle.items()):
            for connection in [item for item in idle if item.idle_since <= since]:
                idle.remove(connection)
                connection.abort()
            if not idle:
                del self._idle[origin]
        self._sweeping = bool(self._idle)
        if self._sweeping:
            self.loop.call_later(SWEEP_EVERY_S, self._sweep)


class Pools:
    """A pool for each loop, which ends with it; threads may ask at once."""

    def __init__(self, idle_s: float) -> None:
        """Start without any."""
        self._idle_s = idle_s
        self._of: dict[asyncio.AbstractEventLoop, Pool] = {}

    def current(self) -> Pool:
        """Return the pool of the running loop."""
        loop = asyncio.get_running_loop()
        return self._of.get(loop) or self._open(loop)

    def close(self) -> None:
        """Close what is idle in any of them."""
        try:
            running: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        for loop, pool in list(self._of.items()):
            if loop is running:
                pool.close()
            elif not loop.is_closed():
                with suppress(RuntimeError):  # it ended just now
                    loop.call_soon_threadsafe(pool.close)

    def _open(self, loop: asyncio.AbstractEventLoop) -> Pool:
        for other in list(self._of):
            if other.is_closed():
                self._of.pop(other, None)
        pool = self._of[loop] = Pool(loop, self._idle_s)
        pool.end = _at_the_end_of_the_loop(self._of, loop)
        with suppress(StopIteration):  # it runs to its `yield`
            anext(pool.end).__await__().send(None)
        return pool


async def _at_the_end_of_the_loop(
    pools: dict[asyncio.AbstractEventLoop, Pool], loop: asyncio.AbstractEventLoop
) -> AsyncGenerator[None]:
    """Close the loop's pool when `asyncio.run` shuts its generators down: nobody else may do it."""
    try:
        yield
    finally:
        pool = pools.pop(loop, None)
        if pool is not None:
            pool.close()
