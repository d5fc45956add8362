"""What changes while clients are connected: subscribed resources, and published lists.

Legacy clients subscribe a URI at a time (`resources/subscribe`) and hear of it over their session;
modern ones hold a `subscriptions/listen` stream open. A resource is looked at only while somebody
is subscribed to it, by one task for each URI.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator
from typing import Any, Literal

from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    EmptyResult,
    NotificationParams,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)

from naftiko.exposes.mcp.peer import Context, connection_of
from naftiko.exposes.mcp.resources import ResourceTable

MAX_WATCHED = 1_000
"""URIs that are looked at at the same time."""
MAX_SUBSCRIPTIONS = 1_000
"""URIs that one client may subscribe to."""
LOOK_TIMEOUT_S = 60.0
TELL_TIMEOUT_S = 10.0
"""How long a client may take to be told of a change."""
MAX_LOOKS = 8
"""Looks at the same time: what callers subscribe to must not become a flood of calls."""

Kind = Literal["tools", "prompts", "resources"]
_EVENTS: dict[Kind, type[ToolsListChanged | PromptsListChanged | ResourcesListChanged]] = {
    "tools": ToolsListChanged,
    "prompts": PromptsListChanged,
    "resources": ResourcesListChanged,
}


class Changes:
    """The clients of one adapter that want to hear of changes."""

    def __init__(self, resources: ResourceTable) -> None:
        """Start with none."""
        self._resources = resources
        self._bus = InMemorySubscriptionBus()
        self._listen = ListenHandler(self._bus)
        # A session's connection lives as long as the session: whoever leaves is dropped with it.
        self._clients: weakref.WeakKeyDictionary[Any, set[str]] = weakref.WeakKeyDictionary()
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._listened: Counter[str] = Counter()
        self._looking = asyncio.Semaphore(MAX_LOOKS)

    # ----------------------------------------------------------------- handlers

    async def initialized(self, ctx: Context, _params: NotificationParams | None) -> None:
        """Remember a legacy client from its handshake on."""
        self._clients.setdefault(connection_of(ctx), set())

    async def subscribe(self, ctx: Context, params: SubscribeRequestParams) -> EmptyResult:
        """Tell this client of changes of one resource.

        Raises: MCPError (-32602) for a URI that leads nowhere.
        """
        uri = str(params.uri)
        self._resources.find(uri)
        wanted = self._clients.setdefault(connection_of(ctx), set())
        if len(wanted) >= MAX_SUBSCRIPTIONS and uri not in wanted:
            message = f"more than {MAX_SUBSCRIPTIONS} subscriptions"
            raise MCPError(code=INVALID_PARAMS, message=message)
        wanted.add(uri)
        self._watch(uri)
        return EmptyResult()

    async def unsubscribe(self, ctx: Context, params: UnsubscribeRequestParams) -> EmptyResult:
        """Tell this client no more of one resource."""
        self._clients.get(connection_of(ctx), set()).discard(str(params.uri))
        return EmptyResult()

    async def listen(
        self, ctx: Context, params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Serve one `subscriptions/listen` stream."""
        uris = [str(uri) for uri in params.notifications.resource_subscriptions or ()]
        if len(uris) > MAX_SUBSCRIPTIONS:
            message = f"more than {MAX_SUBSCRIPTIONS} subscriptions"
            raise MCPError(code=INVALID_PARAMS, message=message)
        with self._counted(uris):
            return await self._listen(ctx, params)

    # ----------------------------------------------------------------- events

    async def resource_updated(self, uri: str) -> None:
        """Tell everybody who subscribed to a resource that it has changed."""
        await self._bus.publish(ResourceUpdated(uri=uri))
        clients = list(self._clients.items())
        wanting = [connection for connection, uris in clients if uri in uris]
        await _tell_all(connection.send_resource_updated(uri) for connection in wanting)

    async def list_changed(self, kind: Kind) -> None:
        """Tell every client that a list is another one now."""
        await self._bus.publish(_EVENTS[kind]())
        connections = list(self._clients)
        if kind == "tools":
            await _tell_all(item.send_tool_list_changed() for item in connections)
        elif kind == "prompts":
            await _tell_all(item.send_prompt_list_changed() for item in connections)
        else:
            await _tell_all(item.send_resource_list_changed() for item in connections)

    def close(self) -> None:
        """End every stream and stop looking."""
        self._listen.close()
        for task in self._watchers.values():
            with contextlib.suppress(RuntimeError):  # its loop is closed
                task.cancel()
        self._watchers.clear()
        self._looking = asyncio.Semaphore(MAX_LOOKS)  # the next loop that serves needs its own

    # ----------------------------------------------------------------- looking

    @contextlib.contextmanager
    def _counted(self, uris: Iterable[str]) -> Iterator[None]:
        uris = list(uris)
        self._listened.update(uris)
        for uri in uris:
            self._watch(uri)
        try:
            yield
        finally:
            self._listened.subtract(uris)
            self._listened += Counter()

    def _watch(self, uri: str) -> None:
        """Look at a resource from now on, if it can change and nobody does yet."""
        task = self._watchers.get(uri)
        if task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop():
            return
        try:
            refresh_s = self._resources.find(uri).resource.refresh_s
        except MCPError:
            return
        if refresh_s is None or len(self._watchers) >= MAX_WATCHED:
            return
        # A context of its own: this task outlives the request that started it.
        self._watchers[uri] = asyncio.create_task(self._look(uri, refresh_s), name=f"watch {uri}")

    async def _look(self, uri: str, refresh_s: float) -> None:
        try:
            before = await self._fingerprint(uri)
            while self._is_wanted(uri):
                await asyncio.sleep(refresh_s)
                now = await self._fingerprint(uri)
                if now != before and now and before is not None:
                    await self.resource_updated(uri)
                before = now or before
        finally:
            if self._watchers.get(uri) is asyncio.current_task():
                del self._watchers[uri]

    async def _fingerprint(self, uri: str) -> str:
        try:
            async with self._looking, asyncio.timeout(LOOK_TIMEOUT_S):
                return await self._resources.fingerprint(uri)
        except (TimeoutError, MCPError):
            return ""

    def _is_wanted(self, uri: str) -> bool:
        return self._listened[uri] > 0 or any(uri in uris for uris in self._clients.values())


async def _tell_all(messages: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Send to all clients at once; one that does not read keeps nobody else from hearing it."""

    async def tell(message: Coroutine[Any, Any, None]) -> None:
        async with asyncio.timeout(TELL_TIMEOUT_S):
            await message

    await asyncio.gather(*map(tell, messages), return_exceptions=True)
