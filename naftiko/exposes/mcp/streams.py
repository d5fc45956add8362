"""Event streams of 2025-11-25 that a client can take up again where they broke off.

Bounded: what is too old is forgotten, and a client that comes for it starts a new stream.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import count
from typing import TYPE_CHECKING

from mcp.server.streamable_http import EventCallback, EventId, EventMessage, EventStore, StreamId

if TYPE_CHECKING:
    from mcp_types import JSONRPCMessage

MAX_EVENTS = 10_000
"""Events kept over all streams of one session manager."""


class RecentEvents(EventStore):
    """The last events, oldest first; priming events hold no message."""

    def __init__(self, limit: int = MAX_EVENTS) -> None:
        """Start with none."""
        self._limit = limit
        self._numbers = count(1)
        self._events: OrderedDict[str, tuple[str, JSONRPCMessage | None]] = OrderedDict()

    async def store_event(self, stream_id: StreamId, message: JSONRPCMessage | None) -> EventId:
        """Keep one event and return its id."""
        event_id = f"{next(self._numbers):x}"
        self._events[event_id] = (stream_id, message)
        while len(self._events) > self._limit:
            self._events.popitem(last=False)
        return event_id

    async def replay_events_after(
        self, last_event_id: EventId, send_callback: EventCallback
    ) -> StreamId | None:
        """Send again what came after an event on its stream; None where it is forgotten."""
        known = self._events.get(last_event_id)
        if known is None:
            return None
        stream_id = known[0]
        seen = int(last_event_id, 16)
        later = [
            (event_id, message)
            for event_id, (stream, message) in self._events.items()
            if stream == stream_id and message is not None and int(event_id, 16) > seen
        ]
        for event_id, message in later:
            await send_callback(EventMessage(message, event_id))
        return stream_id
