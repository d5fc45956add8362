"""`ask`, `progress`, `log` and `wait` steps: what a run tells its caller, or waits for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from naftiko.errors import RunError, ShapingError
from naftiko.expressions.template import Template
from naftiko.expressions.text import type_name
from naftiko.plan.ports import Result
from naftiko.plan.run import Ask, Question
from naftiko.plan.steps.execution import At, CallsNothing, Execution
from naftiko.plan.steps.journal import once
from naftiko.plan.steps.repeat import pause
from naftiko.plan.values import ValueTemplate
from naftiko.values import MISSING, JsonObject, JsonValue, Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question: `params` in the words of MCP."""

    key: str
    kind: str
    params: ValueTemplate
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AskAction(CallsNothing):
    """Asks the caller. The output of one question is its answer, of `requests` one for each key.

    {"action": "accept", "content": {"sure": true}}
    """

    requests: tuple[Request, ...]
    single: bool
    silent: ClassVar[bool] = False

    async def run(self, execution: Execution, at: At) -> JsonValue | Missing:
        """Ask, and return the answer.

        Raises: Suspended where the caller comes back with it; RunError[cannot-ask].
        """

        async def work() -> Result:
            ask = execution.run.ask
            if ask is None:
                raise RunError(
                    code="cannot-ask",
                    message=f"the step `{at.path}` has a question, and this caller cannot be asked",
                    status=422,
                    hint="call it through an MCP client that supports elicitation",
                )
            return Result(value=await self._answers(ask, at))

        result = await once(execution, at.path, work)
        return result.value

    async def _answers(self, ask: Ask, at: At) -> JsonValue:
        # In a loop the same question is asked again: the path tells which one an answer is for.
        prefix = "" if at.path == at.name else f"{at.path}."
        questions: dict[str, Question] = {}
        keys: dict[str, str] = {}
        for request in self.requests:
            key = at.path if self.single else prefix + request.key
            keys[request.key] = key
            params = request.params.render(at.scope)
            questions[key] = Question(
                kind=request.kind,
                params=params if isinstance(params, dict) else {},
                optional=request.optional,
            )
        answers = await ask(questions)
        if self.single:
            return answers.get(at.path)
        found: JsonObject = {}
        for name, key in keys.items():
            if key in answers:
                found[name] = answers[key]
        return found

    def explain(self) -> Sequence[str]:
        """Return what is asked."""
        kinds = ", ".join(f"{item.key} ({item.kind})" for item in self.requests)
        return [f"ask the caller: {kinds}"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressAction(CallsNothing):
    """Tells the caller how far the run is."""

    progress: ValueTemplate
    total: ValueTemplate | None
    message: Template
    silent: ClassVar[bool] = True

    async def run(self, execution: Execution, at: At) -> JsonValue | Missing:
        """Tell it, where the caller wants to know.

        Raises: ShapingError[not-a-number].
        """
        tell = execution.run.progress
        if tell is not None:
            done = _number(self.progress.render(at.scope), at)
            total = None if self.total is None else _number(self.total.render(at.scope), at)
            await tell(done, total, execution.masker(self.message.render_text(at.scope)))
        return MISSING

    def explain(self) -> Sequence[str]:
        """Return what is told."""
        return [f"tell the caller: {self.message.text}" if self.message.text else "tell the caller"]


def _number(value: JsonValue | Missing, at: At) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    found = "nothing" if value is MISSING else type_name(value)
    raise ShapingError(
        code="not-a-number", message=f"the progress of the step `{at.path}` is {found}, no number"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAction(CallsNothing):
    """Sends the caller a log message."""

    level: str
    logger: str
    data: ValueTemplate
    silent: ClassVar[bool] = True

    async def run(self, execution: Execution, at: At) -> JsonValue | Missing:
        """Send it, where the caller takes log messages."""
        log = execution.run.log
        if log is not None:
            data = self.data.render(at.scope)
            await log(self.level, None if data is MISSING else data, self.logger)
        return MISSING

    def explain(self) -> Sequence[str]:
        """Return what is sent."""
        return [f"log to the caller ({self.level})"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitAction(CallsNothing):
    """Waits."""

    seconds: float
    silent: ClassVar[bool] = True

    async def run(self, execution: Execution, at: At) -> JsonValue | Missing:
        """Wait.

        Raises: DeadlineError where the run would not outlive it.
        """
        await pause(execution.run, self.seconds, at.path)
        return MISSING

    def explain(self) -> Sequence[str]:
        """Return how long."""
        return [f"wait {self.seconds:g} s"]
