"""What is counted of a capability while it runs; a control port shows it.

Only a capability whose file has a control adapter with metrics has a meter. Each label has a bound:
a value beyond it counts as `other`, so that no caller can fill the memory with names.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeAlias

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds, those that OpenTelemetry and Prometheus use by default."""
MAX_SERIES = 2000
OTHER = "other"

Labels: TypeAlias = tuple[str, ...]


@dataclass(slots=True)
class Times:
    """How often, and how long in all; `buckets` count what took no longer than each bound."""

    count: int = 0
    seconds: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))

    def add(self, seconds: float) -> None:
        """Count one."""
        self.count += 1
        self.seconds += seconds
        self.buckets[bisect_left(BUCKETS, seconds)] += 1


class Meter:
    """Counts requests and consumed calls of one capability. Usable from several threads."""

    def __init__(self) -> None:
        """Start with nothing counted."""
        self.requests: dict[Labels, Times] = {}
        self.errors: dict[Labels, int] = {}
        self.calls: dict[Labels, Times] = {}
        self._lock = Lock()

    def request(
        self, adapter: str, operation: str, status: str, seconds: float, error: str = ""
    ) -> None:
        """Count a request that was answered: ("rest", "/orders GET", "200", 0.012)."""
        labels = (adapter, operation, status)
        with self._lock:
            if labels not in self.requests and len(self.requests) >= MAX_SERIES:
                operation = OTHER
                labels = (adapter, operation, status)
            self.requests.setdefault(labels, Times()).add(seconds)
            if error:
                failed = (adapter, operation, error)
                if failed not in self.errors and len(self.errors) >= MAX_SERIES:
                    failed = (adapter, OTHER, OTHER)
                self.errors[failed] = self.errors.get(failed, 0) + 1

    def call(self, method: str, server: str, status: str, error: str, seconds: float) -> None:
        """Count a request that was sent: ("GET", "api.example.com", "200", "", 0.08)."""
        labels = (method, server, status, error)
        with self._lock:
            if labels not in self.calls and len(self.calls) >= MAX_SERIES:
                labels = (method, OTHER, status, error)
            self.calls.setdefault(labels, Times()).add(seconds)
