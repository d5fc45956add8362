"""Problems in a file as data, the exception tree, and the exit codes they lead to."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import pairwise

from naftiko.source import Location
from naftiko.values import JsonValue

MAX_PROBLEMS = 100
"""More than these are not listed: past it one cause is repeating itself."""

MAX_COMPARED = 100
"""Longer names are like no other; comparing them would only cost time."""

MOST_COMPARED = 100
"""Names that one is compared to letter by letter."""


class ExitCode(IntEnum):
    """What the process answers with."""

    OK = 0
    PROBLEMS = 1
    USAGE = 2
    CANNOT_START = 3
    BUG = 70
    INTERRUPTED = 130


class Severity(IntEnum):
    """How much a problem matters; sorts from the worst."""

    ERROR = 0
    WARNING = 1
    INFO = 2

    @property
    def label(self) -> str:
        """Return `error`, `warning` or `info`."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, or may be, in a capability file.

    `code` is stable and hyphenated (`unknown-operation`). `message` is one lower-case sentence
    without a full stop, the author's text in backticks. `hint` says the way out.
    `related` holds further places with a few words each.
    """

    code: str
    message: str
    location: Location
    severity: Severity = Severity.ERROR
    hint: str = ""
    related: tuple[tuple[Location, str], ...] = ()

    def sort_key(self) -> tuple[str, int, int, int, str]:
        """Order by file, place, then severity."""
        place = self.location
        return (place.path, place.line, place.column, int(self.severity), self.code)


class Problems:
    """Collects the problems of a stage, so that all of them are reported at once."""

    def __init__(self) -> None:
        """Start with none."""
        self._found: dict[tuple[str, str, Location], Problem] = {}

    def add(self, problem: Problem) -> None:
        """Add a problem; the same one at the same place counts once."""
        self._found.setdefault((problem.code, problem.message, problem.location), problem)

    def error(self, code: str, message: str, location: Location, hint: str = "") -> None:
        """Add what keeps the file from being served."""
        self._add(Severity.ERROR, code, message, location, hint)

    def warn(self, code: str, message: str, location: Location, hint: str = "") -> None:
        """Add what may not be meant, or is left out."""
        self._add(Severity.WARNING, code, message, location, hint)

    def info(self, code: str, message: str, location: Location, hint: str = "") -> None:
        """Add a note."""
        self._add(Severity.INFO, code, message, location, hint)

    def _add(
        self, severity: Severity, code: str, message: str, location: Location, hint: str
    ) -> None:
        self.add(
            Problem(code=code, message=message, location=location, hint=hint, severity=severity)
        )

    def extend(self, problems: Iterable[Problem]) -> None:
        """Add several."""
        for problem in problems:
            self.add(problem)

    def ease(
        self, codes: Collection[str], lines: Collection[tuple[str, int]] | None = None
    ) -> bool:
        """Make notes of the problems of these codes; tell whether there were any.

        With `lines`, of those on these lines only: ("orders.yaml", 12).
        """
        eased = {
            key: replace(problem, severity=Severity.INFO)
            for key, problem in self._found.items()
            if problem.code in codes
            and (lines is None or (problem.location.path, problem.location.line) in lines)
        }
        self._found.update(eased)
        return bool(eased)

    def ease_after(self, count: int) -> None:
        """Make warnings of the errors that were added after the first `count` problems."""
        for key, problem in list(self._found.items())[count:]:
            if problem.severity is Severity.ERROR:
                self._found[key] = replace(problem, severity=Severity.WARNING)

    def __iter__(self) -> Iterator[Problem]:
        """Yield them sorted by place."""
        return iter(sorted(self._found.values(), key=Problem.sort_key))

    def __len__(self) -> int:
        """Count them."""
        return len(self._found)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Return those that keep the file from being served."""
        return tuple(problem for problem in self if problem.severity is Severity.ERROR)

    def sorted(self) -> tuple[Problem, ...]:
        """Return all of them, sorted by place."""
        return tuple(self)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like `name`, or None if none is near.

    "get-custmer", ["get-customer"] -> "get-customer"
    """
    if len(name) > MAX_COMPARED:
        return None
    names = list(known)
    lowered = {candidate.lower(): candidate for candidate in names}
    if name.lower() in lowered:
        return lowered[name.lower()]
    close = difflib.get_close_matches(name.lower(), _alike(name.lower(), lowered), 1, cutoff=0.6)
    return lowered[close[0]] if close else None


def _alike(name: str, known: Iterable[str]) -> list[str]:
    """Return those that share the most pairs of letters: to compare thousands takes a while."""
    names = list(known)
    if len(names) <= MOST_COMPARED:
        return names
    pairs = {first + second for first, second in pairwise(name)}

    def likeness(other: str) -> float:
        return sum(pair in other for pair in pairs) / (len(name) + len(other))

    return heapq.nlargest(MOST_COMPARED, names, key=likeness)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "did you mean `x`?", or the known names if few, or ""."""
    names = list(known)
    near = nearest(name, names)
    if near is not None:
        return f"did you mean `{near}`?"
    if 0 < len(names) <= 8:
        return "known here: " + ", ".join(f"`{known_name}`" for known_name in names)
    return ""


class NaftikoError(Exception):
    """Base of every error the engine raises on purpose."""


class SpecError(NaftikoError):
    """The file cannot be served as it stands; `problems` says why."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems, sorted."""
        self.problems = tuple(sorted(problems, key=Problem.sort_key))
        first = next(
            (item for item in self.problems if item.severity is Severity.ERROR),
            self.problems[0] if self.problems else None,
        )
        text = f"{first.location}: {first.message}" if first else "the file has problems"
        super().__init__(text)


class DocumentError(SpecError):
    """The text is not a document the engine reads: YAML, size, depth, duplicate keys."""


class ValidationError(SpecError):
    """The document breaks a rule of the language."""


class CompileError(SpecError):
    """An operation cannot be turned into a plan."""


class StartError(NaftikoError):
    """The surroundings refuse: a port is taken, a bound value is missing."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Keep what failed and the way out."""
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One input that is wrong: `{"name": "maxResults", "in": "query", "message": ...}`."""

    name: str
    message: str
    in_: str = "argument"
    hint: str = ""

    def to_json(self) -> dict[str, JsonValue]:
        """Return the wire shape."""
        out: dict[str, JsonValue] = {"name": self.name, "in": self.in_, "message": self.message}
        if self.hint:
            out["hint"] = self.hint
        return out


@dataclass(kw_only=True, eq=False)
class RunError(NaftikoError):
    """One request failed. Everything in it may be shown to the caller.

    `status` is the HTTP status a REST caller sees; `code` is stable (`access-denied`);
    `details` are further members for the problem document, such as `awsCode` or `requestId`.
    """

    code: str
    message: str
    status: int = 500
    hint: str = ""
    retryable: bool = False
    retry_after_s: float | None = None
    location: Location | None = None
    details: Mapping[str, JsonValue] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the message."""
        return self.message


@dataclass(kw_only=True, eq=False)
class InputError(RunError):
    """The caller's mistake: REST 400, and in MCP an `isError` result the model can act on."""

    code: str = "invalid-input"
    message: str = "the request has invalid inputs"
    status: int = 400
    fields: tuple[FieldError, ...] = ()


@dataclass(kw_only=True, eq=False)
class ConsumedError(RunError):
    """The consumed API refused or could not be reached."""

    code: str = "upstream-error"
    message: str = "the consumed API failed"
    status: int = 502


@dataclass(kw_only=True, eq=False)
class ShapingError(RunError):
    """The consumed API's answer could not be turned into the declared output."""

    code: str = "output-error"
    message: str = "the answer could not be shaped"
    status: int = 502


@dataclass(kw_only=True, eq=False)
class DeadlineError(RunError):
    """The consumed API did not answer in time."""

    code: str = "timeout"
    message: str = "the consumed API did not answer in time"
    status: int = 504
    retryable: bool = True
