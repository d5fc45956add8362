"""Where a state waits for a task's outcome; part of the interpreter's side."""

from __future__ import annotations

import threading
from typing import Any

from moto.stepfunctions.parser.api import ActivityDoesNotExist
from moto.stepfunctions.parser.asl.eval.callback.callback import (
    ActivityCallbackEndpoint,
    CallbackConsumerTimeout,
    CallbackEndpoint,
    CallbackOutcomeFailure,
    CallbackOutcomeSuccess,
    CallbackPoolManager,
)

from naftiko.sandbox.tasks import ActivityTask, TaskBoard


class Endpoint(ActivityCallbackEndpoint):  # type: ignore[misc] # moto is untyped
    """A task's way back to the state that waits for it."""

    def __init__(self, token: str, task_input: str = "") -> None:
        """Open it."""
        super().__init__(callback_id=token, activity_input=task_input)
        # moto reads this attribute before any worker has set it.
        self.get_activity_task_start_endpoint()._outcome = None

    @property
    def is_open(self) -> bool:
        """Say whether the state still waits."""
        return self.consumer_error is None and self.get_outcome() is None

    def begin(self, worker_name: str | None) -> None:
        """Note that a worker has taken the task."""
        self.notify_activity_task_start(worker_name=worker_name)

    def succeed(self, output: str) -> None:
        """Hand over the output."""
        self.notify(CallbackOutcomeSuccess(callback_id=self.callback_id, output=output))

    def fail(self, error: str | None, cause: str | None) -> None:
        """Hand over the failure."""
        self.notify(CallbackOutcomeFailure(callback_id=self.callback_id, error=error, cause=cause))

    def beat(self) -> None:
        """Start the heartbeat's time anew, where the state has one."""
        self.notify_heartbeat()

    def setup_heartbeat_endpoint(self, heartbeat_seconds: int) -> Any:
        """Open the heartbeat; an outcome that came before it is not waited for."""
        heartbeat = super().setup_heartbeat_endpoint(heartbeat_seconds=heartbeat_seconds)
        if not self.is_open:
            heartbeat.notify()
        return heartbeat

    def close(self) -> None:
        """Wake whoever waits here: nobody wants the outcome any more."""
        if not self.is_open:
            return
        self.report(CallbackConsumerTimeout())
        self.get_activity_task_start_endpoint()._next_activity_task_start_event.set()
        self.interrupt_all()


class FrameTasks(CallbackPoolManager):  # type: ignore[misc] # moto is untyped
    """The tasks that one frame waits for, announced on the account's board."""

    def __init__(self, board: TaskBoard, outer: FrameTasks | None = None) -> None:
        """Start with none; `outer` holds those of the frame around this one."""
        super().__init__(activity_store={})
        self.board = board
        self._outer = outer
        self._is_closed = False
        self._lock = threading.Lock()

    def get(self, callback_id: str) -> CallbackEndpoint | None:
        """Find a task of this frame or of one around it."""
        endpoint = self._pool.get(callback_id)
        if endpoint is None and self._outer is not None:
            return self._outer.get(callback_id)
        return endpoint

    def add(self, callback_id: str) -> CallbackEndpoint:
        """Open a task token for a service integration."""
        endpoint = self._keep(Endpoint(callback_id))
        self.board.register(callback_id, endpoint)
        return endpoint

    def add_activity_task(
        self, callback_id: str, activity_arn: str, activity_input: str
    ) -> ActivityCallbackEndpoint:
        """Queue a task for an activity's workers."""
        if activity_arn not in self.board.activities:
            raise ActivityDoesNotExist(f"Activity Does Not Exist: '{activity_arn}'")
        endpoint = self._keep(Endpoint(callback_id, activity_input))
        self.board.offer(activity_arn, ActivityTask(callback_id, activity_input, endpoint))
        return endpoint

    def close(self) -> None:
        """Let go of every task, and of those that are still to come."""
        with self._lock:
            self._is_closed = True
            endpoints = list(self._pool.values())
        for endpoint in endpoints:
            endpoint.close()

    def _keep(self, endpoint: Endpoint) -> Endpoint:
        with self._lock:
            self._pool[endpoint.callback_id] = endpoint
            is_late = self._is_closed
        if is_late:
            endpoint.close()
        return endpoint
