"""Takes an execution to its end: shows progress, asks for confirmations, cancels on Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from naftiko.cli.console import Console
from naftiko.cli.workflows import common
from naftiko.errors import ExitCode
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.plan.walk import mapping, objects

if TYPE_CHECKING:
    from naftiko.cli.workflows.serving import Served
    from naftiko.workflow.ports import StepEvent
    from naftiko.workflow.runtime.policy import Refused

LOOK_S = 1.0
LOOKS = 45
"""How often it is looked at an execution that another worker has: longer than a lease."""

GATES = ("IntegrityError", "PlanDrift", "PermissionDenied", "TierDenied")


@dataclass(slots=True, kw_only=True)
class Driver:
    """One execution. `confirm`: `ask`, `all` (confirm everything) or `leave` (to somebody else)."""

    served: Served
    console: Console
    confirm: str
    quiet: bool = False
    execution_id: str = ""
    interrupts: int = 0
    _tasks: set[asyncio.Task[JsonObject]] = field(default_factory=set)

    async def drive(
        self, first: Callable[[Callable[[StepEvent], None]], Awaitable[JsonObject]]
    ) -> JsonObject:
        """Begin, and go on until it is over or left to somebody else; returns its result.

        Raises: Refused; StateUnavailable, StateUnreadable; CancelledError after a second Ctrl-C.
        """
        with self._on_interrupt():
            result = await first(self.tell)
            while result["status"] == "awaiting_confirmation":
                self.execution_id = str(result["execution_id"])
                answer = await self._answer(mapping(result.get("next")))
                if answer is None:
                    break
                result = await self.served.service.go_on(
                    self.execution_id,
                    confirm_token=answer or None,
                    cancel=not answer,
                    on_event=self.tell,
                )
        return result

    async def _answer(self, next_: JsonObject) -> str | None:
        """Return the token that confirms, "" to cancel, None to leave it as it is."""
        if self._is_interrupted():
            return ""
        if self.confirm == "leave":
            return None
        self.console.note("\n".join(rendered(next_)))
        if self.confirm == "all":
            return str(next_["confirm_token"])
        while True:
            self.console.note("send it? [y]es, [n]o: cancel and roll back, [q]uit: decide later")
            line = await _read_line()
            word = "q" if line is None else line.strip().lower()[:1]
            if word == "n" or self._is_interrupted():
                return ""
            if word == "y":
                return str(next_["confirm_token"])
            if word == "q":
                return None if self.served.is_durable else ""

    def _is_interrupted(self) -> bool:
        return self.interrupts > 0

    def tell(self, event: StepEvent) -> None:
        """Show progress."""
        self.execution_id = event.execution_id
        if not self.quiet:
            attempt = f", attempt {event.attempt}" if event.attempt > 1 else ""
            detail = f": {event.detail}" if event.detail else ""
            self.console.note(
                f"[{event.done}/{event.total}] {event.step_id} {event.phase}{attempt}{detail}"
            )

    @contextlib.contextmanager
    def _on_interrupt(self) -> Iterator[None]:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # a coroutine runs in one

        def interrupted() -> None:
            self.interrupts += 1
            if self.interrupts > 1:
                task.cancel()
                return
            self.console.note(
                "cancelling: the handlers of its step take back what was done (Ctrl-C again: stop)"
            )
            _wake_reader()
            if self.execution_id:
                going = asyncio.ensure_future(
                    self.served.service.go_on(self.execution_id, cancel=True)
                )
                self._tasks.add(going)
                going.add_done_callback(_forget)
            else:
                task.cancel()

        def _forget(done: asyncio.Task[JsonObject]) -> None:
            self._tasks.discard(done)
            if not done.cancelled():
                done.exception()  # the one who waits for the execution is told as well

        handled = []
        for number, handler in ((signal.SIGINT, interrupted), (signal.SIGTERM, task.cancel)):
            with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
                loop.add_signal_handler(number, handler)
                handled.append(number)
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)


_waiting: list[Callable[[], None]] = []


def _wake_reader() -> None:
    for wake in _waiting:
        wake()


async def _read_line() -> str | None:
    """Return a line of stdin, None at its end; an interrupt does not wait for it.

    The thread is a daemon: one that still reads must not keep the process.
    """
    loop = asyncio.get_running_loop()
    read: asyncio.Future[str | None] = loop.create_future()

    def settle(line: str | None) -> None:
        if not read.done():
            read.set_result(line)

    def work() -> None:
        line = sys.stdin.readline()
        with contextlib.suppress(RuntimeError):  # the loop is gone
            loop.call_soon_threadsafe(settle, line or None)

    def wake() -> None:
        settle("")

    _waiting.append(wake)
    threading.Thread(target=work, name="naftiko stdin", daemon=True).start()
    try:
        return await read
    finally:
        _waiting.remove(wake)


def rendered(next_: JsonObject) -> Iterator[str]:
    """Yield what would be sent, for people."""
    shown = mapping(next_.get("rendered"))
    if shown.get("op") == "FOR_EACH":
        yield f"{next_.get('step_id')}: {shown.get('count')} items"
        for item in objects(shown.get("items")):
            for call in objects(item.get("calls")):
                yield f"  {_call(call)}"
        return
    yield f"{next_.get('step_id')}: {_call(shown)}"


def _call(call: JsonObject) -> str:
    given = json.dumps(call.get("input"), ensure_ascii=False)
    service = f"{call['service']} " if call.get("service") else ""
    return f"{service}{call.get('operation')} {given}"


def report(result: JsonObject, driver: Driver, *, as_json: bool, view: str) -> int:
    """Print a result: outputs to stdout, the rest to stderr; returns the exit code."""
    from naftiko.workflow.view import redacted

    console = driver.console
    shown = redacted(result, view)
    assert isinstance(shown, dict)  # as the result is
    status = str(result["status"])
    if as_json:
        common.print_json(shown, console)
    else:
        if result.get("steps") and result["mode"] in {"plan", "dry_run"}:
            common.print_json(shown["steps"], console)
        elif shown.get("outputs"):
            common.print_json(shown["outputs"], console)
        for line in _summary(shown):
            console.note(line)
    if status == "awaiting_confirmation":
        _tell_how_to_go_on(result, driver)
        # An error beside it says that this was no confirmation.
        return ExitCode.USAGE if result.get("error") else ExitCode.OK
    if driver.interrupts:
        return ExitCode.INTERRUPTED
    is_shown = status == "pending" and result["mode"] in {"plan", "dry_run"}
    return ExitCode.OK if status == "succeeded" or is_shown else ExitCode.PROBLEMS


def _tell_how_to_go_on(result: JsonObject, driver: Driver) -> None:
    if driver.served.is_durable:
        token = mapping(result.get("next")).get("confirm_token")
        driver.console.note(
            f"go on with: naftiko workflow resume {result['execution_id']} --confirm {token}"
        )


def _summary(result: JsonObject) -> Iterator[str]:
    workflow = mapping(result.get("workflow"))
    cached = " (an earlier result)" if result.get("cached") else ""
    name = f"{workflow.get('name')}@{workflow.get('version')}"
    yield f"{name} {result['status']}{cached}, execution {result['execution_id']}"
    error = mapping(result.get("error"))
    if error:
        code = f" {error['aws_code']}" if error.get("aws_code") else ""
        at = f" in `{error['step_id']}`" if error.get("step_id") else ""
        yield f"  {error.get('type')}{code}{at}: {error.get('message')}"
        said = mapping(error.get("data")).get("message")
        if isinstance(said, str) and said:
            whose = "" if error.get("type") == "AssertionFailed" else "AWS: "
            yield f"    {whose}{said}"
    for handler in objects(result.get("rollback")):
        why = f": {handler['reason']}" if handler.get("reason") else ""
        yield f"  rollback {handler.get('handler')} {handler.get('status')}{why}"
    warnings = result.get("warnings")
    for warning in warnings if isinstance(warnings, list) else []:
        yield f"  warning: {_warning(warning)}"


def _warning(warning: JsonValue) -> str:
    return str(mapping(warning).get("message", warning))


def refused(error: Refused, console: Console, *, as_json: bool) -> int:
    """Print why an execution does not begin; returns the exit code."""
    if as_json:
        common.print_json({"error": error.to_json()}, console)
    console.error(f"{error.type}: {error.message}", error.hint or _way_out(error))
    fields = error.data.get("fields")
    problems = fields if isinstance(fields, list) else mapping(_json(fields)).get("problems")
    for problem in objects(problems):
        console.note(f"  {problem.get('message')}")
    for name in ("missing", "undecided"):
        found = error.data.get(name)
        if isinstance(found, list | tuple) and found:
            console.note(f"  {name}: {', '.join(map(str, found))}")
    if error.type in {"InvalidParameters", "UnknownWorkflow", "UnknownExecution"}:
        return ExitCode.USAGE
    return common.GATE_FAILED if error.type in GATES else ExitCode.PROBLEMS


def _json(value: object) -> JsonValue:
    return value if isinstance(value, dict) else None


def _way_out(error: Refused) -> str:
    near = error.data.get("near")
    if isinstance(near, tuple | list) and near:
        return f"did you mean {', '.join(f'`{name}`' for name in near)}?"
    if error.type == "UnknownWorkflow":
        return "`naftiko workflow list` shows those there are; --catalog names other folders"
    if error.type == "IntegrityError" and "signed" in error.message:
        return "sign it (`compile --sign KEY`), or try it with --dev against a sandbox"
    return ""
