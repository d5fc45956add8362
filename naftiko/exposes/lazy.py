"""An ASGI app that is built when it is first needed."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from naftiko.exposes.problem import RequestError, refuse
from naftiko.plan.masking import Masker

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("naftiko.server")


class LazyApp:
    """Stands for an app until the first request, or `warm`, asks for it; then it is that app.

    `factory` runs once, in a thread, because what it imports may take as long as many requests;
    it must not need a running event loop. The app's lifespan is started when it has been built,
    in a task of its own, and shut down with the server. An app that fails to build or to start
    answers 503 from then on; the reason is in the log.
    """

    def __init__(
        self,
        factory: Callable[[], ASGIApp],
        *,
        masker: Masker | None = None,
        on_built: Callable[[], None] | None = None,
        name: str = "",
    ) -> None:
        """Keep the factory. `on_built` is called on the event loop once the app stands."""
        self.name = name
        self.failed = False
        self._factory = factory
        self._masker = masker or Masker()
        self._on_built = on_built
        self._building: asyncio.Task[ASGIApp | None] | None = None
        self._app: ASGIApp | None = None
        self._lifespan: _Lifespan | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request to the app, built first if need be."""
        if scope["type"] == "lifespan":
            await self._serve_lifespan(receive, send)
            return
        app = self._app or await self._built()
        if app is None:
            await self._refuse(scope, send)
            return
        if self._lifespan is not None and self._lifespan.state:
            scope["state"] = {**scope.get("state", {}), **self._lifespan.state}
        await app(scope, receive, send)

    async def warm(self) -> None:
        """Build the app now, unless it stands or is being built; return when that is done."""
        if self._app is None:
            await self._built()

    async def _built(self) -> ASGIApp | None:
        if self._building is None:
            self._building = asyncio.get_running_loop().create_task(self._build())
        # Shielded: one caller who goes away must not stop what others wait for.
        return await asyncio.shield(self._building)

    async def _build(self) -> ASGIApp | None:
        try:
            app = await asyncio.to_thread(self._factory)
            lifespan = _Lifespan(app)
            await lifespan.start()
        except Exception as error:  # noqa: BLE001  (whatever it is, the other adapters go on)
            trace = "".join(traceback.format_exception(error))
            logger.error("an adapter could not be started\n%s", self._masker(trace))
            self.failed = True
            return None
        self._lifespan = lifespan
        self._app = app
        if self._on_built is not None:
            self._on_built()
        return app

    async def _serve_lifespan(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        if self._building is not None:
            self._building.cancel()
        if self._lifespan is not None:
            await self._lifespan.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _refuse(self, scope: Scope, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1011})
            return
        error = RequestError(
            code="unavailable",
            message="this adapter could not be started",
            status=503,
            hint="the log of the server says why",
        )
        await refuse(scope, send, error, self._masker)


class LifespanError(Exception):
    """An app says that it could not start."""


class _Lifespan:
    """Runs an app's lifespan in one task, as its task groups and cancel scopes demand."""

    def __init__(self, app: ASGIApp) -> None:
        self.state: dict[str, Any] = {}  # the ASGI specification leaves its values open
        self._app = app
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the app; one that knows no lifespan needs no starting.

        Raises: LifespanError, or what the app raised.
        """
        self._task = asyncio.get_running_loop().create_task(self._run())
        answer = await self._ask("lifespan.startup")
        if answer is None:
            logger.debug("an app does not take part in the lifespan protocol")
        elif answer["type"] == "lifespan.startup.failed":
            raise LifespanError(answer.get("message", ""))

    async def stop(self) -> None:
        """Shut the app down."""
        if self._task is None or self._task.done():
            return
        answer = await self._ask("lifespan.shutdown")
        if answer is not None and answer["type"] == "lifespan.shutdown.failed":
            logger.warning("an adapter failed to shut down: %s", answer.get("message", ""))

    async def _ask(self, event: str) -> Message | None:
        """Send an event and return the answer; None where the app ended without one."""
        assert self._task is not None  # start has made it
        self._events.put_nowait({"type": event})
        answer = asyncio.ensure_future(self._answers.get())
        await asyncio.wait({self._task, answer}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            return None
        return answer.result()

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self._app(scope, self._events.get, self._answers.put)
        except Exception as error:  # noqa: BLE001  (an app may raise to say that it has no lifespan)
            logger.debug("a lifespan ended with %s", type(error).__name__)
