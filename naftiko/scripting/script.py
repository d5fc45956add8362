"""ScriptSource -> Script, whatever its language."""

from __future__ import annotations

import asyncio
import builtins
import json
import keyword
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NoReturn

from naftiko.errors import DeadlineError, NaftikoError, Problem, RunError
from naftiko.scripting.lanes import Job, Lanes, ScriptFault
from naftiko.source import Location
from naftiko.values import MISSING, JsonValue, Missing

SIZE = max(2, min(4, os.cpu_count() or 2))
"""How many scripts of a language run at once, in all capabilities of the process."""
MAX_CONTEXT_BYTES = 16 * 1024 * 1024
MAX_RESULT_CHARS = 16 * 1024 * 1024
MAX_DEPTH = 200
"""What the engine writes as JSON is nested no deeper than 254."""
STATEMENT_S = 1e-4
"""Neither engine counts statements: a limit of N gives N times this, and MIN_STATEMENTS_S."""
MIN_STATEMENTS_S = 0.1
CHECK_S = 10.0

_WORDS = re.compile(r"[^A-Za-z0-9_$]+")
_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*\Z")
_PYTHON_NAMES = frozenset(dir(builtins)) | frozenset(keyword.kwlist)


class ScriptSyntaxError(NaftikoError):
    """A script does not parse; `problem` says why and where."""

    def __init__(self, problem: Problem) -> None:
        """Keep the problem."""
        super().__init__(f"{problem.location}: {problem.message}")
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptFile:
    """One text of a script. `place` says where a line and column of it stand (both from 1)."""

    name: str
    text: str
    place: Callable[[int, int], Location]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptSource:
    """`language` is javascript or python; `files` are run in order, the script itself last."""

    language: str
    files: tuple[ScriptFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptLimits:
    """What one run may take. `statements` bounds the time, at 0.1 ms each and 0.1 s at least."""

    timeout_s: float = 10.0
    statements: int | None = None
    memory_bytes: int = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script that parses. `name` is the step's, for messages; `disabled` why it may not run."""

    name: str
    source: ScriptSource
    limits: ScriptLimits
    disabled: str = ""

    async def run(
        self, context: Mapping[str, JsonValue], *, timeout_s: float | None = None
    ) -> JsonValue | Missing:
        """Run it once and return `result`; MISSING where the script never assigns it.

        `timeout_s` is what is left of the request's time.

        Raises: RunError[script-failed, script-disabled, too-many-scripts]; DeadlineError.
        """
        if self.disabled:
            raise RunError(code="script-disabled", message=self.disabled)
        job = self._job(context)
        try:
            async with asyncio.timeout(timeout_s):
                text = await _lanes(self.source.language).run(job)
        except TimeoutError:
            raise DeadlineError(
                message=f"script step `{self.name}` did not end within the request's time"
            ) from None
        except ScriptFault as fault:
            self._fail(fault)
        return MISSING if text is None else self._value(text)

    def _job(self, context: Mapping[str, JsonValue]) -> Job:
        import orjson

        try:
            sent = orjson.dumps(dict(context)).decode()
        except TypeError:  # a lone surrogate, or an integer past 64 bits, which json writes
            sent = self._slowly(context)
        if len(sent) > MAX_CONTEXT_BYTES:
            raise self._error(f"its context has more than {MAX_CONTEXT_BYTES // 2**20} MiB")
        return Job(
            files=[(file.name, file.text) for file in self.source.files],
            context=sent,
            aliases=aliases(context, self.source.language),
            timeout_s=self._budget()[0],
            memory_bytes=self.limits.memory_bytes,
        )

    def _slowly(self, context: Mapping[str, JsonValue]) -> str:
        try:
            return json.dumps(dict(context))
        except (RecursionError, ValueError):
            raise self._error(
                "its context is nested too deep, or holds too long a number"
            ) from None

    def _budget(self) -> tuple[float, bool]:
        """Return the longest run and whether the statement limit makes it so short."""
        if self.limits.statements is None:
            return self.limits.timeout_s, False
        statements_s = max(MIN_STATEMENTS_S, self.limits.statements * STATEMENT_S)
        return min(statements_s, self.limits.timeout_s), statements_s < self.limits.timeout_s

    def _fail(self, fault: ScriptFault) -> NoReturn:
        budget_s, by_statements = self._budget()
        match fault.kind:
            case "timeout" if by_statements:
                reason = f"exceeded the statement limit ({self.limits.statements})"
            case "timeout":
                reason = f"exceeded the timeout limit ({round(budget_s * 1000)} ms)"
            case "memory":
                reason = f"exceeded the memory limit ({self.limits.memory_bytes // 2**20} MiB)"
            case _:
                raise self._error(f"{fault.message}{_where(fault)}") from None
        raise RunError(
            code="script-failed", message=f"Script step '{self.name}' {reason}"
        ) from None

    def _error(self, reason: str) -> RunError:
        return RunError(code="script-failed", message=f"script step `{self.name}` failed: {reason}")

    def _value(self, text: str) -> JsonValue:
        if len(text) > MAX_RESULT_CHARS:
            raise self._error("`result` is too large")
        try:
            value: JsonValue = json.loads(
                text, parse_int=_integer, parse_float=_float, parse_constant=_refuse
            )
        except RecursionError:
            raise self._error("`result` is nested too deep") from None
        except ValueError as error:
            raise self._error(f"`result` {error}") from None
        if _too_deep(value):
            raise self._error("`result` is nested too deep")
        return value


def compile_script(
    source: ScriptSource, limits: ScriptLimits, *, name: str, disabled: str = ""
) -> Script:
    """Check a script's syntax and return it, ready to run.

    Raises: ScriptSyntaxError[script-syntax] at the place of the script that is wrong.
    """
    script = Script(name=name, source=source, limits=limits, disabled=disabled)
    if disabled:
        return script
    texts = [(file.name, file.text) for file in source.files]
    job = Job(files=texts, timeout_s=CHECK_S, memory_bytes=limits.memory_bytes, check=True)
    try:
        _lanes(source.language).run_now(job)
    except ScriptFault as fault:
        raise ScriptSyntaxError(_problem(script, fault)) from None
    return script


def _problem(script: Script, fault: ScriptFault) -> Problem:
    files = {file.name: file for file in script.source.files}
    file = files.get(fault.file, script.source.files[-1])
    if fault.kind != "syntax":
        return Problem(
            code="script-unavailable",
            message=f"the script of `{script.name}` cannot be checked: {fault.message}",
            location=file.place(1, 1),
            hint="reinstall with `pip install --force-reinstall 'naftiko[scripts]'`",
        )
    return Problem(
        code="script-syntax",
        message=f"the script of `{script.name}` does not parse: {fault.message or fault.kind}",
        location=_location(file, fault),
    )


def _location(file: ScriptFile, fault: ScriptFault) -> Location:
    """What is missing at the end is reported past the last line."""
    last = file.text.rstrip().count("\n") + 1
    if fault.line > last:
        return file.place(last, 1)
    return file.place(max(1, fault.line), max(1, fault.column))


def aliases(context: Mapping[str, JsonValue], language: str) -> dict[str, str]:
    """Return the variables that stand for members of `context`, names in camel case.

    {"get-user": ...} -> {"getUser": "get-user"}. Builtins are never hidden.
    """
    found: dict[str, str] = {}
    for key in sorted(context, key=lambda name: _IDENTIFIER.match(name) is None):
        name = camel_case(key)
        if not _IDENTIFIER.match(name) or name in found or name in ("context", "result"):
            continue
        if language == "python" and (name in _PYTHON_NAMES or "$" in name):
            continue
        found[name] = key
    return found


def camel_case(name: str) -> str:
    """Return "getUser" for "get-user"."""
    first, *rest = _WORDS.split(name)
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


@cache
def _lanes(language: str) -> Lanes:
    if language == "javascript":
        from naftiko.scripting.javascript import JavaScriptSandbox

        return Lanes("javascript", SIZE, JavaScriptSandbox)
    from naftiko.scripting.python import PythonSandbox

    return Lanes("python", SIZE, lambda: PythonSandbox(SIZE))


def _where(fault: ScriptFault) -> str:
    return f" ({fault.file}:{fault.line})" if fault.file and fault.line else ""


def _integer(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**64:
        raise ValueError("holds an integer of more than 64 bits")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("holds a number that is too large")
    return value


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"holds {text}, which JSON does not have")


def _too_deep(value: JsonValue) -> bool:
    level: list[JsonValue] = [value]
    for _ in range(MAX_DEPTH):
        level = [member for item in level for member in _members(item)]
        if not level:
            return False
    return True


def _members(value: JsonValue) -> list[JsonValue]:
    if isinstance(value, list):
        return value
    return list(value.values()) if isinstance(value, dict) else []
