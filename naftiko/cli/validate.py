"""`naftiko validate FILE...`: everything that is wrong, at once."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from naftiko.cli import arguments as common
from naftiko.cli.console import Console
from naftiko.cli.loading import check, load_options
from naftiko.cli.problems import capped, print_problems, summary, to_github, to_json
from naftiko.engine import Checked
from naftiko.errors import ExitCode, Problem, Severity
from naftiko.values import JsonObject, JsonValue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    common.add_file(parser, several=True)
    common.add_loading(parser)
    parser.add_argument(
        "--format",
        choices=("text", "json", "github"),
        default="text",
        help="for people, for programs, or as workflow commands (default: text)",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Check every file; 1 if one of them cannot be served (or, with --strict, has warnings)."""
    options = load_options(arguments)
    checks = [check(name, options, console, every_operation=True) for name in arguments.files]
    _PRINTERS[arguments.format](checks, console)
    limit = Severity.WARNING if arguments.strict else Severity.ERROR
    bad = [item for item in checks if item.plan is None or _worst(item) <= limit]
    return ExitCode.PROBLEMS if bad else ExitCode.OK


def _worst(checked: Checked) -> Severity:
    return min((item.severity for item in checked.problems), default=Severity.INFO)


def _found(checked: Checked) -> list[Problem]:
    """Return the problems, and variables without a value as notes: CI has no need to set them."""
    missing = (dataclasses.replace(item, severity=Severity.INFO) for item in checked.missing)
    return sorted((*checked.problems, *missing), key=Problem.sort_key)


def _print_text(checks: list[Checked], console: Console) -> None:
    for checked in checks:
        problems = _found(checked)
        print_problems(problems, checked.sources, console, to_stdout=True)
        console.note(f"{_shown(checked)}: {_verdict(checked, problems)}")


def _shown(checked: Checked) -> str:
    """Return the path as short as it can be: relative to the process's folder if under it."""
    path = Path(checked.path)
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _verdict(checked: Checked, problems: list[Problem]) -> str:
    text = summary(problems)
    if checked.plan is None or checked.errors:
        return text
    disabled = len(checked.plan.disabled)
    verb = "is" if disabled == 1 else "are"
    return f"{text}; {disabled} of its operations {verb} not served" if disabled else text


def _print_json(checks: list[Checked], console: Console) -> None:
    files: list[JsonValue] = [_report(checked, console) for checked in checks]
    everything = [item for checked in checks for item in _found(checked)]
    report: JsonObject = {"files": files, **_counts(everything)}
    console.data(json.dumps(report, indent=2, ensure_ascii=False))


def _report(checked: Checked, console: Console) -> JsonObject:
    problems = _found(checked)
    plan = checked.plan
    disabled: list[JsonValue] = [
        {"adapter": item.adapter, "name": item.name, "code": item.problem.code}
        for item in (plan.disabled if plan else ())
    ]
    listed: list[JsonValue] = [to_json(item, console) for item in capped(problems)]
    return {
        "path": checked.path,
        "servable": plan is not None and not checked.errors,
        **_counts(problems),
        "problems": listed,
        "disabled": disabled,
    }


def _counts(problems: list[Problem]) -> JsonObject:
    def count(severity: Severity) -> int:
        return sum(item.severity is severity for item in problems)

    return {
        "errors": count(Severity.ERROR),
        "warnings": count(Severity.WARNING),
        "notes": count(Severity.INFO),
    }


def _print_github(checks: list[Checked], console: Console) -> None:
    for checked in checks:
        for problem in capped(_found(checked)):
            console.data(to_github(problem, console))
        console.note(f"{_shown(checked)}: {_verdict(checked, _found(checked))}")


_PRINTERS = {"text": _print_text, "json": _print_json, "github": _print_github}
