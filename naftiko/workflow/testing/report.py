"""What became of the tests of a workflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from naftiko.source import Location
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.plan import walk
from naftiko.workflow.testing.cases import Case
from naftiko.workflow.vm.environment import Ending


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """Something that was not as expected. `location` is where the test says how."""

    message: str
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one test. `calls` are the operations that were called, in order.

    `reached` are the steps that did something, those of loop bodies and of handlers among them;
    `handlers` those that ran.
    """

    case: Case
    mismatches: tuple[Mismatch, ...]
    calls: tuple[str, ...]
    reached: frozenset[str]
    handlers: frozenset[str]
    ending: Ending | None

    @property
    def passed(self) -> bool:
        """Tell whether all was as expected."""
        return not self.mismatches

    def to_json(self) -> JsonObject:
        """Return it for programs."""
        mismatches: list[JsonValue] = [
            {"message": one.message, "line": one.location.line, "column": one.location.column}
            for one in self.mismatches
        ]
        return {
            "name": self.case.name,
            "passed": self.passed,
            "mismatches": mismatches,
            "status": self.ending.status if self.ending is not None else None,
            "calls": list(self.calls),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What of a plan the tests went through, in plan order.

    `has_success` and `has_failure` tell whether a test expects the one and the other.
    """

    steps: tuple[str, ...]
    missed_steps: tuple[str, ...]
    handlers: tuple[str, ...]
    missed_handlers: tuple[str, ...]
    has_success: bool
    has_failure: bool

    @property
    def is_complete(self) -> bool:
        """Tell whether it is what a submission needs."""
        return (
            not self.missed_steps
            and not self.missed_handlers
            and self.has_success
            and self.has_failure
        )

    def to_json(self) -> JsonObject:
        """Return it for programs."""
        return {
            "steps": list(self.steps),
            "missed_steps": list(self.missed_steps),
            "handlers": list(self.handlers),
            "missed_handlers": list(self.missed_handlers),
            "has_success": self.has_success,
            "has_failure": self.has_failure,
            "complete": self.is_complete,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of all tests of a workflow."""

    outcomes: tuple[Outcome, ...]
    coverage: Coverage

    @property
    def passed(self) -> bool:
        """Tell whether all was as expected."""
        return all(outcome.passed for outcome in self.outcomes)

    @property
    def failures(self) -> tuple[str, ...]:
        """What was not as expected: "tests.yaml:12:9: takes it back: the status is ..."."""
        return tuple(
            f"{one.location}: {outcome.case.name}: {one.message}"
            for outcome in self.outcomes
            for one in outcome.mismatches
        )

    def to_json(self) -> JsonObject:
        """Return it for programs."""
        return {
            "passed": self.passed,
            "tests": [outcome.to_json() for outcome in self.outcomes],
            "coverage": self.coverage.to_json(),
        }


def coverage(plan: JsonObject, outcomes: Sequence[Outcome]) -> Coverage:
    """Return what of a plan some tests went through."""
    reached = frozenset[str]().union(*(outcome.reached for outcome in outcomes))
    ran = frozenset[str]().union(*(outcome.handlers for outcome in outcomes))
    steps = [str(op["step_id"]) for op in walk.operations(walk.objects(plan["execution_plan"]))]
    handlers = [str(one["handler"]) for one in walk.objects(plan["rollback"])]
    wanted = {str(outcome.case.expect.status.value) for outcome in outcomes}
    return Coverage(
        steps=tuple(name for name in steps if name in reached),
        missed_steps=tuple(name for name in steps if name not in reached),
        handlers=tuple(name for name in handlers if name in ran),
        missed_handlers=tuple(name for name in handlers if name not in ran),
        has_success="succeeded" in wanted,
        has_failure=bool(wanted & {"failed", "rolled_back", "rollback_failed", "timed_out"}),
    )
