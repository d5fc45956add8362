"""One execution of a state machine, from its start over any redrives to its end."""

from __future__ import annotations

import datetime
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from naftiko.sandbox import machinery
from naftiko.sandbox.tasks import TaskBoard

JsonObject = dict[str, Any]

STOP_GRACE_S = 2.0
"""How long a stopped execution may take to wind up before it is called aborted anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A state machine, or a version of it, as it was when an execution started."""

    arn: str
    name: str
    type: str
    definition: str
    role_arn: str
    revision_id: str | None
    update_date: datetime.datetime
    version_arn: str | None = None
    alias_arn: str | None = None
    logging: JsonObject
    tracing: JsonObject
    encryption: JsonObject


class Execution:
    """What StartExecution or StartSyncExecution began."""

    def __init__(
        self,
        *,
        arn: str,
        name: str,
        snapshot: Snapshot,
        input_text: str,
        trace_header: str | None,
        board: TaskBoard,
    ) -> None:
        """Describe an execution that `start` or `run` sets going."""
        self.arn = arn
        self.name = name
        self.snapshot = snapshot
        self.input_text = input_text
        self.trace_header = trace_header
        self.status = "RUNNING"
        self.start_date = now()
        self.stop_date: datetime.datetime | None = None
        self.output: str | None = None
        self.error: str | None = None
        self.cause: str | None = None
        self.redrive_count = 0
        self.redrive_date: datetime.datetime | None = None
        self.redrive_tokens: dict[str, datetime.datetime] = {}
        self.finished = threading.Event()
        self._board = board
        self._interpreter = machinery.load_interpreter()
        self._log = self._interpreter.EventLog()
        self._environment: Any = None
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()

    def start(self) -> None:
        """Run in a thread of its own."""
        self._prepare()
        self._go(self._execute)

    def run_for(self, longest_s: float) -> None:
        """Run to the end, or until the time is up, while the caller waits."""
        self.start()
        if not self.finished.wait(longest_s):
            self._environment.set_timed_out()
            self.finished.wait(STOP_GRACE_S)

    def redrive(self) -> None:
        """Go on from the state that failed, was aborted or timed out."""
        with self._lock:
            self.redrive_count += 1
            self.redrive_date = now()
            self.status = "RUNNING"
            self.stop_date = self.output = self.error = self.cause = None
            self.finished.clear()
            previous = self._environment
            self._open_environment(previous)
        self._add_event(
            "ExecutionRedriven",
            {"executionRedrivenEventDetails": {"redriveCount": self.redrive_count}},
        )
        self._go(self._execute)

    def stop(self, error: str | None, cause: str | None) -> datetime.datetime:
        """Abort, and return when; an execution that is over stays as it ended."""
        if self.finished.is_set():
            return self.stop_date or now()
        if self._environment is not None:
            self._environment.set_stop(now(), cause, error)
        if not self.finished.wait(STOP_GRACE_S):
            ending = self._interpreter.Ending("ABORTED", error=error, cause=cause)
            self._close_history(ending)
            self._finish(ending)
        return self.stop_date or now()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread of the last run."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def history(self) -> list[JsonObject]:
        """Return the events so far, oldest first."""
        events: list[JsonObject] = self._log.get_event_history()
        return events

    @property
    def map_runs(self) -> list[Any]:
        """Return the interpreter's records of the distributed maps it ran."""
        if self._environment is None:
            return []
        return list(self._environment.map_run_record_pool_manager.get_all())

    def _prepare(self) -> None:
        self._open_environment(None)
        details: JsonObject = {
            "input": self.input_text,
            "inputDetails": {"truncated": False},
            "roleArn": self.snapshot.role_arn,
        }
        if self.snapshot.version_arn:
            details["stateMachineVersionArn"] = self.snapshot.version_arn
        if self.snapshot.alias_arn:
            details["stateMachineAliasArn"] = self.snapshot.alias_arn
        self._add_event("ExecutionStarted", {"executionStartedEventDetails": details})

    def _open_environment(self, previous: Any) -> None:
        parts = self.arn.split(":")
        details = self._interpreter.RunDetails(
            execution_arn=self.arn,
            name=self.name,
            role_arn=self.snapshot.role_arn,
            account_id=parts[4],
            region=parts[3],
            machine_arn=self.snapshot.arn,
            machine_name=self.snapshot.name,
            machine_type=self.snapshot.type,
            definition=self.snapshot.definition,
            input=json.loads(self.input_text),
            start_time=self.start_date.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        )
        environment = self._interpreter.open_environment(
            details, log=self._log, board=self._board, previous=previous
        )
        if self.redrive_count and self.redrive_date:
            execution = environment.states.context_object.context_object_data["Execution"]
            execution["RedriveCount"] = self.redrive_count
            execution["RedriveTime"] = self.redrive_date.isoformat()
        self._environment = environment

    def _add_event(self, name: str, details: JsonObject) -> None:
        self._log.add_event(
            self._environment.event_history_context,
            name,
            details,
            update_source_event_id=name == "ExecutionRedriven",
        )

    def _go(self, work: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=work, name=f"execution {self.name}", daemon=True)
        self._thread.start()

    def _execute(self) -> None:
        environment = self._environment
        try:
            self._interpreter.evaluate(self.snapshot.definition, environment)
        except Exception as error:  # noqa: BLE001 - an execution ends, whatever breaks in moto
            environment.set_error({"error": "States.Runtime", "cause": str(error)})
        ending = self._interpreter.ending_of(environment)
        if ending.status == "TIMED_OUT":
            # The last event comes from a thread that is still winding up.
            self._log.ended.wait(STOP_GRACE_S)
        if environment is self._environment:
            self._close_history(ending)
            self._finish(ending)

    def _close_history(self, ending: Any) -> None:
        # A program that was stopped before its first state, or that broke, says nothing.
        name = {"ABORTED": "Aborted", "FAILED": "Failed", "TIMED_OUT": "TimedOut"}.get(
            ending.status
        )
        if name is not None and not self._log.ended.is_set():
            details = _named(ending.error, ending.cause)
            self._add_event(f"Execution{name}", {f"execution{name}EventDetails": details})

    def _finish(self, ending: Any) -> None:
        with self._lock:
            if self.finished.is_set():
                return
            self.stop_date = now()
            self.error = ending.error
            self.cause = ending.cause
            if ending.status == "SUCCEEDED":
                self.output = json_text(ending.output)
            self.status = ending.status
            self.finished.set()
        machinery.drop_finished_threads()


def json_text(value: Any) -> str:
    """Return JSON as AWS writes it; what a service returned may hold dates."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)


def now() -> datetime.datetime:
    """Return the present moment, in UTC, to the millisecond as AWS shows it."""
    moment = datetime.datetime.now(tz=datetime.UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _named(error: str | None, cause: str | None) -> JsonObject:
    return {key: value for key, value in (("error", error), ("cause", cause)) if value is not None}
