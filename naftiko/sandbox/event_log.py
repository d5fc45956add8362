"""The history of an execution, and how far each part of it came."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.stepfunctions.parser.asl.eval.event.event_manager import (
    EventHistoryContext,
    EventManager,
)

FramePath = tuple[str | int, ...]
"""Where a frame stands: state names and branch or iteration numbers from the top."""

FINAL_EVENTS = frozenset(
    {"ExecutionAborted", "ExecutionFailed", "ExecutionSucceeded", "ExecutionTimedOut"}
)


@dataclass(slots=True)
class Checkpoints:
    """How far each frame of an execution came, to go on from there when it is redriven."""

    entered: dict[FramePath, tuple[str, Any]] = field(default_factory=dict)
    outputs: dict[FramePath, Any] = field(default_factory=dict)
    attempts: dict[FramePath, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def forget(self, path: FramePath) -> None:
        """Drop what was kept for the frames below `path`."""
        with self.lock:
            for kept in (self.entered, self.outputs):
                for known in [known for known in kept if known[: len(path)] == path]:
                    del kept[known]

    def copy(self) -> Checkpoints:
        """Return a copy to resume from."""
        with self.lock:
            return Checkpoints(dict(self.entered), dict(self.outputs))


class EventLog(EventManager):  # type: ignore[misc] # moto is untyped
    """An execution's history, closed to threads that outlive their run."""

    def __init__(self) -> None:
        """Start empty, in the first run."""
        super().__init__(cloud_watch_logging_session=None)
        self.run_number = 0
        self.is_sealed = False
        self.checkpoints = Checkpoints()
        self.ended = threading.Event()

    def begin_run(self) -> int:
        """Open the log for the next run and return its number."""
        self.run_number += 1
        self.is_sealed = False
        self.ended.clear()
        return self.run_number

    def seal(self) -> None:
        """Take nothing more in this run but how it ended."""
        self.is_sealed = True

    def add_event(
        self,
        context: EventHistoryContext,
        event_type: Any,
        event_details: Mapping[str, Any] | None = None,
        timestamp: Any = None,
        update_source_event_id: bool = True,
    ) -> int:
        """Append an event, unless its run is over."""
        name = str(getattr(event_type, "value", event_type))
        is_stale = getattr(context, "run_number", self.run_number) != self.run_number
        if is_stale or self.ended.is_set() or (self.is_sealed and name not in FINAL_EVENTS):
            return int(context.last_published_event_id)
        entered = (event_details or {}).get("stateEnteredEventDetails")
        if entered is not None:
            self._keep_place(context, entered)
        event_id = super().add_event(
            context, event_type, event_details, timestamp, update_source_event_id
        )
        if name in FINAL_EVENTS:
            self.ended.set()
        return int(event_id)

    def _keep_place(self, context: EventHistoryContext, entered: Mapping[str, Any]) -> None:
        environment = getattr(context, "environment", None)
        if environment is not None:
            place = (entered["name"], environment.states.get_input())
            self.checkpoints.entered[environment.path] = place
