"""All adapters of a process: bound together, served on one event loop, stopped together."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from naftiko.exposes.binding import Bound, Listener, Standing, bind_all
from naftiko.exposes.guard import Guard
from naftiko.exposes.lazy import LazyApp
from naftiko.plan.masking import Masker

if TYPE_CHECKING:
    from types import FrameType

    from starlette.types import ASGIApp

    from naftiko.exposes.serving import AppServer

__all__ = ["Host", "LazyApp", "Listener", "tune_collector"]

logger = logging.getLogger("naftiko.server")

DRAIN_S = 10.0
QUICK_DRAIN_S = 1.0
"""How long requests may finish after Ctrl-C."""
WARM_AFTER_S = 1.0
"""When lazy apps are built in the background: after the first callers have been answered."""
GC_THRESHOLDS = (50_000, 50, 50)


class Host:
    """Serves listeners: `bind()`, then `await serve()` until `stop()` or a signal.

    SIGTERM drains: no new connections, requests in flight get `drain_s` seconds to finish, the rest
    is cancelled and answered 503. SIGINT does the same within a second; SIGINT while the host stops
    ends everything at once. `stopped_by` tells which signal it was. Signals are heard only
    where `serve` runs in the main thread, and former handlers come back after it.

    `allowed_hosts` and `allowed_origins` widen what the guard in front of every app lets through
    (`naftiko.exposes.guard.Guard`). `warm_after_s` is when lazy apps are built although no one has
    asked for them; None waits for the first request. With `tune` the collector is tuned while
    serving (`tune_collector`).
    """

    def __init__(
        self,
        listeners: Sequence[Listener],
        *,
        insecure: bool = False,
        drain_s: float = DRAIN_S,
        allowed_hosts: Iterable[str] = (),
        allowed_origins: Iterable[str] = (),
        masker: Masker | None = None,
        on_started: Callable[[], None] | None = None,
        warm_after_s: float | None = WARM_AFTER_S,
        tune: bool = True,
        handle_signals: bool = True,
    ) -> None:
        """Keep what to serve; nothing is bound yet. `on_started` is called once all answer."""
        self.stopped_by: signal.Signals | None = None
        self.addresses: dict[str, tuple[str, int]] = {}
        self._listeners = tuple(listeners)
        self._insecure = insecure
        self._drain_s = drain_s
        self._allowed_hosts = tuple(allowed_hosts)
        self._allowed_origins = tuple(allowed_origins)
        self._masker = masker or Masker()
        self._on_started = on_started
        self._warm_after_s = warm_after_s
        self._tune = tune
        self._handle_signals = handle_signals
        self._bound: tuple[Bound, ...] = ()
        self._servers: tuple[AppServer, ...] = ()
        self._lazy: tuple[LazyApp, ...] = ()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._stop_asked = False
        self._stopping = False

    def bind(self) -> None:
        """Take all ports; `addresses` then has the real one of each listener.

        Raises: StartError that names every port that cannot be had.
        """
        if not self._bound:
            self._bound = bind_all(self._listeners, insecure=self._insecure)
            self.addresses = {entry.listener.name: entry.address for entry in self._bound}

    def close(self) -> None:
        """Give the ports back; for a host that was bound and is not going to serve."""
        for entry in self._bound:
            entry.close()
        self._bound = ()

    async def serve(self, ready: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """Serve until told to stop; return when everything has ended.

        `ready` is waited for first, with the ports taken; to stop ends that too.

        Raises: StartError where an app fails to start.
        """
        from naftiko.exposes.serving import uvicorn_logs_to

        self.bind()
        self._loop = asyncio.get_running_loop()
        try:
            with uvicorn_logs_to(logger, self._masker), self._signals(self._loop):
                if ready is None or await self._waited(ready):
                    self._servers = tuple(self._make_server(entry) for entry in self._bound)
                    await self._run_servers()
        finally:
            self.close()
            self._loop = None

    async def _waited(self, ready: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Wait until it is ready; tell whether nobody has stopped it by then."""
        if self._stop_asked:
            return False
        self._waiting = asyncio.ensure_future(ready())
        try:
            await asyncio.wait({self._waiting})
            if self._waiting.cancelled():
                return False
            self._waiting.result()
        finally:
            self._waiting.cancel()
            self._waiting = None
        return not self._stopping

    async def warm(self) -> None:
        """Build the apps of lazy listeners now."""
        await asyncio.gather(*(app.warm() for app in self._lazy))

    def stop(self) -> None:
        """Stop as SIGTERM does. Safe from any thread, and before `serve` too."""
        loop = self._loop
        self._stop_asked = True
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._begin_stop, self._drain_s)

    def _make_server(self, bound: Bound) -> AppServer:
        from naftiko.exposes.serving import AppServer

        guard = Guard(
            self._make_app(bound.listener),
            loopback=bound.loopback,
            allowed_hosts=self._allowed_hosts,
            allowed_origins=(*self._allowed_origins, *bound.listener.allowed_origins),
            masker=self._masker,
        )
        return AppServer(guard, sockets=bound.sockets, masker=self._masker)

    def _make_app(self, listener: Listener) -> ASGIApp:
        if not listener.lazy:
            return listener.app_factory()
        # What a lazy app loads joins the heap that collections need not walk.
        app = LazyApp(
            listener.app_factory,
            masker=self._masker,
            on_built=gc.freeze if self._tune else None,
            name=listener.name,
        )
        self._lazy = (*self._lazy, app)
        return app

    async def _run_servers(self) -> None:
        serving = [asyncio.ensure_future(server.run()) for server in self._servers]
        try:
            await self._until_started(serving)
            with self._collector():
                background = self._after_start()
                try:
                    await asyncio.wait(serving, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    background.cancel()
        finally:
            # One that ended by itself takes the others along.
            self._begin_stop(self._drain_s)
            results = await self._ended(serving)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _ended(
        self, serving: Sequence[asyncio.Future[None]]
    ) -> Sequence[BaseException | None]:
        """Wait for the servers, those that answer until the others have ended at last."""
        first = self._stopping_first
        pairs = list(zip(self._servers, serving, strict=True))
        await asyncio.gather(
            *(task for server, task in pairs if server in first), return_exceptions=True
        )
        for server, _ in pairs:
            if server not in first:
                server.begin_stop(min(QUICK_DRAIN_S, self._drain_s))
        return await asyncio.gather(*serving, return_exceptions=True)

    @property
    def _stopping_first(self) -> Sequence[AppServer]:
        pairs = zip(self._bound, self._servers, strict=False)  # none are made before it is ready
        first = [server for bound, server in pairs if not bound.listener.stops_last]
        return first or self._servers

    def states(self) -> dict[str, Standing]:
        """Return how each listener fares. None has started before it answers, or from a signal on.

        One whose app failed to build answers, but only 503: it has not started either.
        """
        failed = {app.name for app in self._lazy if app.failed}
        stopping = self._stopping or self._stop_asked
        return {
            bound.listener.name: Standing(
                port=self.addresses[bound.listener.name][1],  # its socket may be closed by now
                started=server.started_event.is_set()
                and not stopping
                and bound.listener.name not in failed,
            )
            for bound, server in zip(self._bound, self._servers, strict=False)
        }

    async def _until_started(self, serving: Sequence[asyncio.Future[None]]) -> None:
        started = [asyncio.ensure_future(server.started_event.wait()) for server in self._servers]
        try:
            for one, server_task in zip(started, serving, strict=True):
                either: list[asyncio.Future[Any]] = [one, server_task]
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if server_task.done():
                    server_task.result()
        finally:
            for one in started:
                one.cancel()

    def _after_start(self) -> asyncio.Future[None]:
        """Tell that the ports answer; return the task that builds lazy apps in a while."""
        if self._stop_asked:
            self._begin_stop(self._drain_s)
        elif self._on_started is not None:
            self._on_started()
        return asyncio.ensure_future(self._warm_later())

    async def _warm_later(self) -> None:
        if self._warm_after_s is not None and self._lazy:
            await asyncio.sleep(self._warm_after_s)
            await self.warm()

    @contextmanager
    def _collector(self) -> Iterator[None]:
        if not self._tune:
            yield
            return
        thresholds = gc.get_threshold()
        tune_collector()
        try:
            yield
        finally:
            gc.set_threshold(*thresholds)
            gc.unfreeze()

    def _begin_stop(self, drain_s: float) -> None:
        if self._stopping:
            return
        self._stopping = True
        if self._waiting is not None:
            self._waiting.cancel()
        for server in self._stopping_first:
            server.begin_stop(drain_s)
        for listener in self._listeners:
            if listener.on_stop is not None:
                listener.on_stop()

    def _on_signal(self, number: signal.Signals) -> None:
        if self._stopping and number is signal.SIGINT:
            for server in self._servers:
                server.end_now()
            return
        self.stopped_by = self.stopped_by or number
        quick = number is signal.SIGINT
        self._begin_stop(min(QUICK_DRAIN_S, self._drain_s) if quick else self._drain_s)

    @contextmanager
    def _signals(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Hear SIGINT and SIGTERM; put former handlers back afterwards."""
        if not self._handle_signals or threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(number: int, _frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._on_signal, signal.Signals(number))

        former = {
            number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in former.items():
                # None: it was not set from Python, and cannot be put back from here.
                if handler is not None:
                    signal.signal(number, handler)


def tune_collector() -> None:
    """Keep the garbage collector away from what is loaded, and let it run more rarely.

    A full collection walks every object there is; over the heap of a loaded server that takes
    50 ms, during which no request is answered. What stands now is frozen, that is, never walked
    again, and the thresholds are raised, since a request leaves little that only the collector can
    free. Call it once everything is loaded; `Host.serve` does, and undoes it at its end.
    """
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
