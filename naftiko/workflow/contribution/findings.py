"""What a gate says: passed, failed or not run, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from naftiko.errors import Problem, Severity
from naftiko.source import Location
from naftiko.values import JsonObject

PASSED, FAILED, NOT_RUN = "passed", "failed", "not_run"
FAILING_WARNINGS = frozenset({"WF212", "WF431", "WF432", "WF701"})
"""What is a warning while one writes, and keeps a workflow from being published."""

MAX_FINDINGS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a gate found. Line and column are 0 where it is about a whole file."""

    code: str
    message: str
    path: str
    line: int = 0
    column: int = 0
    hint: str = ""
    severity: str = "error"

    @property
    def fails(self) -> bool:
        """Tell whether the gate fails by it."""
        return self.severity == "error"

    @property
    def place(self) -> str:
        """`source.yaml:12:3`."""
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path

    def to_json(self) -> JsonObject:
        """Return it as the report has it."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "path": self.path,
            "line": self.line,
            "column": self.column,
            "hint": self.hint,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What became of a gate."""

    gate: str
    status: str
    findings: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        """Tell whether it lets the workflow through."""
        return self.status == PASSED

    def to_json(self) -> JsonObject:
        """Return it as the report has it."""
        return {
            "gate": self.gate,
            "status": self.status,
            "passed": self.passed,
            "findings": [one.to_json() for one in self.findings],
        }


def of_problem(problem: Problem, *, base: str = "") -> Finding:
    """Return a compiler's problem as a finding; `base` is the catalog's path, not to be told."""
    severity = problem.severity.label
    if problem.severity is Severity.WARNING and problem.code in FAILING_WARNINGS:
        severity = "error"
    return Finding(
        code=problem.code,
        severity=severity,
        message=_shortened(problem.message, base),
        path=_shortened(problem.location.path, base),
        line=problem.location.line,
        column=problem.location.column,
        hint=_shortened(problem.hint, base),
    )


def at(code: str, message: str, location: Location, hint: str = "") -> Finding:
    """Return a finding at a place of a file."""
    return Finding(
        code=code,
        message=message,
        path=location.path,
        line=location.line,
        column=location.column,
        hint=hint,
    )


def result(gate: str, findings: Iterable[Finding], *, ran: bool = True) -> GateResult:
    """Return what became of a gate that found this."""
    found = _ordered(findings)
    if any(one.fails for one in found):
        return GateResult(gate=gate, status=FAILED, findings=found)
    return GateResult(gate=gate, status=PASSED if ran else NOT_RUN, findings=found)


def _ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in one order, those that fail first where there are too many."""
    distinct: Sequence[Finding] = tuple(dict.fromkeys(findings))
    kept = sorted(distinct, key=lambda one: not one.fails)[:MAX_FINDINGS]
    return tuple(
        sorted(kept, key=lambda one: (one.path, one.line, one.column, one.code, one.message))
    )


def _shortened(text: str, base: str) -> str:
    return text.replace(f"{base}/", "") if base else text
