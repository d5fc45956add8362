"""Event streams of 2025-11-25 that a client can take up again where they broke off.

Bounded: what is too old is forgotten, and a client that comes for it starts a new stream. The SDK
calls a stream by the id of its request, which every session counts from 1: so each session has a
view of its own, and an event is shown to the session it was meant for.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import count
from secrets import token_urlsafe
from typing import TYPE_CHECKING

from mcp.server.streamable_http import EventCallback, EventId, EventMessage, EventStore, StreamId

if TYPE_CHECKING:
    from mcp_types import JSONRPCMessage

MAX_EVENTS = 10_000
"""Events kept over all streams of one session manager."""
MAX_BYTES = 64 * 1024 * 1024
"""What they may take, as JSON."""
OVERHEAD_BYTES = 512


class RecentEvents:
    """The last events of all sessions, oldest first."""

    def __init__(self, limit: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        """Start with none."""
        self._limit = limit
        self._max_bytes = max_bytes
        self._size = 0
        self._all: OrderedDict[tuple[SessionEvents, EventId], int] = OrderedDict()

    def for_session(self) -> SessionEvents:
        """Return the events of one more session."""
        return SessionEvents(self)

    def added(self, session: SessionEvents, event_id: EventId, size: int) -> None:
        """Count an event, and forget the oldest ones."""
        self._all[(session, event_id)] = size
        self._size += size
        while self._all and (len(self._all) > self._limit or self._size > self._max_bytes):
            (owner, oldest), gone = self._all.popitem(last=False)
            self._size -= gone
            owner.forget(oldest)


class SessionEvents(EventStore):
    """The last events of one session; priming events hold no message."""

    def __init__(self, shared: RecentEvents) -> None:
        """Start with none."""
        self._shared = shared
        self._numbers = count(1)
        # A number alone would tell a client how much others do, and what to guess.
        self._prefix = token_urlsafe(9)
        self._events: OrderedDict[EventId, tuple[StreamId, JSONRPCMessage | None]] = OrderedDict()

    async def store_event(self, stream_id: StreamId, message: JSONRPCMessage | None) -> EventId:
        """Keep one event and return its id."""
        event_id = f"{self._prefix}.{next(self._numbers):x}"
        self._events[event_id] = (stream_id, message)
        size = OVERHEAD_BYTES + (len(message.model_dump_json()) if message is not None else 0)
        self._shared.added(self, event_id, size)
        return event_id

    def forget(self, event_id: EventId) -> None:
        """Drop an event."""
        self._events.pop(event_id, None)

    async def replay_events_after(
        self, last_event_id: EventId, send_callback: EventCallback
    ) -> StreamId | None:
        """Send again what came after an event on its stream; None where it is forgotten."""
        known = self._events.get(last_event_id)
        if known is None:
            return None
        stream_id = known[0]
        every = list(self._events.items())
        after = next(at for at, (event_id, _) in enumerate(every, 1) if event_id == last_event_id)
        for event_id, (stream, message) in every[after:]:
            if stream == stream_id and message is not None:
                await send_callback(EventMessage(message, event_id))
        return stream_id
