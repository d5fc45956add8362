"""Problems as text with an excerpt of the file, as JSON, and as GitHub workflow commands."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from naftiko.cli.console import Console, clean, paint
from naftiko.errors import MAX_PROBLEMS, Problem, Severity, SpecError
from naftiko.source import Source, render_excerpt
from naftiko.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from naftiko.engine import Checked
    from naftiko.source import Location

_GITHUB_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


class RefusedError(SpecError):
    """A file that cannot be served, with the texts its problems point at."""

    def __init__(self, checked: Checked) -> None:
        """Keep what was found."""
        super().__init__(checked.problems)
        self.checked = checked


def show_problems(error: SpecError, console: Console) -> None:
    """Print what keeps a file from being served, to stderr. Notes are for `validate`."""
    problems = [item for item in error.problems if item.severity is not Severity.INFO]
    if not isinstance(error, RefusedError):
        print_problems(problems, {}, console)
        console.note(summary(problems))
        return
    print_problems(problems, error.checked.sources, console)
    console.note(f"{error.checked.path}: {summary(problems)}")


def print_problems(
    problems: Sequence[Problem],
    sources: Mapping[str, Source],
    console: Console,
    *,
    to_stdout: bool = False,
) -> None:
    """Print problems for people; past a hundred the rest is counted."""
    shown = capped(problems)
    if console.journal is not None and not to_stdout:
        for problem in shown:
            _log(problem, console.journal)
        return
    colour = console.coloured(on_stdout=to_stdout)
    for problem in shown:
        text = render(problem, sources.get(problem.location.path), console, colour=colour)
        console.show(text, to_stdout=to_stdout)
    if len(shown) < len(problems):
        console.note(f"and {len(problems) - len(shown)} more")


def _log(problem: Problem, journal: logging.Logger) -> None:
    extra = {"code": problem.code, "location": str(problem.location), "hint": problem.hint}
    journal.log(
        logging.getLevelNamesMapping()[problem.severity.label.upper()],
        _one_line(problem.message),
        extra={name: text for name, text in extra.items() if text},
    )


def capped(problems: Sequence[Problem]) -> list[Problem]:
    """Return the hundred worst, sorted by place."""
    worst = sorted(problems, key=lambda item: (item.severity, item.sort_key()))[:MAX_PROBLEMS]
    return sorted(worst, key=Problem.sort_key)


def render(
    problem: Problem, source: Source | None, console: Console, *, colour: bool = False
) -> str:
    """Return a problem as lines: place and sentence, the excerpt, the hint.

    "orders.yaml:41:15: error[unknown-operation]: call names `crm.get`, which ..."
    """
    safe = console.safe
    label = paint(f"{problem.severity.label}[{problem.code}]", problem.severity.label, on=colour)
    place = paint(safe(str(problem.location)), "bold", on=colour)
    lines = [f"{place}: {label}: {_one_line(safe(problem.message))}"]
    if source is not None:
        lines += _excerpt(source, problem.location, console, colour=colour)
    lines += [f"  note: {safe(str(at))}: {_one_line(safe(words))}" for at, words in problem.related]
    if problem.hint:
        hint = paint("hint:", "info", on=colour)
        lines.append(f"  {hint} {_one_line(safe(problem.hint))}")
    return "\n".join(lines)


def _excerpt(source: Source, location: Location, console: Console, *, colour: bool) -> list[str]:
    text, _, carets = render_excerpt(source, location).partition("\n")
    if not text:
        return []
    masked = console.safe(text)
    if len(masked) != len(text):  # a secret was masked: the carets would point beside the mark
        return [masked]
    return [masked, paint(carets, "error", on=colour)]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def summary(problems: Iterable[Problem]) -> str:
    """Return "2 errors, 3 warnings", "no problems" where there are none."""
    counts = Counter(problem.severity for problem in problems)
    words = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
    parts = [
        f"{counts[severity]} {word}{'' if counts[severity] == 1 else 's'}"
        for severity, word in words.items()
        if counts[severity]
    ]
    return ", ".join(parts) or "no problems"


def to_json(problem: Problem, console: Console) -> JsonObject:
    """Return a problem as the JSON report holds it."""
    related: list[JsonValue] = [
        {"location": _place(at), "message": console.safe(words)} for at, words in problem.related
    ]
    return {
        "severity": problem.severity.label,
        "code": problem.code,
        "message": console.safe(problem.message),
        "location": _place(problem.location),
        "hint": console.safe(problem.hint) or None,
        "related": related,
    }


def _place(location: Location) -> JsonObject:
    return {
        "path": clean(location.path),
        "line": location.line,
        "column": location.column,
        "endColumn": location.end_column or None,
    }


def to_github(problem: Problem, console: Console) -> str:
    """Return a problem as a workflow command, which GitHub shows at its line.

    "::error file=a.yaml,line=3,col=5,title=naftiko unknown-field::`x` is not known"

    Source: GitHub Docs, "Workflow commands for GitHub Actions".
    """
    location = problem.location
    fields = {
        "file": location.path,
        "line": str(location.line),
        "col": str(location.column),
        "endColumn": str(location.end_column) if location.end_column else "",
        "title": f"naftiko {problem.code}",
    }
    properties = ",".join(f"{name}={_property(text)}" for name, text in fields.items() if text)
    message = problem.message + (f" ({problem.hint})" if problem.hint else "")
    level = _GITHUB_LEVELS[problem.severity]
    return f"::{level} {properties}::{_data(console.safe(message))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
