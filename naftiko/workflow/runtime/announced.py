"""A journal that knows which changes have been announced and not been settled.

A worker that ends lets them be answered and recorded: what is cut off in between is ambiguous for
the worker after it, which must not repeat every call whose outcome is unknown.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from naftiko.values import JsonObject
from naftiko.workflow.ports import Clock, Journal


class Announced:
    """The journal of one execution, between the machine and what keeps the records."""

    def __init__(self, journal: Journal) -> None:
        """Nothing is announced yet."""
        self._journal = journal
        self._keys: set[str] = set()
        self._settled = asyncio.Event()
        self._settled.set()
        self._is_leaving = False

    async def append(self, record: JsonObject, /) -> None:
        """Keep a record; it is durable when this returns.

        Raises: CancelledError, once the worker leaves and this announces another change: what else
        the machine does in parallel goes on. LeaseLost; what the journal raises.
        """
        kind, key = record["r"], str(record.get("k", ""))
        if kind == "intent":
            if self._is_leaving:
                raise asyncio.CancelledError
            self._keys.add(key)
            self._settled.clear()
        await self._journal.append(record)
        if kind in {"done", "miss"}:
            self._keys.discard(key)
            if not self._keys:
                self._settled.set()

    async def leave(self, working: asyncio.Task[object], clock: Clock, within_s: float) -> None:
        """Let no further change begin, and wait until those under way are settled.

        It waits for `within_s` at most, and no longer than `working` goes on.
        """
        self._is_leaving = True
        if self._settled.is_set():
            return
        settled = asyncio.ensure_future(self._settled.wait())
        late = asyncio.ensure_future(clock.sleep(within_s))
        try:
            await asyncio.wait({working, settled, late}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (settled, late):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
