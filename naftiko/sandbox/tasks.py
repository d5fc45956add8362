"""Tasks that wait for somebody outside: activity queues and task tokens."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Container
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from naftiko.sandbox import faults

LIVENESS_CHECK_S = 5.0
"""How often a long poll looks whether its caller is still there."""


caller_probe: ContextVar[Callable[[], bool]] = ContextVar("caller_probe", default=lambda: True)
"""Says whether the client of the request that this thread answers still listens."""


class Waiter(Protocol):
    """The interpreter's side of a task: the state that waits for its outcome."""

    @property
    def is_open(self) -> bool:
        """Say whether an outcome would still be taken."""

    def begin(self, worker_name: str | None) -> None:
        """Note that a worker has taken the task."""

    def succeed(self, output: str) -> None:
        """Hand over the output."""

    def fail(self, error: str | None, cause: str | None) -> None:
        """Hand over the failure."""

    def beat(self) -> None:
        """Start the heartbeat's time anew."""


@dataclass(frozen=True, slots=True)
class ActivityTask:
    """A task in an activity's queue."""

    token: str
    input: str
    waiter: Waiter


class TaskQueue:
    """The tasks of one activity, oldest first, and the workers that wait for one."""

    def __init__(self) -> None:
        """Start empty."""
        self.tasks: deque[ActivityTask] = deque()
        self.changed = threading.Condition()

    def next(self) -> ActivityTask | None:
        """Take the oldest task that its state still waits for."""
        while self.tasks:
            task = self.tasks.popleft()
            if task.waiter.is_open:
                return task
        return None


class TaskBoard:
    """Hands tasks to workers, and their outcomes back to the states that wait for them.

    `activities` holds the ARNs of those that exist; `endpoint_url` is where the tasks that
    states do themselves call AWS.
    """

    def __init__(self, activities: Container[str], endpoint_url: str | None) -> None:
        """Start with no task."""
        self.activities = activities
        self.endpoint_url = endpoint_url
        self._queues: dict[str, TaskQueue] = {}
        self._waiters: dict[str, Waiter] = {}
        self._is_closed = False

    def register(self, token: str, waiter: Waiter) -> None:
        """Let `token` reach `waiter`."""
        self._waiters[token] = waiter

    def offer(self, activity_arn: str, task: ActivityTask) -> None:
        """Queue a task for the activity's workers."""
        self.register(task.token, task.waiter)
        queue = self._queue(activity_arn)
        with queue.changed:
            queue.tasks.append(task)
            queue.changed.notify()

    def poll(
        self,
        activity_arn: str,
        *,
        worker_name: str | None,
        wait_s: float,
        is_caller_there: Callable[[], bool],
    ) -> ActivityTask | None:
        """Take the oldest task, waiting for one; None when the time or the caller is gone."""
        deadline = time.monotonic() + wait_s
        queue = self._queue(activity_arn)
        with queue.changed:
            while (task := queue.next()) is None:
                left = deadline - time.monotonic()
                if left <= 0 or self._is_closed or not is_caller_there():
                    return None
                queue.changed.wait(min(left, LIVENESS_CHECK_S))
            if not is_caller_there():
                queue.tasks.appendleft(task)
                queue.changed.notify()
                return None
        task.waiter.begin(worker_name)
        return task

    def succeed(self, token: str, output: str) -> None:
        """Complete a task.

        Raises: InvalidOutput, InvalidToken, TaskTimedOut.
        """
        try:
            json.loads(output)
        except ValueError as error:
            raise faults.fault("InvalidOutput", f"Invalid Output: '{error}'") from error
        self._open_waiter(token).succeed(output)

    def fail(self, token: str, error: str | None, cause: str | None) -> None:
        """Fail a task.

        Raises: InvalidToken, TaskTimedOut.
        """
        self._open_waiter(token).fail(error, cause)

    def beat(self, token: str) -> None:
        """Say that a task is still being worked on.

        Raises: InvalidToken, TaskTimedOut.
        """
        self._open_waiter(token).beat()

    def close(self) -> None:
        """Send every waiting worker home."""
        self._is_closed = True
        for queue in list(self._queues.values()):
            with queue.changed:
                queue.changed.notify_all()

    def _queue(self, activity_arn: str) -> TaskQueue:
        # setdefault is atomic: two workers that come first share one queue.
        return self._queues.setdefault(activity_arn, TaskQueue())

    def _open_waiter(self, token: str) -> Waiter:
        waiter = self._waiters.get(token)
        if waiter is None:
            raise faults.fault("InvalidToken", "Invalid Token: 'Invalid token'")
        if not waiter.is_open:
            raise faults.fault(
                "TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'"
            )
        return waiter
